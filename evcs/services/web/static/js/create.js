// The form that creates one CP or a range, showing what it will create before it does.

import { Component, html } from "./dom.js";
import { Field } from "./fields.js";
import { CENTRE, HostChoice, Hosting, OCPP } from "./hosting.js";
import { look } from "./operator.js";
import { CircuitChoice } from "./power.js";
import { Code } from "./shell.js";
import { count, watts, wrongPower, wrongPrice } from "./words.js";

const LOOK_AFTER_MS = 200;
const DEFAULTS = { price: "0.30", power: "22", location: "", hosting: "process", host: CENTRE, circuit: "", station: "", connector: "", ocpp_id: "" };

function shortened(ids) {
  return ids.length <= 6 ? ids.join(", ") : `${ids.slice(0, 3).join(", ")} … ${ids[ids.length - 1]}`;
}

function Preview({ found, error, range, onMeant }) {
  if (error) return html`<p id="preview" class="bad">${range ? html`Did you mean <button type="button" onClick=${() => onMeant(range)}>${range}</button>?` : error}</p>`;
  if (!found) return html`<p id="preview" class="hint">One name, such as CP-001, or a range: CP-${"{001..020}"}</p>`;
  const fresh = found.ids.filter((cp) => !found.exist.includes(cp));
  return html`<p id="preview">
    ${fresh.length ? html`Creates ${count(fresh.length, "CP")}: <strong>${shortened(fresh)}</strong>.` : "Creates nothing."}
    ${found.exist.length > 0 && html` <span class="bad">${count(found.exist.length, "exists", "exist")} already and ${found.exist.length === 1 ? "is" : "are"} left as ${found.exist.length === 1 ? "it is" : "they are"}: ${shortened(found.exist)}.</span>`}
  </p>`;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// What is said of a real charger's station; what isn't has the Registry's defaults.
function ofStation({ hosting, station, connector, ocpp_id }) {
  const fields = {};
  if (hosting !== OCPP) return fields;
  if (station.trim()) fields.station = station.trim();
  if (connector.trim()) fields.connector = Number(connector);
  if (ocpp_id.trim()) fields.ocpp_id = ocpp_id.trim();
  return fields;
}

// What does the same in a terminal; what stands as it would anyway is left out.
function command({ pattern, price, power, location, hosting, host, circuit, ...more }) {
  const { station, connector, ocpp_id } = ofStation({ hosting, ...more });
  const options = [
    price !== DEFAULTS.price && ` --price-eur-kwh ${price}`,
    power !== DEFAULTS.power && ` --max-power-kw ${power}`,
    location && ` --location ${quoted(location)}`,
    hosting !== DEFAULTS.hosting && ` --hosting ${hosting}`,
    hosting !== OCPP && host !== DEFAULTS.host && ` --host ${host}`,
    circuit && ` --circuit ${circuit}`,
    station && ` --station ${quoted(station)}`,
    connector && ` --connector ${connector}`,
    ocpp_id && ` --ocpp-id ${quoted(ocpp_id)}`,
  ];
  return `bin/evcs-cp create ${pattern.trim()}${options.filter(Boolean).join("")} --if-not-exists`;
}

// Those of a preview that do not exist yet.
const freshOf = ({ found }) => (found ? found.ids.filter((cp) => !found.exist.includes(cp)) : []);

// Field -> what is wrong with it.
function wrongOf({ price, power, hosting, connector }) {
  const wrong = { price: wrongPrice(price), power: wrongPower(power) };
  if (hosting === OCPP && connector.trim() && !/^[1-9]\d?$/.test(connector.trim())) wrong.connector = "a number from 1 to 99";
  return wrong;
}

// Why nothing can be created now; "" if it can.
function whyNot({ operator, live, state, fresh, wrong }) {
  if (!operator.is) return operator.known ? html`Read-only: to create, run <${Code}>bin/evcs open<//> on this machine.` : " ";
  if (!live) return "Not connected.";
  if (!state.pattern.trim()) return "Type a name or a range first.";
  if (state.error) return "That name can't be used.";
  if (!state.found) return "";
  if (!fresh.length) return "All of them exist already.";
  return Object.values(wrong).some(Boolean) ? "Correct the fields that are marked." : "";
}

export class Create extends Component {
  constructor() {
    super();
    this.state = { ...DEFAULTS, pattern: "", found: null, error: "", range: null, touched: {} };
    this.onInput = (name) => (event) => this.setState({ [name]: event.target.value, touched: { ...this.state.touched, [name]: true } });
  }

  componentDidUpdate(before) {
    if (before.version !== this.props.version) this.preview(this.state.pattern);
  }

  name(pattern) {
    this.setState({ pattern, found: null, error: "" });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.preview(pattern), LOOK_AFTER_MS);
  }

  async preview(pattern) {
    if (!pattern.trim()) return;
    let found = null, error = "", range = null;
    try {
      found = await look(`/api/v1/expand?pattern=${encodeURIComponent(pattern)}`);
      range = found.meant;
      if (found.bad.length) error = `${JSON.stringify(found.bad[0])} is not allowed: 1 to 32 letters, digits, _ or -, the first a letter or digit; no service's name`;
    } catch (problem) {
      error = problem.message;
    }
    if (pattern === this.state.pattern) this.setState({ found: error ? null : found, error, range });
  }

  // Who presses Enter right after the last letter waits for the preview, too.
  async submit(event) {
    event.preventDefault();
    const { pattern } = this.state;
    if (!this.state.found && !this.state.error) await this.preview(pattern);
    if (pattern !== this.state.pattern || !this.state.found) return;
    const fresh = freshOf(this.state);
    if (!fresh.length || Object.values(wrongOf(this.state)).some(Boolean)) return;
    const { price, power, location, hosting, host, circuit } = this.state;
    const fields = { price_eur_kwh: price.trim(), max_power_w: watts(power), location, hosting, ...ofStation(this.state) };
    if (circuit) fields.circuit = circuit;
    if (hosting !== OCPP && host !== CENTRE) fields.host = host;
    this.props.onCreate(fresh, fields);
    this.setState({ pattern: "", found: null });
  }

  render({ operator, live, circuits, hosts }, state) {
    const fresh = freshOf(state);
    const wrong = wrongOf(state);
    const not = whyNot({ operator, live, state, fresh, wrong });
    const field = { form: "create", state, wrong, onInput: this.onInput };
    const { onInput } = this;
    return html`<section class="card" aria-label="Create">
      <h2>Create charging points</h2>
      <form onSubmit=${(event) => this.submit(event)} autocomplete="off">
        <div class="fields">
          <div class="field"><label>Name or range
            <input name="pattern" placeholder="CP-001" value=${state.pattern} aria-describedby="preview" aria-invalid=${state.error ? "true" : undefined}
              onInput=${(event) => this.name(event.target.value)} spellcheck="false" /></label></div>
          <${Field} ...${field} name="price" label="Price, €/kWh" inputmode="decimal" />
          <${Field} ...${field} name="power" label="Power, kW" inputmode="decimal" />
          <${Field} ...${field} name="location" label="Location" maxlength="200" spellcheck="true" />
          <${Hosting} value=${state.hosting} onInput=${onInput("hosting")} fresh />
          <${HostChoice} hosts=${hosts} hosting=${state.hosting} value=${state.host} onInput=${onInput("host")} />
          <${CircuitChoice} circuits=${circuits} value=${state.circuit} onInput=${onInput("circuit")} />
        </div>
        ${state.hosting === OCPP && html`<div class="fields station">
          <${Field} ...${field} name="station" label="Station" placeholder="as the CP" />
          <${Field} ...${field} name="connector" label="Connector" inputmode="numeric" placeholder="1" />
          <${Field} ...${field} name="ocpp_id" label="OCPP id" placeholder="as the station" />
        </div>`}
        <div class="bar">
          <button class="main" disabled=${not} aria-describedby="why-not">Create${fresh.length > 1 ? ` ${fresh.length}` : ""}</button>
          <span id="why-not" class="hint" aria-live="polite">${not}</span>
        </div>
        <div class="words" aria-live="polite"><${Preview} ...${state} onMeant=${(range) => this.name(range)} />
          ${!not && fresh.length > 0 && html`<p class="hint">The same in a terminal: <${Code}>${command(state)}<//></p>`}</div>
      </form>
    </section>`;
  }
}
