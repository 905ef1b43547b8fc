// The one event stream of a tab: what it told, whether it is live, and since when it isn't.
//
// Where a stream can't be had (web is restarting, or too many pages are open, here or elsewhere)
// the whole list is asked for instead, every few seconds, and the stream tried again.

import { pageToken } from "./operator.js";
import { freePlace } from "./places.js";
import { byName } from "./words.js";

const SILENT_MS = 8000;
const AGAIN_MS = [500, 1000, 2000, 3000];

// Another one where a charge of a CP begins, ends, or is interrupted.
const chargeOf = (row) => (row && row.session ? `${row.session.session_id} ${row.state}` : "");

const SERVICES = { broker: "the broker", central: "Central", registry: "the Registry" };

export class Store {
  constructor(cp) {
    this.rows = new Map(); // what is shown
    this.circuits = new Map();
    this.services = {};
    this.ready = false;
    this.heard = 0; // when web was last heard of
    this.started = Date.now();
    this.version = 0;
    this.changes = 0; // how often a CP came or went
    this.charges = 0; // how often a charge began, ended, or was interrupted
    this.drivers = 0; // how often web heard of a change of drivers
    this._incoming = new Map();
    this._cables = new Map();
    this._cp = cp;
    this._listeners = new Set();
    this._onMessages = new Set();
    this._failures = 0;
    this._drawing = false;
    setInterval(() => this._watch(), 1000);
    this._open();
  }

  subscribe(listener) {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  onMessages(listener) {
    this._onMessages.add(listener);
  }

  // What keeps the page from being true, the most telling first; null where it is.
  get problem() {
    if (this._silent()) {
      if (!this.heard && Date.now() - this.started < 3000) return null;
      const since = new Date(this.heard || this.started).toISOString();
      return { what: "the web server does not answer", since, stale: true };
    }
    for (const name of ["broker", "central", "registry"]) {
      const service = this.services[name];
      if (service && !service.up) {
        return { what: `${SERVICES[name]} is not there`, since: service.since, stale: name !== "registry" };
      }
    }
    return null;
  }

  // All rows by name; sorted anew only where a name came or went.
  inOrder() {
    if (this._names !== this.rows || this._count !== this.changes) {
      this._names = this.rows;
      this._count = this.changes;
      this._order = [...this.rows.keys()].sort(byName);
    }
    return this._order.map((id) => this.rows.get(id));
  }

  // The machines that CPs run on.
  get hosts() {
    const found = Object.keys(this.services).filter((name) => name.startsWith("manager/"));
    return found.map((name) => name.slice("manager/".length)).sort(byName);
  }

  get live() {
    return this.ready && this.problem === null;
  }

  _silent() {
    return this._lost || Date.now() - this.heard > SILENT_MS;
  }

  async _open() {
    this._leave = await freePlace();
    if (!this._leave) return this._poll();
    // A stream can have no header, so what only the operator sees needs the token here.
    const query = this._cp ? `?${new URLSearchParams({ cp: this._cp, page_token: pageToken() })}` : "";
    const source = new EventSource(`/api/v1/events${query}`);
    this._source = source;
    source.addEventListener("snapshot", (event) => this._snapshot(JSON.parse(event.data)));
    source.addEventListener("part", (event) => this._part(JSON.parse(event.data)));
    source.addEventListener("delta", (event) => this._delta(JSON.parse(event.data)));
    source.addEventListener("messages", (event) => {
      const found = JSON.parse(event.data);
      for (const listener of this._onMessages) listener(found);
    });
    source.onerror = () => this._failed(source);
  }

  async _failed(source) {
    if (source !== this._source) return;
    source.close();
    this._source = null;
    this._leave();
    this._lost = true;
    this._draw();
    await this._poll();
  }

  // The whole list, once; then the stream is tried again.
  async _poll() {
    try {
      const answer = await fetch("/api/v1/snapshot", { signal: AbortSignal.timeout(5000) });
      if (!answer.ok) throw new Error(String(answer.status));
      this._snapshot(await answer.json());
    } catch {
      // Still not there; tried again below.
    }
    const pause = AGAIN_MS[Math.min(this._failures++, AGAIN_MS.length - 1)];
    setTimeout(() => this._open(), pause * (0.75 + Math.random() / 2));
  }

  _watch() {
    const silent = this._silent();
    if (this._source && silent && this._wasHeard) {
      this._wasHeard = false;
      this._failed(this._source); // a connection that is open and dead
    }
    if (silent !== this._wasSilent) this._draw();
    this._wasSilent = silent;
  }

  _hear(found) {
    this.heard = Date.now();
    this._lost = false;
    this._wasHeard = true;
    if (this._source) this._failures = 0;
    this.services = found.services;
    this.drivers = found.drivers;
    // A web that has just started doesn't know the fleet yet: keep showing what was known.
    this.ready = this.ready || found.ready;
    if (found.ready) [this.rows, this.circuits] = [this._incoming, this._cables];
    this.version += 1;
    this._draw();
  }

  // A long one comes in parts, each a task of its own.
  _snapshot(found) {
    this._incoming = new Map();
    this._cables = new Map(found.circuits.map((one) => [one.name, one]));
    this._head = found;
    this._part(found);
  }

  _part({ cps, more }) {
    for (const row of cps) this._incoming.set(row.id, row);
    if (more) return;
    this.charges += 1; // what came and went meanwhile nobody told
    this._hear(this._head);
  }

  _delta(found) {
    const rows = this._incoming;
    const before = rows.size;
    for (const row of found.cps) {
      const was = rows.get(row.id);
      const now = { ...was, ...row };
      if (chargeOf(was) !== chargeOf(now)) this.charges += 1;
      rows.set(row.id, now);
    }
    if (rows.size !== before || found.removed.length) this.changes += 1;
    for (const id of found.removed) {
      if (chargeOf(rows.get(id))) this.charges += 1;
      rows.delete(id);
    }
    for (const one of found.circuits) this._cables.set(one.name, one);
    for (const name of found.circuits_removed) this._cables.delete(name);
    this._hear(found);
  }

  // At most one drawing a frame, and none while the tab is hidden; put in order in a task before.
  _draw() {
    if (this._drawing) return;
    this._drawing = true;
    setTimeout(() => {
      this.inOrder();
      requestAnimationFrame(() => {
        this._drawing = false;
        for (const listener of this._listeners) listener();
      });
    });
  }
}
