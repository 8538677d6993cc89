/** The simulator on a few hundred histories, and on those that failed once. */

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { runScenario, runSeeds } from './batch.ts';
import { describeFailure } from './report.ts';
import type { Scenario } from './scenario.ts';

const SEEDS_PER_TEST = 60;
const LIMIT_MS = 120_000;
const folder = new URL('regressions/', import.meta.url);

describe('what the engine promises holds', () => {
  for (let from = 1; from < 5 * SEEDS_PER_TEST; from += SEEDS_PER_TEST) {
    test(`in the histories of ${SEEDS_PER_TEST} seeds from ${from}`, { timeout: LIMIT_MS }, async () => {
      const { failures, histories } = await runSeeds({ from, to: from + SEEDS_PER_TEST });
      expect(failures.map(describeFailure)).toEqual([]);
      expect(histories).toBe(SEEDS_PER_TEST);
    });
  }
});

describe('a history that failed once', () => {
  test.each(readdirSync(folder))('passes: %s', { timeout: LIMIT_MS }, async (file) => {
    const scenario = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Scenario;
    const { failures } = await runScenario(scenario);
    expect(failures.map(describeFailure)).toEqual([]);
  });
});
