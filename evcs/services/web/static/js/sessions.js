// Sessions and tickets: a table by filter, its sums, energy by day and by CP, and CSV.

import { Component, html } from "./dom.js";
import { Chart, dayOptions } from "./chart.js";
import { look } from "./operator.js";
import { Code, start } from "./shell.js";
import { byName, cents, count, euros, kwh, time } from "./words.js";

const FIELDS = ["since", "until", "cp", "driver", "state"];
const STATE_WORDS = { "": "all", active: "active", interrupted: "interrupted", settled: "settled" };

const DAY_S = 86400;
const MIN_DAYS = 7;

// Days without a gap, a week at least: a day on which nobody charged is a day too.
function everyDay(days) {
  if (!days.size) return [[], []];
  const last = Math.max(...days.keys());
  const first = Math.min(last - (MIN_DAYS - 1) * DAY_S, ...days.keys());
  const at = Array.from({ length: (last - first) / DAY_S + 1 }, (_, i) => first + i * DAY_S);
  return [at, at.map((day) => days.get(day) || 0)];
}

function sums(sessions) {
  const days = new Map(), cps = new Map();
  let energy = 0, cost = 0;
  for (const one of sessions) {
    energy += one.energy_wh;
    cost += cents(one.cost_eur);
    const day = Date.parse(`${one.started_at.slice(0, 10)}T00:00:00Z`) / 1000;
    days.set(day, (days.get(day) || 0) + one.energy_wh / 1000);
    const cp = cps.get(one.cp) || { energy: 0, cost: 0, count: 0 };
    cps.set(one.cp, { energy: cp.energy + one.energy_wh, cost: cp.cost + cents(one.cost_eur), count: cp.count + 1 });
  }
  return { energy, cost, days: everyDay(days), cps: [...cps].sort((a, b) => byName(a[0], b[0])) };
}

function ByCp({ cps }) {
  const most = Math.max(...cps.map(([, sum]) => sum.energy), 1);
  return html`<div class="wide"><table><thead><tr><th>CP</th><th class="number">Sessions</th><th class="number">kWh</th><th class="number">€</th><th><span class="hidden">Share</span></th></tr></thead>
    <tbody>${cps.map(([cp, sum]) => html`<tr key=${cp}><td><a href=${`/cp/${cp}`}>${cp}</a></td><td class="number">${sum.count}</td>
      <td class="number">${kwh(sum.energy)}</td><td class="number">${euros(sum.cost)}</td>
      <td><meter max=${most} value=${sum.energy} aria-label=${`Energy of ${cp}`}></meter></td></tr>`)}</tbody></table></div>`;
}

function Table({ sessions }) {
  return html`<div class="wide"><table id="sessions">
    <thead><tr><th>Begun</th><th>Ended</th><th>CP</th><th>Driver</th><th>State</th><th class="number">kWh</th><th class="number">€/kWh</th><th class="number">€</th><th>Reason</th></tr></thead>
    <tbody>${sessions.map((one) => html`<tr key=${one.session_id} data-session=${one.session_id}>
      <td>${time(one.started_at)}</td><td>${time(one.ended_at)}</td><td><a href=${`/cp/${one.cp}`}>${one.cp}</a></td><td>${one.driver}</td><td>${one.state}</td>
      <td class="number">${kwh(one.energy_wh)}</td><td class="number">${one.price_eur_kwh}</td><td class="number">${one.cost_eur}</td><td>${one.reason}</td></tr>`)}</tbody></table></div>`;
}

class Sessions extends Component {
  constructor() {
    super();
    const query = new URLSearchParams(location.search);
    const given = Object.fromEntries(FIELDS.map((name) => [name, query.get(name) || ""]));
    this.state = { ...given, sessions: null, sums: null, error: "" };
  }

  componentDidMount() {
    this.load();
  }

  query() {
    const query = new URLSearchParams();
    for (const name of FIELDS) if (this.state[name]) query.set(name, this.state[name]);
    return query.toString();
  }

  async load() {
    const query = this.query();
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    try {
      const sessions = await look(`/api/v1/sessions?${query}`);
      if (query === this.query()) this.setState({ sessions, sums: sums(sessions), error: "" });
    } catch (error) {
      this.setState({ error: error.message });
    }
  }

  set(name, value) {
    this.setState({ [name]: value }, () => this.load());
  }

  filters(state) {
    const field = (name, label, type = "text") => html`<label class="field">${label}
      <input name=${name} type=${type} value=${state[name]} onChange=${(event) => this.set(name, event.target.value)} /></label>`;
    return html`<section class="card"><div class="fields five">
      ${field("since", "From", "date")} ${field("until", "To", "date")} ${field("cp", "CP")} ${field("driver", "Driver")}
      <label class="field">State <select name="state" value=${state.state} onChange=${(event) => this.set("state", event.target.value)}>
        ${Object.entries(STATE_WORDS).map(([value, word]) => html`<option value=${value}>${word}</option>`)}</select></label>
    </div></section>`;
  }

  render(_, state) {
    const { sessions, sums: found, error } = state;
    const none = html`<p class="none">No session fits. One begins with <${Code}>bin/evcs-driver charge CP-001 --driver NAME<//></p>`;
    return html`<div class="title"><h1>Sessions</h1><span class="grow"></span>
        <button onClick=${() => this.load()}>Read again</button><a class="button" href=${`/api/v1/sessions.csv?${this.query()}`}>CSV</a></div>
      ${this.filters(state)}
      ${error && html`<p class="bad" role="alert">${error}</p>`}
      ${!sessions ? html`<p class="reading">Reading the ledger…</p>` : !sessions.length ? none : html`
        <section class="card"><dl class="facts">
          <div><dt>Sessions</dt><dd>${sessions.length}</dd></div><div><dt>Energy</dt><dd>${kwh(found.energy)} kWh</dd></div>
          <div><dt>Cost</dt><dd>${euros(found.cost)} €</dd></div></dl>
          ${sessions.length >= 1000 && html`<p class="hint">The latest ${count(sessions.length, "session")}; the CSV has all.</p>`}</section>
        <div class="columns">
          <section class="card"><h2>Energy by day</h2><${Chart} options=${dayOptions} data=${found.days} label="Energy by day" /></section>
          <section class="card"><h2>By charging point</h2><${ByCp} cps=${found.cps} /></section></div>
        <section class="card"><${Table} sessions=${sessions} /></section>`}`;
  }
}

start(Sessions);
