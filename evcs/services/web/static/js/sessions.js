// Sessions and tickets: a table by filter, its sums, energy by day and by CP, and CSV.

import { Again } from "./again.js";
import { Component, html } from "./dom.js";
import { Chart, dayOptions } from "./chart.js";
import { EndCharge } from "./end_charge.js";
import { Field } from "./fields.js";
import { look } from "./operator.js";
import { Parts } from "./parts.js";
import { Code, start } from "./shell.js";
import { byName, count, duration, kwh, reasonWords, time } from "./words.js";

const FIELDS = ["since", "until", "cp", "driver", "state"];
// The ones that are looked for by a part of a name, whatever its case.
const PARTS = { cp: "cp_part", driver: "driver_part" };
const PART = /^[A-Za-z0-9_-]{0,32}$/;
const LOOK_AFTER_MS = 250;
// What flows is in the sums so soon.
const SUMS_MS = 30_000;
const FEW_CPS = 8;
const MOST_CPS = 500;
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

class ByCp extends Component {
  render({ cps }, { all }) {
    const most = Math.max(...cps.map((one) => one.energy_wh), 1);
    const shown = cps.slice(0, all ? MOST_CPS : FEW_CPS);
    return html`<div class="wide by-cp" tabindex="0" aria-label="Energy by charging point"><table id="by-cp">
      <thead><tr><th>CP</th><th class="number">Sessions</th><th class="number">kWh</th><th class="number">€</th><th><span class="hidden">Share</span></th></tr></thead>
      <tbody>${shown.map((one) => html`<tr key=${one.cp}><td><a href=${`/cp/${one.cp}`}>${one.cp}</a></td><td class="number">${one.sessions}</td>
        <td class="number">${kwh(one.energy_wh)}</td><td class="number">${one.cost_eur}</td>
        <td><meter max=${most} value=${one.energy_wh} aria-label=${`Energy of ${one.cp}`}></meter></td></tr>`)}</tbody></table></div>
      ${cps.length > FEW_CPS && html`<p class="more-cps"><button class="quiet" aria-expanded=${Boolean(all)} onClick=${() => this.setState({ all: !all })}>${all ? "Show fewer"
        : `Show ${cps.length > MOST_CPS ? `the first ${MOST_CPS}` : `all ${cps.length}`}, by energy`}</button></p>`}`;
  }
}

const took = ({ started_at, ended_at }) => duration(((ended_at ? new Date(ended_at) : Date.now()) - new Date(started_at)) / 1000);

// `end`: its button, where one may end it. What is settled stays as it is.
class Session extends Component {
  shouldComponentUpdate({ one }) {
    return one !== this.props.one || one.state !== "settled";
  }

  render({ one, end }) {
    const cell = (label, value, kind) => html`<td data-label=${label} class=${kind}>${value}</td>`;
    return html`<tr data-session=${one.session_id}>
    ${cell("Started", html`<a href=${`/session/${one.corrects || one.session_id}`}>${time(one.started_at)}</a>`)}${cell("Ended", time(one.ended_at))}${cell("Took", took(one))}
    ${cell("CP", html`<a href=${`/cp/${one.cp}`}>${one.cp}</a>`)}${cell("Driver", one.driver)}${cell("State", one.corrects ? "correction" : one.state)}
    ${cell("kWh", kwh(one.energy_wh), "number")}${cell("€/kWh", one.price_eur_kwh, "number")}${cell("€", one.cost_eur, "number")}${cell("Reason", reasonWords(one.reason))}
    <td class="actions">${end}</td></tr>`;
  }
}

function Table({ sessions, endOf }) {
  return html`<div class="wide"><table id="sessions" class="cards">
    <thead><tr><th>Started</th><th>Ended</th><th>Took</th><th>CP</th><th>Driver</th><th>State</th><th class="number">kWh</th><th class="number">€/kWh</th><th class="number">€</th><th>Reason</th><th><span class="hidden">Actions</span></th></tr></thead>
    <tbody><${Parts} rows=${sessions} draw=${(one) => html`<${Session} key=${one.session_id} one=${one} end=${endOf(one)} />`} gap="tr" /></tbody></table></div>`;
}

// Field -> what is wrong with it.
function wrongOf({ cp, driver, since, until }) {
  const parts = Object.entries({ cp, driver }).filter(([, text]) => !PART.test(text.trim()));
  const wrong = Object.fromEntries(parts.map(([name]) => [name, "letters, digits, _ and - only"]));
  if (since && until && since > until) wrong.until = "before From: no day fits";
  return wrong;
}

// Days that are asked for most, as the server counts them: name -> its words, first and last day.
const ago = (days) => new Date(Date.now() - days * DAY_S * 1000).toISOString().slice(0, 10);
const weekday = () => (new Date().getUTCDay() + 6) % 7;
const PERIODS = {
  "": ["all", () => ["", ""]],
  today: ["today", () => [ago(0), ""]],
  days7: ["last 7 days", () => [ago(6), ""]],
  week: ["last week", () => [ago(weekday() + 7), ago(weekday() + 1)]],
  month: ["this month", () => [`${ago(0).slice(0, 8)}01`, ""]],
};

function Period({ since, until, onChoose }) {
  const is = Object.keys(PERIODS).find((name) => PERIODS[name][1]().join() === [since, until].join());
  return html`<label class="field">Period <select name="period" value=${is ?? "other"} onChange=${(event) => onChoose(...PERIODS[event.target.value][1]())}>
    ${is === undefined && html`<option value="other" disabled>as below</option>`}${Object.entries(PERIODS).map(([name, [words]]) => html`<option key=${name} value=${name}>${words}</option>`)}</select></label>`;
}

class Sessions extends Component {
  constructor() {
    super();
    const query = new URLSearchParams(location.search);
    const given = Object.fromEntries(FIELDS.map((name) => [name, query.get(name) || ""]));
    this.state = { ...given, touched: { cp: true, driver: true, until: true }, sessions: null, sums: null, days: null, error: "" };
    this.onInput = (name) => (event) => this.set(name, event.target.value);
    this.again = new Again(() => this.load());
  }

  componentDidMount() {
    this.load();
  }

  componentDidUpdate() {
    if (!this.props.store.ready) return;
    const flows = (this.state.sessions || []).some((one) => one.state !== "settled");
    this.again.look(`${this.props.store.charges} ${flows ? Math.floor(Date.now() / SUMS_MS) : ""}`);
  }

  // As the server is asked, and as it stands in the address.
  query(names = {}) {
    const query = new URLSearchParams();
    for (const name of FIELDS) if (this.state[name].trim()) query.set(names[name] || name, this.state[name].trim());
    return query.toString();
  }

  async load() {
    if (Object.keys(wrongOf(this.state)).length) return;
    const query = this.query(PARTS);
    const shown = this.query();
    history.replaceState(null, "", shown ? `?${shown}` : location.pathname);
    try {
      const [sessions, sums] = await Promise.all([look(`/api/v1/sessions?${query}`), look(`/api/v1/sessions/sums?${query}`)]);
      sums.cps.sort((a, b) => b.energy_wh - a.energy_wh || byName(a.cp, b.cp));
      const rows = sessions.map((one) => ({ ...one, id: one.session_id }));
      if (query === this.query(PARTS)) this.setState({ sessions: rows, sums, days: everyDay(sums.days), error: "" });
    } catch (error) {
      this.setState({ error: error.message });
    }
  }

  // What is typed is looked for once it has stood for a moment.
  set(name, value) {
    this.setState({ [name]: value });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), LOOK_AFTER_MS);
  }

  filters(state) {
    const field = { form: "sessions", state, wrong: wrongOf(state), onInput: this.onInput };
    const days = (since, until) => this.setState({ since, until }, () => this.load());
    return html`<section class="card"><div class="fields five">
      <${Period} ...${state} onChoose=${days} />
      <${Field} ...${field} name="since" label="From" type="date" /><${Field} ...${field} name="until" label="To" type="date" />
      <${Field} ...${field} name="cp" label="CP" placeholder="part of name" /><${Field} ...${field} name="driver" label="Driver" placeholder="part of name" />
      <label class="field">State <select name="state" value=${state.state} onChange=${this.onInput("state")}>
        ${Object.entries(STATE_WORDS).map(([value, word]) => html`<option value=${value}>${word}</option>`)}</select></label>
    </div></section>`;
  }

  none() {
    if (!this.query()) return html`<p class="none">No sessions yet. One begins with <${Code}>bin/evcs-driver charge CP-001 --driver NAME<//></p>`;
    const all = () => this.setState(Object.fromEntries(FIELDS.map((name) => [name, ""])), () => this.load());
    return html`<p class="none">No session fits. <button class="quiet" onClick=${all}>Show all</button></p>`;
  }

  // Of a charge under way; those of a back end are that one's to end.
  end(one) {
    const { operator, enabled, store } = this.props;
    const row = store.rows.get(one.cp);
    if (!operator.is || one.state === "settled" || one.corrects || !row || row.backend) return null;
    return html`<${EndCharge} key=${one.session_id} words="End" one=${one} off=${!enabled} operator=${operator} />`;
  }

  // Of a charge under way what flows now; the ledger has it some seconds later.
  live(one) {
    const row = one.state !== "settled" && this.props.store.rows.get(one.cp);
    const { session_id, energy_wh, cost_eur } = (row && row.session) || {};
    return session_id === one.session_id ? { ...one, energy_wh, cost_eur } : one;
  }

  render(_, state) {
    const { sums, days, error } = state;
    const sessions = state.sessions && state.sessions.map((one) => this.live(one));
    const own = sessions ? sessions.filter((one) => !one.corrects).length : 0;
    return html`<div class="title"><h1>Sessions</h1><span class="grow"></span>
        <a class="button" href=${`/api/v1/sessions.csv?${this.query(PARTS)}`}>CSV</a></div>
      ${this.filters(state)}
      ${error && html`<p class="bad" role="alert">${error}</p>`}
      ${!sessions ? html`<p class="reading">Reading the ledger…</p>` : !sessions.length ? this.none() : html`
        <section class="card"><dl class="facts" id="sums">
          <div><dt>Sessions</dt><dd>${sums.sessions}</dd></div><div><dt>Energy</dt><dd>${kwh(sums.energy_wh)} kWh</dd></div>
          <div><dt>Cost</dt><dd>${sums.cost_eur} €</dd></div></dl>
          ${sums.sessions > own && html`<p class="hint">The table has the latest ${count(own, "session")}; sums, plots and CSV are of all.</p>`}</section>
        <div class="columns">
          <section class="card"><h2>Energy by day</h2><${Chart} options=${dayOptions} data=${days} label="Energy by day" /></section>
          <section class="card"><h2>Energy by charging point</h2><${ByCp} cps=${sums.cps} /></section></div>
        <section class="card"><${Table} sessions=${sessions} endOf=${(one) => this.end(one)} /></section>`}`;
  }
}

start(Sessions);
