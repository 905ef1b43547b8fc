// A CP's bus messages as they come, with a pause.

import { Component, html } from "./dom.js";

const KEPT = 200;

export class Messages extends Component {
  constructor() {
    super();
    this.state = { list: [], paused: false, dropped: 0 };
    this.number = 0;
  }

  componentDidMount() {
    this.props.store.onMessages(({ messages, dropped }) => {
      if (this.state.paused) return;
      const fresh = messages.map((message) => ({ ...message, number: this.number++ })).reverse();
      this.setState({ list: [...fresh, ...this.state.list].slice(0, KEPT), dropped });
    });
  }

  shouldComponentUpdate(_, next) {
    return next !== this.state;
  }

  render(_, { list, paused, dropped }) {
    return html`<section class="card">
      <div class="title"><h2>On the bus</h2><span class="grow"></span>
        ${dropped > 0 && html`<span class="hint">${dropped} more than fit</span>`}
        <button aria-pressed=${paused} onClick=${() => this.setState({ paused: !paused })}>${paused ? "Go on" : "Pause"}</button></div>
      ${list.length ? html`<ul class="messages" tabindex="0" aria-label="Bus messages">${list.map((one) => html`<li key=${one.number}><b>${one.topic}</b> ${one.payload}</li>`)}</ul>`
        : html`<p class="none">They show here as they come.</p>`}
    </section>`;
  }
}
