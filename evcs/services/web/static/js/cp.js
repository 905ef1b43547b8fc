// One CP's page: its charge over the last minutes, processes, sessions, events, bus and log.

import { Job } from "./activity.js";
import { meant } from "./aim.js";
import { Component, html } from "./dom.js";
import { Chart, supplyOptions } from "./chart.js";
import { Dial } from "./connect.js";
import { Confirm, asksFirst } from "./dialogs.js";
import { Edit } from "./edit.js";
import { EndCharge } from "./end_charge.js";
import { OCPP, place } from "./hosting.js";
import { Jobs } from "./jobs.js";
import { Messages } from "./messages.js";
import { Log } from "./log.js";
import { look } from "./operator.js";
import { PowerPlot } from "./power_plot.js";
import { why } from "./power.js";
import { Progress } from "./progress.js";
import { Remedy } from "./remedy.js";
import { Code, Pill, start } from "./shell.js";
import { duration, kw, kwh, lastly, reasonWords, time } from "./words.js";

const CP = decodeURIComponent(location.pathname.split("/").pop());
const AGAIN_MS = 5000;
const SHOWN_S = 600;
// Nobody does these to a real charger by hand, from here.
const SIMULATED = ["plug", "unplug", "fault", "clear"];

// Name, verb, and whether it makes sense now.
const ACTIONS = [
  ["Edit", "edit", () => true],
  ["Stop", "stop", (row) => row.service === "in"],
  ["Resume", "resume", (row) => row.service === "out" && !row.revoked],
  ["Restart", "restart", (row) => !row.revoked],
  ["Plug a car in", "plug", (row) => row.engine && !row.session],
  ["Unplug it", "unplug", (row) => row.engine],
  ["Cause a fault", "fault", (row) => row.engine && !row.reason.startsWith("fault")],
  ["Clear the fault", "clear", (row) => row.engine && row.reason.startsWith("fault")],
  ["Rekey", "rekey", () => true],
  ["Revoke", "revoke", (row) => !row.revoked],
];

function Facts({ row, several }) {
  const { session } = row;
  // Without a session too: what came and went here would move what is below.
  const facts = [["Power now", session && `${kw(session.power_w)} kW`], ["Energy", session && `${kwh(session.energy_wh)} kWh`],
    ["Cost", session && session.cost_eur != null && `${session.cost_eur} €`], ["Driver", session && session.driver],
    ["Progress", session && session.requested_wh && html`<${Progress} session=${session} />`]];
  facts.push(["Price", `${row.price_eur_kwh} €/kWh`], ["Power", `${kw(row.max_power_w)} kW`], ["Location", row.location], ["Runs in", place(row)], ...(several ? [["Host", row.host]] : []), ["OCPP status", row.ocpp_status]);
  if (row.station) facts.push(["Station", row.station], ["Connector", row.connector]);
  if (row.backend) facts.push(["Back end", row.backend], ["Connection to it", row.backend_state]);
  if (row.circuit) facts.push(["Circuit", html`<a href=${`/circuits.html?circuit=${row.circuit}`}>${row.circuit}</a>`], ["Limit", session && session.limit_w != null && (session.limit_w ? `${kw(session.limit_w)} kW` : "waits for power")], ["Lowered, seen after", session && session.limit_shown_s && `${session.limit_shown_s} s`]);
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div key=${name} data-fact=${name}><dt>${name}</dt><dd>${value || "–"}</dd></div>`)}</dl>`;
}

function Processes({ found, since, isReal, off, kill }) {
  if (!found) return html`<p class="none">Not known: Central or the CP Manager does not answer. See: <${Code}>bin/evcs status<//></p>`;
  if (!found.length) return html`<p class="none">supervisord has no processes of this CP.</p>`;
  return html`<table class="cards"><thead><tr><th>Role</th><th>State</th><th class="number">pid</th><th class="number">up for</th><th class="number">restarts</th>${!isReal && html`<th><span class="hidden">Actions</span></th>`}</tr></thead>
    <tbody>${found.map((one) => html`<tr key=${one.role} data-role=${one.role}><td data-label="Role">${one.role}</td>
      <td data-label="State">${one.state}${one.error && html`<span class="row-note bad">${one.error}</span>`}</td>
      <td class="number" data-label="pid">${one.pid || "–"}</td><td class="number" data-label="up for">${one.uptime_s == null ? "–" : duration(one.uptime_s)}</td><td class="number" data-label="restarts" data-restarts>${one.restarts}</td>
      ${!isReal && html`<td class="actions"><button disabled=${off || !one.pid} title=${`The same in a terminal: bin/evcs-cp kill ${CP} ${one.plays}`} onClick=${(event) => meant(event) && kill(one.plays)}>Kill</button></td>`}</tr>`)}</tbody></table>
    <p class="hint">Restarts since ${time(since)}, when the web process began.</p>`;
}

function Sessions({ found }) {
  if (!found.length) return html`<p class="none">None yet. Begin one: <${Code}>bin/evcs-driver charge ${CP} --driver NAME<//></p>`;
  return html`<div class="wide"><table class="cards"><thead><tr><th>Started</th><th>Driver</th><th>State</th><th class="number">kWh</th><th class="number">€</th><th>Reason</th></tr></thead>
    <tbody>${found.map((one) => html`<tr key=${one.session_id}><td data-label="Started"><a href=${`/session/${one.corrects || one.session_id}`}>${time(one.started_at)}</a></td><td data-label="Driver">${one.driver}</td><td data-label="State">${one.corrects ? "correction" : one.state}</td>
      <td data-label="kWh" class="number">${kwh(one.energy_wh)}</td><td data-label="€" class="number">${one.cost_eur}</td><td data-label="Reason">${reasonWords(one.reason)}</td></tr>`)}</tbody></table></div>`;
}

function Events({ found }) {
  if (!found.length) return html`<p class="none">None since the web process began.</p>`;
  return html`<div class="wide"><table class="events"><tbody>${found.map((one) => html`<tr><td class="since">${time(one.at)}</td>
    <td><${Pill} state=${one.state} /></td><td>${one.driver} ${one.reason}</td></tr>`)}</tbody></table></div>`;
}

// What needs more than a name, such as it is now.
const given = (row, verb) => (verb === "edit" ? ` --price-eur-kwh ${row.price_eur_kwh}` : "");

function Actions({ row, off, begin, job, operator }) {
  const actions = ACTIONS.filter(([, verb]) => row.hosting !== OCPP || !SIMULATED.includes(verb));
  const { session, backend } = row;
  return html`<div class="act"><${EndCharge} one=${session && !backend ? { ...session, cp: CP } : null} off=${off} operator=${operator} />
    <${Code}>bin/evcs sessions end ${session ? session.session_id : "ID"}<//>
    ${actions.map(([name, verb, fits]) => html`
    <button key=${verb} class=${verb === "revoke" ? "danger" : ""} disabled=${off || !fits(row)} onClick=${(event) => meant(event) && begin(verb)}>${name}</button>
    <${Code}>bin/evcs-cp ${verb} ${CP}${given(row, verb)}<//>`)}</div>
    ${job && html`<ul class="jobs"><li data-job=${CP}><${Job} job=${job} /></li></ul>`}`;
}

class CpPage extends Component {
  constructor() {
    super();
    this.state = { detail: null, error: "", asked: null, editing: null, past: false };
    this.jobs = new Jobs(this);
    this.trace = [[], [], []];
    this.begin = (verb) => {
      const row = this.props.store.rows.get(CP);
      if (verb === "edit") this.setState({ editing: row });
      else if (asksFirst(verb, [row])) this.setState({ asked: { verb, ids: [CP] } });
      else this.do(verb);
    };
  }

  componentDidMount() {
    document.title = `${CP} · evcs`;
    this.load();
    this.timer = setInterval(() => this.load(), AGAIN_MS);
  }

  async load() {
    if (document.hidden) return;
    try {
      const detail = await look(`/api/v1/cps/${CP}/detail`);
      if (!this.state.detail) {
        const { at, power_w, energy_wh } = detail.trace;
        this.trace = [at, power_w.map((w) => w / 1000), energy_wh.map((wh) => wh / 1000)];
        this.session = this.props.store.rows.get(CP)?.session?.session_id;
      }
      this.setState({ detail, error: "" });
    } catch (error) {
      this.setState({ error: error.message });
    }
  }

  async do(verb, given) {
    this.setState({ asked: null, editing: null });
    await this.jobs.begin(verb, [CP], given);
    this.load();
  }

  // Add the present figures to the chart, once for every batch.
  sample(row, version) {
    if (version === this.sampled || !row || !this.state.detail) return;
    this.sampled = version;
    const now = Math.floor(Date.now() / 1000);
    const [at, power, energy] = this.trace;
    const ended = !row.session && power.length && power[power.length - 1];
    if ((!row.session && !ended) || at[at.length - 1] >= now) return;
    const first = at.findIndex((when) => when >= now - SHOWN_S);
    const cut = (list, value) => [...list.slice(first < 0 ? list.length : first), value];
    const { power_w = 0, energy_wh = null, session_id } = row.session || {};
    // What came with the page may be newer than the row.
    const least = session_id === this.session ? energy[energy.length - 1] : null;
    this.session = session_id;
    this.trace = [cut(at, now), cut(power, power_w / 1000), cut(energy, energy_wh === null ? null : Math.max(energy_wh / 1000, least))];
  }

  // Live, or as the ledger has it.
  power(past) {
    const live = html`<button aria-pressed=${!past} onClick=${() => this.setState({ past: false })}>10 minutes</button>`;
    if (past) return html`<${PowerPlot} cp=${CP} hours=${24} words="Power" more=${live} />`;
    return html`<div class="title plot-title"><h2>Power, ${lastly(this.trace[0][0], SHOWN_S, "ten minutes")}</h2><span class="grow"></span>${live}<button aria-pressed="false" onClick=${() => this.setState({ past: true })}>Hours and days</button></div>
      ${this.trace[0].length ? html`<${Chart} options=${supplyOptions} data=${this.trace} label="Power and energy" />` : html`<p class="none">No charge in that time.</p>`}`;
  }

  render({ store, operator, enabled, version }, { detail, error, asked, editing, past }) {
    const row = store.rows.get(CP);
    if (!row) {
      return html`<h1>${CP}</h1>${store.ready
        ? html`<p>There is no charging point of that name. <a href="/">See all</a>, or create it on the <a href="/cp_manager.html">CP Manager</a> page.</p>`
        : html`<p class="reading">Reading the fleet from the bus…</p>`}`;
    }
    this.sample(row, version);
    this.jobs.judge(store);
    const job = this.jobs.of(CP);
    const off = !enabled || (job && !job.done);
    return html`<div class="title" data-cp=${CP} data-state=${row.state}><h1>${CP}</h1><${Pill} state=${row.state} /><${Remedy} row=${row} off=${off} onClick=${(event, verb) => meant(event) && this.begin(verb)} />
        <span class="reason" title=${why(row)}>${why(row)}</span><span class="since">${row.since && `since ${time(row.since)}`}</span></div>
      <section class="card"><${Facts} row=${row} several=${store.hosts.length > 1} /></section>
      <section class="card ten-minutes">${this.power(past)}</section>
      ${detail && html`<div class="columns">
        <div class="stack">
        ${detail.connect && html`<section class="card"><h2>How its charger dials in</h2><${Dial} cp=${CP} connect=${detail.connect} /></section>`}
        <section class="card"><h2>Actions</h2>
          ${operator.known && !operator.is && html`<p class="hint">To use them here: <${Code}>bin/evcs open<//></p>`}
          <${Actions} row=${row} off=${off} begin=${this.begin} job=${job && !job.earlier && job} operator=${operator} /></section></div>
        <div class="stack">
          <section class="card"><h2>Processes</h2><${Processes} found=${detail.processes} since=${detail.counted_since} isReal=${row.hosting === OCPP} off=${off} kill=${(role) => this.do("kill", { role })} /></section>
          <section class="card"><h2>Last events</h2><${Events} found=${detail.events} /></section>
        </div>
      </div>
      ${error && html`<p class="bad">${error}</p>`}
      <section class="card"><h2>Sessions</h2><${Sessions} found=${detail.sessions} /></section>`}
      <${Messages} store=${store} />
      <${Log} cp=${CP} />
      ${asked && html`<${Confirm} ...${asked} rows=${[row]} onYes=${() => this.do(asked.verb)} onNo=${() => this.setState({ asked: null })} />`}
      ${editing && html`<${Edit} rows=${[editing]} circuits=${store.circuits} hosts=${store.hosts} onYes=${(fields) => this.do("edit", fields)} onNo=${() => this.setState({ editing: null })} />`}`;
  }
}

start(CpPage, CP);
