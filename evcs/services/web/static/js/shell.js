// What all pages share: the header, the word on a page that isn't true any more, states.

import { Component, html, render } from "./dom.js";
import { Operator } from "./operator.js";
import { Store } from "./store.js";
import { ICONS, WORDS, time } from "./words.js";

const PAGES = [["/", "Dashboard"], ["/cp_manager.html", "CP Manager"], ["/circuits.html", "Circuits"], ["/sessions.html", "Sessions"], ["/drivers.html", "Drivers"], ["/system.html", "System"]];
const THEMES = { auto: "dark", dark: "light", light: "auto" };

export function Icon({ state }) {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${ICONS[state]} /></svg>`;
}

export function Pill({ state }) {
  return html`<span class="pill" data-state=${state}><${Icon} state=${state} />${WORDS[state]}</span>`;
}

export function Code({ children }) {
  return html`<code class="command">${children}</code>`;
}

function theme() {
  return localStorage.getItem("theme") || "auto";
}

function useTheme(name) {
  localStorage.setItem("theme", name);
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  dispatchEvent(new Event("theme")); // for what has its colours drawn in
}

function Live({ store }) {
  const problem = store.problem;
  const word = problem ? (problem.stale ? `Not connected, data from ${time(problem.since)}` : "Live, Registry away") : store.ready ? "Live" : "Reading";
  const kind = problem ? (problem.stale ? "stale" : "part") : "live";
  return html`<span class="live" data-live=${kind}><span class="dot"></span>${word}</span>`;
}

function Header({ store, operator, onTheme }) {
  const here = location.pathname.startsWith("/cp/") ? "/" : location.pathname;
  const problem = store.problem;
  return html`<header class="top">
    <a class="mark" href="/" aria-label="evcs, to the dashboard"><img src="/static/icon.svg" alt="" width="24" height="24" />evcs</a>
    <nav aria-label="Pages">
      ${PAGES.map(([path, name]) => html`<a href=${path} aria-current=${path === here ? "page" : undefined}>${name}</a>`)}
    </nav>
    <span class="grow"></span>
    <${Live} store=${store} />
    ${operator.known && html`<span class="who" data-operator=${operator.is} title=${operator.is ? "You can change things, for half a day" : "To change something: bin/evcs open"}>${operator.is ? "Operator" : "Read-only"}</span>`}
    ${operator.is && html`<button class="quiet" disabled=${problem && problem.stale} onClick=${() => operator.leave().catch(() => operator.refresh())}>Sign out</button>`}
    <button class="quiet" onClick=${onTheme} title="Change between the system's, dark and light">Theme: ${theme()}</button>
  </header>`;
}

function Banner({ problem }) {
  const text = problem && `${problem.what[0].toUpperCase()}${problem.what.slice(1)}` +
    (problem.since ? ` since ${time(problem.since)}` : "");
  return html`<div role="status" class="banner-place">${problem && html`<div class="banner" id="stale">
    <strong>${text}.</strong> ${problem.stale
      ? "What is shown may be old and nothing can be changed; this page comes back by itself."
      : "States are live, but nothing can be changed until it is back."}
  </div>`}</div>`;
}

class Shell extends Component {
  componentDidMount() {
    const redraw = () => this.setState({});
    let wasLive = true;
    this.props.store.subscribe(() => {
      const live = this.props.store.live;
      if (live && !wasLive) this.props.operator.refresh();
      wasLive = live;
      redraw();
    });
    this.props.operator.subscribe(redraw);
    this.props.operator.refresh();
    addEventListener("pageshow", (event) => event.persisted && this.props.operator.refresh());
  }

  render({ store, operator, page: Page }) {
    const problem = store.problem;
    const next = () => {
      useTheme(THEMES[theme()]);
      this.setState({});
    };
    return html`<${Header} store=${store} operator=${operator} onTheme=${next} />
      <${Banner} problem=${problem} />
      <main class=${problem && problem.stale ? "stale" : ""}>
        <${Page} store=${store} operator=${operator} version=${store.version} enabled=${operator.is && store.live} />
      </main>`;
  }
}

// Draw a page. A class of `page` gets store, operator, and whether changes can be made now.
export function start(page, cp) {
  useTheme(theme());
  const props = { store: new Store(cp), operator: new Operator(), page };
  render(html`<${Shell} ...${props} />`, document.getElementById("app"));
}
