// CPs that belong together stand together, below a line that says what they have in common.

import { html } from "./dom.js";
import { ATTENTION, WORDS, count, kw } from "./words.js";

// Name of a grouping -> how people call it, and which group of it a CP is in; "" is none.
export const GROUPS = {
  station: ["Station", (row) => row.station || ""],
  location: ["Location", (row) => row.location],
  circuit: ["Circuit", (row) => row.circuit || ""],
  host: ["Host", (row) => row.host],
  none: ["Nothing", null],
};

// The rows in their order, each group where its first one is, those in no group last. A group's own
// line has `members`. A CP that is its station's only one stands alone, where it is.
export function grouped(rows, by) {
  const of = GROUPS[by][1];
  if (!of) return rows;
  const groups = new Map();
  for (const row of rows) {
    const name = of(row);
    if (groups.has(name)) groups.get(name).push(row);
    else groups.set(name, [row]);
  }
  const whole = (name) => [{ id: `${by} ${name}`, by, name, members: groups.get(name) }, ...groups.get(name)];
  if (by !== "station") return [...groups.keys()].sort((a, b) => !a - !b).flatMap(whole);
  return rows.flatMap((row) => {
    const members = groups.get(row.station);
    if (!members || members.length === 1) return [row];
    return members[0] === row ? whole(row.station) : [];
  });
}

export function GroupHead({ by, name, members }) {
  const found = by === "station" ? ofStation(members) : inAll(members);
  return html`<b>${name || `No ${by}`}</b> <span class="note">${count(members.length, "CP")}${found}</span>`;
}

const ofStation = (members) => ` of one station, ${members.some((row) => row.engine) ? "connected" : "not connected"}`;

function inAll(members) {
  const parts = ATTENTION.map((state) => [members.filter((row) => row.state === state).length, WORDS[state].toLowerCase()]);
  const watts = members.reduce((sum, row) => sum + (row.session ? row.session.power_w : 0), 0);
  return `: ${parts.filter(([n]) => n).map(([n, word]) => `${n} ${word}`).join(", ")}${watts ? `, ${kw(watts)} kW` : ""}`;
}
