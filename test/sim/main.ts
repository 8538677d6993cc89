import { createScenario } from './scenario.ts';
import { runHistory } from './history.ts';
const from = Number(process.argv[2] ?? 1),
  n = Number(process.argv[3] ?? 10);
const t0 = performance.now();
const all = new Map<string, number>();
let bad = 0,
  steps = 0;
for (let seed = from; seed < from + n; seed++) {
  const {
    violations,
    counts,
    steps: s,
  } = await runHistory(
    createScenario(seed),
    process.env.TRACE ? (l) => console.log(l.slice(0, 300)) : undefined,
  );
  steps += s;
  for (const [k, v] of counts) all.set(k, (all.get(k) ?? 0) + v);
  if (violations.length) {
    bad++;
    console.log(seed, violations.length, JSON.stringify(violations[0]));
  }
}
const t = performance.now() - t0;
if (process.env.COUNTS) for (const k of [...all.keys()].sort()) console.log(k, all.get(k));
console.log({ n, bad, perSecond: (n / t) * 1000, stepsPer: steps / n });
