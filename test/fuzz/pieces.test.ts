/**
 * Lives of a device that reads values in pieces from an honest relay and from a hostile one, as SEED draws. The hostile one has
 * genuine manifests and pieces that are old, missing, late, swapped or damaged, and `lies.ts`. LIVES of them (50). Nothing
 * but a published version is shown, what is shown only rises, and the newest is shown once the hostile relay is silent.
 */

import { expect, test } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { createNostrSync, memoryStore, type FetchResult, type NostrSync } from '../../src/node.ts';
import type { SignedEvent } from '../../src/protocol/event.ts';
import { MAX_PAYLOAD_BYTES } from '../../src/protocol/limits.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import type { OutgoingFrame } from '../../src/testing/relay-options.ts';
import { createRelay, type Relay } from '../../src/testing/relay.ts';
import { createRandom, numberFrom } from '../support/random.ts';
import { zlibCompression } from '../support/zlib-compression.ts';
import { KEY, received } from '../sync/devices.ts';
import { edited, valueOf } from '../sync/values.ts';
import { createLiar } from './lies.ts';
import { mutateValue } from './mutate.ts';

const LIVES = numberFrom('LIVES', 50);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);
const STEPS_PER_LIFE = 30;
const HONEST = 'wss://honest.example';
const HOSTILE = 'wss://hostile.example';
const CATEGORIES = ['settings', 'notes'] as const;
/** Longer than a device waits between two attempts of anything. */
const TEN_MINUTES = 600_000;
const REFUSALS = ['UNDECODABLE', 'INCOMPLETE', 'NO_RELAYS_REACHABLE', 'CLOSED'];

const counts = { lives: 0, lies: 0, shown: 0, rewritten: 0, UNDECODABLE: 0, INCOMPLETE: 0 };

interface Version {
  readonly category: string;
  readonly json: string;
  /** 0 for the first of its category. */
  readonly n: number;
}

async function live(seed: number): Promise<void> {
  const random = createRandom(seed);
  const randomBytes = (length: number): Uint8Array => random.bytes(length);
  const clock = createTestClock();
  const embed = (): Relay => createRelay({ clock, frameLogSize: 10_000, randomBytes });
  const [honest, hostile] = [embed(), embed()];

  // What is published, and what is shown of it

  const versions: Version[] = [];
  /** By what it says: a device may have had to renew it, under another id. */
  const versionOf = (found: FetchResult | null): Version | undefined => {
    const json = JSON.stringify(found?.payload);
    return versions.find((one) => one.category === found?.category && one.json === json);
  };
  /** By category, the newest version; and the newest that the reading device has shown. */
  const newest = new Map<string, number>();
  const shown = new Map<string, number>();
  const wrong: unknown[] = [];
  const show = (result: FetchResult | null, least: ReadonlyMap<string, number> = shown): void => {
    if (result === null) return;
    counts.shown++;
    const { category, eventId } = result;
    const version = versionOf(result);
    if (version === undefined || version.n < (least.get(category) ?? 0))
      wrong.push([category, eventId, version?.n]);
    else shown.set(category, Math.max(version.n, shown.get(category) ?? 0));
  };

  // Devices

  const open = (relays: readonly string[], store = memoryStore()): NostrSync => {
    const sync = createNostrSync({
      ...{ clock, relays, randomBytes, store, maxPayloadSize: MAX_PAYLOAD_BYTES },
      signer: createSecretKeySigner(nodePrimitives, randomBytes, KEY),
      openSocket: connectTo({ [HONEST]: honest, [HOSTILE]: hostile }),
      compression: {
        ...zlibCompression,
        inflate: (bytes, maxBytes) => {
          if (maxBytes > MAX_PAYLOAD_BYTES) wrong.push('inflates without a bound');
          return zlibCompression.inflate(bytes, maxBytes);
        },
      },
    });
    sync.on('error', (error) => {
      const { category } = (error.details ?? {}) as { readonly category?: string };
      const isOurs = CATEGORIES.some((one) => one === category);
      if (isOurs && (error.code === 'UNDECODABLE' || error.code === 'INCOMPLETE')) counts[error.code]++;
      else wrong.push(error);
    });
    return sync;
  };
  const kept = { ...memoryStore(), close: async () => undefined };
  const read = (...relays: readonly string[]): NostrSync => {
    const sync = open(relays, kept);
    sync.on('updated', (result) => show(result));
    sync.subscribe(CATEGORIES, (result) => show(result));
    return sync;
  };
  const ask = (call: Promise<FetchResult | null | FetchResult[]>): Promise<void> => {
    // Of two answers the one that was asked for later may come first.
    const least = new Map(shown);
    return call.then(
      (found) => [found].flat().forEach((result) => show(result, least)),
      (error: unknown) =>
        void (REFUSALS.includes((error as { code?: string }).code ?? '') || wrong.push(error)),
    );
  };
  const settle = async (promise: Promise<unknown>): Promise<void> => {
    let isSettled = false;
    const done = (): boolean => (isSettled = true);
    promise.then(done, done);
    for (let waits = 0; waits < 600 && !isSettled; waits++) await clock.advance(waits === 0 ? 0 : 100);
    expect(isSettled).toBe(true);
    await promise;
  };

  // What is published

  const writer = open([HONEST]);
  const values = CATEGORIES.map(() => valueOf(70_000 + random.below(50_000), random.below(1e6), true));
  const publish = async (at: number): Promise<void> => {
    const category = CATEGORIES[at]!;
    const n = (newest.get(category) ?? -1) + 1;
    values[at] = edited(values[at]!, 1_000 + random.below(2_000), random.below(1e6));
    const payload = n > 0 && random.chance(0.2) ? { n, category } : values[at];
    versions.push({ category, n, json: JSON.stringify(payload) });
    await settle(writer.publish(category, payload, { waitFor: 'replicated' }));
    newest.set(category, n);
    await clock.advance(random.below(100_000));
  };
  for (const at of values.keys()) await publish(at);
  if (random.chance(0.5)) {
    const early = read(HONEST);
    await settle(ask(early.syncAll(CATEGORIES)));
    await settle(early.close());
  }
  for (let left = 1 + random.below(3); left > 0; left--)
    for (const at of values.keys()) if (random.chance(0.8)) await publish(at);

  // What the hostile relay has, and does

  const genuine = received(honest, 'EVENT')
    .map(([, event]) => event as SignedEvent)
    .filter(({ kind }) => kind === 30_078);
  const isLate = random.chance(0.5);
  const lie = await createLiar(random, genuine, isLate);
  const lies: SignedEvent[] = [];
  for (let left = 12; left > 0; left--) lies.push(...(await lie()));
  counts.lies += lies.length;
  const some = (events: readonly SignedEvent[]): SignedEvent[] => events.filter(() => random.chance(0.7));
  const rewrite = ([type, id, event]: readonly unknown[]): OutgoingFrame[] => {
    if (type !== 'EVENT' || random.chance(0.7)) return [[type, id, event]];
    counts.rewritten++;
    const stray = random.pick([...genuine, ...lies]);
    return random.pick<OutgoingFrame[]>([
      [],
      [[type, id, mutateValue(random, event)]],
      [[type, id, stray]],
      [
        [type, id, event],
        [type, id, stray],
      ],
    ]);
  };
  hostile.misbehave({ rewrite });
  // No lie is newer than the clock.
  await clock.advance(TEN_MINUTES);
  let reader = read(HONEST, HOSTILE);
  const asked: Promise<void>[] = [];
  const acts: (() => unknown)[] = [
    () => hostile.restore([...some(genuine), ...some(lies)]),
    // As it was earlier.
    () => hostile.restore([...genuine.slice(0, random.below(genuine.length)), ...some(lies)]),
    () => hostile.inject(random.pick(genuine)),
    () => hostile.inject(random.pick(lies)),
    () => lies.toReversed().forEach(hostile.inject),
    () => hostile.disconnectAll(),
    () => honest.behave(),
    () => (honest.misbehave({ refuseConnections: true }), honest.disconnectAll()),
    () => asked.push(ask(reader.fetch(random.pick(CATEGORIES)))),
    () => asked.push(ask(reader.syncAll(CATEGORIES))),
    () => asked.push(ask(reader.poll(CATEGORIES))),
    async () => {
      await settle(reader.close());
      reader = read(HONEST, HOSTILE);
    },
  ];
  for (let step = 0; step < STEPS_PER_LIFE; step++) {
    await random.pick(acts)();
    await clock.advance(random.pick([0, 0, 100, 1_000, 20_000, 100_000]));
  }

  // What is shown once it is silent

  const expectAtEnd = async (isHeadGenuine: boolean): Promise<void> => {
    await clock.advance(TEN_MINUTES);
    for (const category of CATEGORIES) {
      const before = shown.get(category) ?? -1;
      let at = -1;
      const fetched = reader.fetch(category).then((found) => {
        at = versionOf(found)?.n ?? -1;
        return found;
      });
      await settle(ask(fetched));
      if (isHeadGenuine) expect([before, at]).toEqual([newest.get(category), newest.get(category)]);
      // The last good value stays.
      else expect(at).toBeGreaterThanOrEqual(before);
    }
  };
  honest.behave();
  if (random.chance(0.5)) hostile.misbehave({ silent: true });
  else {
    hostile.misbehave({ refuseConnections: true });
    hostile.disconnectAll();
  }
  await expectAtEnd(!isLate);
  for (const at of values.keys()) await publish(at);
  await expectAtEnd(true);
  await settle(Promise.all([...asked, reader.close(), writer.close()]));
  for (const relay of [honest, hostile]) relay.disconnectAll();
  await clock.advance(0);
  expect(clock.pending).toBe(0);
  expect(wrong).toEqual([]);
  expect(Object.keys(Object.prototype)).toEqual([]);
  counts.lives++;
}

test(
  `${LIVES} lives, SEED=${SEED}: nothing throws or shows what nobody published, and the newest is shown in the end`,
  { timeout: 60_000 + LIVES * 10_000 },
  async () => {
    for (let seed = SEED; seed < SEED + LIVES; seed++) {
      try {
        await live(seed);
      } catch (cause) {
        throw new Error(`Failed: npm run fuzz -- pieces --seed ${seed} --lives 1`, { cause });
      }
    }
    console.info(`pieces: SEED=${SEED} ${JSON.stringify(counts)}`);
    // Or the run was blind.
    if (LIVES >= 20)
      for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
  },
);
