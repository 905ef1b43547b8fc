// The power of all CPs together over the last hours: what the tile of it opens.

import { Component, html } from "./dom.js";
import { Chart, powerOptions } from "./chart.js";
import { look } from "./operator.js";

const AGAIN_MS = 10_000;
const SPANS = { 1: "1 hour", 6: "6 hours", 24: "24 hours" };

export class TotalPower extends Component {
  constructor() {
    super();
    this.state = { hours: 1, data: null, error: "" };
  }

  componentDidMount() {
    this.load();
    this.timer = setInterval(() => document.hidden || this.load(), AGAIN_MS);
  }

  componentWillUnmount() {
    clearInterval(this.timer);
  }

  async load() {
    try {
      const { at, power_w } = await look("/api/v1/power");
      this.setState({ data: [at, power_w.map((watts) => watts / 1000)], error: "" });
    } catch (error) {
      this.setState({ error: error.message });
    }
  }

  // The samples of the chosen hours; what held at their beginning is the first.
  shown() {
    const { data, hours } = this.state;
    if (this.of !== data || this.span !== hours) {
      const [at, power] = data;
      const from = Date.now() / 1000 - hours * 3600;
      const first = at.findIndex((when) => when >= from);
      this.cut = [at.slice(Math.max(first, 0)), power.slice(Math.max(first, 0))];
      if (first > 0) this.cut = [[from, ...this.cut[0]], [power[first - 1], ...this.cut[1]]];
      [this.of, this.span] = [data, hours];
    }
    return this.cut;
  }

  shouldComponentUpdate(_, next) {
    return next !== this.state;
  }

  render(_, { data, hours, error }) {
    return html`<section class="card hour" id="total-power"><div class="title"><h2>Power of all charging points</h2><span class="grow"></span>
        ${Object.entries(SPANS).map(([value, words]) => html`<button key=${value} aria-pressed=${hours === Number(value)} onClick=${() => this.setState({ hours: Number(value) })}>${words}</button>`)}</div>
      ${error ? html`<p class="bad" role="alert">${error}</p>` : !data ? html`<p class="reading">Reading…</p>` : !data[0].length ? html`<p class="none">Nothing heard yet: what is shown begins with the web process.</p>`
        : html`<${Chart} key=${hours} options=${powerOptions} data=${this.shown()} label="Power of all charging points" /><p class="hint">Drag over a part to see it larger; double-click for all. Kept since the web process began, a day at most.</p>`}</section>`;
  }
}
