// What a click is meant for: the button or link that the pointer was last moved onto. Where the page
// changes under a pointer that stands still, nobody means what is there now; nor does the second
// half of a double click.

const DOUBLE_MS = 600;
const TREMOR_PX = { touch: 24 };
const LITTLE_PX = 5;

let x, y, aimed;
let pressed = -DOUBLE_MS;

function aim(event) {
  const far = Math.hypot(event.clientX - x, event.clientY - y);
  const tremor = far < (TREMOR_PX[event.pointerType] || LITTLE_PX) && event.timeStamp - pressed < DOUBLE_MS;
  if (far === 0 || tremor) return;
  x = event.clientX;
  y = event.clientY;
  aimed = event.target.closest("button, a");
}

function press(event) {
  aim(event);
  pressed = event.timeStamp;
}

// Whoever scrolls brings something else under the pointer, and means to.
function forget() {
  aimed = undefined;
}

const how = { capture: true, passive: true };
addEventListener("pointermove", aim, how);
addEventListener("pointerdown", press, how);
for (const name of ["wheel", "touchmove", "keydown"]) addEventListener(name, forget, how);

// Whether this click was meant for what got it. One by the keyboard always is.
export const meant = (event) => event.detail === 0 || aimed === undefined || aimed === event.currentTarget;
