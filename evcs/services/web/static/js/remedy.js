// What puts right what a CP's reason tells of: a button beside it.

import { html } from "./dom.js";
import { OCPP } from "./hosting.js";
import { inFault } from "./jobs.js";

function remedyOf(row) {
  if (row.revoked) return ["rekey", "Rekey"];
  if (inFault(row)) return row.engine && row.hosting !== OCPP ? ["clear", "Clear fault"] : null;
  return row.service === "out" ? ["resume", "Resume"] : null;
}

export function Remedy({ row, off, onClick }) {
  const found = remedyOf(row);
  if (!found) return null;
  const [verb, words] = found;
  return html`<button class="small" disabled=${off} title=${`The same in a terminal: bin/evcs-cp ${verb} ${row.id}`}
    onClick=${(event) => onClick(event, verb)}>${words}</button>`;
}
