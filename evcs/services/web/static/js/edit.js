// The form that changes a CP, or many at once. Only what was changed is sent: another may have
// changed the rest meanwhile.

import { Dialog } from "./dialogs.js";
import { Component, html } from "./dom.js";
import { Field } from "./fields.js";
import { HostChoice, Hosting, OCPP, VARIOUS } from "./hosting.js";
import { CircuitChoice } from "./power.js";
import { count, watts, wrongPower, wrongPrice } from "./words.js";

// What is alike in all of the rows.
function common(rows, pick) {
  const first = pick(rows[0]);
  return rows.every((row) => pick(row) === first) ? first : null;
}

const TYPED = { price: (row) => row.price_eur_kwh, power: (row) => String(row.max_power_w / 1000), location: (row) => row.location };
const CHOSEN = { hosting: (row) => row.hosting, host: (row) => row.host, circuit: (row) => row.circuit || "" };

function shownOf(rows) {
  const found = {};
  for (const [name, pick] of Object.entries(TYPED)) found[name] = common(rows, pick) ?? "";
  for (const [name, pick] of Object.entries(CHOSEN)) found[name] = common(rows, pick) ?? VARIOUS;
  if (rows.some((row) => row.hosting === OCPP)) found.hosting = OCPP;
  return found;
}

export class Edit extends Component {
  constructor({ rows }) {
    super();
    this.shown = shownOf(rows);
    this.state = { ...this.shown, touched: {} };
    this.onInput = (name) => (event) => this.setState({ [name]: event.target.value, touched: { ...this.state.touched, [name]: true } });
  }

  get is() {
    return Object.fromEntries(Object.keys(this.shown).map((name) => [name, this.state[name] !== this.shown[name]]));
  }

  fields() {
    const { is, state } = this;
    return {
      ...(is.price && { price_eur_kwh: state.price.trim() }),
      ...(is.power && { max_power_w: watts(state.power) }),
      ...(is.location && { location: state.location }),
      ...(is.hosting && { hosting: state.hosting }),
      ...(is.host && { host: state.host }),
      ...(is.circuit && { circuit: state.circuit || null }),
    };
  }

  render({ rows, circuits, hosts, onYes, onNo }, state) {
    const { is, onInput } = this;
    const wrong = { price: is.price && wrongPrice(state.price), power: is.power && wrongPower(state.power) };
    const right = !wrong.price && !wrong.power;
    const many = rows.length > 1;
    const what = `Edit ${many ? count(rows.length, "charging point") : rows[0].id}`;
    const field = { form: "edit", state, wrong, onInput };
    const various = (name) => (common(rows, TYPED[name]) === null ? "various" : undefined);
    const yes = (event) => {
      event.preventDefault();
      if (right) onYes(this.fields());
    };
    return html`<${Dialog} onNo=${onNo} label=${what}>
      <form onSubmit=${yes} autocomplete="off">
        <h2>${what}</h2>
        <${Field} ...${field} name="price" label="Price, €/kWh" inputmode="decimal" placeholder=${various("price")} />
        <${Field} ...${field} name="power" label="Power, kW" inputmode="decimal" placeholder=${various("power")} />
        <${Field} ...${field} name="location" label="Location" maxlength="200" spellcheck="true" placeholder=${various("location")} />
        <${Hosting} value=${state.hosting} onInput=${onInput("hosting")} />
        <${HostChoice} hosts=${hosts} hosting=${state.hosting} value=${state.host} onInput=${onInput("host")} />
        <${CircuitChoice} circuits=${circuits} value=${state.circuit} onInput=${onInput("circuit")} />
        <p class="hint">${many && "Only what you change here is changed. "}A session under way keeps the price that it began with; hosting and host change after it.</p>
        <div class="bar"><button class="main" disabled=${!right}>Save</button><button type="button" onClick=${onNo}>Cancel</button></div>
      </form>
    <//>`;
  }
}
