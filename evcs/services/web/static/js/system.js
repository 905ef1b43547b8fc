// The system behind the CPs: its services, its machines, the stations of real chargers, the audit.

import { Again } from "./again.js";
import { Component, html } from "./dom.js";
import { CENTRE } from "./hosting.js";
import { look } from "./operator.js";
import { Parts } from "./parts.js";
import { Code, start } from "./shell.js";
import { byName, time } from "./words.js";

const AGAIN_MS = 10_000;
// Entries of the audit: on the page at first and with each "older", and asked for at once.
const SHOWN = 50;
const ASKED = 1000;
// A charger's clock and a machine's may be off by so much.
const STATION_OFF_S = 9;
const CLOCK_OFF_S = 2;
const cell = (label, value) => html`<td data-label=${label}>${value}</td>`;

function Services({ services }) {
  const all = Object.entries(services).sort(([a], [b]) => byName(a, b));
  return html`<section class="card"><h2>Services</h2><div class="wide"><table id="services" class="cards"><thead><tr><th>Service</th><th>State</th><th>Since</th><th>Version</th></tr></thead>
    <tbody>${all.map(([name, one]) => html`<tr key=${name} data-service=${name}>${cell("Service", html`<b>${name}</b>`)}<td data-label="State" class=${one.up ? "good" : "bad"}>${one.up ? "there" : "not there"}</td>
      ${cell("Since", time(one.since))}${cell("Version", one.version)}</tr>`)}</tbody></table></div>
    <p class="hint">Since when this page's server has known it. Their processes: <${Code}>bin/evcs status<//>, what they say: <${Code}>bin/evcs logs NAME<//></p></section>`;
}

const ahead = (seconds, right) => (Math.abs(seconds) <= right ? "right" : `${Math.abs(seconds)} s ${seconds > 0 ? "ahead" : "behind"}`);

// The machines that CPs run on, the centre first; with that alone there is nothing to tell.
function Hosts({ hosts }) {
  const centre = hosts.find((one) => one.name === CENTRE);
  const others = hosts.filter((one) => one !== centre).sort((a, b) => byName(a.name, b.name));
  if (!centre || !others.length) return null;
  const state = (one) => {
    if (one.online) return html`<span class="good">online</span>`;
    return one === centre || one.joined_at ? html`<span class="bad">away</span>` : `invited until ${time(one.invited_until)}`;
  };
  return html`<section class="card"><h2>Hosts</h2><div class="wide"><table id="hosts" class="cards"><thead><tr><th>Host</th><th>State</th><th>Since</th><th class="number">CPs</th><th>Version</th><th>Address</th><th>Clock</th></tr></thead>
    <tbody>${[centre, ...others].map((one) => html`<tr key=${one.name} data-host=${one.name}>${cell("Host", html`<b>${one.name}</b>`)}${cell("State", state(one))}
      ${cell("Since", time(one.since))}<td data-label="CPs" class="number">${one.cps ? html`<a href="/?group=host">${one.cps}</a>` : 0}</td><td data-label="Version" class=${one.online && one.version !== centre.version ? "bad" : ""}>${one.version}</td>
      ${cell("Address", one.address)}<td data-label="Clock" class=${Math.abs(one.clock_off_s) > CLOCK_OFF_S ? "bad" : ""}>${one.clock_off_s !== null && ahead(one.clock_off_s, CLOCK_OFF_S)}</td></tr>`)}</tbody></table></div>
    <p class="hint">More of one, and how to add, empty and remove one: <${Code}>bin/evcs host --help<//></p></section>`;
}

// What stations said of themselves, and those that are wanted and were never there.
function Stations({ stations, rows }) {
  const cps = new Map();
  for (const row of rows) if (row.station) cps.set(row.station, [...(cps.get(row.station) || []), row.id]);
  const told = new Map(stations.map((one) => [one.station, one]));
  const names = [...new Set([...cps.keys(), ...told.keys()])].sort(byName);
  const state = (one) => (!one ? "never seen" : one.online ? "connected" : one.offered ? `turned away: offers ${one.offered}` : "not connected");
  return html`<section class="card"><h2>Stations of real chargers</h2>${!names.length ? html`<p class="none">None. One is made on the <a href="/cp_manager.html">CP Manager</a> page, as a CP whose hosting is Real charger.</p>`
    : html`<div class="wide"><table id="stations" class="cards"><thead><tr><th>Station</th><th>CPs</th><th>State</th><th>Since</th><th>OCPP</th><th>Model</th><th>Firmware</th><th>Clock</th></tr></thead>
    <tbody>${names.map((name) => {
      const one = told.get(name);
      return html`<tr key=${name} data-station=${name}>${cell("Station", html`<b>${name}</b>`)}<td data-label="CPs">${(cps.get(name) || []).map((cp, i) => html`${i ? ", " : ""}<a key=${cp} href=${`/cp/${cp}`}>${cp}</a>`)}</td>
        ${cell("State", state(one))}${cell("Since", one && time(one.connected_at))}${cell("OCPP", one && one.version)}${cell("Model", one && [one.vendor, one.model].filter(Boolean).join(" "))}
        ${cell("Firmware", one && one.firmware)}${cell("Clock", one && one.clock_off_s !== null && ahead(one.clock_off_s, STATION_OFF_S))}</tr>`;
    })}</tbody></table></div><p class="hint">The operator sees the OCPP frames of a station on the pages of its CPs, or by <${Code}>bin/evcs watch --ocpp<//></p>`}</section>`;
}

class Audit extends Component {
  constructor() {
    super();
    this.state = { entries: null, q: new URLSearchParams(location.search).get("q") || "", error: "", most: SHOWN, asked: ASKED };
    this.again = new Again(() => this.load());
  }

  componentDidMount() {
    this.load();
  }

  async load() {
    try {
      const entries = await this.props.operator.change("GET", `/api/v1/audit?limit=${this.state.asked}`);
      this.setState({ entries: entries.map((one, i) => ({ ...one, id: entries.length - i, said: [one.who, one.what, one.cp, one.outcome, one.detail].join("\n").toLowerCase() })), error: "" });
    } catch (error) {
      this.setState({ error: error.message });
    }
  }

  componentDidUpdate() {
    this.again.look(Math.floor(Date.now() / AGAIN_MS));
  }

  search(q) {
    history.replaceState(null, "", q ? `?${new URLSearchParams({ q })}` : location.pathname);
    this.setState({ q, most: SHOWN });
  }

  // More of what fits; where the page has no more of it, more is asked for.
  older(left) {
    const most = this.state.most + SHOWN;
    if (left >= SHOWN) this.setState({ most });
    else this.setState({ most, asked: this.state.asked + ASKED }, () => this.load());
  }

  render(_, { entries, q, error, most, asked }) {
    const text = q.trim().toLowerCase();
    const shown = (entries || []).filter((one) => one.said.includes(text));
    const more = shown.length > most || (entries && entries.length >= asked);
    const draw = (one) => html`<tr key=${one.id}>${cell("At", time(one.at))}${cell("Who", one.who)}${cell("What", one.what)}<td data-label="CP">${one.cp && html`<a href=${`/cp/${one.cp}`}>${one.cp}</a>`}</td>${cell("Outcome", one.outcome)}<td data-label="Detail" class="detail">${one.detail}</td></tr>`;
    return html`<section class="card"><div class="title"><h2>Audit</h2><span class="grow"></span>
        <input type="search" aria-label="Search the audit" placeholder="Search who, what, CP, outcome" value=${q} onInput=${(event) => this.search(event.target.value)} /></div>
      ${error ? html`<p class="bad" role="alert">${error}</p>` : !entries ? html`<p class="reading">Reading the ledger…</p>` : !shown.length ? html`<p class="none">${entries.length ? "No entry fits." : "No entries yet."}</p>`
        : html`<div class="wide"><table id="audit" class="cards"><thead><tr><th>At</th><th>Who</th><th>What</th><th>CP</th><th>Outcome</th><th>Detail</th></tr></thead><tbody><${Parts} rows=${shown.slice(0, most)} draw=${draw} gap="tr" /></tbody></table></div>`}
      ${more && html`<p><button onClick=${() => this.older(shown.length - most)}>Load older</button></p>`}
      <p class="hint">${entries && entries.length >= asked ? `Of the latest ${asked} entries; all` : "The same in a terminal"}: <${Code}>bin/evcs audit<//></p></section>`;
  }
}

class System extends Component {
  constructor() {
    super();
    this.state = { stations: [], hosts: [] };
  }

  componentDidMount() {
    this.load();
    this.timer = setInterval(() => document.hidden || this.load(), AGAIN_MS);
  }

  async load() {
    try {
      const [stations, hosts] = await Promise.all([look("/api/v1/stations"), look("/api/v1/host-states")]);
      this.setState({ stations, hosts });
    } catch {
      // Said by the banner.
    }
  }

  render({ store, operator }, { stations, hosts }) {
    if (!store.ready) return html`<h1>System</h1><p class="reading">Reading the fleet from the bus…</p>`;
    return html`<h1>System</h1><${Services} services=${store.services} /><${Hosts} hosts=${hosts} /><${Stations} stations=${stations} rows=${store.inOrder()} />
      ${operator.is ? html`<${Audit} operator=${operator} />` : html`<section class="card"><h2>Audit</h2><p class="none">The operator sees it here, after <${Code}>bin/evcs open<//>; in a terminal: <${Code}>bin/evcs audit<//></p></section>`}
      <section class="card"><h2>Backup</h2><p class="hint">All of it in one file: <${Code}>bin/evcs backup FILE<//>; back again, into an empty home: <${Code}>bin/evcs restore FILE<//></p></section>`;
  }
}

start(System);
