/**
 * What 100,000 categories cost, by category, beside 10,000: with a store in memory and with one in files, over the embedded relay in a process of
 * its own. Processor time of the device's process, without cryptography, whose cost is the same for each event. It takes minutes.
 */

import { fork } from 'node:child_process';
import { us } from './support/harness.mjs';

const SIZES = [10_000, 100_000];
const MOST = 2;
const KB = 1_024;

function measure(size, store) {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('scale-size.mjs', import.meta.url), [String(size), store], {
      execArgv: ['--expose-gc'],
    });
    child.on('message', resolve);
    child.on('exit', (code) => reject(new Error(`${size} categories (${store}) failed with code ${code}`)));
  });
}

const seconds = (ms) => `${(ms / 1_000).toFixed(1)} s`;
const bytes = (value) => `${Math.round(value)} B`;

async function rowsOf(store) {
  const results = [];
  for (const size of SIZES) results.push({ size, ...(await measure(size, store)) });
  const [few, many] = results;
  const each = (what, name, unit = us) => ({
    name: `scale, ${store}, ${what}`,
    what: 'per category, of 100,000 / of 10,000',
    ratio: many.each[name] / few.each[name],
    target: { atMost: MOST },
    raw: results
      .map((one) => {
        const took = one.tookMs[name] === undefined ? '' : `, ${seconds(one.tookMs[name])} in all`;
        return `${one.size}: ${unit(one.each[name])}${took}`;
      })
      .join('; '),
  });
  return [
    each('first sync', 'firstSync'),
    each('sync again', 'syncAgain'),
    each('poll with nothing new', 'poll'),
    each('subscribe', 'subscribe'),
    each('reconnect with nothing new', 'reconnect'),
    {
      name: `scale, ${store}, bytes of a reconnect with nothing new`,
      what: 'in all, of 100,000 / (of 10,000 x the square root of the growth)',
      ratio: many.reconnectBytes / (few.reconnectBytes * Math.sqrt(many.size / few.size)),
      target: { atMost: 1 },
      raw: results.map((one) => `${one.size}: ${(one.reconnectBytes / KB).toFixed(2)} KB`).join('; '),
    },
    {
      name: `scale, ${store}, one write until it is replicated`,
      what: 'in all, of 100,000 / of 10,000',
      ratio: many.writeMs / few.writeMs,
      target: { atMost: MOST },
      raw: results.map((one) => `${one.size}: ${one.writeMs.toFixed(1)} ms`).join('; '),
    },
    each('open', 'open'),
    each('values after a restart', 'read'),
    each('memory in use', 'heapBytes', bytes),
    each('resident memory', 'residentBytes', bytes),
  ];
}

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  return [...(await rowsOf('memory')), ...(await rowsOf('file'))];
}
