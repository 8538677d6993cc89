/** Histories of the simulator, by seed: what `sim-bundle.mjs` makes one script of, for QuickJS and for Node. */

import { runHistory } from '../sim/history.ts';
import { createScenario } from '../sim/scenario.ts';

/** The hash of the trace of each; of one with a violation, that too. */
export async function traces(from: number, count: number): Promise<string[]> {
  const found: string[] = [];
  for (let seed = from; seed < from + count; seed++) {
    const { traceHash, violations } = await runHistory(createScenario(seed));
    found.push([seed, traceHash, ...violations.map(({ message }) => message)].join(' '));
  }
  return found;
}
