// The dashboard: totals, and every CP with its state and live figures.

import { Component, createRef, html } from "./dom.js";
import { Columns, Line, Row, inLines } from "./fleet_rows.js";
import { GROUPS, GroupHead, grouped } from "./groups.js";
import { Parts } from "./parts.js";
import { Code, start } from "./shell.js";
import { Totals } from "./totals.js";
import { ATTENTION, byName } from "./words.js";

const power = (row) => (row.session ? row.session.power_w : -1);
const energy = (row) => (row.session ? row.session.energy_wh : -1);
// On top of the order by name, which stays where these say nothing.
const SORTS = {
  attention: (a, b) => ATTENTION.indexOf(a.state) - ATTENTION.indexOf(b.state),
  name: null,
  location: (a, b) => !a.location - !b.location || byName(a.location, b.location),
  power: (a, b) => power(b) - power(a),
  energy: (a, b) => energy(b) - energy(a),
};
const SORT_WORDS = { attention: "Attention", name: "Name", location: "Location", power: "Power", energy: "Energy" };
const VIEWS = { list: "List", tiles: "Tiles" };
// As long as somebody moves over the list, or goes through it by keyboard, its order stays.
const HELD_MS = 3000;
const HELD_BY_FOCUS_MS = 30_000;
const TILE_PX = 150;

// The view is kept in the address, so that it can be bookmarked and sent; what is usual is left out.
const USUAL = { q: "", state: "", plot: "", sort: "attention", group: "station", view: "list" };
const ALLOWED = { state: ATTENTION, plot: ["power"], sort: Object.keys(SORTS), group: Object.keys(GROUPS), view: Object.keys(VIEWS) };

function readView() {
  const query = new URLSearchParams(location.search);
  const given = (name) => (!ALLOWED[name] || ALLOWED[name].includes(query.get(name)) ? query.get(name) : null);
  return Object.fromEntries(Object.entries(USUAL).map(([name, usual]) => [name, given(name) || usual]));
}

function writeView(view) {
  const said = Object.keys(USUAL).filter((name) => view[name] !== USUAL[name]);
  const text = new URLSearchParams(said.map((name) => [name, view[name]])).toString();
  history.replaceState(null, "", text ? `/?${text}` : "/");
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

function Choice({ label, value, words, onChange }) {
  return html`<label>${label} <select value=${value} onChange=${(event) => onChange(event.target.value)}>
    ${Object.entries(words).map(([name, word]) => html`<option value=${name}>${word}</option>`)}</select></label>`;
}

// Of one machine alone there is nothing to tell.
function groupWords(chosen, hosts) {
  const offered = Object.entries(GROUPS).filter(([name]) => name !== "host" || name === chosen || hosts.length > 1);
  return Object.fromEntries(offered.map(([name, [word]]) => [name, word]));
}

class Dashboard extends Component {
  constructor() {
    super();
    this.state = readView();
    this.search = createRef();
    this.list = createRef();
    this.heldUntil = 0;
    const hold = (ms) => () => (this.heldUntil = performance.now() + ms);
    [this.onMove, this.onFocus, this.onLeave] = [hold(HELD_MS), hold(HELD_BY_FOCUS_MS), hold(0)];
    this.set = (change) => {
      this.onLeave();
      this.setState(change, () => writeView(this.state));
    };
    this.onKey = (event) => this.key(event);
    this.onResize = () => this.state.view === "tiles" && this.setState({});
  }

  componentDidMount() {
    addEventListener("keydown", this.onKey);
    addEventListener("resize", this.onResize);
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

  // Its scripts are long: they come once they are wanted.
  plot() {
    if (!this.PowerPlot) import("./power_plot.js").then(({ PowerPlot }) => ((this.PowerPlot = PowerPlot), this.setState({})));
    return html`<section class="card hour" id="total-power">${this.PowerPlot && html`<${this.PowerPlot} words="Power of all charging points" />`}</section>`;
  }

  // Those that fit, in their order; under a hand in the one that they had.
  chosen(all) {
    const { q, state, sort } = this.state;
    const text = q.trim().toLowerCase();
    const said = (row) => [row.id, row.location, row.host, row.reason, row.station, row.circuit, row.session && row.session.driver].join("\n").toLowerCase();
    const found = all.filter((row) => (!state || row.state === state) && (!text || said(row).includes(text)));
    if (SORTS[sort]) found.sort(SORTS[sort]);
    if (performance.now() >= this.heldUntil) this.places = null;
    else if (this.last) {
      this.places = this.places || new Map(this.last.map((row, i) => [row.id, i]));
      const place = (row) => this.places.get(row.id) ?? this.places.size;
      found.sort((a, b) => place(a) - place(b));
    }
    this.last = found;
    return found;
  }

  found(rows) {
    const { group, view, sort } = this.state;
    const head = (row) => html`<li key=${row.id} class="group"><${GroupHead} ...${row} /></li>`;
    const lines = grouped(rows, group);
    const columns = Math.max(1, Math.floor((Math.min(innerWidth, 1600) - 40) / TILE_PX));
    const tiles = view === "tiles";
    const draw = (row) => row.members ? head(row) : tiles ? html`<${Line} key=${row.id} tiles=${row.tiles} columns=${columns} />` : html`<${Row} key=${row.id} row=${row} />`;
    return html`<div class=${`cps ${view}`} onPointerMove=${this.onMove} onFocusIn=${this.onFocus} onFocusOut=${this.onLeave}>
      ${!tiles && html`<${Columns} sort=${sort} onSort=${(name) => this.set({ sort: name })} />`}
      <ul ref=${this.list}><${Parts} key=${view} rows=${tiles ? inLines(lines, columns) : lines} draw=${draw} gap="li" each=${tiles ? columns : 1} /></ul></div>`;
  }

  render({ store }, view) {
    const all = store.inOrder();
    if (!store.ready) return html`<p class="reading">Reading the fleet from the bus…</p>`;
    if (!all.length) return html`<${Empty} />`;
    const rows = this.chosen(all);
    const choose = (name) => (value) => this.set({ [name]: value });
    return html`<h1 class="hidden">Charging points</h1>
      <${Totals} rows=${all} charges=${store.charges} state=${view.state} onState=${choose("state")} plot=${view.plot === "power"} onPlot=${() => this.set({ plot: view.plot ? "" : "power" })} />
      ${view.plot && this.plot()}
      <div class="tools">
        <label class="search"><span class="hidden">Search</span>
          <input ref=${this.search} type="search" placeholder="Search name, location, driver, reason  ( / )" value=${view.q}
            onInput=${(event) => this.set({ q: event.target.value })} /></label>
        <${Choice} label="Sort by" value=${view.sort} words=${SORT_WORDS} onChange=${choose("sort")} />
        <${Choice} label="Group by" value=${view.group} words=${groupWords(view.group, store.hosts)} onChange=${choose("group")} />
        <${Choice} label="Show as" value=${view.view} words=${VIEWS} onChange=${choose("view")} />
      </div>
      ${rows.length ? this.found(rows)
        : html`<p class="none">No charging point fits. <button class="quiet" onClick=${() => this.set({ q: "", state: "" })}>Show all</button></p>`}`;
  }
}

start(Dashboard);
