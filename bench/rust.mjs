/**
 * Rust devices that run the crate, beside Rust devices that run the original plugin (0.1.0-alpha.3, as published), and Node. All talk to the
 * same embedded relay, all in release. Compiles for minutes the first time, and needs what the lane `reference` needs.
 */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesToHex } from '@noble/hashes/utils.js';
import { cargo, TARGET } from '../scripts/cargo.mjs';
import { createNostrSync, secretKeySigner } from '../dist/node.js';
import { categories, createAuthor, NAMESPACE, smallPayload } from './support/events.mjs';
import { assertEqual, interleave, ms, randomKey, until } from './support/harness.mjs';
import { startRelays } from './support/relays.mjs';

const PUSHES = 40;
const PUSHED_CATEGORIES = 4;
/** So many writes a second leave an engine; and of two writes of one second the original may lose the later one. */
const PUSH_EVERY_MS = 1_100;
const SYNCS = 5;
/** The original asks for one after the other, and each takes it 40 ms even on loopback: it leaves what it sends to Nagle's algorithm. */
const VALUES = 300;

function compile() {
  for (const name of ['ours', 'original']) {
    const cwd = join(import.meta.dirname, 'rust', name);
    if (cargo(`devices: ${name}`, ['build', '--release', '--locked'], { cwd }).status !== 0)
      throw new Error(`bench/rust/${name} does not compile`);
  }
}

/** A process that answers as `rust/speak.rs` says. */
function startProgram(name, relay, author) {
  const binary = join(TARGET, 'release', `bench-${name}`);
  const child = spawn(binary, [relay, bytesToHex(author.secretKey)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift().resolve(JSON.parse(line)));
  child.once('exit', (code) => {
    for (const { reject } of waiting) reject(new Error(`${binary} ended with ${code}`));
  });
  return {
    ask: (...request) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${JSON.stringify(request)}\n`);
      }),
    /** Time of the CPU that it has taken so far, of all its threads, in s. On Linux alone. */
    cpuSeconds: () => {
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8');
      const [user, system] = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 13);
      return (Number(user) + Number(system)) / 100;
    },
    close: () => child.stdin.end(),
  };
}

async function startNode(relays, author, names) {
  const sync = createNostrSync({
    namespace: NAMESPACE,
    relays,
    signer: secretKeySigner(author.secretKey),
  });
  if (names.length > 0) sync.subscribe(names, () => undefined);
  await until(async () => (await sync.getStatus()).connectedRelayCount === relays.length);
  return sync;
}

/** As `push` of `speak.rs`. */
async function pushInNode([laptop, phone], category, payload) {
  const isHere = new Promise((resolve) => {
    const stop = phone.on('updated', (value) => {
      if (value.category !== category || value.payload.revision !== payload.revision) return;
      stop();
      resolve(performance.now());
    });
  });
  const startedAt = performance.now();
  const publishing = laptop.publish(category, payload);
  const took = (await isHere) - startedAt;
  await publishing;
  return took;
}

async function measurePush() {
  const author = createAuthor(randomKey());
  const names = categories(PUSHED_CATEGORIES);
  // Each has its own relay and its own categories: none hears of another.
  const all = await startRelays({ count: 3 });
  const [ours, original, node] = all.urls;
  const programs = {
    ours: startProgram('ours', ours, author),
    original: startProgram('original', original, author),
  };
  for (const program of Object.values(programs)) await program.ask('pair', ...names);
  const pair = [await startNode([node], author, []), await startNode([node], author, names)];
  let revision = 0;
  const next = () => {
    revision++;
    return [names[revision % names.length], smallPayload(revision)];
  };
  const waitMs = () => 100 + Math.random() * 100;
  const cases = {
    ours: () => programs.ours.ask('push', ...next(), waitMs()),
    original: () => programs.original.ask('push', ...next(), waitMs()),
    node: () => pushInNode(pair, ...next()),
    rest: async () => {
      await sleep(PUSH_EVERY_MS);
      return 0;
    },
  };
  const medians = await interleave(PUSHES, cases, 2 * PUSHED_CATEGORIES);
  for (const program of Object.values(programs)) program.close();
  await Promise.all(pair.map((sync) => sync.close()));
  await all.close();
  return medians;
}

/** `syncAll` on new devices: wall time in ms, and of the Rust processes CPU time too. */
async function measureSync(count, roundTripMs) {
  const author = createAuthor(randomKey());
  const names = categories(count);
  const events = names.map((name, i) => author.event(name, i));
  const relays = await startRelays({ latencyMs: roundTripMs / 2, events });
  const cpu = { ours: 0, original: 0 };
  const programs = {
    ours: startProgram('ours', relays.urls[0], author),
    original: startProgram('original', relays.urls[0], author),
  };
  const syncBy = (name) => async () => {
    const before = programs[name].cpuSeconds();
    const found = await programs[name].ask('syncAll', ...names);
    assertEqual(found.count, count, `categories by ${name}`);
    cpu[name] = programs[name].cpuSeconds() - before;
    return found.ms;
  };
  const syncInNode = async () => {
    const sync = await startNode(relays.urls, author, []);
    const startedAt = performance.now();
    assertEqual((await sync.syncAll(names)).length, count, 'categories by Node');
    const took = performance.now() - startedAt;
    await sync.close();
    return took;
  };
  const medians = await interleave(SYNCS, {
    ours: syncBy('ours'),
    original: syncBy('original'),
    node: syncInNode,
  });
  for (const program of Object.values(programs)) program.close();
  await relays.close();
  return { ...medians, cpu };
}

const rate = (took) => `${Math.round((VALUES / took) * 1_000)}/s`;

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  compile();
  const push = await measurePush();
  const sync = await measureSync(100, 50);
  const open = await measureSync(VALUES, 0);
  return [
    {
      name: 'publish to the other device, Rust',
      what: 'the original, which asks again and again / ours',
      ratio: push.original / push.ours,
      target: { atLeast: 1 },
      raw: `${ms(push.original)} / ${ms(push.ours)}`,
    },
    {
      name: 'publish to the other device, Node',
      what: 'Node to Node / Rust to Rust',
      ratio: push.node / push.ours,
      target: undefined,
      raw: `${ms(push.node)} / ${ms(push.ours)}`,
    },
    {
      name: 'sync_all of 100, 50 ms',
      what: 'the original / ours, on a new device',
      ratio: sync.original / sync.ours,
      target: { atLeast: 10 },
      raw: `${ms(sync.original)} / ${ms(sync.ours)}; Node ${ms(sync.node)}`,
    },
    {
      name: `verify and decrypt, ${VALUES} values`,
      what: 'values a second by sync_all from a near relay, ours / the original',
      ratio: open.original / open.ours,
      target: { atLeast: 1 },
      raw: `${rate(open.ours)} / ${rate(open.original)}; Node ${rate(open.node)}`,
    },
    {
      name: `CPU of ${VALUES} values`,
      what: 'time of all threads, the original / ours',
      ratio: open.cpu.original / open.cpu.ours,
      target: undefined,
      raw: `${ms(open.cpu.original * 1_000)} / ${ms(open.cpu.ours * 1_000)}`,
    },
  ];
}
