// Long lists, so that no task holds the page up: put there in parts, redrawn where they differ.

import { Component } from "./dom.js";

// The first ones are the slowest: the scripts are new to the browser.
const FIRST = 24;
const MORE = 100;

// `draw` for each of `rows`, some more of them each frame.
export class Parts extends Component {
  constructor() {
    super();
    this.state = { limit: FIRST };
  }

  componentDidMount() {
    this.grow();
  }

  componentDidUpdate() {
    this.grow();
  }

  grow() {
    if (this.waiting || this.state.limit >= this.props.rows.length) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.setState({ limit: this.state.limit + MORE });
    });
  }

  componentWillUnmount() {
    cancelAnimationFrame(this.waiting);
  }

  render({ rows, draw }, { limit }) {
    return rows.slice(0, limit).map(draw);
  }
}

const HEAD = ["state", "reason", "since", "location", "service", "revoked", "price_eur_kwh", "max_power_w"];
const driver = (row) => row.session && row.session.driver;

// Whether two rows are alike but for the figures, which change each second.
export function sameHead(a, b) {
  return a === b || (HEAD.every((name) => a[name] === b[name]) && driver(a) === driver(b));
}
