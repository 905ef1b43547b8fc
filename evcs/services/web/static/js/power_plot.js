// Power over hours and days, of a CP or of all: a time is chosen, moved, or dragged over to see it larger.

import { Component, html } from "./dom.js";
import { Chart, powerOptions } from "./chart.js";
import { look } from "./operator.js";
import { time } from "./words.js";

const HOUR_MS = 3_600_000;
const AGAIN_MS = 10_000;
const LEAST_MS = 60_000;
const SPANS = { 1: "1 hour", 6: "6 hours", 24: "24 hours", 168: "7 days", 720: "30 days" };

// `words`: whose power it is. `more`: what stands before the spans.
export class PowerPlot extends Component {
  constructor({ hours = 1 }) {
    super();
    this.state = { hours, span: null, data: null, error: "" };
    this.onZoom = (from, until) => this.show(Math.round(from * 1000), Math.round(until * 1000));
    this.window = () => this.shown.map((ms) => ms / 1000);
    this.options = () => powerOptions(this.window);
  }

  componentDidMount() {
    this.load();
    this.timer = setInterval(() => document.hidden || this.state.span || this.load(), AGAIN_MS);
  }

  componentWillUnmount() {
    clearInterval(this.timer);
  }

  // Of a time that is past, or up to now for so many hours.
  get wanted() {
    return this.state.span || [Date.now() - this.state.hours * HOUR_MS, Date.now()];
  }

  async load() {
    const [since, until] = this.wanted;
    const query = new URLSearchParams({ since: new Date(since).toISOString(), until: new Date(until).toISOString() });
    if (this.props.cp) query.set("cp", this.props.cp);
    const asked = (this.asked = {});
    try {
      const { at, power_w } = await look(`/api/v1/power?${query}`);
      if (asked !== this.asked) return;
      this.shown = [since, until];
      this.setState({ data: [at, power_w.map((watts) => watts / 1000)], error: "" });
    } catch (error) {
      if (asked === this.asked) this.setState({ error: error.message });
    }
  }

  choose(hours) {
    this.setState({ hours, span: null }, () => this.load());
  }

  show(since, until) {
    const now = Date.now();
    const width = Math.max(until - since, LEAST_MS);
    this.setState({ span: until >= now ? [now - width, now] : [since, since + width] }, () => this.load());
  }

  move(by) {
    const [since, until] = this.wanted;
    this.show(since + by * (until - since), until + by * (until - since));
  }

  // Where there is little to see yet.
  begin(first) {
    const [since, until] = this.shown;
    return first * 1000 - since > 0.05 * (until - since) ? ` The first reading of this time is of ${time(first * 1000)}.` : "";
  }

  shouldComponentUpdate(next, state) {
    return state !== this.state || next.cp !== this.props.cp;
  }

  render({ words, more }, { hours, span, data, error }) {
    return html`<div class="title plot-title"><h2>${words}</h2><span class="grow"></span>${more}
        ${Object.entries(SPANS).map(([value, name]) => html`<button key=${value} aria-pressed=${!span && hours === Number(value)} onClick=${() => this.choose(Number(value))}>${name}</button>`)}</div>
      ${error ? html`<p class="bad" role="alert">${error}</p>` : !data ? html`<p class="reading">Reading…</p>` : html`
        ${data[0].length ? html`<${Chart} options=${this.options} data=${data} onZoom=${this.onZoom} label=${words} />` : html`<p class="none empty-plot">No charge in that time, or none that is still kept.</p>`}
        <div class="bar plot-bar"><button class="quiet" onClick=${() => this.move(-1)}>← Earlier</button>
          <button class="quiet" disabled=${!span || span[1] >= Date.now()} onClick=${() => this.move(1)}>Later →</button>
          <span class="hint">${span ? `${time(span[0])} to ${time(span[1])}` : "Drag over a part to see it larger."}${this.begin(data[0][0])}</span></div>`}`;
  }
}
