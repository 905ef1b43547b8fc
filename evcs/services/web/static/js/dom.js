// Preact and htm, put together: what every page draws with.

import { Component, createRef, h, render } from "../vendor/preact.js";
import htm from "../vendor/htm.js";

const html = htm.bind(h);

export { Component, createRef, h, html, render };
