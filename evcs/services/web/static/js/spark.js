// The course of a charge's power in its row: asked for once, of all rows that came into sight together.

import { Component, html } from "./dom.js";
import { look } from "./operator.js";

const ASK_AFTER_MS = 300;
const AT_ONCE = 100;
const EVERY_MS = 15_000;
const POINTS = 24;
const KEPT = 10_000;
const [WIDTH, HEIGHT] = [64, 20];

// Session -> the power in its course (W), when that was added to last, and the line that is drawn of it.
const courses = new Map();
let wanted = new Set();

async function ask() {
  const ids = [...wanted].slice(0, AT_ONCE);
  wanted = new Set([...wanted].slice(AT_ONCE));
  if (wanted.size) setTimeout(ask, ASK_AFTER_MS);
  try {
    const found = await look(`/api/v1/sessions/courses?ids=${ids.join(",")}`);
    for (const [id, power] of Object.entries(found)) {
      const course = courses.get(id);
      if (!course) continue;
      Object.assign(course, { power: [...power, ...course.power], line: null });
      if (course.drawnBy) course.drawnBy.setState({});
    }
  } catch {
    // It goes on from here.
  }
}

function courseOf({ session_id: id, power_w }) {
  let course = courses.get(id);
  const now = performance.now();
  if (!course) {
    if (courses.size > KEPT) courses.clear();
    courses.set(id, (course = { power: [], at: -EVERY_MS, line: null }));
    if (!wanted.size) setTimeout(ask, ASK_AFTER_MS);
    wanted.add(id);
  }
  if (now - course.at >= EVERY_MS) {
    course.power.push(power_w);
    if (course.power.length > 2 * POINTS) course.power = course.power.filter((_, i) => i % 2);
    Object.assign(course, { at: now, line: null });
  }
  return course;
}

function drawn({ power }) {
  const most = Math.max(...power, 1);
  const x = (i) => ((i * WIDTH) / Math.max(power.length - 1, 1)).toFixed(1);
  return power.map((watts, i) => `${x(i)},${(HEIGHT - 1 - (watts / most) * (HEIGHT - 3)).toFixed(1)}`).join(" ");
}

export class Spark extends Component {
  render({ session }) {
    const course = courseOf(session);
    course.drawnBy = this;
    course.line = course.line || drawn(course);
    return html`<svg class="spark" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true"><polyline points=${course.line} /></svg>`;
  }
}
