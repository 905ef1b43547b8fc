// Questions that come before a change: the browser's own dialog, which keeps the focus.

import { meant } from "./aim.js";
import { Component, createRef, html } from "./dom.js";
import { Code } from "./shell.js";
import { ranges } from "./ranges.js";
import { byName, count, kwh } from "./words.js";

export class Dialog extends Component {
  constructor() {
    super();
    this.dialog = createRef();
  }

  componentDidMount() {
    this.dialog.current.showModal();
  }

  // Closed before it goes, it gives the focus back to where it was.
  componentWillUnmount() {
    this.dialog.current.close();
  }

  render({ onNo, children, label }) {
    return html`<dialog ref=${this.dialog} aria-label=${label} onCancel=${onNo} onClose=${onNo}>${children}</dialog>`;
  }
}

const WHAT_COMES = {
  delete: "Gone from the Registry, and its processes end. Sessions and tickets stay in the ledger.",
  revoke: "The bus shuts it out at once and takes it no more, also after a restart; its processes end. A charge under way ends, its ticket comes after rekey. Rekey brings it back with new secrets.",
  stop: "Out of service, also after a restart, until it is resumed.",
  unplug: "As if the driver had pulled the cable.",
  fault: "As if the charger had broken, until the fault is cleared.",
};
const NAMES = { fault: "Cause a fault at" };
const ALWAYS = ["stop", "delete", "revoke"];
const ENDS_A_CHARGE = ["unplug", "fault"];

// Whether to ask before doing that to these rows.
export const asksFirst = (verb, rows) => ALWAYS.includes(verb) || (ENDS_A_CHARGE.includes(verb) && rows.some((row) => row && row.session));

function Charging({ rows }) {
  if (!rows.length) return html`<p>Nobody is charging there now.</p>`;
  return html`<p class="bad"><strong>${count(rows.length, "driver is", "drivers are")} charging there now.</strong>
      ${rows.length > 1 ? " Their charges end." : " The charge ends."}</p>
    <ul class="names" tabindex="0" aria-label="Who is charging">${rows.map(({ id, session }) => html`<li key=${id}><b>${id}</b> ${session.driver}, ${kwh(session.energy_wh)} kWh so far</li>`)}</ul>`;
}

// What takes a CP away, or ends a charge, asks once; what resume doesn't undo has the number of many typed.
export class Confirm extends Component {
  constructor() {
    super();
    this.state = { typed: "" };
  }

  render({ verb, ids, rows, onYes, onNo }, { typed }) {
    const many = ids.length > 1;
    const charging = rows.filter((row) => row && row.session);
    const name = NAMES[verb] || `${verb[0].toUpperCase()}${verb.slice(1)}`;
    const what = `${name} ${many ? count(ids.length, "charging point") : ids[0]}`;
    const typing = many && (verb !== "stop" || charging.length > 0);
    const sure = !typing || typed === String(ids.length);
    const verbs = `bin/evcs-cp ${verb} ${ranges(ids)}`;
    const yes = (event) => {
      event.preventDefault();
      if (sure) onYes();
    };
    return html`<${Dialog} onNo=${onNo} label=${what}>
      <form onSubmit=${yes}>
        <h2>${what}?</h2>
        ${many && html`<p class="names" tabindex="0" aria-label="Which">${[...ids].sort(byName).map((cp, i) => html`${i ? ", " : ""}<span key=${cp}>${cp}</span>`)}</p>`}
        <p>${WHAT_COMES[verb]}</p>
        <${Charging} rows=${charging} />
        ${typing && html`<label class="field">Type ${ids.length} to confirm
          <input name="number" autofocus value=${typed} onInput=${(event) => this.setState({ typed: event.target.value })} autocomplete="off" /></label>`}
        <p class="hint">The same in a terminal: <${Code}>${many && verb === "delete" ? `${verbs} --yes` : verbs}<//></p>
        <div class="bar"><button class="danger" disabled=${!sure} onClick=${(event) => meant(event) || event.preventDefault()}>${what}</button>
          <button type="button" autofocus=${!typing} onClick=${onNo}>Cancel</button></div>
      </form>
    <//>`;
  }
}
