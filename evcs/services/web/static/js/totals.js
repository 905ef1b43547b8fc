// The dashboard's tiles: how many CPs are in each state, the power now, and today's energy and money.

import { Again } from "./again.js";
import { Component, html } from "./dom.js";
import { look } from "./operator.js";
import { Icon } from "./shell.js";
import { ATTENTION, WORDS, kw } from "./words.js";

const AGAIN_MS = 30_000;

const power = (watts) => (watts < 1e7 ? [kw(watts), "kW"] : [(watts / 1e6).toFixed(2), "MW"]);
const energy = (wattHours) => (wattHours < 1e7 ? [(wattHours / 1e3).toFixed(1), "kWh"] : [(wattHours / 1e6).toFixed(2), "MWh"]);

const figure = ([value, unit], words) => html`<b>${value} <small>${unit}</small></b><span>${words}</span>`;

// Of the charges that began today, by this browser's clock; a day that is over is asked for no more.
class Today extends Component {
  constructor() {
    super();
    this.again = new Again(() => this.load());
  }

  componentDidMount() {
    this.load();
    this.timer = setInterval(() => document.hidden || this.load(), AGAIN_MS);
  }

  componentWillUnmount() {
    clearInterval(this.timer);
  }

  async load() {
    const midnight = new Date(new Date().setHours(0, 0, 0, 0));
    try {
      this.setState({ found: await look(`/api/v1/sessions/total?since=${midnight.toISOString()}`) });
    } catch {
      // Said by the banner; the ledger may be away for longer: what was known stays.
    }
  }

  componentWillReceiveProps({ charges }) {
    this.again.look(charges);
  }

  shouldComponentUpdate(_, next) {
    return next !== this.state;
  }

  render(_, { found }) {
    return html`<div class="total sum" title="Of charges that began today">${figure(found ? energy(found.energy_wh) : ["–", "kWh"], `Today, ${found ? found.cost_eur : "–"} €`)}</div>`;
  }
}

export function Totals({ rows, charges, state: chosen, onState, plot, onPlot }) {
  const counts = Object.fromEntries(ATTENTION.map((state) => [state, 0]));
  let watts = 0;
  for (const row of rows) {
    counts[row.state] += 1;
    if (row.session) watts += row.session.power_w;
  }
  return html`<section class="totals" aria-label="Totals">
    <button class="total all" aria-pressed=${chosen === ""} onClick=${() => onState("")}>
      <b>${rows.length}</b><span>Charging points</span>
    </button>
    ${ATTENTION.map((state) => html`<button key=${state} class="total" data-state=${state} data-none=${counts[state] === 0} aria-pressed=${chosen === state}
        onClick=${() => onState(chosen === state ? "" : state)}>
      <b>${counts[state]}</b><span><${Icon} state=${state} />${WORDS[state]}</span>
    </button>`)}
    <button class="total sum" aria-expanded=${plot} onClick=${onPlot}>${figure(power(watts), "Power now")}</button>
    <${Today} charges=${charges} />
  </section>`;
}
