/** Runs histories by seed, every twentieth of them twice: the two must not differ in anything. */

import { runHistory } from './history.ts';
import { addReport, emptyReport, type Report } from './report.ts';
import { createScenario, type Scenario } from './scenario.ts';

const REPEATED = 20;

/** One history as a report. What nobody caught counts against it. */
async function runOne(scenario: Scenario, isRepeated: boolean): Promise<Report> {
  const uncaught: string[] = [];
  const note = (error: unknown): void =>
    void uncaught.push(error instanceof Error ? String(error.stack) : String(error));
  process.on('unhandledRejection', note);
  try {
    const { violations, counts, steps, traceHash } = await runHistory(scenario);
    const all = [...violations];
    if (isRepeated && (await runHistory(scenario)).traceHash !== traceHash)
      all.push({ invariant: 'replay', message: 'a second run of this history differs', at: 0 });
    // Rejections are told of only when Node gets to it.
    await new Promise((resolve) => setImmediate(resolve));
    all.push(...uncaught.map((message) => ({ invariant: 'I7', message: `uncaught: ${message}`, at: 0 })));
    const failures = all.length === 0 ? [] : [{ seed: scenario.seed, violations: all }];
    return { histories: 1, steps, repeated: isRepeated ? 1 : 0, counts: new Map(counts), failures };
  } finally {
    process.off('unhandledRejection', note);
  }
}

export async function runScenario(scenario: Scenario): Promise<Report> {
  return runOne(scenario, true);
}

/** The seeds `from`, `from + step`, …, below `to`. Stops at `maxFailures`. */
export async function runSeeds(
  {
    from,
    to,
    step = 1,
    maxFailures = Infinity,
  }: {
    readonly from: number;
    readonly to: number;
    readonly step?: number;
    readonly maxFailures?: number;
  },
  onReport?: (sum: Report) => void,
): Promise<Report> {
  const sum = emptyReport();
  for (let seed = from; seed < to && sum.failures.length < maxFailures; seed += step) {
    addReport(sum, await runOne(createScenario(seed), seed % REPEATED === 0));
    onReport?.(sum);
  }
  return sum;
}
