// What is typed into a real charger so that it dials in; its password is not shown on a page.

import { Component, html } from "./dom.js";
import { look } from "./operator.js";
import { Code } from "./shell.js";

export function Dial({ cp, connect }) {
  const facts = [["URL", connect.url], ["User", connect.user]];
  return html`<dl class="dial">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd><${Code}>${value}<//></dd></div>`)}
    <div><dt>Password</dt><dd>shown by <${Code}>bin/evcs-cp connect ${cp}<//></dd></div></dl>`;
}

// The same of a CP that has just been made, or has a new password.
export class Connect extends Component {
  componentDidMount() {
    look(`/api/v1/cps/${this.props.cp}/detail`).then(({ connect }) => this.setState({ connect }), () => {});
  }

  render({ cp }, { connect }) {
    return connect && html`<${Dial} cp=${cp} connect=${connect} />`;
  }
}
