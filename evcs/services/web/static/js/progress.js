// How far a charge is: the share of what was asked for, and about how long the rest takes.

import { html } from "./dom.js";
import { duration, kwh } from "./words.js";

const EVERY_MS = 10_000;
const KEPT = 10_000;
// Session -> where it was, and its pace since then, Wh a second: of what it has come to, not of its power.
const seen = new Map();

function pace({ session_id, energy_wh }, now) {
  let one = seen.get(session_id);
  if (!one) {
    if (seen.size > KEPT) seen.clear();
    seen.set(session_id, (one = { at: now, energy_wh, pace: null }));
  } else if (now - one.at >= EVERY_MS) {
    Object.assign(one, { pace: ((energy_wh - one.energy_wh) * 1000) / (now - one.at), at: now, energy_wh });
  }
  return one.pace;
}

// Its share of 1, and the seconds that are left; null where the car decides, or it isn't known yet.
function progress(session, now = Date.now()) {
  const { requested_wh: asked, energy_wh, power_w } = session;
  if (!asked) return null;
  const speed = pace(session, now);
  return { share: Math.min(1, energy_wh / asked), left: power_w && speed > 0 ? Math.max(0, asked - energy_wh) / speed : null };
}

export function Progress({ session }) {
  const found = session && progress(session);
  if (!found) return null;
  const share = Math.floor(found.share * 100);
  const words = `${share} % of ${kwh(session.requested_wh)} kWh`;
  return html`<progress max="100" value=${share} aria-label=${words} title=${words}></progress> <span class="left">${share} %${found.left !== null && `, ${duration(found.left)} left`}</span>`;
}
