// The CP Manager page: create one CP or a range, change them, and see each step happen.

import { Component, html } from "./dom.js";
import { Create } from "./create.js";
import { Confirm, Edit } from "./dialogs.js";
import { Jobs } from "./jobs.js";
import { Code, Pill, start } from "./shell.js";
import { byName, count, kw } from "./words.js";

const VERBS = { create: "Create", stop: "Stop", resume: "Resume", edit: "Change", restart: "Restart", delete: "Delete" };
const AT_ONCE = 4;

// Run `work` on each item, a few at a time.
async function each(items, work) {
  const waiting = [...items];
  const runner = async () => {
    while (waiting.length) await work(waiting.shift());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runner));
}

function Steps({ job }) {
  const now = job.done ? -1 : job.steps.findIndex((step) => !step.done);
  return html`<span class="steps">
    ${job.steps.map((step, i) => html`<span data-done=${step.done ? "true" : i === now ? "now" : "false"}>
      ${step.done ? "✓" : i === now ? "…" : "·"} ${step.name}</span>`)}
  </span>`;
}

function Activity({ jobs, onClear }) {
  if (!jobs.list.length) return null;
  const done = jobs.list.filter((job) => job.done && !job.error).length;
  const failed = jobs.list.filter((job) => job.error).length;
  const shown = [...jobs.list].sort((a, b) => Boolean(b.error) - Boolean(a.error) || a.done - b.done || byName(a.cp, b.cp));
  return html`<section class="card" aria-label="What is being done">
    <div class="title"><h2 role="status">${done} of ${jobs.list.length} done${failed ? `, ${failed} failed` : ""}</h2>
      <span class="grow"></span><button class="quiet" onClick=${onClear}>Clear what is done</button></div>
    <progress max=${jobs.list.length} value=${done + failed} aria-label="Done"></progress>
    <ul class="jobs">${shown.slice(0, 100).map((job) => html`<li key=${job.cp} data-job=${job.cp}>
      <span class="job-name">${VERBS[job.verb]} ${job.cp}</span>
      <${Steps} job=${job} />
      ${job.error && html`<span class="bad" role="alert">${job.error}</span>`}
    </li>`)}</ul>
  </section>`;
}

class Row extends Component {
  shouldComponentUpdate(next) {
    const { row, job, enabled, chosen } = this.props;
    return next.row !== row || next.job !== job || next.enabled !== enabled || next.chosen !== chosen;
  }

  render({ row, job, enabled, chosen, act }) {
    const busy = job === "busy";
    const off = !enabled || busy;
    const out = row.service === "out";
    const same = (verb) => `The same in a terminal: bin/evcs-cp ${verb} ${row.id}`;
    return html`<tr data-cp=${row.id} data-state=${row.state}>
      <td><input type="checkbox" aria-label=${`Choose ${row.id}`} checked=${chosen} disabled=${!enabled} onChange=${() => act.choose(row.id)} /></td>
      <td><a href=${`/cp/${row.id}`}>${row.id}</a></td>
      <td><${Pill} state=${row.state} />${row.reason && html`<span class="row-note">${row.reason}</span>`}</td>
      <td class="place">${row.location}</td>
      <td class="number" data-unit="€/kWh">${row.price_eur_kwh}</td>
      <td class="number" data-unit="kW">${kw(row.max_power_w)}</td>
      <td class="actions">
        ${out
          ? html`<button title=${same("resume")} disabled=${off} onClick=${() => act.service(row.id, "in")}>Resume</button>`
          : html`<button title=${same("stop")} disabled=${off} onClick=${() => act.service(row.id, "out")}>Stop</button>`}
        <button title=${same("restart")} disabled=${off} onClick=${() => act.restart(row.id)}>Restart</button>
        <button title=${same("edit")} disabled=${off} onClick=${() => act.edit(row)}>Edit</button>
        <button title=${same("delete")} class="danger" disabled=${off} onClick=${() => act.askDelete([row.id])}>Delete</button>
      </td>
    </tr>`;
  }
}

function Chosen({ ids, enabled, act }) {
  if (!ids.length) return null;
  return html`<div class="bar"><strong>${count(ids.length, "CP")} chosen</strong>
    <button disabled=${!enabled} onClick=${() => each(ids, (cp) => act.service(cp, "in"))}>Resume</button>
    <button disabled=${!enabled} onClick=${() => each(ids, (cp) => act.service(cp, "out"))}>Stop</button>
    <button disabled=${!enabled} onClick=${() => each(ids, (cp) => act.restart(cp))}>Restart</button>
    <button class="danger" disabled=${!enabled} onClick=${() => act.askDelete(ids)}>Delete</button></div>`;
}

class CpManager extends Component {
  constructor() {
    super();
    this.jobs = new Jobs();
    this.state = { chosen: new Set(), deleting: null, editing: null, q: "" };
    this.act = {
      choose: (cp) => this.choose(cp),
      service: (cp, service) => this.job(service === "in" ? "resume" : "stop", cp, "PATCH", { service }),
      restart: (cp) => this.job("restart", cp, "POST", undefined, "/restart"),
      edit: (row) => this.setState({ editing: row }),
      askDelete: (ids) => this.setState({ deleting: ids }),
    };
  }

  componentDidMount() {
    this.timer = setInterval(() => this.jobs.list.some((job) => !job.done) && this.setState({}), 500);
  }

  async job(verb, cp, method, body, tail = "") {
    const send = () => this.props.operator.change(method, `/api/v1/cps/${cp}${tail}`, body);
    const running = this.jobs.run(verb, cp, this.props.store.rows.get(cp), send);
    this.setState({});
    await running;
    this.setState({});
  }

  // One request for all: the Registry makes them in one commit.
  async create(ids, fields) {
    const answer = this.props.operator.change("POST", "/api/v1/cps", ids.map((id) => ({ id, ...fields })));
    const running = ids.map((cp, i) => this.jobs.run("create", cp, undefined, async () => {
      const found = (await answer)[i];
      if (found.error) throw new Error(found.error.message);
      return found;
    }));
    this.setState({});
    await Promise.all(running);
    this.setState({});
  }

  choose(cp) {
    const chosen = new Set(this.state.chosen);
    if (!chosen.delete(cp)) chosen.add(cp);
    this.setState({ chosen });
  }

  delete(ids) {
    this.setState({ deleting: null, chosen: new Set() });
    each(ids, (cp) => this.job("delete", cp, "DELETE"));
  }

  shown() {
    const text = this.state.q.trim().toLowerCase();
    const fits = (row) => !text || `${row.id}\n${row.location}\n${row.state}`.toLowerCase().includes(text);
    return this.props.store.inOrder().filter(fits);
  }

  table(rows, enabled) {
    const { chosen } = this.state;
    const all = rows.length > 0 && rows.every((row) => chosen.has(row.id));
    const toggle = () => this.setState({ chosen: new Set(all ? [] : rows.map((row) => row.id)) });
    const busy = new Set(this.jobs.list.filter((job) => !job.done).map((job) => job.cp));
    return html`<div class="wide"><table class="manage">
      <thead><tr>
        <th><input type="checkbox" aria-label="Choose all" checked=${all} disabled=${!enabled} onChange=${toggle} /></th>
        <th>Name</th><th>State</th><th>Place</th><th class="number">€/kWh</th><th class="number">kW</th>
        <th><span class="hidden">Actions</span></th></tr></thead>
      <tbody>${rows.map((row) => html`<${Row} key=${row.id} row=${row} job=${busy.has(row.id) ? "busy" : ""}
        enabled=${enabled} chosen=${chosen.has(row.id)} act=${this.act} />`)}</tbody>
    </table></div>`;
  }

  render({ store, operator, enabled }, { chosen, deleting, editing, q }) {
    this.jobs.judge(store.rows);
    const rows = this.shown();
    const ids = [...chosen].filter((cp) => store.rows.has(cp));
    const clear = () => (this.jobs.clear(), this.setState({}));
    return html`<h1>CP Manager</h1>
      ${operator.known && !operator.is && html`<div class="notice" id="not-operator">
        You can look at everything here. To change something, run <${Code}>bin/evcs open<//> on this machine:
        it opens this page as the operator.</div>`}
      <${Create} enabled=${enabled} onCreate=${(names, fields) => this.create(names, fields)} version=${store.rows.size} />
      <${Activity} jobs=${this.jobs} onClear=${clear} />
      <section class="card">
        <div class="title"><h2>${count(store.rows.size, "charging point")}</h2><span class="grow"></span>
          <input type="search" aria-label="Search" placeholder="Search" value=${q} onInput=${(event) => this.setState({ q: event.target.value })} /></div>
        ${!store.ready ? html`<p class="reading">Reading the fleet from the bus…</p>`
          : store.rows.size ? this.table(rows, enabled)
          : html`<p class="none">None yet. Create the first one above, or with <${Code}>bin/evcs-cp create CP-001<//></p>`}
        <${Chosen} ids=${ids} enabled=${enabled} act=${this.act} />
      </section>
      ${deleting && html`<${Confirm} ids=${deleting} onYes=${() => this.delete(deleting)} onNo=${() => this.setState({ deleting: null })} />`}
      ${editing && html`<${Edit} row=${editing} onNo=${() => this.setState({ editing: null })}
        onYes=${(fields) => (this.setState({ editing: null }), this.job("edit", editing.id, "PATCH", fields))} />`}`;
  }
}

start(CpManager);
