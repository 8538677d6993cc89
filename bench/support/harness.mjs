/** How everything here is measured: rounds in which each case has its turn, medians, and ratios between them. */

import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';

/**
 * One line of the table.
 * @typedef {object} Row
 * @property {string} name
 * @property {string} what What is divided by what.
 * @property {number} ratio
 * @property {{ atLeast: number } | { atMost: number } | undefined} target None: for information.
 * @property {string} raw The medians behind the ratio.
 */

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Runs the cases in turn, `rounds` times, and returns the median of each in ms. A case that returns a number has timed
 * itself. `warmups` more rounds go before and are not counted.
 * @template {string} K
 * @param {number} rounds
 * @param {Record<K, () => unknown>} cases
 * @returns {Promise<Record<K, number>>}
 */
export async function interleave(rounds, cases, warmups = 1) {
  /** @type {Record<string, number[]>} */
  const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
  for (let round = -warmups; round < rounds; round++) {
    for (const [name, run] of Object.entries(cases)) {
      const startedAt = performance.now();
      const timed = await run();
      const ms = typeof timed === 'number' ? timed : performance.now() - startedAt;
      if (round >= 0) times[name].push(ms);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]));
}

/** @param {Row} row @returns {boolean} */
export function isMet({ ratio, target }) {
  if (target === undefined) return true;
  return 'atLeast' in target ? ratio >= target.atLeast : ratio <= target.atMost;
}

/** Fails the benchmark where what is measured is not what it claims to be. */
export function assertEqual(actual, expected, what) {
  if (actual !== expected) throw new Error(`${what}: expected ${expected}, got ${actual}`);
}

/** Three digits that mean something. */
const digits = (value) => (value >= 100 ? String(Math.round(value)) : value.toPrecision(3));

export const ms = (value) => `${digits(value)} ms`;
export const us = (valueMs) => `${digits(valueMs * 1_000)} µs`;

/** Polls a condition that no event tells of. Never inside a measurement. */
export async function until(isTrue, withinMs = 30_000) {
  const giveUpAt = performance.now() + withinMs;
  while (!(await isTrue())) {
    if (performance.now() > giveUpAt) throw new Error(`Waited in vain for ${isTrue}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const randomKey = () => new Uint8Array(randomBytes(32));
