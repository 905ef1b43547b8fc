// A browser has six connections to a server, for all of its tabs together. A stream holds one as
// long as its tab is open: so few tabs have a stream, and what all of them ask has room.

const PLACES = ["stream-1", "stream-2", "stream-3", "stream-4"];

const take = (name) => new Promise((found) => {
  navigator.locks.request(name, { ifAvailable: true }, (lock) => (lock ? new Promise((leave) => found(leave)) : found(null)));
});

// What gives the place back, once a tab has one; null where all are taken.
export async function freePlace() {
  if (!navigator.locks) return () => {};
  for (const name of PLACES) {
    const leave = await take(name);
    if (leave) return leave;
  }
  return null;
}
