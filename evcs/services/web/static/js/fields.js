// A field of a form that says itself what is wrong with it, at a place that is always there.

import { html } from "./dom.js";

// `state` has what is typed, and in `touched` which fields were; `wrong` what is wrong with each.
export function Field({ form, name, label, state, wrong, onInput, ...more }) {
  const bad = (state.touched[name] && wrong[name]) || "";
  const id = `${form}-${name}-wrong`;
  return html`<div class="field"><label>${label} <input name=${name} value=${state[name]} onInput=${onInput(name)} spellcheck="false"
      aria-invalid=${bad ? "true" : undefined} aria-describedby=${id} ...${more} /></label>
    <span id=${id} class="bad wrong" aria-live="polite">${bad}</span></div>`;
}
