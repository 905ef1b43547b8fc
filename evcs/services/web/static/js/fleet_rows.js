// A CP on the dashboard, as a row of the list or as a tile.

import { meant } from "./aim.js";
import { Component, html } from "./dom.js";
import { where } from "./hosting.js";
import { sameHead } from "./parts.js";
import { why } from "./power.js";
import { Progress } from "./progress.js";
import { Icon, Pill } from "./shell.js";
import { Spark } from "./spark.js";
import { WORDS, kw, kwh, since, time } from "./words.js";

// Its link covers all of the row.
const Name = ({ id }) => html`<span class="cp-name"><a href=${`/cp/${id}`} onClick=${(event) => meant(event) || event.preventDefault()}>${id}</a></span>`;

// Of a list that is as wide as its columns; where it is not, it has none.
export function Columns({ sort, onSort }) {
  const head = (name, words, kind = "") => html`<button class=${`quiet ${kind}`} aria-pressed=${sort === name} onClick=${() => onSort(name)}>${words}</button>`;
  return html`<div class="cp columns-of" role="group" aria-label="Columns">${head("name", "Name")}${head("attention", "State")}${head("location", "Location")}<span>Driver or reason</span>
    <div class="cp-figures">${head("power", "Power", "number")}${head("energy", "Energy", "number")}<span class="number">Cost</span><span class="spark-of">Course</span><span>Progress</span></div><span class="since">Since</span></div>`;
}

class Head extends Component {
  shouldComponentUpdate(next) {
    return !sameHead(next.row, this.props.row);
  }

  render({ row }) {
    const reason = why(row);
    return html`<${Name} id=${row.id} />
      <span class="cp-state"><${Pill} state=${row.state} /></span>
      <span class="place" title=${where(row)}>${where(row)}</span>
      <span class="cp-why" title=${reason}>${row.session && row.session.driver && html`<span class="driver">${row.session.driver}</span> `}${reason && html`<span class="reason">${reason}</span>`}</span>`;
  }
}

function Figures({ session }) {
  return html`<span class="cp-figures">${session && html`<span class="figure" data-figure="power"><b>${kw(session.power_w)}</b> kW</span>
    <span class="figure" data-figure="energy"><b>${kwh(session.energy_wh)}</b> kWh</span>
    <span class="figure" data-figure="cost">${session.cost_eur != null && html`<b>${session.cost_eur}</b> €`}</span>
    <${Spark} session=${session} /><span class="progress"><${Progress} session=${session} /></span>`}</span>`;
}

// The browser leaves out what is far from being seen, and says so: there figures may wait.
export class Row extends Component {
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
    return html`<li class="cp" data-cp=${row.id} data-state=${row.state} data-charging=${Boolean(row.session)} oncontentvisibilityautostatechange=${this.onSeen}>
      <${Head} row=${row} />
      <${Figures} session=${row.session} />
      <span class="since" title=${row.since && time(row.since)}>${row.since && since(row.since)}</span>
    </li>`;
  }
}

// As many tiles as fit beside each other, in lines of a list.
export const inLines = (rows, columns) => {
  const lines = [];
  for (const row of rows) {
    const last = lines[lines.length - 1];
    if (row.members) lines.push(row);
    else if (last && last.tiles && last.tiles.length < columns) last.tiles.push(row);
    else lines.push({ id: `line ${row.id}`, tiles: [row] });
  }
  return lines;
};

// What has room in a tile; all of it is in its title.
const brief = (reason) => reason.replace(" by the operator", "");

export function Line({ tiles, columns }) {
  return html`<li class="line" style=${{ "--columns": columns }}>${tiles.map((row) => html`<div key=${row.id} class="tile" data-cp=${row.id} data-state=${row.state} title=${why(row)}>
    <${Name} id=${row.id} /><${Icon} state=${row.state} />
    <span class="note">${row.session ? html`<b>${kw(row.session.power_w)}</b> kW ${row.session.driver}` : row.state === "ACTIVATED" ? "" : brief(row.reason) || WORDS[row.state]}</span></div>`)}</li>`;
}
