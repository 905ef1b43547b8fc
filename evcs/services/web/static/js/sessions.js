// Sessions and tickets: a table by filter, its sums, energy by day and by CP, and CSV.

import { Component, html } from "./dom.js";
import { Chart, dayOptions } from "./chart.js";
import { look } from "./operator.js";
import { Code, start } from "./shell.js";
import { byName, count, kwh, time } from "./words.js";

const FIELDS = ["since", "until", "cp", "driver", "state"];
const STATE_WORDS = { "": "all", active: "active", interrupted: "interrupted", settled: "settled" };

const DAY_S = 86400;
const MIN_DAYS = 7;

// Days without a gap, a week at least: a day on which nobody charged is a day too.
function everyDay(days) {
  if (!days.length) return [[], []];
  const sums = new Map(days.map((one) => [Date.parse(`${one.day}T00:00:00Z`) / 1000, one.energy_wh / 1000]));
  const last = Math.max(...sums.keys());
  const first = Math.min(last - (MIN_DAYS - 1) * DAY_S, ...sums.keys());
  const at = Array.from({ length: (last - first) / DAY_S + 1 }, (_, i) => first + i * DAY_S);
  return [at, at.map((day) => sums.get(day) || 0)];
}

function ByCp({ cps }) {
  const most = Math.max(...cps.map((one) => one.energy_wh), 1);
  return html`<div class="wide by-cp" tabindex="0" aria-label="Energy by charging point"><table id="by-cp">
    <thead><tr><th>CP</th><th class="number">Sessions</th><th class="number">kWh</th><th class="number">€</th><th><span class="hidden">Share</span></th></tr></thead>
    <tbody>${cps.map((one) => html`<tr key=${one.cp}><td><a href=${`/cp/${one.cp}`}>${one.cp}</a></td><td class="number">${one.sessions}</td>
      <td class="number">${kwh(one.energy_wh)}</td><td class="number">${one.cost_eur}</td>
      <td><meter max=${most} value=${one.energy_wh} aria-label=${`Energy of ${one.cp}`}></meter></td></tr>`)}</tbody></table></div>`;
}

function Table({ sessions }) {
  return html`<div class="wide"><table id="sessions">
    <thead><tr><th>Begun</th><th>Ended</th><th>CP</th><th>Driver</th><th>State</th><th class="number">kWh</th><th class="number">€/kWh</th><th class="number">€</th><th>Reason</th></tr></thead>
    <tbody>${sessions.map((one) => html`<tr key=${one.session_id} data-session=${one.session_id}>
      <td><a href=${`/session/${one.corrects || one.session_id}`}>${time(one.started_at)}</a></td><td>${time(one.ended_at)}</td><td><a href=${`/cp/${one.cp}`}>${one.cp}</a></td><td>${one.driver}</td><td>${one.corrects ? "correction" : one.state}</td>
      <td class="number">${kwh(one.energy_wh)}</td><td class="number">${one.price_eur_kwh}</td><td class="number">${one.cost_eur}</td><td>${one.reason}</td></tr>`)}</tbody></table></div>`;
}

class Sessions extends Component {
  constructor() {
    super();
    const query = new URLSearchParams(location.search);
    const given = Object.fromEntries(FIELDS.map((name) => [name, query.get(name) || ""]));
    // What is being typed is kept: the page is drawn anew at every word from the server.
    this.state = { ...given, typed: {}, sessions: null, sums: null, days: null, error: "" };
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
      const [sessions, sums] = await Promise.all([look(`/api/v1/sessions?${query}`), look(`/api/v1/sessions/sums?${query}`)]);
      sums.cps.sort((a, b) => byName(a.cp, b.cp));
      if (query === this.query()) this.setState({ sessions, sums, days: everyDay(sums.days), error: "" });
    } catch (error) {
      this.setState({ error: error.message });
    }
  }

  set(name, value) {
    this.setState({ [name]: value, typed: {} }, () => this.load());
  }

  filters(state) {
    const field = (name, label, type = "text") => html`<label class="field">${label}
      <input name=${name} type=${type} value=${state.typed[name] ?? state[name]}
        onInput=${(event) => this.setState({ typed: { [name]: event.target.value } })} onChange=${(event) => this.set(name, event.target.value)} /></label>`;
    return html`<section class="card"><div class="fields five">
      ${field("since", "From", "date")} ${field("until", "To", "date")} ${field("cp", "CP")} ${field("driver", "Driver")}
      <label class="field">State <select name="state" value=${state.state} onChange=${(event) => this.set("state", event.target.value)}>
        ${Object.entries(STATE_WORDS).map(([value, word]) => html`<option value=${value}>${word}</option>`)}</select></label>
    </div></section>`;
  }

  render(_, state) {
    const { sessions, sums, days, error } = state;
    const none = html`<p class="none">No session fits. One begins with <${Code}>bin/evcs-driver charge CP-001 --driver NAME<//></p>`;
    return html`<div class="title"><h1>Sessions</h1><span class="grow"></span>
        <button onClick=${() => this.load()}>Read again</button><a class="button" href=${`/api/v1/sessions.csv?${this.query()}`}>CSV</a></div>
      ${this.filters(state)}
      ${error && html`<p class="bad" role="alert">${error}</p>`}
      ${!sessions ? html`<p class="reading">Reading the ledger…</p>` : !sessions.length ? none : html`
        <section class="card"><dl class="facts" id="sums">
          <div><dt>Sessions</dt><dd>${sums.sessions}</dd></div><div><dt>Energy</dt><dd>${kwh(sums.energy_wh)} kWh</dd></div>
          <div><dt>Cost</dt><dd>${sums.cost_eur} €</dd></div></dl>
          ${sums.sessions > sessions.length && html`<p class="hint">The table has the latest ${count(sessions.length, "session")}; sums, plots and CSV are of all.</p>`}</section>
        <div class="columns">
          <section class="card"><h2>Energy by day</h2><${Chart} options=${dayOptions} data=${days} label="Energy by day" /></section>
          <section class="card"><h2>Energy by charging point</h2><${ByCp} cps=${sums.cps} /></section></div>
        <section class="card"><${Table} sessions=${sessions} /></section>`}`;
  }
}

start(Sessions);
