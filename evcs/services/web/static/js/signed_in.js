// The page behind a link of `evcs open`: it keeps the page's token, and goes on.

import { keepToken } from "./operator.js";

const { csrf, then } = document.querySelector("main").dataset;
keepToken(csrf);
location.replace(then);
