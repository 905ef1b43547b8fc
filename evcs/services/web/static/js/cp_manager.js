// The CP Manager page: create one CP or a range, change them, and see each step happen.

import { Activity } from "./activity.js";
import { meant } from "./aim.js";
import { Component, html } from "./dom.js";
import { Create } from "./create.js";
import { Confirm, asksFirst } from "./dialogs.js";
import { Edit } from "./edit.js";
import { GroupHead, grouped } from "./groups.js";
import { OCPP, where } from "./hosting.js";
import { Jobs, inFault } from "./jobs.js";
import { Menu } from "./menu.js";
import { Parts, sameHead } from "./parts.js";
import { why } from "./power.js";
import { Remedy } from "./remedy.js";
import { Code, Pill, start } from "./shell.js";
import { count, kw } from "./words.js";

// Verb, its words, and whether it is dangerous.
const VERBS = [["stop", "Stop"], ["resume", "Resume"], ["restart", "Restart"], ["clear", "Clear fault"], ["rekey", "Rekey"], ["revoke", "Revoke", true], ["delete", "Delete", true]];
const NOT = {
  stop: (row) => row.service === "out",
  resume: (row) => row.service === "in" || row.revoked,
  restart: (row) => row.revoked,
  revoke: (row) => row.revoked,
  clear: (row) => !inFault(row),
};
const can = (verb, row) => !NOT[verb] || !NOT[verb](row);
// Of what can't be done to any of some.
const WHY_NOT = { stop: "out of service already", resume: "in service already, or revoked", restart: "revoked: nothing of it runs", revoke: "revoked already", clear: "without a fault" };

class Row extends Component {
  shouldComponentUpdate(next) {
    const { row, busy, enabled, chosen } = this.props;
    return !sameHead(next.row, row) || Boolean(next.row.engine) !== Boolean(row.engine) || next.row.circuit !== row.circuit || next.busy !== busy || next.enabled !== enabled || next.chosen !== chosen;
  }

  render({ row, busy, enabled, chosen, act }) {
    const note = [row.session && row.session.driver, why(row)].filter(Boolean).join(": ");
    const terminal = (verb) => `The same in a terminal: bin/evcs-cp ${verb} ${row.id}`;
    const off = !enabled || busy;
    return html`<tr data-cp=${row.id} data-state=${row.state}>
      <td class="choose"><label><input type="checkbox" aria-label=${`Choose ${row.id}`} checked=${chosen} disabled=${!enabled} onChange=${() => act.choose(row.id)} /></label></td>
      <td class="name" title=${row.id}><a href=${`/cp/${row.id}`}>${row.id}</a></td>
      <td class="state" title=${note}><${Pill} state=${row.state} /> <${Remedy} row=${row} off=${off} onClick=${(event, verb) => act.click(event, verb, [row.id])} /> <span class="note">${note}</span></td>
      <td class="place" title=${where(row)}>${where(row)}</td>
      <td class="circuit-of">${row.circuit}</td>
      <td class="number" data-unit="€/kWh">${row.price_eur_kwh}</td>
      <td class="number" data-unit="kW">${kw(row.max_power_w)}</td>
      <td class="actions"><button title=${terminal("edit")} disabled=${off} onClick=${(event) => act.click(event, "edit", [row.id])}>Edit</button>
        <${Menu} id=${`menu-${row.id}`} label=${`More for ${row.id}`} disabled=${off} onChoose=${(event, verb) => act.click(event, verb, [row.id])}
          items=${VERBS.map(([verb, words, danger]) => [verb, words, !can(verb, row), danger, can(verb, row) ? terminal(verb) : `It is ${WHY_NOT[verb]}. ${terminal(verb)}`])} /></td>
    </tr>`;
  }
}

// Always there: coming up, it would lie over what one is about to click.
function Chosen({ rows, enabled, act }) {
  const verbs = [["edit", "Edit"], ...VERBS];
  const ids = (verb) => rows.filter((row) => can(verb, row)).map((row) => row.id);
  const why = (verb) => (rows.length && !ids(verb).length ? `${rows.length > 1 ? "Each is" : "It is"} ${WHY_NOT[verb]}` : undefined);
  return html`<div class="bar chosen"><strong>${rows.length ? `${count(rows.length, "CP")} chosen` : "None chosen"}</strong>
    ${verbs.map(([verb, words, danger]) => html`<button key=${verb} class=${danger ? "danger" : ""} disabled=${!enabled || !ids(verb).length} title=${why(verb)}
      onClick=${(event) => act.click(event, verb, ids(verb))}>${words}</button>`)}</div>`;
}

class CpManager extends Component {
  constructor() {
    super();
    this.jobs = new Jobs(this);
    this.state = { chosen: new Set(), asked: null, editing: null, missed: false, q: "" };
    this.act = { choose: (cp) => this.choose(cp), click: (event, verb, ids) => this.click(event, verb, ids) };
  }

  rows(ids) {
    return ids.map((cp) => this.props.store.rows.get(cp)).filter(Boolean);
  }

  click(event, verb, ids) {
    const missed = !meant(event);
    this.setState({ missed });
    if (!missed) this.begin(verb, ids);
  }

  // Some changes have something asked first.
  begin(verb, ids) {
    if (verb === "edit") this.setState({ editing: this.rows(ids) });
    else if (asksFirst(verb, this.rows(ids))) this.setState({ asked: { verb, ids } });
    else this.jobs.begin(verb, ids);
  }

  sure({ verb, ids }) {
    this.setState({ asked: null, chosen: new Set() });
    this.jobs.begin(verb, ids);
  }

  edit(rows, fields) {
    this.setState({ editing: null });
    this.jobs.begin("edit", rows.map((row) => row.id), fields);
  }

  // One request for all: the Registry makes them in one commit.
  create(ids, fields) {
    const answer = this.props.operator.change("POST", "/api/v1/cps", ids.map((id) => ({ id, ...fields })));
    this.jobs.run("create", ids, async (cp) => {
      const found = (await answer)[ids.indexOf(cp)];
      if (found.error) throw new Error(found.error.message);
      return found;
    }, fields.hosting === OCPP);
  }

  choose(cp) {
    const chosen = new Set(this.state.chosen);
    if (!chosen.delete(cp)) chosen.add(cp);
    this.setState({ chosen });
  }

  // What the search finds. What is out of sight is not chosen any more.
  shown() {
    const text = this.state.q.trim().toLowerCase();
    const fits = (row) => !text || [row.id, row.location, row.host, row.state, row.circuit, row.station, row.reason].join("\n").toLowerCase().includes(text);
    const rows = this.props.store.inOrder().filter(fits);
    const seen = new Set(rows.map((row) => row.id));
    for (const cp of this.state.chosen) if (!seen.has(cp)) this.state.chosen.delete(cp);
    return rows;
  }

  table(rows, enabled) {
    const { chosen } = this.state;
    const all = rows.length > 0 && rows.every((row) => chosen.has(row.id));
    const toggle = () => this.setState({ chosen: new Set(all ? [] : rows.map((row) => row.id)) });
    const busy = new Set(this.jobs.list.filter((job) => !job.done).map((job) => job.cp));
    const draw = (row) => row.members ? html`<tr key=${row.id} class="group"><td colspan="8"><${GroupHead} ...${row} /></td></tr>`
      : html`<${Row} key=${row.id} row=${row} busy=${busy.has(row.id)} enabled=${enabled} chosen=${chosen.has(row.id)} act=${this.act} />`;
    return html`<div class="wide"><table class="manage">
      <thead><tr>
        <th class="choose"><label><input type="checkbox" aria-label="Choose all" checked=${all} disabled=${!enabled} onChange=${toggle} /></label></th>
        <th class="name">Name</th><th class="state">State</th><th>Location</th><th class="circuit-of">Circuit</th><th class="number">€/kWh</th><th class="number">kW</th>
        <th class="actions"><span class="hidden">Actions</span></th></tr></thead>
      <tbody><${Parts} rows=${grouped(rows, "station")} draw=${draw} gap="tr" /></tbody>
    </table></div>`;
  }

  list(rows, enabled) {
    const { store } = this.props;
    const { q, chosen } = this.state;
    const head = html`<div class="title"><h2>${rows.length < store.rows.size ? `${rows.length} of ` : ""}${count(store.rows.size, "charging point")}</h2><span class="grow"></span>
      <input type="search" aria-label="Search" placeholder="Search name, state, location" value=${q} onInput=${(event) => this.setState({ q: event.target.value })} /></div>`;
    if (!store.ready) return html`${head}<p class="reading">Reading the fleet from the bus…</p>`;
    if (!store.rows.size) return html`${head}<p class="none">None yet. Create the first one above, or with <${Code}>bin/evcs-cp create CP-001<//></p>`;
    const none = html`<p class="none">No charging point has “${q.trim()}” in its name, state, reason, location, station or circuit. <button class="quiet" onClick=${() => this.setState({ q: "" })}>Show all</button></p>`;
    return html`${head}${rows.length ? this.table(rows, enabled) : none}<${Chosen} rows=${this.rows([...chosen])} enabled=${enabled} act=${this.act} />`;
  }

  render({ store, operator, enabled }, { asked, editing, missed }) {
    this.jobs.judge(store);
    const rows = this.shown();
    const clear = () => (this.jobs.clear(), this.setState({}));
    return html`<h1 class="hidden">CP Manager</h1>
      ${operator.known && !operator.is && html`<div class="notice" id="not-operator">
        You can look at everything here. To change something, run <${Code}>bin/evcs open<//> on this machine:
        it opens this page as the operator.</div>`}
      <div class="work">
        <${Create} operator=${operator} live=${store.live} onCreate=${(names, fields) => this.create(names, fields)} version=${store.rows.size} circuits=${store.circuits} hosts=${store.hosts} />
        <${Activity} jobs=${this.jobs} missed=${missed} onClear=${clear} />
      </div>
      <section class="card">${this.list(rows, enabled)}</section>
      ${asked && html`<${Confirm} ...${asked} rows=${this.rows(asked.ids)} onYes=${() => this.sure(asked)} onNo=${() => this.setState({ asked: null })} />`}
      ${editing && html`<${Edit} rows=${editing} circuits=${store.circuits} hosts=${store.hosts} onNo=${() => this.setState({ editing: null })} onYes=${(fields) => this.edit(editing, fields)} />`}`;
  }
}

start(CpManager);
