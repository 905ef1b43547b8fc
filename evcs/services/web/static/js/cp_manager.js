// The CP Manager page: create one CP or a range, change them, and see each step happen.

import { Activity } from "./activity.js";
import { meant } from "./aim.js";
import { Component, html } from "./dom.js";
import { Create } from "./create.js";
import { Confirm, Edit, asksFirst } from "./dialogs.js";
import { GroupHead, grouped } from "./groups.js";
import { OCPP } from "./hosting.js";
import { Jobs } from "./jobs.js";
import { Parts, sameHead } from "./parts.js";
import { why } from "./power.js";
import { Code, Pill, start } from "./shell.js";
import { count, kw } from "./words.js";

const DANGER = ["revoke", "delete"];

class Row extends Component {
  shouldComponentUpdate(next) {
    const { row, busy, enabled, chosen } = this.props;
    return !sameHead(next.row, row) || next.busy !== busy || next.enabled !== enabled || next.chosen !== chosen;
  }

  render({ row, busy, enabled, chosen, act }) {
    const button = (verb, name, not) => html`<button title=${`The same in a terminal: bin/evcs-cp ${verb} ${row.id}`}
      class=${DANGER.includes(verb) ? "danger" : ""} disabled=${!enabled || busy || not} onClick=${(event) => act.click(event, verb, [row.id])}>${name}</button>`;
    const note = [row.session && row.session.driver, why(row)].filter(Boolean).join(": ");
    return html`<tr data-cp=${row.id} data-state=${row.state}>
      <td><input type="checkbox" aria-label=${`Choose ${row.id}`} checked=${chosen} disabled=${!enabled} onChange=${() => act.choose(row.id)} /></td>
      <td class="name"><a href=${`/cp/${row.id}`}>${row.id}</a></td>
      <td class="state" title=${note}><${Pill} state=${row.state} /> <span class="note">${note}</span></td>
      <td class="place" title=${row.location}>${row.location}</td>
      <td class="number" data-unit="€/kWh">${row.price_eur_kwh}</td>
      <td class="number" data-unit="kW">${kw(row.max_power_w)}</td>
      <td class="actions">
        ${row.service === "out" ? button("resume", "Resume") : button("stop", "Stop")}
        ${button("restart", "Restart", row.revoked)}
        ${button("edit", "Edit")}
        ${button("rekey", "Rekey")}
        ${button("revoke", "Revoke", row.revoked)}
        ${button("delete", "Delete")}
      </td>
    </tr>`;
  }
}

// Always there: coming up, it would lie over what one is about to click.
function Chosen({ ids, enabled, act }) {
  const verbs = ["resume", "stop", "restart", "rekey", "revoke", "delete"];
  return html`<div class="bar chosen"><strong>${ids.length ? `${count(ids.length, "CP")} chosen` : "None chosen"}</strong>
    ${verbs.map((verb) => html`<button key=${verb} class=${DANGER.includes(verb) ? "danger" : ""} disabled=${!enabled || !ids.length}
      onClick=${(event) => act.click(event, verb, ids)}>${verb[0].toUpperCase()}${verb.slice(1)}</button>`)}</div>`;
}

class CpManager extends Component {
  constructor() {
    super();
    this.jobs = new Jobs(this);
    this.state = { chosen: new Set(), asked: null, editing: null, missed: false, q: "" };
    this.act = { choose: (cp) => this.choose(cp), click: (event, verb, ids) => this.click(event, verb, ids) };
  }

  componentDidMount() {
    this.timer = setInterval(() => this.jobs.list.some((job) => !job.done) && this.setState({}), 500);
  }

  rows(ids) {
    return ids.map((cp) => this.props.store.rows.get(cp));
  }

  click(event, verb, ids) {
    const missed = !meant(event);
    this.setState({ missed });
    if (!missed) this.begin(verb, ids);
  }

  // Some changes have something asked first.
  begin(verb, ids) {
    if (verb === "edit") this.setState({ editing: this.props.store.rows.get(ids[0]) });
    else if (asksFirst(verb, this.rows(ids))) this.setState({ asked: { verb, ids } });
    else this.jobs.begin(verb, ids);
  }

  sure({ verb, ids }) {
    this.setState({ asked: null, chosen: new Set() });
    this.jobs.begin(verb, ids);
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
    const fits = (row) => !text || `${row.id}\n${row.location}\n${row.state}`.toLowerCase().includes(text);
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
    const draw = (row) => row.members ? html`<tr key=${row.id} class="group"><td colspan="7"><${GroupHead} ...${row} /></td></tr>` : html`<${Row} key=${row.id} row=${row} busy=${busy.has(row.id)} enabled=${enabled} chosen=${chosen.has(row.id)} act=${this.act} />`;
    return html`<div class="wide"><table class="manage">
      <thead><tr>
        <th class="choose"><input type="checkbox" aria-label="Choose all" checked=${all} disabled=${!enabled} onChange=${toggle} /></th>
        <th class="name">Name</th><th class="state">State</th><th>Place</th><th class="number">€/kWh</th><th class="number">kW</th>
        <th class="actions"><span class="hidden">Actions</span></th></tr></thead>
      <tbody><${Parts} rows=${grouped(rows, "station")} draw=${draw} gap="tr" /></tbody>
    </table></div>`;
  }

  render({ store, operator, enabled }, { chosen, asked, editing, missed, q }) {
    this.jobs.judge(store.rows);
    const rows = this.shown();
    const clear = () => (this.jobs.clear(), this.setState({}));
    return html`<h1>CP Manager</h1>
      ${operator.known && !operator.is && html`<div class="notice" id="not-operator">
        You can look at everything here. To change something, run <${Code}>bin/evcs open<//> on this machine:
        it opens this page as the operator.</div>`}
      <div class="work">
        <${Create} enabled=${enabled} onCreate=${(names, fields) => this.create(names, fields)} version=${store.rows.size} circuits=${store.circuits} />
        <${Activity} jobs=${this.jobs} missed=${missed} onClear=${clear} />
      </div>
      <section class="card">
        <div class="title"><h2>${count(store.rows.size, "charging point")}</h2><span class="grow"></span>
          <input type="search" aria-label="Search" placeholder="Search" value=${q} onInput=${(event) => this.setState({ q: event.target.value })} /></div>
        ${!store.ready ? html`<p class="reading">Reading the fleet from the bus…</p>`
          : store.rows.size ? html`${this.table(rows, enabled)}<${Chosen} ids=${[...chosen]} enabled=${enabled} act=${this.act} />`
          : html`<p class="none">None yet. Create the first one above, or with <${Code}>bin/evcs-cp create CP-001<//></p>`}
      </section>
      ${asked && html`<${Confirm} ...${asked} rows=${this.rows(asked.ids)} onYes=${() => this.sure(asked)} onNo=${() => this.setState({ asked: null })} />`}
      ${editing && html`<${Edit} row=${editing} circuits=${store.circuits} onNo=${() => this.setState({ editing: null })}
        onYes=${(fields) => (this.setState({ editing: null }), this.jobs.begin("edit", [editing.id], fields))} />`}`;
  }
}

start(CpManager);
