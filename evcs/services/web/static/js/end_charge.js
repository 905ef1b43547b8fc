// A charge that the operator ends: its button, the question before, and what became of it.

import { meant } from "./aim.js";
import { Dialog } from "./dialogs.js";
import { Component, html } from "./dom.js";
import { Code } from "./shell.js";
import { kwh } from "./words.js";

const WORDS = "End this charge";

function Question({ one, error, onYes, onNo }) {
  const what = `End the charge of ${one.driver || "nobody known"} at ${one.cp}`;
  return html`<${Dialog} onNo=${onNo} label=${what}><form onSubmit=${onYes}>
    <h2>${what}?</h2>
    <p>${kwh(one.energy_wh)} kWh so far. Its ticket says “stopped by operator”; ${one.cp} stays in service.</p>
    ${one.state === "interrupted" && html`<p>It is interrupted: it ends once its Engine is back. Where that never comes: <${Code}>bin/evcs sessions close ${one.session_id}<//></p>`}
    ${error && html`<p class="bad" role="alert">${error}</p>`}
    <p class="hint">The same in a terminal: <${Code}>bin/evcs sessions end ${one.session_id}<//></p>
    <div class="bar"><button class="danger" onClick=${(event) => meant(event) || event.preventDefault()}>${WORDS}</button>
      <button type="button" autofocus onClick=${onNo}>Cancel</button></div></form><//>`;
}

// `one`: session_id, cp, driver, energy_wh; null: there is none. `onDone`: it was told to end.
export class EndCharge extends Component {
  constructor() {
    super();
    this.state = { asked: null, told: "", error: "" };
    this.no = () => this.setState({ asked: null });
    this.yes = (event) => this.end(event);
  }

  async end(event) {
    event.preventDefault();
    const { operator, onDone } = this.props;
    const { session_id } = this.state.asked;
    if (this.sending) return;
    this.sending = true;
    try {
      await operator.change("POST", `/api/v1/sessions/${session_id}/end`);
      this.setState({ asked: null, told: session_id, error: "" });
      if (onDone) onDone();
    } catch (error) {
      this.setState({ error: error.message });
    }
    this.sending = false;
  }

  render({ one, off, words = WORDS }, { asked, told, error }) {
    const ending = one && told === one.session_id;
    const ask = (event) => meant(event) && this.setState({ asked: one, error: "" });
    return html`<button class=${words === WORDS ? "no-print" : "small"} disabled=${off || !one || ending} onClick=${ask} aria-label=${one && !ending ? `${words}: ${one.driver || "nobody known"} at ${one.cp}` : undefined}>${ending ? "Ending…" : words}</button>
      ${asked && html`<${Question} one=${asked} error=${error} onYes=${this.yes} onNo=${this.no} />`}`;
  }
}
