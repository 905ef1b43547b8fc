// Circuits: what each carries now, its last hour, who is on it; and forms that change them.

import { meant } from "./aim.js";
import { AddCircuit, EditCircuit, RemoveCircuit } from "./circuit_forms.js";
import { Component, html } from "./dom.js";
import { Chart, circuitOptions } from "./chart.js";
import { look } from "./operator.js";
import { tree, why } from "./power.js";
import { Code, Pill, start } from "./shell.js";
import { kw, lastly } from "./words.js";

const HOUR_S = 3600;
const EVERY_S = 5;
const COLUMNS = ["power_w", "limit_w", "other_load_w", "max_power_w"];
const NONE = { power_w: 0, limit_w: 0, other_load_w: 0, sessions: 0, waiting: 0 };

// Houses first, then what charges, and as far as it may; the whole is what the circuit carries.
function Bar({ most, found }) {
  const part = (watts) => `${Math.min(100, (100 * Math.max(watts, 0)) / Math.max(most, 1))}%`;
  const { other_load_w: other, power_w: power, limit_w: limit } = found;
  const words = `${kw(power)} of ${kw(most)} kW charging, ${kw(limit)} kW given, other load ${kw(other)} kW`;
  return html`<div class="load" role="img" aria-label=${words}>
    <span class="other" style=${{ width: part(other) }}></span><span class="power" style=${{ width: part(power) }}></span><span class="may" style=${{ width: part(limit - power) }}></span>
  </div>`;
}

function Circuit({ circuit, chosen, onChoose }) {
  const { name, depth, max_power_w, state } = circuit;
  const found = state || NONE;
  return html`<li class="circuit" data-circuit=${name} data-depth=${depth} style=${{ "--depth": depth }}>
    <button class="quiet name" aria-pressed=${chosen} onClick=${() => onChoose(name)}>${name}</button>
    <${Bar} most=${max_power_w} found=${found} />
    <span class="figure"><b>${kw(found.power_w)}</b> of ${kw(max_power_w)} kW</span>
    <span class="note">${state ? html`${found.sessions ? `${kw(found.limit_w)} kW given` : "nobody charges"}${found.other_load_w > 0 && `, other load ${kw(found.other_load_w)} kW`}` : "Central has not told what flows"}</span>
    <span class="note waits" data-waiting=${found.waiting}>${found.waiting ? `${found.waiting} of ${found.sessions} wait` : found.sessions ? `${found.sessions} charging` : ""}</span>
  </li>`;
}

function Members({ name, rows }) {
  if (!rows.length) return html`<p class="none">No CP is on ${name} itself. Put one there: <${Code}>bin/evcs-cp edit NAME --circuit ${name}<//></p>`;
  return html`<div class="wide"><table id="members"><thead><tr><th>CP</th><th class="state">State</th><th class="number">Measured, kW</th><th class="number">Limit, kW</th><th>Reason</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${row.id} data-cp=${row.id} data-state=${row.state}><td><a href=${`/cp/${row.id}`}>${row.id}</a></td><td class="state"><${Pill} state=${row.state} /></td>
      <td class="number">${row.session ? kw(row.session.power_w) : "–"}</td><td class="number">${row.session && row.session.limit_w != null ? (row.session.limit_w ? kw(row.session.limit_w) : "waits") : row.session ? "none" : "–"}</td>
      <td>${why(row)}</td></tr>`)}</tbody></table></div>`;
}

class Circuits extends Component {
  constructor() {
    super();
    this.state = { chosen: new URLSearchParams(location.search).get("circuit") || "", error: "", dialog: null };
    this.trace = null;
  }

  componentDidMount() {
    this.load();
  }

  componentDidUpdate() {
    this.load();
  }

  choose(chosen) {
    history.replaceState(null, "", `/circuits.html?circuit=${encodeURIComponent(chosen)}`);
    this.setState({ chosen });
  }

  // The last hour, once of each that is chosen; then what is told is added to it.
  async load() {
    const name = this.shown;
    if (!name || this.of === name) return;
    this.of = name;
    this.trace = null;
    try {
      const { trace } = await look(`/api/v1/circuits/${encodeURIComponent(name)}/detail`);
      if (this.of !== name) return;
      this.trace = [trace.at, ...COLUMNS.map((column) => trace[column].map((watts) => watts / 1000))];
      this.setState({ error: "" });
    } catch (error) {
      if (this.of === name) this.setState({ error: error.message });
    }
  }

  sample({ name, state }, version) {
    if (!this.trace || this.of !== name || !state || version === this.sampled) return;
    this.sampled = version;
    const now = Math.floor(Date.now() / 1000);
    const [at, ...columns] = this.trace;
    if (now - at[at.length - 1] < EVERY_S) return;
    const from = Math.max(at.findIndex((when) => when >= now - HOUR_S), 0);
    this.trace = [[...at.slice(from), now], ...columns.map((column, i) => [...column.slice(from), state[COLUMNS[i]] / 1000])];
  }

  render({ store, operator, enabled, version }, { chosen, error, dialog: Question }) {
    if (!store.ready) return html`<h1>Circuits</h1><p class="reading">Reading the fleet from the bus…</p>`;
    const circuits = tree(store.circuits);
    const add = html`${operator.known && !operator.is && html`<div class="notice" id="not-operator">You can look at everything here. To change something,
        run <${Code}>bin/evcs open<//> on this machine: it opens this page as the operator.</div>`}
      <${AddCircuit} circuits=${store.circuits} operator=${operator} enabled=${enabled} onAdded=${(name) => this.choose(name)} />`;
    if (!circuits.length) {
      return html`<h1>Circuits</h1><section class="card"><p>No circuit yet. A circuit is a cable that charging points share; its power is divided among them.
        Add one below, or: <${Code}>bin/evcs circuit add GARAGE --max-power-kw 44<//></p></section>${add}`;
    }
    const one = circuits.find(({ name }) => name === chosen) || circuits[0];
    this.shown = one.name;
    this.sample(one, version);
    const ask = (dialog) => (event) => meant(event) && this.setState({ dialog });
    const rows = store.inOrder().filter((row) => row.circuit === one.name);
    return html`<h1>Circuits</h1>
      <section class="card circuits"><ul aria-label="Circuits">${circuits.map((circuit) => html`<${Circuit} key=${circuit.name} circuit=${circuit}
        chosen=${circuit.name === one.name} onChoose=${(name) => this.choose(name)} />`)}</ul>
        <p class="key" aria-hidden="true"><span class="other">other load</span><span class="power">charging</span><span class="may">given, not taken yet</span><span class="free">free</span></p></section>
      <section class="card hour"><div class="title"><h2>${one.name}, ${lastly(this.trace && this.of === one.name ? this.trace[0][0] : undefined, HOUR_S, "hour")}</h2><span class="grow"></span>
        <button disabled=${!enabled} onClick=${ask(EditCircuit)}>Edit ${one.name}</button><button class="danger" disabled=${!enabled} onClick=${ask(RemoveCircuit)}>Remove ${one.name}</button></div>
        ${error ? html`<p class="bad">${error}</p>` : this.trace && this.of === one.name && html`<${Chart} key=${one.name} options=${circuitOptions} data=${this.trace} label=${`Power and limit of ${one.name}`} />`}</section>
      <section class="card"><h2>Charging points on ${one.name}</h2><${Members} name=${one.name} rows=${rows} /></section>
      ${add}
      ${Question && html`<${Question} key=${one.name} circuit=${one} circuits=${store.circuits} operator=${operator} enabled=${enabled} onDone=${() => this.setState({ dialog: null })} />`}`;
  }
}

start(Circuits);
