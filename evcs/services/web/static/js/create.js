// The form that creates one CP or a range, showing what it will create before it does.

import { Component, html } from "./dom.js";
import { Hosting, OCPP } from "./hosting.js";
import { look } from "./operator.js";
import { CircuitChoice } from "./power.js";
import { Code } from "./shell.js";
import { count, watts, wrongFigures } from "./words.js";

const LOOK_AFTER_MS = 200;
const DEFAULTS = { price: "0.30", power: "22", location: "", hosting: "process", circuit: "", station: "", connector: "", ocpp_id: "" };

function shortened(ids) {
  return ids.length <= 6 ? ids.join(", ") : `${ids.slice(0, 3).join(", ")} … ${ids[ids.length - 1]}`;
}

function Preview({ found, error }) {
  if (error) return html`<p id="preview" class="bad">${error}</p>`;
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
function command({ pattern, price, power, location, hosting, circuit, ...more }) {
  const { station, connector, ocpp_id } = ofStation({ hosting, ...more });
  const options = [
    price !== DEFAULTS.price && ` --price-eur-kwh ${price}`,
    power !== DEFAULTS.power && ` --max-power-kw ${power}`,
    location && ` --location ${quoted(location)}`,
    hosting !== DEFAULTS.hosting && ` --hosting ${hosting}`,
    circuit && ` --circuit ${circuit}`,
    station && ` --station ${quoted(station)}`,
    connector && ` --connector ${connector}`,
    ocpp_id && ` --ocpp-id ${quoted(ocpp_id)}`,
  ];
  return `bin/evcs-cp create ${pattern.trim()}${options.filter(Boolean).join("")} --if-not-exists`;
}

export class Create extends Component {
  constructor() {
    super();
    this.state = { ...DEFAULTS, pattern: "", found: null, error: "" };
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
    let found = null, error = "";
    try {
      found = await look(`/api/v1/expand?pattern=${encodeURIComponent(pattern)}`);
      if (found.bad.length) error = `${JSON.stringify(found.bad[0])} is not allowed: 1 to 32 letters, digits, _ or -, the first a letter or digit; no service's name`;
    } catch (problem) {
      error = problem.message;
    }
    if (pattern === this.state.pattern) this.setState({ found: error ? null : found, error });
  }

  submit(event, fresh) {
    event.preventDefault();
    if (!fresh.length || wrongFigures(this.state)) return;
    const { price, power, location, hosting, circuit } = this.state;
    const fields = { price_eur_kwh: price.trim(), max_power_w: watts(power), location, hosting, ...ofStation(this.state) };
    if (circuit) fields.circuit = circuit;
    this.props.onCreate(fresh, fields);
    this.setState({ pattern: "", found: null });
  }

  render({ enabled, circuits }, state) {
    const fresh = state.found ? state.found.ids.filter((cp) => !state.found.exist.includes(cp)) : [];
    const wrong = wrongFigures(state);
    const set = (name) => (event) => this.setState({ [name]: event.target.value });
    return html`<section class="card" aria-label="Create">
      <h2>Create charging points</h2>
      <form onSubmit=${(event) => this.submit(event, fresh)} autocomplete="off">
        <div class=${circuits.size ? "fields six" : "fields"}>
          <label class="field">Name or range
            <input name="pattern" placeholder="CP-001 or CP-{001..020}" value=${state.pattern} aria-describedby="preview"
              onInput=${(event) => this.name(event.target.value)} spellcheck="false" /></label>
          <label class="field">Price, €/kWh <input name="price" inputmode="decimal" value=${state.price} onInput=${set("price")} /></label>
          <label class="field">Power, kW <input name="power" inputmode="decimal" value=${state.power} onInput=${set("power")} /></label>
          <label class="field">Place <input name="location" maxlength="200" value=${state.location} onInput=${set("location")} /></label>
          <${Hosting} value=${state.hosting} onInput=${set("hosting")} fresh />
          <${CircuitChoice} circuits=${circuits} value=${state.circuit} onInput=${set("circuit")} />
        </div>
        ${state.hosting === OCPP && html`<div class="fields station">
          <label class="field">Station <input name="station" placeholder="as the CP" value=${state.station} onInput=${set("station")} spellcheck="false" /></label>
          <label class="field">Connector <input name="connector" inputmode="numeric" placeholder="1" value=${state.connector} onInput=${set("connector")} /></label>
          <label class="field">OCPP id <input name="ocpp_id" placeholder="as the station" value=${state.ocpp_id} onInput=${set("ocpp_id")} spellcheck="false" /></label>
        </div>`}
        <div class="bar">
          <button class="main" disabled=${!enabled || !fresh.length || wrong}>Create${fresh.length > 1 ? ` ${fresh.length}` : ""}</button>
        </div>
        <div class="words" aria-live="polite">${wrong ? html`<p class="bad">${wrong}</p>` : html`<${Preview} found=${state.found} error=${state.error} />`}
          ${fresh.length > 0 && !wrong && html`<p class="hint">The same in a terminal: <${Code}>${command(state)}<//></p>`}</div>
      </form>
    </section>`;
  }
}
