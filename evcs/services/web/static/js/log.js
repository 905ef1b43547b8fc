// The last lines of a CP's logs, read again every few seconds.

import { Component, html } from "./dom.js";
import { look } from "./operator.js";
import { Code } from "./shell.js";

const AGAIN_MS = 3000;

export class Log extends Component {
  constructor() {
    super();
    this.state = { role: "engine", lines: [], error: "" };
  }

  componentDidMount() {
    this.load(this.state.role);
    this.timer = setInterval(() => this.load(this.state.role), AGAIN_MS);
  }

  async load(role) {
    if (document.hidden) return;
    try {
      const { lines } = await look(`/api/v1/cps/${this.props.cp}/log?role=${role}`);
      if (role === this.state.role) this.setState({ lines, error: "" });
    } catch (error) {
      if (role === this.state.role) this.setState({ error: error.message });
    }
  }

  choose(role) {
    this.setState({ role, lines: [], error: "" });
    this.load(role);
  }

  shouldComponentUpdate(_, next) {
    return next.role !== this.state.role || next.error !== this.state.error || next.lines.join("\n") !== this.state.lines.join("\n");
  }

  render({ cp }, { role, lines, error }) {
    return html`<section class="card">
      <div class="title"><h2>Log</h2>
        ${["engine", "monitor"].map((name) => html`<button aria-pressed=${name === role} onClick=${() => this.choose(name)}>${name}</button>`)}
        <span class="grow"></span><${Code}>bin/evcs-cp logs ${cp} ${role}<//></div>
      ${error && html`<p class="bad">${error}</p>`}
      ${lines.length ? html`<pre class="log" tabindex="0" aria-label="Log lines">${[...lines].reverse().join("\n")}</pre>` : !error && html`<p class="none">No lines yet.</p>`}
    </section>`;
  }
}
