/**
 * `npm run relay:load -- [devices] [seconds]`: how many users one relay carries. The relay of `examples/relay-khatru` in a process of its
 * own, and that many devices in this one, each of a user of its own, with AUTH, subscribed, its store in memory. Prints what the relay took of
 * memory and processor; devices and relay share the machine, so it says less than the relay can.
 */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { createNostrSync, generateKey, memoryStore, secretKeySigner } from '../../../dist/node.js';

const PROGRAM = new URL('../installed/khatru', import.meta.url).pathname;
const [devices = 1_000, seconds = 30] = process.argv.slice(2).map(Number);
/** Devices that connect at once. */
const BATCH = 50;
/** Of the kernel: what `/proc` counts processor time in. */
const TICKS_PER_SECOND = 100;

const folder = mkdtempSync(join(tmpdir(), 'nostr-sync-load-'));
const relay = spawn(PROGRAM, ['-data', folder, '-listen', '127.0.0.1:0'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const { value: address } = await createInterface({ input: relay.stdout })[Symbol.asyncIterator]().next();
const url = `ws://${address}`;

/** Of the relay: resident memory in MB, and processor time in s. */
function taken() {
  const status = readFileSync(`/proc/${relay.pid}/status`, 'utf8');
  const fields = readFileSync(`/proc/${relay.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return {
    mb: Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1_024,
    cpu: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  };
}

const all = [];
const pushed = new Set();
const before = taken();
const startedAt = performance.now();
while (all.length < devices) {
  const batch = Array.from({ length: Math.min(BATCH, devices - all.length) }, (_, i) => {
    const sync = createNostrSync({
      namespace: 'load',
      relays: [url],
      store: memoryStore(),
      signer: secretKeySigner(generateKey()),
    });
    const name = all.length + i;
    sync.subscribe(['settings'], () => pushed.add(name));
    return sync;
  });
  await Promise.all(
    batch.map((sync) => sync.publish('settings', { theme: 'dark' }, { waitFor: 'delivered' })),
  );
  all.push(...batch);
}
const connectedAfter = (performance.now() - startedAt) / 1_000;
const connected = taken();
await delay(5_000);
const idle = taken();
await delay(10_000);
const idleCpu = (taken().cpu - idle.cpu) / 10;

let edits = 0;
const beforeEdits = taken();
const until = performance.now() + seconds * 1_000;
const text = randomBytes(300).toString('base64');
await Promise.all(
  Array.from({ length: BATCH }, async (_, first) => {
    for (let i = first; performance.now() < until; i = (i + BATCH) % devices, edits++)
      await all[i].publish('settings', { edits, text }, { waitFor: 'delivered' });
  }),
);
const after = taken();

const row = (what, value) => console.log(what.padEnd(46), value);
row('devices connected', devices);
row('all connected, with a first value each, after', `${connectedAfter.toFixed(1)} s`);
row(
  'memory of the relay: empty, connected, at the end',
  [before, connected, after].map(({ mb }) => `${mb.toFixed(0)} MB`).join(', '),
);
row('per device', `${(((connected.mb - before.mb) * 1_024) / devices).toFixed(0)} KB`);
row('processor while no device writes', `${(idleCpu * 100).toFixed(1)} % of a core`);
row('edits a second, as fast as these devices can', (edits / seconds).toFixed(0));
row('processor of the relay per edit', `${(((after.cpu - beforeEdits.cpu) / edits) * 1_000).toFixed(2)} ms`);
row('so a core carries', `${(edits / (after.cpu - beforeEdits.cpu)).toFixed(0)} edits a second`);

await Promise.all(all.map((sync) => sync.close()));
relay.kill();
await once(relay, 'exit');
rmSync(folder, { recursive: true });
