// How a CP runs, as one chooses it and as it is told.

import { html } from "./dom.js";

const HOSTINGS = [["process", "Own processes"], ["pool", "Pool"]];

export const OCPP = "ocpp";

// Of CPs that are not alike.
export const VARIOUS = "*";

/* A real charger is one from its creation on: `fresh` offers that, too. */
export function Hosting({ value, onInput, fresh }) {
  if (value === OCPP && !fresh) return null;
  const offered = [...(value === VARIOUS ? [[VARIOUS, "various"]] : []), ...HOSTINGS, ...(fresh ? [[OCPP, "Real charger"]] : [])];
  return html`<label class="field">Hosting <select name="hosting" value=${value} onInput=${onInput}>
    ${offered.map(([name, words]) => html`<option value=${name}>${words}</option>`)}</select></label>`;
}

export function place({ hosting, pool, moving }) {
  if (hosting === OCPP) return "a real charger";
  return `${pool === null ? "own processes" : `pool ${pool}`}${moving ? ", moving there" : ""}`;
}
