// uPlot in the page's own colours, resized with its place.

import uPlot from "../vendor/uPlot.js";
import { Component, createRef, html } from "./dom.js";

const SYSTEM_DARK = matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  const probe = document.createElement("span");
  probe.className = `ink-${name}`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const axis = (more) => ({
  stroke: () => colour("soft"),
  grid: { stroke: () => colour("line"), width: 1 },
  ticks: { show: false },
  ...more,
});

const inUnit = (unit) => (_, values) => values.map((value) => `${value} ${unit}`);

// No label twice where there is little to show yet.
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300];

// Power as an area on the left, energy as a line on the right, over time.
export function supplyOptions() {
  return {
    height: 250,
    cursor: { drag: { x: false, y: false } },
    scales: { x: { time: true }, kW: { range: (_, low, high) => [0, Math.max(high || 0, 1) * 1.1] }, kWh: { range: (_, low, high) => [0, Math.max(high || 0, 1) * 1.1] } },
    series: [
      {},
      { label: "Power, kW", scale: "kW", stroke: () => colour("green"), fill: () => colour("green-ground"), width: 2, points: { show: false }, value: (_, v) => (v == null ? "–" : v.toFixed(1)) },
      { label: "Energy, kWh", scale: "kWh", stroke: () => colour("link"), width: 2, dash: [6, 4], points: { show: false }, value: (_, v) => (v == null ? "–" : v.toFixed(2)) },
    ],
    axes: [axis({ values: [[1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]], space: 90, incrs: SECONDS }), axis({ scale: "kW", size: 66, values: inUnit("kW") }), axis({ scale: "kWh", side: 1, size: 72, grid: { show: false }, values: inUnit("kWh") })],
  };
}

// What charges below its limit, beside other load, below what the circuit carries; each holds until the next.
export function circuitOptions() {
  const line = (label, stroke, more) => ({ label: `${label}, kW`, stroke: () => colour(stroke), width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false }, value: (_, v) => (v == null ? "–" : v.toFixed(1)), ...more });
  return {
    height: 250,
    cursor: { drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(high || 0, 1) * 1.1] } },
    series: [{}, line("Charging", "green", { fill: () => colour("green-ground") }), line("Given", "link", { dash: [6, 4] }), line("Other load", "soft", { width: 1 }), line("Limit", "red", { width: 1, dash: [2, 3] })],
    axes: [axis({ values: [[1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]], space: 90, incrs: [...SECONDS, 600, 900, 1800] }), axis({ size: 66, values: inUnit("kW") })],
  };
}

// Days where it is of days, seconds where it is of minutes; each day begins with its name.
const TIMES = [[86400, "{DD} {MMM}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, "\n{DD} {MMM}", null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]];

// Power over hours and days; `span` gives the time that is shown, in seconds.
export function powerOptions(span) {
  return {
    height: 250,
    padding: [null, 32, null, null],
    cursor: { drag: { x: true, y: false, setScale: false } },
    scales: { x: { time: true, range: span }, y: { range: (_, low, high) => [0, Math.max(high || 0, 1) * 1.1] } },
    series: [{}, { label: "Power, kW", stroke: () => colour("green"), fill: () => colour("green-ground"), width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false }, value: (_, v) => (v == null ? "–" : v.toFixed(1)) }],
    axes: [axis({ values: TIMES, space: 70, incrs: [...SECONDS, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400, 7 * 86400] }), axis({ size: 66, values: inUnit("kW") })],
  };
}

// One bar a day.
export function dayOptions() {
  return {
    height: 220,
    cursor: { drag: { x: false, y: false } },
    scales: { x: { time: true, range: (_, low, high) => [low - 43200, high + 43200] }, y: { range: (_, low, high) => [0, Math.max(high || 0, 1) * 1.1] } },
    series: [
      { value: (_, v) => (v == null ? "–" : new Date(v * 1000).toISOString().slice(0, 10)) },
      { label: "Energy, kWh", stroke: () => colour("green"), fill: () => colour("green-ground"), width: 1, paths: uPlot.paths.bars({ size: [0.6, 60] }), points: { show: false }, value: (_, v) => (v == null ? "–" : v.toFixed(2)) },
    ],
    axes: [axis({ values: [[86400, "{DD} {MMM}", null, null, null, null, null, null, 1]], space: 56, incrs: [86400, 7 * 86400, 30 * 86400] }), axis({ size: 72, values: inUnit("kWh") })],
  };
}

// `onZoom(from, until)`: a part of one whose options let it was dragged over.
export class Chart extends Component {
  constructor() {
    super();
    this.place = createRef();
  }

  componentDidMount() {
    this.draw(this.props.data);
    const place = this.place.current;
    this.resize = new ResizeObserver(() => this.plot.setSize({ width: place.clientWidth, height: this.plot.height }));
    this.resize.observe(place);
    // A canvas keeps its colours, so another theme has it drawn anew.
    this.redraw = () => (this.plot.destroy(), this.draw(this.plot.data));
    addEventListener("theme", this.redraw);
    SYSTEM_DARK.addEventListener("change", this.redraw);
  }

  draw(data) {
    const place = this.place.current;
    const setSelect = [(plot) => {
      const { left, width } = plot.select;
      if (!width) return;
      plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      this.props.onZoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
    }];
    this.plot = new uPlot({ ...this.props.options(), width: place.clientWidth, hooks: { setSelect } }, data, place);
  }

  shouldComponentUpdate(next) {
    if (next.data !== this.props.data) this.plot.setData(next.data);
    return false;
  }

  componentWillUnmount() {
    removeEventListener("theme", this.redraw);
    SYSTEM_DARK.removeEventListener("change", this.redraw);
    this.resize.disconnect();
    this.plot.destroy();
  }

  render({ label }) {
    return html`<div class="chart" ref=${this.place} role="img" aria-label=${label}></div>`;
  }
}
