/**
 * `npm run sim`: histories by seed, on several threads, or one again.
 *
 *     --seeds N      how many (1000), from seed `--from` (1), on `--workers` threads (as many as there are cores)
 *     --first        stops each thread at its first failure
 *     --report merge a table of edits that are lost, of `--seeds` histories for each of its rows
 *     --seed S       this one, with its trace
 *     --replay FILE  a scenario that was kept
 *     --keep FILE    with `--seed`: shrinks the history if it fails, and keeps the scenario there
 */

import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { runSeeds } from './batch.ts';
import { runHistory } from './history.ts';
import { mergeReport } from './merge-report.ts';
import { addReport, describeFailure, describeReport, emptyReport, missing, type Report } from './report.ts';
import { createScenario, type Scenario } from './scenario.ts';
import { shrink } from './shrink.ts';

interface Share {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly maxFailures: number;
}

/** How often a thread tells how far it is, in histories. */
const TELL_EVERY = 50;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function many(from: number, seeds: number, workers: number, maxFailures: number): Promise<void> {
  const startedAt = performance.now();
  const sums = new Map<number, Report>();
  const threads = Array.from({ length: workers }, async (_, i) => {
    const share: Share = { from: from + i, to: from + seeds, step: workers, maxFailures };
    const worker = new Worker(new URL(import.meta.url), { workerData: share });
    await new Promise<void>((resolve, reject) => {
      let shown = 0;
      worker.on('message', (sum: Report) => {
        sums.set(i, sum);
        for (const failure of sum.failures.slice(shown)) print(describeFailure(failure));
        shown = sum.failures.length;
      });
      worker.on('error', reject);
      worker.on('exit', (code) =>
        code === 0 ? resolve() : reject(new Error(`a thread ended with ${code}`)),
      );
    });
  });
  await Promise.all(threads);
  const total = emptyReport();
  for (const sum of sums.values()) addReport(total, sum);
  print(describeReport(total, (performance.now() - startedAt) / 1000));
  const never = missing(total);
  for (const what of never) print(`never happened: ${what}`);
  print(`${total.histories - total.failures.length} passed, ${total.failures.length + never.length} failed`);
  process.exitCode = total.failures.length + never.length === 0 ? 0 : 1;
}

async function one(scenario: Scenario, keep: string | undefined): Promise<void> {
  const outcome = await runHistory(scenario, keep === undefined ? print : undefined);
  const { seed } = scenario;
  if (outcome.violations.length > 0) {
    print(describeFailure({ seed, violations: outcome.violations }));
    if (keep !== undefined) {
      const small = await shrink(scenario);
      await writeFile(keep, `${JSON.stringify(small, null, 2)}\n`);
      print(`${scenario.ops.length} steps shrunk to ${small.ops.length}, kept in ${keep}`);
    }
    process.exitCode = 1;
  }
  print(
    `trace ${outcome.traceHash.toString(16)}, ${outcome.steps} steps, ${outcome.violations.length} violations`,
  );
}

if (isMainThread) {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      workers: { type: 'string', default: String(availableParallelism()) },
      first: { type: 'boolean', default: false },
      report: { type: 'string' },
      seed: { type: 'string' },
      replay: { type: 'string' },
      keep: { type: 'string' },
    },
  });
  const kept = values.replay === undefined ? undefined : await readFile(values.replay, 'utf8');
  if (values.report === 'merge') await mergeReport(Number(values.seeds), print);
  else if (values.report !== undefined) throw new Error('--report is of merge');
  else if (kept !== undefined) await one(JSON.parse(kept) as Scenario, values.keep);
  else if (values.seed !== undefined) await one(createScenario(Number(values.seed)), values.keep);
  else
    await many(
      Number(values.from),
      Number(values.seeds),
      Number(values.workers),
      values.first ? 1 : Infinity,
    );
} else {
  const share = workerData as Share;
  let told = 0;
  const sum = await runSeeds(share, (so) => {
    if (so.histories - told < TELL_EVERY && so.failures.length === 0) return;
    told = so.histories;
    parentPort!.postMessage(so);
  });
  parentPort!.postMessage(sum);
}
