// How and where a CP runs, as one chooses it and as it is told.

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

// What runs there goes without saying.
export const CENTRE = "main";

/* On which machine; with one alone there is nothing to choose. A real charger dials in at the centre. */
export function HostChoice({ hosts, hosting, value, onInput }) {
  if (hosts.length < 2 || hosting === OCPP) return null;
  return html`<label class="field">Host <select name="host" value=${value} onInput=${onInput}>
    ${[...(value === VARIOUS ? [VARIOUS] : []), ...hosts].map((name) => html`<option value=${name}>${name === VARIOUS ? "various" : name}</option>`)}</select></label>`;
}

// Where it stands, and where it runs.
export const where = ({ location, host }) => [location, host !== CENTRE && `on ${host}`].filter(Boolean).join(", ");

export function place({ hosting, pool, moving }) {
  if (hosting === OCPP) return "a real charger";
  return `${pool === null ? "own processes" : `pool ${pool}`}${moving ? ", moving there" : ""}`;
}
