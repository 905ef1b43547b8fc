// How a CP runs, as one chooses it and as it is told.

import { html } from "./dom.js";

const HOSTINGS = [["process", "Own processes"], ["pool", "Pool"]];

const OCPP = "ocpp";

/* A real charger is one from its creation on. */
export function Hosting({ value, onInput }) {
  if (value === OCPP) return null;
  return html`<label class="field">Hosting <select name="hosting" value=${value} onInput=${onInput}>
    ${HOSTINGS.map(([name, words]) => html`<option value=${name}>${words}</option>`)}</select></label>`;
}

export function place({ hosting, pool, moving }) {
  if (hosting === OCPP) return "a real charger";
  return `${pool === null ? "own processes" : `pool ${pool}`}${moving ? ", moving there" : ""}`;
}
