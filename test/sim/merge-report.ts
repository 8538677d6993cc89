/**
 * `npm run sim -- --report merge`: how many edits of 1,000 are lost, by what an app does about two devices that edit at once. The real
 * engine, in three scenarios of constant concurrency; the same edits and outages for each way.
 */

import { counters, merge3, mergeBy, type MergeRules } from '../../src/merge.ts';
import { createNostrSync, type NostrSync } from '../../src/node.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { zlibCompression } from '../support/zlib-compression.ts';
import { createChance, type Chance } from './chance.ts';
import { createCipher, type Cipher } from './cipher.ts';
import { mayHold, seenIn, valueIn, withFields, type Doc, type FieldEdit } from './documents.ts';
import { createMachine, startProcess } from './machine.ts';
import { createNetwork, type Network } from './network.ts';
import { createSchedule, type Schedule } from './schedule.ts';

/** Durations in s: how long devices and lines are there, and are not, on average. */
interface Plan {
  readonly devices: number;
  readonly spanS: number;
  readonly bursts: number;
  /** Edits of a burst, about. */
  readonly burst: number;
  readonly online: readonly [there: number, away: number];
  readonly line: readonly [there: number, away: number];
}

const PLANS: Readonly<Record<string, Plan>> = {
  'usual use': { devices: 3, spanS: 120, bursts: 8, burst: 3, online: [30, 12], line: [60, 8] },
  'long offline': { devices: 3, spanS: 400, bursts: 10, burst: 12, online: [20, 60], line: [60, 10] },
  'six devices': { devices: 6, spanS: 120, bursts: 16, burst: 2, online: [15, 10], line: [30, 10] },
};

/** What an app does: this library's merging; nothing; or a merge by hand upon the last value that a relay had. */
const WAYS = ['merged by this library', 'last writer wins', 'merged upon the last synced value'] as const;
type Way = (typeof WAYS)[number];

const RELAYS = 3;
const FIELDS = Array.from({ length: 10 }, (_, i) => `f${i}`);
/** As of a document of which no more is known. */
const RULES = { seen: counters } satisfies MergeRules;
const CATEGORY = 'settings';
const START_MS = Date.UTC(2026, 0, 1);
/** After the last edit: until all that is merged late has come everywhere, in s. */
const QUIET_S = 900;

interface Planned {
  readonly atMs: number;
  readonly device: number;
  readonly field: string;
  readonly isRemoval: boolean;
}

/** Whether something is there, from when on, in ms. */
type States = readonly (readonly [atMs: number, isThere: boolean])[];

const exponential = (chance: Chance, mean: number): number => -Math.log(1 - chance.next()) * mean;

function statesOf(chance: Chance, spanS: number, [there, away]: readonly [number, number]): States {
  const states: [number, boolean][] = [];
  let isThere = chance.bool(there / (there + away));
  for (let t = 0; t < spanS; t += exponential(chance, isThere ? there : away), isThere = !isThere)
    states.push([t * 1_000, isThere]);
  return [...states, [(spanS + 1 + chance.next()) * 1_000, true]];
}

function editsOf(chance: Chance, { bursts, burst, devices, spanS }: Plan): Planned[] {
  const edits: Planned[] = [];
  for (let b = 0; b < bursts; b++) {
    const device = chance.int(0, devices - 1);
    let t = chance.next() * spanS;
    const slider = chance.bool(0.4) ? chance.pick(FIELDS) : undefined;
    const left = 1 + Math.floor(chance.next() * 2 * burst * chance.next());
    for (let i = 0; i < left; i++, t += 0.3 + exponential(chance, 0.5))
      edits.push({
        atMs: t * 1_000,
        device,
        field: slider ?? chance.pick(FIELDS),
        isRemoval: chance.bool(0.1),
      });
  }
  return edits.sort((a, b) => a.atMs - b.atMs);
}

interface Actor {
  edit(planned: Planned): void;
  setOnline(isOnline: boolean): void;
  setLine(relay: number, isThere: boolean): void;
  value(): Promise<{ readonly id: string; readonly doc: Doc } | undefined>;
  close(): Promise<void>;
}

interface World {
  readonly way: Way;
  readonly schedule: Schedule;
  readonly network: Network;
  readonly cipher: Cipher;
  readonly urls: readonly string[];
  readonly edits: FieldEdit[];
  readonly count: (what: 'merges') => void;
}

/** What the app does with a conflict: what both sides had is what a relay had last. */
function mergeByHand(sync: NostrSync): void {
  let synced: unknown;
  const own = new Map<string, unknown>();
  sync.on('updated', ({ payload }) => {
    synced = payload;
  });
  sync.on('delivery', ({ eventId, stage }) => {
    if (stage === 'saved')
      void sync.fetch(CATEGORY).then(
        (now) => now && own.set(now.eventId, now.payload),
        () => undefined,
      );
    else if (own.has(eventId)) synced = own.get(eventId);
  });
  sync.on('conflict', ({ mine, shown }) => {
    if (shown === 'mine') return;
    const base = synced as Doc | undefined;
    void sync
      .update(
        CATEGORY,
        (now) => {
          const theirs = (now ?? {}) as Doc;
          return merge3<Doc>({ base, mine: mine.payload as Doc, theirs, rules: RULES }).value;
        },
        { waitFor: 'saved' },
      )
      .catch(() => undefined);
  });
}

function createActor(number: number, skewMs: number, seed: number, world: World): Actor {
  const { way, schedule, network, cipher, urls, edits } = world;
  const name = `device-${number}`;
  const machine = createMachine(name, skewMs, schedule);
  const process = startProcess(machine, schedule);
  const entropy = createChance(seed, name);
  let isOnline = true;
  let told = (): void => undefined;
  const lines = urls.map(() => true);
  const { user } = cipher;
  const sync = createNostrSync({
    ...{ relays: urls, store: memoryStore(), clock: process.clock, compression: zlibCompression },
    ...{ verifier: cipher.verifier, openSocket: network.openSocket(process) },
    randomBytes: (length) => entropy.bytes(length),
    signer: {
      isLocal: true,
      getPublicKey: async () => user.pubkey,
      signEvent: user.sign,
      nip44: {
        encrypt: async (_, text) => user.encrypt(text),
        decrypt: async (_, text) => user.decrypt(text),
      },
    },
    ...(way === WAYS[0] && { categories: { [CATEGORY]: { merge: mergeBy(RULES) } } }),
    connectivity: {
      isOnline: () => isOnline,
      onChange: (callback) => {
        told = callback;
        return () => undefined;
      },
    },
  });
  sync.subscribe([CATEGORY], () => undefined);
  sync.on('merged', () => world.count('merges'));
  if (way === WAYS[2]) mergeByHand(sync);
  let edited = 0;

  function apply(): void {
    urls.forEach((url, i) => network.setLine(name, url, isOnline && lines[i] ? 'up' : 'cut'));
    told();
  }

  return {
    edit: ({ field, isRemoval }) => {
      const count = ++edited;
      const id = `${name}/${count}`;
      const edit: FieldEdit = {
        series: name,
        number: count,
        asserts: new Map([[field, isRemoval ? undefined : id]]),
        seen: new Map(),
      };
      const change = (now: unknown): Doc => {
        edit.seen = seenIn(now as Doc | undefined);
        const seen = Object.fromEntries(new Map(edit.seen).set(name, count));
        return withFields(
          now as Doc | undefined,
          new Map<string, unknown>([
            [field, isRemoval ? undefined : id],
            ['seen', seen],
          ]),
        );
      };
      const done = (): void => void edits.push(edit);
      sync.update(CATEGORY, change, { waitFor: 'saved' }).then(done, () => undefined);
    },
    setOnline: (how) => {
      isOnline = how;
      apply();
    },
    setLine: (relay, isThere) => {
      lines[relay] = isThere;
      apply();
    },
    value: async () => {
      const result = await sync.fetch(CATEGORY).catch(() => undefined);
      return result ? { id: result.eventId, doc: result.payload as Doc } : undefined;
    },
    close: sync.close,
  };
}

interface Sum {
  edits: number;
  lost: number;
  merges: number;
  /** Histories in which not all devices had the same value at the end. */
  apart: number;
}

async function run(seed: number, plan: Plan, way: Way, sum: Sum): Promise<void> {
  const chance = createChance(seed, 'plan');
  const schedule = createSchedule(START_MS, 2_000_000);
  const cipher = await createCipher(false, createChance(seed, 'cipher'));
  const relayChance = createChance(seed, 'relays');
  const clock = { now: schedule.now, after: schedule.after };
  const sites = Array.from({ length: RELAYS }, (_, i) => ({
    url: `wss://relay-${i}.example`,
    port: createRelay({
      clock,
      frameLogSize: 0,
      verifier: cipher.verifier,
      randomBytes: (n) => relayChance.bytes(n),
    }),
    latencyMs: chance.pick([20, 60, 150, 400]),
  }));
  const ignore = (): void => undefined;
  const network = createNetwork({
    ...{ schedule, sites, chance: createChance(seed, 'network'), hasPing: () => true },
    ...{
      onConnect: ignore,
      onSend: ignore,
      onArrive: ignore,
      onReceive: ignore,
      hand: (_, __, ___, task) => task(),
    },
  });
  const edits: FieldEdit[] = [];
  const count = (what: 'merges'): void => void sum[what]++;
  const world: World = { way, schedule, network, cipher, urls: sites.map(({ url }) => url), edits, count };
  const actors = Array.from({ length: plan.devices }, (_, i) =>
    createActor(i, Math.round((chance.next() - 0.5) * 20_000), seed, world),
  );
  for (const planned of editsOf(chance, plan))
    schedule.after(planned.atMs, () => actors[planned.device]!.edit(planned));
  for (const actor of actors) {
    for (const [at, isThere] of statesOf(chance, plan.spanS, plan.online))
      schedule.after(at, () => actor.setOnline(isThere));
    for (let k = 0; k < RELAYS; k++)
      for (const [at, isThere] of statesOf(chance, plan.spanS, plan.line))
        schedule.after(at, () => actor.setLine(k, isThere));
  }
  await schedule.advance((plan.spanS + QUIET_S) * 1_000);
  const values: Awaited<ReturnType<Actor['value']>>[] = [];
  for (const actor of actors) void actor.value().then((value) => void values.push(value));
  await schedule.advance(30_000);
  if (new Set(values.map((value) => value?.id)).size !== 1) sum.apart++;
  const doc = values[0]?.doc;
  sum.edits += edits.length;
  for (const edit of edits)
    for (const field of edit.asserts.keys())
      if (!mayHold(edit, field, valueIn(doc, field), edits)) sum.lost++;
  const closing = actors.map((actor) => actor.close());
  await schedule.advance(1_000);
  await Promise.all(closing);
}

/** A table in Markdown. */
export async function mergeReport(seeds: number, print: (line: string) => void): Promise<void> {
  print('| | edits | lost of 1,000 | merges a history | not the same at the end |\n|---|---|---|---|---|');
  for (const [name, plan] of Object.entries(PLANS))
    for (const way of WAYS) {
      const sum: Sum = { edits: 0, lost: 0, merges: 0, apart: 0 };
      for (let seed = 1; seed <= seeds; seed++) await run(seed, plan, way, sum);
      const lost = ((1_000 * sum.lost) / sum.edits).toFixed(2);
      print(
        `| ${name}: ${way} | ${sum.edits} | ${lost} | ${(sum.merges / seeds).toFixed(2)} | ${sum.apart} |`,
      );
    }
}
