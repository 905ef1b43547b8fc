// Asks the server again once something is another: never while the page is hidden, and with pauses as
// long as a server needs that many pages ask.

const LEAST_MS = 5000;
// An answer that took a second is asked for again after so many.
const TIMES = 20;

export class Again {
  constructor(load) {
    this._load = load;
    this._next = 0;
  }

  // At each drawing. `key`: what was asked for has changed where this is another one.
  look(key) {
    if (this._key !== undefined && this._key !== key) this._due = true;
    this._key = key;
    if (this._due && !this._asks && !document.hidden && performance.now() >= this._next) this._ask();
  }

  async _ask() {
    const began = performance.now();
    [this._due, this._asks] = [false, true];
    await this._load();
    const now = performance.now();
    this._next = now + Math.max(LEAST_MS, TIMES * (now - began));
    this._asks = false;
  }
}
