// Circuits, and what a CP may take of its own: words, the choice in forms, the tree.

import { html } from "./dom.js";
import { VARIOUS } from "./hosting.js";
import { byName, kw } from "./words.js";

const WAITING = "waiting for power";

// What a CP's charger has of its back end, where that is not what it should be.
const BACK_END = { away: "its back end is away", refused: "its back end refuses it" };

// A CP's reason; of one that is broken down and stopped, too, the other one with it.
export function why(row) {
  const stopped = row.service === "out" && row.state === "BROKEN_DOWN";
  return stopped ? `${because(row)}; stopped by the operator, too` : because(row);
}

// Where it has none, what its back end or its circuit keeps it from.
function because({ reason, session, circuit, max_power_w, backend_state }) {
  if (!reason && BACK_END[backend_state]) return BACK_END[backend_state];
  if (!session || (reason && reason !== WAITING)) return reason;
  if (reason) return session.wait_s ? `${reason}, about ${Math.ceil(session.wait_s / 60)} min` : reason;
  if (session.limit_w === 0) return WAITING;
  return session.limit_w == null || session.limit_w >= max_power_w ? "" : `limit ${kw(session.limit_w)} kW of ${circuit}`;
}

// All circuits, each below the one that feeds it, with how deep it is.
export function tree(circuits, parent = null, depth = 0) {
  const those = [...circuits.values()].filter((one) => (circuits.has(one.parent) ? one.parent : null) === parent);
  those.sort((a, b) => byName(a.name, b.name));
  return those.flatMap((one) => [{ ...one, depth }, ...tree(circuits, one.name, depth + 1)]);
}

// Of a CP; nothing to choose where there is none.
export function CircuitChoice({ circuits, value, onInput }) {
  if (!circuits.size && !value) return null;
  return html`<label class="field">Circuit <select name="circuit" value=${value} onInput=${onInput}>
    ${value === VARIOUS && html`<option value=${VARIOUS}>various</option>`}<option value="">none</option>${tree(circuits).map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>`;
}
