// Questions that come before a change: the browser's own dialog, which keeps the focus.

import { Component, createRef, html } from "./dom.js";
import { Code } from "./shell.js";
import { count, kw } from "./words.js";

class Dialog extends Component {
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
  delete: "Its processes end and it is gone from the Registry. Sessions and tickets stay in the ledger.",
  revoke: "The bus shuts it out at once and takes it no more, also after a restart; its processes end. A supply under way ends, its ticket comes after rekey. Rekey brings it back with new secrets.",
};

// What can't be undone, or cuts a supply, asks once; done to many it has their number typed.
export class Confirm extends Component {
  constructor() {
    super();
    this.state = { typed: "" };
  }

  render({ verb, ids, onYes, onNo }, { typed }) {
    const many = ids.length > 1;
    const name = `${verb[0].toUpperCase()}${verb.slice(1)}`;
    const what = `${name} ${many ? count(ids.length, "charging point") : ids[0]}`;
    const sure = !many || typed === String(ids.length);
    const yes = (event) => {
      event.preventDefault();
      if (sure) onYes();
    };
    return html`<${Dialog} onNo=${onNo} label=${what}>
      <form onSubmit=${yes}>
        <h2>${what}?</h2>
        <p>${WHAT_COMES[verb]}</p>
        ${many && html`<label class="field">Type ${ids.length} to confirm
          <input name="number" value=${typed} onInput=${(event) => this.setState({ typed: event.target.value })} autocomplete="off" /></label>`}
        <p class="hint">The same in a terminal: <${Code}>bin/evcs-cp ${verb} ${many ? "NAME…" : ids[0]}<//></p>
        <div class="bar"><button class="danger" disabled=${!sure}>${name}</button>
          <button type="button" onClick=${onNo}>Cancel</button></div>
      </form>
    <//>`;
  }
}

export class Edit extends Component {
  constructor({ row }) {
    super();
    this.state = { price: row.price_eur_kwh, power: String(Number(kw(row.max_power_w))), location: row.location };
  }

  render({ row, onYes, onNo }, { price, power, location }) {
    const set = (name) => (event) => this.setState({ [name]: event.target.value });
    const yes = (event) => {
      event.preventDefault();
      onYes({ price_eur_kwh: price.trim(), max_power_w: Math.round(Number(power) * 1000), location });
    };
    return html`<${Dialog} onNo=${onNo} label=${`Edit ${row.id}`}>
      <form onSubmit=${yes} autocomplete="off">
        <h2>Edit ${row.id}</h2>
        <label class="field">Price, €/kWh <input name="price" inputmode="decimal" value=${price} onInput=${set("price")} /></label>
        <label class="field">Power, kW <input name="power" inputmode="decimal" value=${power} onInput=${set("power")} /></label>
        <label class="field">Place <input name="location" maxlength="200" value=${location} onInput=${set("location")} /></label>
        <p class="hint">A session under way keeps the price that it began with.</p>
        <div class="bar"><button class="main">Save</button><button type="button" onClick=${onNo}>Cancel</button></div>
      </form>
    <//>`;
  }
}
