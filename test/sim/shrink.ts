/** Makes a failing history smaller while it still fails the same way. */

import { runHistory } from './history.ts';
import type { Scenario } from './scenario.ts';

/** At most `maxRuns` histories are tried. */
export async function shrink(scenario: Scenario, maxRuns = 400): Promise<Scenario> {
  let runs = 0;
  const invariants = async (candidate: Scenario): Promise<Set<string>> => {
    runs++;
    return new Set((await runHistory(candidate)).violations.map(({ invariant }) => invariant));
  };
  const [wanted] = await invariants(scenario);
  if (wanted === undefined) return scenario;
  let smallest = scenario;
  const attempt = async (candidate: Scenario): Promise<boolean> => {
    if (runs >= maxRuns || !(await invariants(candidate)).has(wanted)) return false;
    smallest = candidate;
    return true;
  };

  // Whole stretches of what happens first, single steps last.
  for (
    let size = Math.ceil(smallest.ops.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let start = 0; start < smallest.ops.length;) {
      const ops = smallest.ops.toSpliced(start, size);
      if (!(await attempt({ ...smallest, ops }))) start += size;
    }
  }
  // Then what those who are left are like.
  for (let i = 0; i < smallest.devices.length; i++) {
    const plain = { ...smallest.devices[i]!, skewMs: 0, flushMs: 0, signerMs: 0, tabs: 1 };
    await attempt({ ...smallest, devices: smallest.devices.with(i, plain) });
  }
  for (let i = 0; i < smallest.relays.length; i++) {
    const plain = {
      ...smallest.relays[i]!,
      flavour: 'strfry',
      auth: 'none',
      latencyMs: 1,
      perMinute: null,
      reqsPerMinute: null,
    } as const;
    await attempt({ ...smallest, relays: smallest.relays.with(i, plain) });
  }
  return smallest;
}
