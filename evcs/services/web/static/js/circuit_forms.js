// What is asked before a circuit is added, changed or removed: each wrong field says so itself.

import { meant } from "./aim.js";
import { Dialog } from "./dialogs.js";
import { Component, html } from "./dom.js";
import { Field } from "./fields.js";
import { tree } from "./power.js";
import { Code } from "./shell.js";
import { watts, wrongName } from "./words.js";

const NONE = { name: "", power: "", parent: "", other: "" };
const POWER = /^\d{1,4}(\.\d{1,3})?$/;
const FIGURE = "a decimal of kW from 0 to 1000";

const isPower = (text) => POWER.test(text.trim()) && Number(text) <= 1000;

// Field -> what is wrong with it.
function wrongOf({ name, power, other }, circuits) {
  const wrong = {};
  const taken = [...circuits.keys()].find((one) => one.toLowerCase() === name.trim().toLowerCase());
  if (wrongName(name)) wrong.name = wrongName(name);
  else if (taken) wrong.name = `${taken} exists already`;
  if (!isPower(power)) wrong.power = FIGURE;
  if (other.trim() && !isPower(other)) wrong.other = FIGURE;
  return wrong;
}

const shownOf = ({ name, max_power_w, parent, other_load_w }) => ({ name, power: String(max_power_w / 1000), parent: parent || "", other: String(other_load_w / 1000) });
const fieldsOf = ({ power, parent, other }) => ({ max_power_w: watts(power), parent: parent || null, other_load_w: watts(other || "0") });

// Only what was changed: another may have changed the rest meanwhile.
function changed(now, before) {
  const [fields, was] = [fieldsOf(now), fieldsOf(before)];
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => value !== was[name]));
}

// The same in a terminal, of fields as they are sent.
function options({ max_power_w: most, parent, other_load_w: other }) {
  const said = [
    most !== undefined && ` --max-power-kw ${most / 1000}`,
    parent && ` --parent ${parent}`,
    parent === null && " --no-parent",
    other !== undefined && ` --other-load-kw ${other / 1000}`,
  ];
  return said.filter(Boolean).join("");
}

function Fields({ form, circuits, without, state, wrong, onInput, children }) {
  const common = { form, state, wrong, onInput };
  const feeds = (one) => one && (one.name === without || feeds(circuits.get(one.parent)));
  const offered = tree(circuits).filter((one) => !without || !feeds(one));
  return html`<div class="fields circuit-fields">${children}
    <${Field} ...${common} name="power" label="Limit, kW" inputmode="decimal" placeholder="44" />
    <div class="field"><label>Fed by <select name="parent" value=${state.parent} onInput=${onInput("parent")}>
      <option value="">none</option>${offered.map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label></div>
    <${Field} ...${common} name="other" label="Other load, kW" inputmode="decimal" placeholder="0" />
  </div>`;
}

// A form's state: what is typed, which fields were, what the Registry has said against it.
class Form extends Component {
  constructor(props) {
    super(props);
    this.first = props.circuit ? shownOf(props.circuit) : NONE;
    this.state = { ...this.first, touched: {}, refused: "", made: "" };
    this.onInput = (name) => (event) => this.setState({ [name]: event.target.value, refused: "", touched: { ...this.state.touched, [name]: true } });
  }

  async send(method, path, fields) {
    try {
      await this.props.operator.change(method, path, fields);
      return true;
    } catch (error) {
      this.setState({ refused: error.message });
      return false;
    }
  }
}

export class AddCircuit extends Form {
  async add(event, wrong) {
    event.preventDefault();
    if (!this.props.enabled || Object.keys(wrong).length) return;
    const name = this.state.name.trim();
    if (!(await this.send("POST", "/api/v1/circuits", { name, ...fieldsOf(this.state) }))) return;
    this.setState({ ...NONE, touched: {}, made: name });
    this.props.onAdded(name);
  }

  render({ circuits, enabled }, state) {
    const wrong = wrongOf(state, circuits);
    const ready = !Object.keys(wrong).length;
    const { parent, other_load_w: other, ...rest } = fieldsOf(state);
    const fields = { ...rest, ...(parent && { parent }), ...(other && { other_load_w: other }) };
    const { onInput } = this;
    return html`<section class="card"><h2 id="add-circuit">Add a circuit</h2>
      <form aria-labelledby="add-circuit" onSubmit=${(event) => this.add(event, wrong)} autocomplete="off">
        <${Fields} form="add" circuits=${circuits} state=${state} wrong=${wrong} onInput=${onInput}>
          <${Field} form="add" state=${state} wrong=${wrong} onInput=${onInput} name="name" label="Name" placeholder="GARAGE" /><//>
        <div class="bar"><button class="main" disabled=${!enabled || !ready}>Add</button></div>
        <div class="words short" aria-live="polite">${state.refused ? html`<p class="bad" role="alert">${state.refused}</p>`
          : ready ? html`<p class="hint">The same in a terminal: <${Code}>bin/evcs circuit add ${state.name.trim()}${options(fields)}<//></p>`
          : state.made ? html`<p>${state.made} is added. Its meter may speak as meter/${state.made}, by data/secrets/meter/${state.made}.</p>`
          : html`<p class="hint">A circuit is a cable that charging points share, and a house behind it, if there is one: its other load at most.</p>`}</div>
      </form></section>`;
  }
}

export class EditCircuit extends Form {
  render({ circuits, circuit, enabled, onDone }, state) {
    const { name, ...wrong } = wrongOf(state, circuits);
    const right = !Object.keys(wrong).length;
    const fields = right ? changed(state, this.first) : {};
    const ready = enabled && Object.keys(fields).length > 0;
    const yes = async (event) => {
      event.preventDefault();
      if (ready && (await this.send("PATCH", `/api/v1/circuits/${circuit.name}`, fields))) onDone();
    };
    return html`<${Dialog} onNo=${onDone} label=${`Edit ${circuit.name}`}><form onSubmit=${yes} autocomplete="off"><h2>Edit ${circuit.name}</h2>
      <${Fields} form="edit" circuits=${circuits} without=${circuit.name} state=${state} wrong=${wrong} onInput=${this.onInput} />
      ${state.refused ? html`<p class="bad" role="alert">${state.refused}</p>`
        : Object.keys(fields).length ? html`<p class="hint">The same in a terminal: <${Code}>bin/evcs circuit edit ${circuit.name}${options(fields)}<//></p>`
        : html`<p class="hint">A limit that is lowered holds within 2 s at emulated charging points, at real ones once their reading shows it.</p>`}
      <div class="bar"><button class="main" disabled=${!ready}>Save</button><button type="button" onClick=${onDone}>Cancel</button></div></form><//>`;
  }
}

export class RemoveCircuit extends Form {
  render({ circuit: { name }, enabled, onDone }, { refused }) {
    const yes = async (event) => {
      event.preventDefault();
      if (await this.send("DELETE", `/api/v1/circuits/${name}`)) onDone();
    };
    return html`<${Dialog} onNo=${onDone} label=${`Remove ${name}`}><form onSubmit=${yes}><h2>Remove ${name}?</h2>
      <p>It goes with its meter's password. One that feeds a charging point or another circuit stays.</p>
      ${refused ? html`<p class="bad" role="alert">${refused}</p>` : html`<p class="hint">The same in a terminal: <${Code}>bin/evcs circuit remove ${name}<//></p>`}
      <div class="bar"><button class="danger" disabled=${!enabled} onClick=${(event) => meant(event) || event.preventDefault()}>Remove ${name}</button>
        <button type="button" autofocus onClick=${onDone}>Cancel</button></div></form><//>`;
  }
}
