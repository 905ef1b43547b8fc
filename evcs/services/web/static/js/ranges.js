// Many names in few words, as a shell and the commands spell them out again: 'CP-{001..040}'.

import { byName } from "./words.js";

const NUMBERED = /^(.*?)(\d{1,9})$/;

// Whether `next` follows `last`, both as [head, number as written].
const follows = (last, next) => last[0] === next[0] && Number(next[1]) === Number(last[1]) + 1
  && (last[1].length === next[1].length || (!last[1].startsWith("0") && !next[1].startsWith("0")));

export function ranges(ids) {
  const runs = [];
  for (const id of [...ids].sort(byName)) {
    const found = NUMBERED.exec(id);
    const one = found ? [found[1], found[2]] : [id, ""];
    const run = runs[runs.length - 1];
    if (run && one[1] && follows(run[run.length - 1], one)) run.push(one);
    else runs.push([one]);
  }
  const name = ([head, number]) => head + number;
  const written = (run) => run.length > 2 ? [`'${run[0][0]}{${run[0][1]}..${run[run.length - 1][1]}}'`] : run.map(name);
  return runs.flatMap(written).join(" ");
}
