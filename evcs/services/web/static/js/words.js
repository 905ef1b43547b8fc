// How states, figures and times are written and typed, on every page alike.

// What needs somebody comes first.
export const ATTENTION = ["BROKEN_DOWN", "DISCONNECTED", "OUT_OF_ORDER", "SUPPLYING", "ACTIVATED"];

export const WORDS = {
  ACTIVATED: "Activated",
  SUPPLYING: "Supplying",
  OUT_OF_ORDER: "Out of order",
  BROKEN_DOWN: "Broken down",
  DISCONNECTED: "Disconnected",
};

// One shape a state, so that none is told by its colour alone; drawn in a box of 16 by 16.
export const ICONS = {
  ACTIVATED: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm-1.1 10L3.8 7.9l1.2-1.2 1.9 1.9 4.1-4.1 1.2 1.2Z",
  SUPPLYING: "M9.3 0 2.6 9.2h4.2L6.2 16l7.2-9.6H9Z",
  OUT_OF_ORDER: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM5 4.8h2v6.4H5Zm4 0h2v6.4H9Z",
  BROKEN_DOWN: "M8 .8 0 15.2h16ZM7.1 5.6h1.8v5H7.1Zm0 6h1.8v1.9H7.1Z",
  DISCONNECTED: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM4 7.1h8v1.8H4Z",
};

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export const byName = order.compare;

export const kw = (watts) => (watts / 1000).toFixed(1);
export const kwh = (wattHours) => (wattHours / 1000).toFixed(2);

// 10:31:05 today, "21 Nov 10:31:05" before.
export function time(value) {
  if (!value) return "";
  const at = new Date(value);
  const today = at.toDateString() === new Date().toDateString();
  return today ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
}

// The same where there is little room: of another day that day.
export const since = (value) => (new Date(value).toDateString() === new Date().toDateString() ? time(value) : day.format(new Date(value)));

// With its day, for what is kept and printed.
export const exact = (value) => new Date(value).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

// Whom the word alone would puzzle.
export const reasonWords = (reason) => (reason === "driver" || reason === "operator" ? `stopped by ${reason}` : reason || "");

export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

// How much there is of a time that a plot has at most; `since`: of its first sample, seconds.
export function lastly(since, most_s, words) {
  const seconds = since === undefined ? most_s : Date.now() / 1000 - since;
  return `the last ${seconds < 0.98 * most_s ? duration(seconds).replace(/^1 min$/, "minute") : words}`;
}

export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/;
export const wrongName = (text) => (NAME.test(text.trim()) ? "" : "1 to 32 letters, digits, _ or -, the first a letter or digit");

const PRICE = /^\d{1,3}(\.\d{1,4})?$/;
const POWER = /^\d{1,4}(\.\d{1,3})?$/;

// Of kW as they are typed.
export const watts = (kilowatts) => Math.round(Number(kilowatts) * 1000);

// Of a decimal that is written with a comma, how it is written here.
const withPoint = (text, form) => (text.includes(",") && form.test(text.replace(",", ".").trim()) ? `with a point: ${text.replace(",", ".").trim()}` : "");

// What is wrong with a price or a power as it is typed; "" if nothing is.
export const wrongPrice = (text) => (PRICE.test(text.trim()) ? "" : withPoint(text, PRICE) || "such as 0.30, at most 999.9999");
export const wrongPower = (text) => (POWER.test(text.trim()) && Number(text) > 0 && Number(text) <= 1000 ? "" : withPoint(text, POWER) || "from 0.001 to 1000, such as 22");
