// Drivers: who may charge, with the tags of their cards; one is added here, and so is a card.

import { Again } from "./again.js";
import { Component, html } from "./dom.js";
import { EndCharge } from "./end_charge.js";
import { Field } from "./fields.js";
import { Parts } from "./parts.js";
import { Code, start } from "./shell.js";
import { byName, count, kwh, wrongName } from "./words.js";

const TAG = /^[!-~]([ -~]{0,34}[!-~])?$/;
const NO_TAG = "1 to 36 printed ASCII characters, such as 04A224D2";

class Driver extends Component {
  constructor() {
    super();
    this.state = { tag: "", error: "" };
  }

  shouldComponentUpdate(next, state) {
    const { driver, enabled, row } = this.props;
    return state !== this.state || next.driver !== driver || next.enabled !== enabled || next.row !== row;
  }

  // What is said against a card stands at its field.
  async tags(change) {
    const error = await this.props.onTags(this.props.driver.id, change);
    this.setState(error ? { error } : { error: "", tag: "" });
  }

  render({ driver, enabled, operator, row, holder }, { tag, error }) {
    const whose = holder(tag.trim());
    const typed = tag.trim();
    const wrong = whose ? `${typed} is on a card of ${whose} already` : typed && !TAG.test(typed) ? NO_TAG : error;
    const add = (event) => {
      event.preventDefault();
      if (!whose) this.tags({ add_tags: [typed] });
    };
    const live = row && { ...row.session, cp: row.id };
    return html`<tr data-driver=${driver.id}><td data-label="Driver"><a href=${`/sessions.html?driver=${driver.id}`}>${driver.id}</a></td>
      <td data-label="Cards">${driver.tags ? driver.tags.map((one) => html`<span key=${one} class="card-tag"><${Code}>${one}<//>
        <button class="quiet" aria-label=${`Remove card ${one} of ${driver.id}`} disabled=${!enabled} onClick=${() => this.tags({ remove_tags: [one] })}>Remove</button></span>`)
        : html`<span class="hint">the operator sees them</span>`}</td>
      <td data-label="Charge">${live && html`<a href=${`/session/${live.session_id}`}>${live.cp}</a> ${kwh(live.energy_wh)} kWh `}${live && operator.is && !row.backend && html`<${EndCharge} words="End" one=${live} off=${!enabled} operator=${operator} />`}</td>
      <td class="actions"><form class="add-card" onSubmit=${add}><input aria-label=${`New card of ${driver.id}`} placeholder="04A224D2" value=${tag} disabled=${!enabled} aria-invalid=${wrong ? "true" : undefined} aria-describedby=${`wrong-${driver.id}`}
        onInput=${(event) => this.setState({ tag: event.target.value, error: "" })} spellcheck="false" autocomplete="off" /><button disabled=${!enabled || !TAG.test(typed) || Boolean(whose)}>Add card</button></form>
        <span id=${`wrong-${driver.id}`} class="bad wrong" aria-live="polite">${wrong}</span></td></tr>`;
  }
}

class Drivers extends Component {
  constructor() {
    super();
    this.state = { drivers: null, q: "", name: "", touched: {}, error: "", said: "", away: "" };
    this.again = new Again(() => this.load());
  }

  componentDidMount() {
    this.load();
  }

  componentDidUpdate(before) {
    // Who has signed in, or out, sees more, or less.
    if (before.is !== this.props.operator.is && this.asked !== this.props.operator.is) this.load();
    if (this.props.store.ready) this.again.look(this.props.store.drivers);
  }

  async load() {
    this.asked = this.props.operator.is;
    try {
      const drivers = await this.props.operator.change("GET", "/api/v1/drivers");
      this.setState({ drivers: drivers.sort((a, b) => byName(a.id, b.id)), away: "" });
    } catch (error) {
      this.setState({ away: error.message });
    }
  }

  // What is said against it; "" if it is made.
  async change(method, path, body, said) {
    try {
      await this.props.operator.change(method, path, body);
      this.setState({ said, error: "" });
      await this.load();
      return "";
    } catch (error) {
      return error.message;
    }
  }

  async add(event, wrong) {
    event.preventDefault();
    const id = this.state.name.trim();
    if (wrong) return;
    this.setState({ name: "", touched: {} });
    const error = await this.change("POST", "/api/v1/drivers", { id }, `${id} is added; its password is in data/secrets/driver/${id}.`);
    if (error) this.setState({ error: `${id}: ${error}`, said: "", name: this.state.name || id });
  }

  form(enabled, wrong) {
    const { state } = this;
    const onInput = (name) => (event) => this.setState({ [name]: event.target.value, touched: { name: true } });
    return html`<section class="card"><h2 id="add-driver">Add a driver</h2>
      <form aria-labelledby="add-driver" class="add-driver" onSubmit=${(event) => this.add(event, wrong)} autocomplete="off">
        <${Field} form="driver" name="name" label="Name" placeholder="ALICE" state=${state} wrong=${{ name: wrong }} onInput=${onInput} />
        <button class="main" disabled=${!enabled || wrong}>Add</button>
        <span class="hint">${enabled ? "The same in a terminal: " : "To add one or a card: "}<${Code}>${enabled ? `bin/evcs driver add ${state.name.trim() || "NAME"}` : "bin/evcs open"}<//></span></form>
      <p role="status">${state.error || state.away ? html`<span class="bad">${state.error || state.away}</span>` : state.said}</p></section>`;
  }

  render({ enabled, operator, store }, { drivers, q, name }) {
    const text = q.trim().toLowerCase();
    const shown = (drivers || []).filter((one) => [one.id, ...(one.tags || [])].some((said) => said.toLowerCase().includes(text)));
    const taken = (drivers || []).some((one) => one.id.toLowerCase() === name.trim().toLowerCase());
    const tags = (driver, change) => this.change("PATCH", `/api/v1/drivers/${driver}`, change, `The cards of ${driver} are changed.`);
    const charging = new Map();
    for (const row of store.rows.values()) if (row.session && row.session.driver) charging.set(row.session.driver, row);
    const owners = new Map((drivers || []).flatMap((one) => (one.tags || []).map((tag) => [tag.toLowerCase(), one.id])));
    const holder = (tag) => owners.get(tag.toLowerCase());
    const draw = (one) => html`<${Driver} key=${one.id} driver=${one} enabled=${enabled} operator=${operator} onTags=${tags} row=${charging.get(one.id)} holder=${holder} />`;
    return html`<h1>Drivers</h1>${this.form(enabled, taken ? "exists already" : wrongName(name))}
      <section class="card"><div class="title"><h2>${drivers && shown.length < drivers.length ? `${shown.length} of ` : ""}${count(drivers ? drivers.length : 0, "driver")}</h2><span class="grow"></span>
        <input type="search" aria-label="Search" placeholder="Search name or card" value=${q} onInput=${(event) => this.setState({ q: event.target.value })} /></div>
        ${!drivers ? html`<p class="reading">Asking the Registry…</p>` : !drivers.length ? html`<p class="none">No drivers yet. Add one above.</p>` : !shown.length ? html`<p class="none">No driver has “${q.trim()}” in the name or on a card.</p>`
          : html`<div class="wide"><table class="cards"><thead><tr><th>Driver</th><th>Cards</th><th>Charge</th><th><span class="hidden">Add a card</span></th></tr></thead><tbody><${Parts} rows=${shown} draw=${draw} gap="tr" /></tbody></table></div>`}
      </section>`;
  }
}

start(Drivers);
