// A button with a menu: the browser's own popover, which closes by itself and gives the focus back.

import { Component, createRef, html } from "./dom.js";

export class Menu extends Component {
  constructor() {
    super();
    this.button = createRef();
    this.menu = createRef();
    this.onToggle = ({ newState }) => this.setState({ open: newState === "open" });
    this.close = () => this.menu.current.hidePopover();
    // The word of a scroll may come after the menu that was opened at its end.
    this.onScroll = () => scrollY !== this.openedAt && this.close();
  }

  componentDidUpdate(_, before) {
    if (this.state.open && !before.open) this.opened();
    else if (before.open && !this.state.open) removeEventListener("scroll", this.onScroll);
  }

  componentWillUnmount() {
    removeEventListener("scroll", this.onScroll);
  }

  // Below its button, or above it where there is no room.
  opened() {
    const menu = this.menu.current;
    const { right, top, bottom } = this.button.current.getBoundingClientRect();
    const y = bottom + menu.offsetHeight > innerHeight ? top - menu.offsetHeight : bottom;
    Object.assign(menu.style, { left: `${Math.max(8, right - menu.offsetWidth)}px`, top: `${Math.max(8, y)}px`, visibility: "visible" });
    const first = menu.querySelector("button:enabled");
    if (first) first.focus({ preventScroll: true });
    this.openedAt = scrollY;
    addEventListener("scroll", this.onScroll, { passive: true });
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const items = [...this.menu.current.querySelectorAll("button:enabled")];
    items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
  }

  // `items`: name, words, whether it is off, whether it is dangerous, what it says beside.
  render({ id, label, disabled, items, onChoose }, { open }) {
    const choose = (event, name) => (this.close(), onChoose(event, name));
    return html`<button ref=${this.button} class="more" popovertarget=${id} aria-haspopup="menu" aria-expanded=${Boolean(open)} aria-label=${label} disabled=${disabled}>More</button>
      <div ref=${this.menu} id=${id} class="menu" popover="auto" role="menu" aria-label=${label} onToggle=${this.onToggle} onKeyDown=${(event) => this.key(event)}>
        ${open && items.map(([name, words, off, danger, title]) => html`<button key=${name} role="menuitem" class=${danger ? "danger" : ""} disabled=${off} title=${title}
          onClick=${(event) => choose(event, name)}>${words}</button>`)}</div>`;
  }
}
