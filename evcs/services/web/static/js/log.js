// The last lines of a CP's logs, read again every few seconds.

import { Component, html } from "./dom.js";
import { look } from "./operator.js";
import { Code } from "./shell.js";

const AGAIN_MS = 3000;

export class Log extends Component {
  constructor() {
    super();
    this.state = { role: "engine", lines: [] };
  }

  componentDidMount() {
    this.load(this.state.role);
    this.timer = setInterval(() => this.load(this.state.role), AGAIN_MS);
  }

  async load(role) {
    if (document.hidden) return;
    try {
      const { lines } = await look(`/api/v1/cps/${this.props.cp}/log?role=${role}`);
      if (role === this.state.role) this.setState({ lines });
    } catch {
      // Said by the banner.
    }
  }

  choose(role) {
    this.setState({ role, lines: [] });
    this.load(role);
  }

  shouldComponentUpdate(_, next) {
    return next.role !== this.state.role || next.lines.join("\n") !== this.state.lines.join("\n");
  }

  render({ cp }, { role, lines }) {
    return html`<section class="card">
      <div class="title"><h2>Log</h2>
        ${["engine", "monitor"].map((name) => html`<button aria-pressed=${name === role} onClick=${() => this.choose(name)}>${name}</button>`)}
        <span class="grow"></span><${Code}>bin/evcs-cp logs ${cp} ${role}<//></div>
      ${lines.length ? html`<pre class="log" tabindex="0" aria-label="Log lines">${[...lines].reverse().join("\n")}</pre>` : html`<p class="none">No lines yet.</p>`}
    </section>`;
  }
}
