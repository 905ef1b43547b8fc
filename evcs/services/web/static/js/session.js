// One session's page: its figures, its curve, and its ticket to print.

import { Component, html } from "./dom.js";
import { Chart, supplyOptions } from "./chart.js";
import { EndCharge } from "./end_charge.js";
import { look } from "./operator.js";
import { Progress } from "./progress.js";
import { Code, start } from "./shell.js";
import { duration, exact, kw, kwh, reasonWords } from "./words.js";

const ID = decodeURIComponent(location.pathname.split("/").pop());
const AGAIN_MS = 5000;

const seconds = ({ started_at, ended_at }) => ((ended_at ? new Date(ended_at) : Date.now()) - new Date(started_at)) / 1000;

function Facts({ one, row }) {
  const took = seconds(one);
  const facts = [
    ["Driver", one.driver || "nobody known"], ["Charging point", html`<a href=${`/cp/${one.cp}`}>${one.cp}</a>`], ["Location", row && row.location],
    ["Started", `${exact(one.started_at)}`], ["Ended", one.ended_at && exact(one.ended_at)], ["Duration", duration(took)],
    ["Energy", `${kwh(one.energy_wh)} kWh`], ["Asked for", one.requested_wh ? `${kwh(one.requested_wh)} kWh` : "as the car decides"],
    ["Tariff", one.price_eur_kwh ? `${one.price_eur_kwh} €/kWh` : "none here"], ["Cost", one.cost_eur != null && `${one.cost_eur} €`],
    ["Why it ended", one.ended_at && reasonWords(one.reason)],
  ];
  const { correction } = one;
  if (correction) facts.push(["Correction", `${kwh(correction.energy_wh)} kWh, ${correction.cost_eur == null ? "" : `${correction.cost_eur} €, `}${exact(correction.at)}`]);
  return html`<dl class="facts ticket">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value || "–"}</dd></div>`)}</dl>`;
}

const columns = ({ at, power_w, energy_wh }) => [at, power_w.map((watts) => watts / 1000), energy_wh.map((wattHours) => wattHours / 1000)];

class SessionPage extends Component {
  componentDidMount() {
    document.title = `Session ${ID} · evcs`;
    this.load();
    this.timer = setInterval(() => document.hidden || (this.state.one && this.state.one.state === "settled") || this.load(), AGAIN_MS);
  }

  async load() {
    try {
      const { session, curve } = await look(`/api/v1/sessions/${encodeURIComponent(ID)}/detail`);
      this.setState({ one: session, curve: columns(curve), error: "" });
    } catch (error) {
      this.setState({ error: error.message });
    }
  }

  render({ store, operator, enabled }, { one, curve, error }) {
    if (!one) return html`<h1>Session ${ID}</h1>${error ? html`<p class="bad" role="alert">${error}</p><p><a href="/sessions.html">All sessions</a></p>` : html`<p class="reading">Reading the ledger…</p>`}`;
    const row = store.rows.get(one.cp);
    const live = row && row.session && row.session.session_id === ID ? row.session : null;
    const shown = live ? { ...one, energy_wh: live.energy_wh, cost_eur: live.cost_eur } : one;
    return html`<div class="title"><h1>${one.state === "settled" ? "Ticket" : "Session"}</h1><${Code}>${ID}<//><span class="session-state">${one.state}</span><span class="grow"></span>
        ${one.state !== "settled" && html`<${EndCharge} one=${shown} off=${!enabled || Boolean(row && row.backend)} operator=${operator} onDone=${() => this.load()} />`}
        <button class="no-print" onClick=${() => print()}>Print</button></div>
      <section class="card"><${Facts} one=${shown} row=${row} />
        <p class="progress-line">${live && html`<b>${kw(live.power_w)}</b> kW now <${Progress} session=${live} />`}</p></section>
      <section class="card curve"><h2>Power and energy</h2>
        ${curve[0].length ? html`<${Chart} options=${supplyOptions} data=${curve} label="Power and energy from begin to end" />`
          : html`<p class="none">Of this session no readings are kept any more, or none came.</p>`}</section>
      <p class="hint no-print">The same in a terminal: <${Code}>bin/evcs sessions show ${ID}<//></p>
      ${error && html`<p class="bad" role="alert">${error}</p>`}`;
  }
}

start(SessionPage);
