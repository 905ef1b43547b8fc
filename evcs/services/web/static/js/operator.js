// Who sits at this page, and the changes that only the operator may make.

export class Operator {
  constructor() {
    this.known = false;
    this.is = false;
    this._csrf = "";
    this._listeners = new Set();
    // A session is its browser's: what one tab learns of it is news for the others.
    this._tabs = new BroadcastChannel("operator");
    this._tabs.onmessage = () => this.refresh();
  }

  // Find out whose page this is, and have the other tabs do so.
  async begin() {
    await this.refresh();
    this._tabs.postMessage("look");
  }

  // End the session, in all tabs.
  async leave() {
    await this.change("POST", "/api/v1/logout");
    this._set(false);
    this._tabs.postMessage("look");
  }

  subscribe(listener) {
    this._listeners.add(listener);
  }

  async refresh() {
    try {
      const me = await (await fetch("/api/v1/me")).json();
      this._csrf = me.csrf || "";
      this._set(me.operator);
    } catch {
      // Asked again when web is back.
    }
  }

  // Make a change; what the server answers. Throws an Error whose text a person can act on.
  async change(method, path, body) {
    const headers = { "X-CSRF-Token": this._csrf };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer, found;
    try {
      answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
      found = await answer.json();
    } catch {
      throw new Error("the web server does not answer; see it with: bin/evcs status");
    }
    if (answer.status === 401) this._set(false);
    if (!answer.ok) throw new Error(found.error ? found.error.message : `HTTP ${answer.status}`);
    return found;
  }

  _set(is) {
    this.known = true;
    this.is = is;
    for (const listener of this._listeners) listener();
  }
}

// Look something up. Throws an Error with the server's words.
export async function look(path) {
  const answer = await fetch(path);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error ? found.error.message : `HTTP ${answer.status}`);
  return found;
}
