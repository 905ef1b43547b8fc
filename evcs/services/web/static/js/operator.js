// Who sits at this page, and the changes that only the operator may make.

// Its cookie goes to every port of this machine; what is stored here, to no other.
const TOKEN = "page-token";
export const pageToken = () => localStorage.getItem(TOKEN) || "";
const withToken = () => ({ "X-CSRF-Token": pageToken() });

export const keepToken = (token) => localStorage.setItem(TOKEN, token);

export class Operator {
  constructor() {
    this.known = false;
    this.is = false;
    this._listeners = new Set();
    // A session is its browser's: what another tab does to it is news for this one.
    addEventListener("storage", (event) => event.key === TOKEN && this.refresh());
  }

  // End the session, in all tabs.
  async leave() {
    await this.change("POST", "/api/v1/logout");
    localStorage.removeItem(TOKEN);
    this._set(false);
  }

  subscribe(listener) {
    this._listeners.add(listener);
  }

  async refresh() {
    try {
      this._set((await ask("/api/v1/me", { headers: withToken() })).operator);
    } catch (error) {
      if (error.status === 401) this._set(false);
      // Else web is away: asked again when it is back.
    }
  }

  // Make a change; what the server answers. Throws an Error whose text a person can act on.
  async change(method, path, body) {
    const headers = withToken();
    if (body !== undefined) headers["Content-Type"] = "application/json";
    try {
      return await ask(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    } catch (error) {
      if (error.status === 401) this._set(false);
      throw error;
    }
  }

  _set(is) {
    this.known = true;
    this.is = is;
    for (const listener of this._listeners) listener();
  }
}

// A next step as it is typed where this page says how: in the checkout.
const COMMAND = /(?<![\w./-])(?=evcs(-cp|-driver)? [a-z])/g;
const typed = (text) => text.replace(COMMAND, "bin/");

// Ask the server; its answer. Throws an Error with its words, and its status if it has one.
async function ask(path, how) {
  let answer, found;
  try {
    answer = await fetch(path, how);
    found = await answer.json();
  } catch {
    throw Object.assign(new Error("the web server does not answer; see it with: bin/evcs status"), { unanswered: true });
  }
  if (answer.ok) return found;
  throw Object.assign(new Error(found.error ? typed(found.error.message) : `HTTP ${answer.status}`), { status: answer.status });
}

export { ask as look };
