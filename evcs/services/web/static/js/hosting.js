// How a CP runs, as one chooses it and as it is told.

import { html } from "./dom.js";

const HOSTINGS = [["process", "Own processes"], ["pool", "Pool"]];

export function Hosting({ value, onInput }) {
  return html`<label class="field">Hosting <select name="hosting" value=${value} onInput=${onInput}>
    ${HOSTINGS.map(([name, words]) => html`<option value=${name}>${words}</option>`)}</select></label>`;
}

export function place({ pool, moving }) {
  return `${pool === null ? "own processes" : `pool ${pool}`}${moving ? ", moving there" : ""}`;
}
