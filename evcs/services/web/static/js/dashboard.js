// The dashboard: totals, and every CP with its state and live figures.

import { Component, createRef, html } from "./dom.js";
import { Parts, sameHead } from "./parts.js";
import { why } from "./power.js";
import { Code, Icon, Pill, start } from "./shell.js";
import { Station, byStation } from "./stations.js";
import { STATES, WORDS, byName, kw, kwh, time } from "./words.js";

const RANK = { BROKEN_DOWN: 0, SUPPLYING: 1, OUT_OF_ORDER: 2, DISCONNECTED: 3, ACTIVATED: 4 };
const power = (row) => (row.session ? row.session.power_w : -1);
const energy = (row) => (row.session ? row.session.energy_wh : -1);
// On top of the order by name, which stays where these say nothing.
const SORTS = {
  name: null,
  state: (a, b) => RANK[a.state] - RANK[b.state],
  place: (a, b) => byName(a.location, b.location),
  power: (a, b) => power(b) - power(a),
  energy: (a, b) => energy(b) - energy(a),
};
const SORT_WORDS = { name: "Name", state: "State", place: "Place", power: "Power", energy: "Energy" };

// The view is kept in the address, so that it can be bookmarked and sent.
function readView() {
  const query = new URLSearchParams(location.search);
  const state = STATES.includes(query.get("state")) ? query.get("state") : "";
  const sort = Object.hasOwn(SORTS, query.get("sort")) ? query.get("sort") : "name";
  return { q: query.get("q") || "", state, sort };
}

function writeView(view) {
  const query = new URLSearchParams();
  if (view.q) query.set("q", view.q);
  if (view.state) query.set("state", view.state);
  if (view.sort !== "name") query.set("sort", view.sort);
  const text = query.toString();
  history.replaceState(null, "", text ? `/?${text}` : "/");
}

class Head extends Component {
  shouldComponentUpdate(next) {
    return !sameHead(next.row, this.props.row);
  }

  render({ row }) {
    return html`<div class="cp-name">
        <a href=${`/cp/${row.id}`}>${row.id}</a>
        <span class="place">${row.location}</span>
      </div>
      <div class="cp-state"><${Pill} state=${row.state} /></div>
      <div class="cp-why">
        ${row.session && html`<span class="driver">${row.session.driver}</span>`}
        ${why(row) && html`<span class="reason">${why(row)}</span>`}
        <span class="since">${row.since && `since ${time(row.since)}`}</span>
      </div>`;
  }
}

// The browser leaves out what is far from being seen, and says so: there figures may wait.
class Row extends Component {
  constructor() {
    super();
    this.onSeen = ({ skipped }) => {
      this.skipped = skipped;
      if (!skipped) this.forceUpdate();
    };
  }

  shouldComponentUpdate(next) {
    return this.skipped ? !sameHead(next.row, this.props.row) : next.row !== this.props.row;
  }

  render({ row }) {
    return html`<li class="cp" data-cp=${row.id} data-state=${row.state} oncontentvisibilityautostatechange=${this.onSeen}>
      <${Head} row=${row} />
      <${Figures} session=${row.session} price=${row.price_eur_kwh} />
    </li>`;
  }
}

const drawRow = (row) => row.members ? html`<li key=${row.id} class="station"><${Station} ...${row} /></li>` : html`<${Row} key=${row.id} row=${row} />`;

function Figures({ session, price }) {
  if (!session) return html`<div class="cp-figures idle"><span class="price">${price} €/kWh</span></div>`;
  return html`<div class="cp-figures">
    <span class="figure" data-figure="power"><b>${kw(session.power_w)}</b> kW</span>
    <span class="figure" data-figure="energy"><b>${kwh(session.energy_wh)}</b> kWh</span>
    ${session.cost_eur != null && html`<span class="figure" data-figure="cost"><b>${session.cost_eur}</b> €</span>`}
  </div>`;
}

function Totals({ rows, view, onState }) {
  const counts = Object.fromEntries(STATES.map((state) => [state, 0]));
  let watts = 0;
  for (const row of rows) {
    counts[row.state] += 1;
    if (row.session) watts += row.session.power_w;
  }
  return html`<section class="totals" aria-label="Totals">
    <button class="total all" aria-pressed=${view.state === ""} onClick=${() => onState("")}>
      <b>${rows.length}</b><span>Charging points</span>
    </button>
    ${STATES.map((state) => html`<button class="total" data-state=${state} aria-pressed=${view.state === state}
        onClick=${() => onState(view.state === state ? "" : state)}>
      <b>${counts[state]}</b><span><${Icon} state=${state} />${WORDS[state]}</span>
    </button>`)}
    <div class="total sum"><b>${watts < 1e7 ? kw(watts) : (watts / 1e6).toFixed(2)} <small>${watts < 1e7 ? "kW" : "MW"}</small></b><span>Power now</span></div>
  </section>`;
}

function Empty() {
  return html`<section class="empty">
    <h1>No charging point yet</h1>
    <p>Nothing is set up on its own. Create the first one in either way:</p>
    <div class="ways">
      <div><h2>In a terminal</h2><${Code}>bin/evcs-cp create CP-001<//></div>
      <div><h2>In the browser</h2><a class="button" href="/cp_manager.html">Open the CP Manager</a>
        <p class="hint">As the operator, after <${Code}>bin/evcs open<//></p></div>
    </div>
    <p class="hint">It shows up here by itself as soon as it exists.</p>
  </section>`;
}

class Dashboard extends Component {
  constructor() {
    super();
    this.state = readView();
    this.search = createRef();
    this.list = createRef();
    this.set = (change) => this.setState(change, () => writeView(this.state));
    this.onKey = (event) => this.key(event);
  }

  componentDidMount() {
    addEventListener("keydown", this.onKey);
  }

  key(event) {
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      this.search.current.focus();
    } else if (event.key === "Escape" && typing) {
      this.set({ q: "" });
      event.target.blur();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && this.list.current && event.target.tagName !== "SELECT") {
      const links = [...this.list.current.querySelectorAll(".cp-name a")];
      const at = links.indexOf(document.activeElement);
      if (at < 0 && event.target !== this.search.current) return;
      event.preventDefault();
      const next = links[at + (event.key === "ArrowDown" ? 1 : -1)];
      (next || this.search.current).focus();
    }
  }

  chosen(all) {
    const { q, state, sort } = this.state;
    const text = q.trim().toLowerCase();
    const fits = (row) =>
      (!state || row.state === state) &&
      (!text || `${row.id}\n${row.location}\n${row.reason}\n${row.session ? row.session.driver : ""}`.toLowerCase().includes(text));
    const found = all.filter(fits);
    return SORTS[sort] ? found.sort(SORTS[sort]) : found;
  }

  render({ store }, view) {
    const all = store.inOrder();
    if (!store.ready) return html`<p class="reading">Reading the fleet from the bus…</p>`;
    if (!all.length) return html`<${Empty} />`;
    const rows = this.chosen(all);
    return html`<h1 class="hidden">Charging points</h1>
      <${Totals} rows=${all} view=${view} onState=${(state) => this.set({ state })} />
      <div class="tools">
        <label class="search"><span class="hidden">Search</span>
          <input ref=${this.search} type="search" placeholder="Search name, place, driver, reason  ( / )" value=${view.q}
            onInput=${(event) => this.set({ q: event.target.value })} /></label>
        <label>Sort by <select value=${view.sort} onChange=${(event) => this.set({ sort: event.target.value })}>
          ${Object.keys(SORTS).map((name) => html`<option value=${name}>${SORT_WORDS[name]}</option>`)}
        </select></label>
      </div>
      ${rows.length
        ? html`<ul class="cps" ref=${this.list}><${Parts} rows=${byStation(rows)} draw=${drawRow} gap="li" /></ul>`
        : html`<p class="none">No charging point fits. <button class="quiet" onClick=${() => this.set({ q: "", state: "" })}>Show all</button></p>`}`;
  }
}

start(Dashboard);
