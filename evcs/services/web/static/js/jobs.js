// What is being done to CPs: each job's request and steps, judged by what the stream tells.

import { OCPP } from "./hosting.js";

const GIVEN_UP_MS = 60_000;
const AT_ONCE = 4;
const MOST = 2000;
// This tab's, across its pages; what is finished for so long only.
const KEPT = "jobs";
const FINISHED_MS = 600_000;
const LEAVING_MS = 500;

// A process that is there is told by the id of its start.
const isUp = (row) => row.engine && row.monitor;
const isGreen = (row) => row.state === "ACTIVATED" || row.state === "SUPPLYING";
export const inFault = (row) => row.reason.startsWith("fault");
const isAway = (row) => row.hosting === OCPP && !row.engine;
// A fault stays until it is cleared: a CP that has one is where it can be.
const isSettled = (row) => isGreen(row) || row.state === "OUT_OF_ORDER" || inFault(row);

// Method, path below the CP's own, and body where it is always the same.
const REQUESTS = {
  stop: ["PATCH", "", { service: "out" }],
  resume: ["PATCH", "", { service: "in" }],
  edit: ["PATCH", ""],
  delete: ["DELETE", ""],
  ...Object.fromEntries(["restart", "kill", "plug", "unplug", "fault", "clear", "revoke", "rekey"].map((verb) => [verb, ["POST", `/${verb}`]])),
};

// Name of a step -> whether it is done, from the CP's row (undefined: no such CP). They are
// looked at once the request has been answered.
const STEPS = {
  create: [
    ["registered", (row) => row !== undefined],
    ["section written", (row) => row && row.applied === true],
    ["processes up", (row) => row && isUp(row)],
    ["ACTIVATED", (row) => row && isGreen(row)],
  ],
  stop: [["recorded", (row) => row && row.service === "out"], ["out of service", (row) => row && (row.state === "OUT_OF_ORDER" || inFault(row) || isAway(row))]],
  resume: [
    ["recorded", (row) => row && row.service === "in"],
    ["in service", (row) => row && (isGreen(row) || inFault(row) || isAway(row))],
  ],
  edit: [
    ["recorded", (row, job) => row && row.revision >= job.revision],
    ["taken over", (row) => row && row.applied === true],
  ],
  restart: [
    ["processes ended", (row, job) => row && row.engine !== job.before.engine && row.monitor !== job.before.monitor],
    ["processes up", (row) => row && isUp(row)],
    ["back", (row) => row && isSettled(row)],
  ],
  revoke: [
    ["recorded", (row) => row && row.revoked],
    ["shut out", (row) => row && row.state === "DISCONNECTED" && row.reason === "revoked"],
    ["processes ended", (row) => row && row.applied === true && !row.engine && !row.monitor],
  ],
  rekey: [
    ["new secrets", (row, job) => row && row.revision >= job.revision && !row.revoked],
    ["processes up", (row) => row && row.applied === true && isUp(row)],
    ["back", (row) => row && isSettled(row)],
  ],
  kill: [
    ["ended", (row, job) => row && (row.engine !== job.before.engine || row.monitor !== job.before.monitor)],
    ["processes up", (row) => row && isUp(row)],
    ["back", (row) => row && isSettled(row)],
  ],
  plug: [["plugged in", () => true]],
  unplug: [["unplugged", () => true]],
  fault: [["told", () => true], ["BROKEN_DOWN", (row) => row && row.state === "BROKEN_DOWN"]],
  clear: [["told", () => true], ["no fault", (row) => row && !inFault(row)]],
  delete: [["deleted", (row) => row === undefined]],
};

// A real charger has no processes, and may not be there.
const CHARGER_STEPS = {
  create: [["registered", (row) => row !== undefined], ["may dial in", (row) => row && row.applied === true]],
  restart: [["told", () => true]],
  rekey: [["new secrets", (row, job) => row && row.revision >= job.revision && !row.revoked]],
};

export class Jobs {
  // `page` is drawn again when a job begins and when its request is answered.
  constructor(page) {
    this.list = kept();
    this._page = page;
    addEventListener("beforeunload", (event) => this.list.some((job) => !job.done && !job.at) && event.preventDefault());
    addEventListener("pagehide", () => sessionStorage.setItem(KEPT, JSON.stringify(this.list)));
  }

  // Begin what `verb` means for CPs.
  begin(verb, cps, given) {
    const [method, below, fixed] = REQUESTS[verb];
    return this.run(verb, cps, (cp) => this._page.props.operator.change(method, `/api/v1/cps/${cp}${below}`, given || fixed));
  }

  // Begin a job on each CP; `send` makes the change of one. A page that is left sends no more.
  async run(verb, cps, send, isCharger) {
    const jobs = cps.map((cp) => newJob(verb, cp, isCharger || (this._page.props.store.rows.get(cp) || {}).hosting === OCPP));
    const others = this.list.filter((other) => !cps.includes(other.cp));
    this.list = [...jobs, ...others].slice(0, Math.max(MOST, jobs.length));
    this._page.setState({});
    const waiting = [...jobs];
    const runner = async () => {
      while (waiting.length) await this._send(waiting.shift(), send);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, runner));
  }

  async _send(job, send) {
    job.before = this._page.props.store.rows.get(job.cp) || {};
    job.at = Date.now();
    try {
      const found = await send(job.cp);
      job.sent = true;
      if (found && found.revision) job.revision = found.revision;
    } catch (error) {
      // A page that is being left has no answer either, and is gone by then.
      if (error.unanswered) await new Promise((resolve) => setTimeout(resolve, LEAVING_MS));
      this.fail(job, error.message);
    }
    this._page.setState({});
  }

  fail(job, text) {
    job.error = text;
    job.done = true;
  }

  // Look at each open job again, once it is known which CPs there are.
  judge({ ready, rows }) {
    if (!ready) return;
    for (const job of this.list) {
      if (job.done || !job.at) continue;
      const row = rows.get(job.cp);
      // A step counts only after the ones before it: the row may still be the old one.
      let soFar = Boolean(job.sent);
      const looks = stepsOf(job);
      job.steps.forEach((step, i) => {
        soFar = soFar && (step.done || Boolean(looks[i][1](row, job)));
        step.done = soFar;
      });
      if (row && row.applied === false && job.verb !== "delete") this.fail(job, `the CP Manager could not do it: ${row.apply_error}`);
      else if (job.steps[job.steps.length - 1].done) job.done = true;
      else if (Date.now() - job.at > GIVEN_UP_MS) this.fail(job, waited(job, row));
    }
  }

  of(cp) {
    return this.list.find((job) => job.cp === cp);
  }

  clear() {
    this.list = this.list.filter((job) => !job.done);
  }
}

const stepsOf = ({ verb, isCharger }) => (isCharger && CHARGER_STEPS[verb]) || STEPS[verb];

function newJob(verb, cp, isCharger) {
  const steps = stepsOf({ verb, isCharger }).map(([name]) => ({ name, done: false }));
  return { verb, cp, isCharger, steps, error: "", done: false, revision: 0 };
}

// What an earlier page of this tab began: it goes on to be looked at; what was `earlier` was over by then.
function kept() {
  const found = JSON.parse(sessionStorage.getItem(KEPT) || "[]");
  for (const job of found) {
    job.earlier = job.done;
    if (job.done || job.sent) continue;
    Object.assign(job, { done: true, error: job.at ? "The page was left before it was answered: it may be done all the same." : "The page was left before it was sent: nothing was done." });
  }
  return found.filter((job) => STEPS[job.verb]).filter((job) => !job.done || Date.now() - (job.at || Date.now()) < FINISHED_MS);
}

function waited(job, row) {
  const step = job.steps.find((one) => !one.done);
  const state = row ? ` It is ${row.state}${row.reason ? ` (${row.reason})` : ""}.` : "";
  return `"${step.name}" has not come in 60 s.${state} See why with: bin/evcs-cp show ${job.cp}`;
}
