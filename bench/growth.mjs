/**
 * Time and memory by the number of categories, each size in a process of its own, over a relay that costs next to
 * nothing. With real cryptography, whose cost is the same for each event, and with none, so that nothing hides behind it.
 */

import { fork } from 'node:child_process';
import { assertEqual, us } from './support/harness.mjs';

const SIZES = [100, 1_000, 10_000];
const MOST = 2;

function measure(size) {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('growth-size.mjs', import.meta.url), [String(size)], {
      execArgv: ['--expose-gc'],
    });
    child.on('message', resolve);
    child.on('exit', (code) => reject(new Error(`growth at ${size} failed with code ${code}`)));
  });
}

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const results = [];
  for (const size of SIZES) results.push({ size, ...(await measure(size)) });
  for (const { size, counts } of results) {
    assertEqual(counts.firstSync.signatures, size, `signatures checked by a first sync of ${size}`);
    assertEqual(
      counts.restartedPoll.signatures,
      size,
      `signatures checked by the first poll of ${size} after a restart`,
    );
    for (const poll of ['emptyPoll', 'emptyPollAfterRestart']) {
      assertEqual(counts[poll].signatures, 0, `signatures checked by a poll of ${size} with nothing new`);
      assertEqual(counts[poll].decryptions, 0, `decryptions by a poll of ${size} with nothing new`);
    }
  }
  const [, middle, large] = results;
  const row = (name, key, unit) => ({
    name: `growth, ${name}`,
    what: 'per category, of 10,000 / of 1,000',
    ratio: large.each[key] / middle.each[key],
    target: { atMost: MOST },
    raw: results.map(({ size, each }) => `${size}: ${unit(each[key])}`).join(', '),
  });
  return [
    row('first sync', 'firstSync', us),
    row('sync again', 'syncAgain', us),
    row('poll with nothing new', 'emptyPoll', us),
    row('restart and poll', 'restart', us),
    row('first sync, engine alone', 'bareFirstSync', us),
    row('sync again, engine alone', 'bareSyncAgain', us),
    row('restart and poll, engine alone', 'bareRestart', us),
    row('memory', 'heapBytes', (bytes) => `${Math.round(bytes)} B`),
    {
      name: 'growth, poll with nothing new',
      what: 'signature checks and decryptions, at every size',
      ratio: results.reduce(
        (sum, { counts }) => sum + counts.emptyPoll.signatures + counts.emptyPoll.decryptions,
        0,
      ),
      target: { atMost: 0 },
      raw: `hashes at 10,000: ${large.counts.emptyPoll.hashes}`,
    },
  ];
}
