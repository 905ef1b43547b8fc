// What is being done to CPs: each job's steps, judged by what the stream tells.

const GIVEN_UP_MS = 60_000;

// A process that is there is told by the id of its start.
const isUp = (row) => row.engine && row.monitor;
const isGreen = (row) => row.state === "ACTIVATED" || row.state === "SUPPLYING";

// Name of a step -> whether it is done, from the CP's row (undefined: no such CP).
const STEPS = {
  create: [
    ["registered", (row) => row !== undefined],
    ["section written", (row) => row && row.applied === true],
    ["processes up", (row) => row && isUp(row)],
    ["ACTIVATED", (row) => row && isGreen(row)],
  ],
  stop: [["recorded", (row) => row && row.service === "out"], ["OUT_OF_ORDER", (row) => row && row.state === "OUT_OF_ORDER"]],
  resume: [
    ["recorded", (row) => row && row.service === "in"],
    ["in service", (row) => row && isGreen(row)],
  ],
  edit: [
    ["recorded", (row, job) => row && row.revision >= job.revision],
    ["taken over", (row) => row && row.applied === true],
  ],
  restart: [
    ["processes ended", () => true],
    ["processes up", (row, job) => row && isUp(row) && row.engine !== job.before.engine && row.monitor !== job.before.monitor],
    ["in service", (row) => row && (isGreen(row) || row.state === "OUT_OF_ORDER")],
  ],
  delete: [["deleted", (row) => row === undefined]],
};

export class Jobs {
  constructor() {
    this.list = [];
  }

  // Begin a job on a CP whose row is `before`; `send` makes the change.
  async run(verb, cp, before, send) {
    const job = { verb, cp, at: Date.now(), steps: STEPS[verb].map(([name]) => ({ name, done: false })), error: "", done: false, revision: 0, before: before || {} };
    this.list = [job, ...this.list.filter((other) => other.cp !== cp)].slice(0, 2000);
    try {
      const found = await send();
      job.sent = true;
      if (found && found.revision) job.revision = found.revision;
    } catch (error) {
      this.fail(job, error.message);
    }
    return job;
  }

  fail(job, text) {
    job.error = text;
    job.done = true;
  }

  // Look at each open job again.
  judge(rows) {
    for (const job of this.list) {
      if (job.done) continue;
      const row = rows.get(job.cp);
      // A step counts only after the ones before it: the row may still be the old one.
      let soFar = Boolean(job.sent);
      job.steps.forEach((step, i) => {
        soFar = soFar && (step.done || Boolean(STEPS[job.verb][i][1](row, job)));
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

function waited(job, row) {
  const step = job.steps.find((one) => !one.done);
  const state = row ? ` It is ${row.state}${row.reason ? ` (${row.reason})` : ""}.` : "";
  return `"${step.name}" has not come in 60 s.${state} See why with: bin/evcs-cp show ${job.cp}`;
}
