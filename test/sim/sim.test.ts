/** The simulator on a few histories, and on those that failed once. */

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { runScenario, runSeeds } from './batch.ts';
import { describeFailure } from './report.ts';
import type { Scenario } from './scenario.ts';

/** `npm run sim` has the rest. */
const SEEDS = 60;
const LIMIT_MS = 120_000;
const folder = new URL('regressions/', import.meta.url);

describe('what the engine promises holds', () => {
  test(`in the histories of ${SEEDS} seeds`, { timeout: LIMIT_MS }, async () => {
    const { failures, histories } = await runSeeds({ from: 1, to: 1 + SEEDS });
    expect(failures.map(describeFailure)).toEqual([]);
    expect(histories).toBe(SEEDS);
  });
});

describe('a history that failed once', () => {
  test.each(readdirSync(folder))('passes: %s', { timeout: LIMIT_MS }, async (file) => {
    const scenario = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Scenario;
    const { failures } = await runScenario(scenario);
    expect(failures.map(describeFailure)).toEqual([]);
  });
});
