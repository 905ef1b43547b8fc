// Long lists, so that no task holds the page up: put there in parts, redrawn where they differ.
// Of a very long one only what is in or near sight is there, between two gaps as high as the rest.

import { Component, createRef, h } from "./dom.js";
import { why } from "./power.js";

// The first ones are the slowest: the scripts are new to the browser.
const FIRST = 8;
const MORE = 40;
const WHOLE = 500;
// Rows come and go by so many.
const STEP = 20;

// `draw` for each of `rows`, some more of them each frame. `gap` is the element of a row,
// which has `each` CPs.
export class Parts extends Component {
  constructor() {
    super();
    this.state = { limit: FIRST, from: 0, to: FIRST, height: 0 };
    this.above = createRef();
    this.below = createRef();
    this.onScroll = () => this.later();
  }

  componentDidMount() {
    addEventListener("scroll", this.onScroll, { passive: true });
    addEventListener("resize", this.onScroll);
    this.later();
  }

  componentDidUpdate() {
    this.later();
  }

  componentWillUnmount() {
    removeEventListener("scroll", this.onScroll);
    removeEventListener("resize", this.onScroll);
    cancelAnimationFrame(this.waiting);
  }

  get whole() {
    return this.props.rows.length <= WHOLE / (this.props.each || 1);
  }

  later() {
    if (this.waiting || (this.whole && this.state.limit >= this.props.rows.length)) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      if (this.whole) this.setState({ limit: this.state.limit + MORE });
      else this.look();
    });
  }

  // Which rows are within a screen of being seen, by how high those are that are there.
  look() {
    const { from, to } = this.range();
    const [above, below] = [this.above, this.below].map((gap) => gap.current.getBoundingClientRect());
    const height = (below.top - above.bottom) / (to - from);
    const at = (y) => Math.round((y - above.top) / height / STEP) * STEP;
    const next = { ...this.state, from: at(-innerHeight), to: at(2 * innerHeight) + STEP };
    // What comes into sight as the list opens comes some rows a frame.
    if (next.from <= 0 && from === 0) next.to = Math.min(next.to, to + STEP);
    if (Math.abs(height - this.state.height) > 1) next.height = height;
    if (Object.keys(next).some((name) => next[name] !== this.state[name])) this.setState(next);
  }

  // What is there of the list, which may have become shorter.
  range() {
    const count = this.props.rows.length;
    const to = Math.min(Math.max(this.state.to, FIRST), count);
    return { from: Math.min(Math.max(this.state.from, 0), to - FIRST), to };
  }

  render({ rows, draw, gap }, { limit, height }) {
    if (this.whole) return rows.slice(0, limit).map(draw);
    const { from, to } = this.range();
    const left = (ref, key, count) => h(gap, { ref, key, class: "gap", "aria-hidden": "true", style: { height: `${count * height}px` } });
    return [left(this.above, "above", from), ...rows.slice(from, to).map(draw), left(this.below, "below", rows.length - to)];
  }
}

const HEAD = ["state", "reason", "since", "location", "host", "service", "revoked", "price_eur_kwh", "max_power_w"];
const driver = (row) => row.session && row.session.driver;

// Whether two rows are alike but for the figures, which change each second.
export function sameHead(a, b) {
  return a === b || (HEAD.every((name) => a[name] === b[name]) && driver(a) === driver(b) && why(a) === why(b));
}
