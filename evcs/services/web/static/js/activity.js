// Jobs as they are shown: the steps of each as they happen, and why one failed.

import { Connect } from "./connect.js";
import { html } from "./dom.js";
import { byName } from "./words.js";

const VERBS = {
  create: "Create", stop: "Stop", resume: "Resume", edit: "Change", restart: "Restart", delete: "Delete",
  revoke: "Revoke", rekey: "Rekey", plug: "Plug in", unplug: "Unplug", fault: "Fault at", clear: "Clear",
};

function Steps({ job }) {
  const now = job.done ? -1 : job.steps.findIndex((step) => !step.done);
  return html`<span class="steps">
    ${job.steps.map((step, i) => html`<span data-done=${step.done ? "true" : i === now ? "now" : "false"}>
      ${step.done ? "✓" : i === now ? "…" : "·"} ${step.name}</span>`)}
  </span>`;
}

// What comes next, and whose turn it is.
function Rekeyed({ job }) {
  if (!job.isCharger) return html`<span class="hint">Nothing more to do: it has its new secrets, and the old ones are refused.</span>`;
  return html`<span class="hint">Next: type its new password into the charger; the old one is refused.</span><${Connect} cp=${job.cp} />`;
}

export function Job({ job }) {
  return html`<span class="job-name">${VERBS[job.verb]} ${job.cp}</span>
    <${Steps} job=${job} />
    ${job.verb === "create" && job.isCharger && job.done && !job.error && html`<${Connect} cp=${job.cp} />`}
    ${job.verb === "rekey" && job.done && !job.error && html`<${Rekeyed} job=${job} />`}
    ${job.error && html`<span class="bad" role="alert">${job.error}</span>`}`;
}

// Its place is always there, and as large as ever: what comes into it moves nothing else.
export function Activity({ jobs, missed, onClear }) {
  const done = jobs.list.filter((job) => job.done && !job.error).length;
  const failed = jobs.list.filter((job) => job.error).length;
  const shown = [...jobs.list].sort((a, b) => Boolean(b.error) - Boolean(a.error) || a.done - b.done || byName(a.cp, b.cp));
  return html`<section class="card activity" aria-label="What is being done">
    <div class="title"><h2 role="status">${jobs.list.length ? `${done} of ${jobs.list.length} done${failed ? `, ${failed} failed` : ""}` : "What is being done"}</h2>
      <span class="grow"></span><button class="quiet" disabled=${!done && !failed} onClick=${onClear}>Clear finished</button></div>
    <progress max=${jobs.list.length || 1} value=${done + failed} aria-label="Done"></progress>
    <div role="status">${missed && html`<p class="bad">The list moved under the pointer, so that click did nothing.</p>`}</div>
    ${jobs.list.length ? html`<ul class="jobs" tabindex="0" aria-label="Steps">${shown.slice(0, 100).map((job) => html`<li key=${job.cp} data-job=${job.cp}><${Job} job=${job} /></li>`)}</ul>`
      : html`<p class="none">Nothing yet. The steps of each change show here.</p>`}
  </section>`;
}
