// CPs of one charging station stand together, below its name.

import { html } from "./dom.js";
import { count } from "./words.js";

// The rows in their order, each station where its first one is. A station's own line has `members`.
export function byStation(rows) {
  const stations = new Map();
  for (const row of rows) {
    if (row.station) stations.set(row.station, [...(stations.get(row.station) || []), row]);
  }
  const drawn = new Set();
  return rows.flatMap((row) => {
    const members = stations.get(row.station);
    if (!members || members.length === 1) return [row];
    if (drawn.has(row.station)) return [];
    drawn.add(row.station);
    return [{ id: `station ${row.station}`, station: row.station, members }, ...members];
  });
}

export function Station({ station, members }) {
  const there = members.some((row) => row.engine);
  return html`<b>${station}</b> <span class="note">${count(members.length, "CP")} of one station, ${there ? "connected" : "not connected"}</span>`;
}
