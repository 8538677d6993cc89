/**
 * Lives of an engine between an honest relay and one that says what SEED draws: junk, valid frames with something changed, and
 * sequences that fit the grammar and nothing else. FRAMES of them (50,000). Whatever it says, nothing throws, no value but
 * a genuine one is shown, and the honest relay serves on.
 */

import { expect, test } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import type { NostrSync } from '../../src/node.ts';
import type { EventTemplate, SignedEvent } from '../../src/protocol/event.ts';
import { createResponder } from '../../src/protocol/negentropy.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import type { Signer } from '../../src/signer/signer.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { createRandom, numberFrom, type Random } from '../support/random.ts';
import { createNostrSync } from '../../src/node.ts';
import { compareEvents } from '../../src/protocol/order.ts';
import { KEY, OTHER_KEY, PUBKEY, stored } from '../sync/devices.ts';
import { createHostileRelay, type HostileRelay } from './hostile-socket.ts';
import { junkText, mutateText, mutateValue, strangeText, strangeValue } from './mutate.ts';

const FRAMES = numberFrom('FRAMES', 50_000);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);
const FRAMES_PER_LIFE = 100;
const STEPS_PER_LIFE = 400;
const HONEST = 'wss://honest.example';
const HOSTILE = 'wss://hostile.example';
const CATEGORIES = ['settings', 'notes', '__proto__', 'never written'] as const;
/** When the world of a life begins, in s. */
const START = Date.UTC(2026, 0, 1) / 1000;

type Kind = 'junk' | 'changed' | 'grammar';
/** What was said, and how much of it met a client that listens. */
const counts: Record<
  Kind | 'lives' | 'shown' | 'published' | 'forgeries' | 'auths' | 'reconnects' | 'reconciliations',
  number
> = {
  junk: 0,
  changed: 0,
  grammar: 0,
  lives: 0,
  shown: 0,
  published: 0,
  forgeries: 0,
  auths: 0,
  reconnects: 0,
  reconciliations: 0,
};

/** The user's other device, and a stranger. */
interface Writers {
  /** Genuine events of the user, by category in the order of their making. */
  readonly genuine: readonly SignedEvent[];
  /** Signed, but not to be taken: another author, another kind, another or a second d-tag, an expiration long past. */
  readonly foreign: readonly SignedEvent[];
  /** Payload by event id. */
  readonly payloads: ReadonlyMap<string, unknown>;
}

async function write(random: Random): Promise<Writers> {
  const signerOf = (key: string): Signer =>
    createSecretKeySigner(nodePrimitives, (length) => random.bytes(length), key);
  const [user, stranger] = [signerOf(KEY), signerOf(OTHER_KEY)];
  const payloads = new Map<string, unknown>();
  const genuine: SignedEvent[] = [];
  const sign = async (
    signer: Signer,
    payload: unknown,
    template: Partial<EventTemplate>,
  ): Promise<SignedEvent> => {
    const content = await signer.nip44.encrypt(await signer.getPublicKey(), JSON.stringify(payload));
    const event = { kind: 30_078, created_at: START, tags: [], content, ...template };
    return signer.signEvent(event);
  };
  for (const category of CATEGORIES.slice(0, 3)) {
    for (let n = 0; n < 6; n++) {
      // Long enough that a reconciliation costs less than to be shown it again.
      const payload = { from: 'the other device', category, n, text: 'x'.repeat(1_000) };
      const tags = [
        ['d', `default/${category}/v1`],
        ['device_id', 'other'],
      ];
      const event = await sign(user, payload, { tags, created_at: START - 1_000 + 100 * n });
      genuine.push(event);
      payloads.set(event.id, payload);
    }
  }
  const settings = ['d', 'default/settings/v1'];
  const late = { created_at: START + 10_000 };
  const foreign = await Promise.all([
    sign(stranger, 'forged', { ...late, tags: [settings] }),
    sign(user, 'forged', { ...late, tags: [settings], kind: 30_079 }),
    sign(user, 'forged', { ...late, tags: [settings, ['d', 'default/notes/v1']] }),
    sign(user, 'forged', { ...late, tags: [['d', 'other-app/settings/v1']] }),
    sign(user, 'forged', { ...late, tags: [] }),
  ]);
  return { genuine, foreign, payloads };
}

interface Life {
  readonly random: Random;
  readonly hostile: HostileRelay;
  readonly writers: Writers;
}

function anEvent({ random, hostile, writers }: Life): unknown {
  const drawn = random.next();
  const known = [...writers.genuine, ...hostile.events];
  if (drawn < 0.3) return random.pick(known);
  if (drawn < 0.4) return random.pick(writers.foreign);
  if (drawn < 0.9) {
    counts.forgeries++;
    const event = random.pick(known);
    const mutated = mutateValue(random, event) as SignedEvent;
    // Half of them with the right id, so that only the signature tells.
    if (random.chance(0.5) || typeof mutated !== 'object' || mutated === null) return mutated;
    try {
      return { ...mutated, id: nodePrimitives.sha256Hex(serialized(mutated)) };
    } catch {
      return mutated;
    }
  }
  return strangeValue(random);
}

function serialized({ pubkey, created_at, kind, tags, content }: SignedEvent): string {
  return JSON.stringify([0, pubkey, created_at, kind, tags, content]);
}

function aSubscription({ random, hostile }: Life): string {
  const open = [...hostile.subscriptions.keys()];
  if (open.length > 0 && random.chance(0.9)) return random.pick(open);
  return random.chance(0.5) ? String(random.below(50)) : strangeText(random);
}

/** What a relay says to a reconciliation: what is true of the events it was given, a lie about them, or nothing of that protocol. */
function aReconciliation({ random, hostile, writers }: Life): unknown[] {
  const open = [...hostile.reconciliations];
  if (open.length === 0) return ['NEG-MSG', `n${random.below(5)}`, '61'];
  const [id, message] = random.pick(open);
  const reason = random.pick([
    'blocked: too many',
    'error: bad message',
    'closed: you took too long',
    'auth-required: who?',
  ]);
  if (random.chance(0.2)) return ['NEG-ERR', id, random.chance(0.8) ? reason : strangeValue(random)];
  const has = writers.genuine.filter(() => random.chance(0.7));
  const said = createResponder(random.chance(0.5) ? has : [...has, ...writers.foreign])(message);
  const answer = said.type === 'answer' ? said.message : '61';
  return ['NEG-MSG', id, random.chance(0.7) ? answer : mutateText(random, answer)];
}

/** A frame that fits the grammar. */
function aFrame(life: Life): unknown[] {
  const { random, hostile } = life;
  if (hostile.reconciliations.size > 0 && random.chance(0.4)) return aReconciliation(life);
  const reason = (): unknown =>
    random.chance(0.8)
      ? `${random.pick(['', 'blocked', 'invalid', 'rate-limited', 'auth-required', 'restricted', 'error', 'duplicate', 'replaced', 'pow', 'odd'])}: ${strangeText(random)}`
      : strangeValue(random);
  const id = (): unknown =>
    hostile.events.length > 0 && random.chance(0.8) ? random.pick(hostile.events).id : strangeText(random);
  return random.pick([
    () => ['EVENT', aSubscription(life), anEvent(life)],
    () => ['EVENT', aSubscription(life), anEvent(life)],
    () => ['EVENT', aSubscription(life), anEvent(life)],
    () => ['EOSE', aSubscription(life)],
    () => ['CLOSED', aSubscription(life), reason()],
    () => ['OK', id(), random.pick([true, false, true, 'true', 1, null]), reason()],
    () => ['AUTH', random.chance(0.7) ? `challenge ${random.below(5)}` : strangeText(random)],
    () => ['NOTICE', reason()],
    () => aReconciliation(life),
    () => ['COUNT', aSubscription(life), { count: 1 }],
  ])();
}

function say(life: Life, kind: Kind): void {
  const { random, hostile } = life;
  counts[kind]++;
  const valid = (): string => JSON.stringify(aFrame(life));
  if (kind === 'junk') hostile.say(junkText(random));
  else if (kind === 'grammar') hostile.say(valid());
  else {
    hostile.say(
      random.chance(0.5) ? mutateText(random, valid()) : JSON.stringify(mutateValue(random, aFrame(life))),
    );
  }
}

function expectReconciling(id: unknown, message: unknown): void {
  expect(id).toMatch(/^n\d+$/);
  expect(message).toMatch(/^61(?:[0-9a-f]{2})*$/);
}

/** What the client says to anybody: our events, questions and reconciliations, and AUTH that names this relay. */
function expectWellFormed(frame: unknown): void {
  const [type, first, ...rest] = frame as [string, any, ...any[]];
  switch (type) {
    case 'REQ':
      expect(first).toMatch(/^\d+$/);
      for (const filter of rest) {
        // An id that no event has is how a silent relay is asked for a sign of life.
        if (filter.ids !== undefined) continue;
        expect(filter.authors).toEqual([PUBKEY]);
        expect(filter.kinds).toEqual([30_078]);
      }
      return;
    case 'CLOSE':
      return expect(first).toMatch(/^\d+$/);
    case 'NEG-OPEN':
      counts.reconciliations++;
      expect(rest[0]).toMatchObject({ authors: [PUBKEY], kinds: [30_078] });
      return expectReconciling(first, rest[1]);
    case 'NEG-MSG':
      return expectReconciling(first, rest[0]);
    case 'NEG-CLOSE':
      return expectReconciling(first, '61');
    case 'AUTH':
      counts.auths++;
      expect(first).toMatchObject({ kind: 22_242, pubkey: PUBKEY, content: '' });
      return expect(first.tags).toContainEqual(['relay', expect.stringContaining('hostile.example')]);
    default:
      expect(type).toBe('EVENT');
      expect([30_078, 5]).toContain(first.kind);
      expect(first.pubkey).toBe(PUBKEY);
  }
}

/** One life; returns how many frames the hostile relay said. */
async function live(seed: number, frames: number): Promise<number> {
  const random = createRandom(seed);
  const writers = await write(random);
  const clock = createTestClock(START * 1000);
  const honest = createRelay({ clock, frameLogSize: 10_000, randomBytes: (length) => random.bytes(length) });
  const hostile = createHostileRelay();
  const life: Life = { random, hostile, writers };
  const store = memoryStore();
  const sync: NostrSync = createNostrSync({
    clock,
    store,
    relays: [HONEST, HOSTILE],
    randomBytes: (length) => random.bytes(length),
    signer: createSecretKeySigner(nodePrimitives, (length) => random.bytes(length), KEY),
    openSocket: (url, handlers) =>
      (url.startsWith(HONEST) ? honest.openSocket : hostile.openSocket)(url, handlers),
  });
  /** By category: every payload that anybody genuine has written. */
  const written = new Map<string, Set<string>>();
  const add = (category: string, payload: unknown): void => {
    const known = written.get(category) ?? new Set();
    written.set(category, known.add(JSON.stringify(payload)));
  };
  for (const { id, tags } of writers.genuine) add(tags[0]![1]!.split('/')[1]!, writers.payloads.get(id));
  const shown = new Map<string, SignedEvent>();
  const wrong: unknown[] = [];
  const check = (
    result: { category: string; payload: unknown; eventId: string; updatedAt: string } | null,
  ): void => {
    if (result === null) return;
    counts.shown++;
    if (written.get(result.category)?.has(JSON.stringify(result.payload)) !== true) wrong.push(result);
  };
  sync.on('updated', (result) => {
    check(result);
    const created_at = Date.parse(result.updatedAt) / 1000;
    const event = { id: result.eventId, created_at } as SignedEvent;
    const before = shown.get(result.category);
    // The winners that a device sees only ever grow.
    if (before !== undefined && compareEvents(event, before) <= 0) wrong.push([before, result]);
    shown.set(result.category, event);
  });
  const errors: string[] = [];
  sync.on('error', ({ code }) => errors.push(code));
  sync.subscribe(['settings', '__proto__'], check);
  const underway: Promise<unknown>[] = [];
  const ask = (call: Promise<unknown>): void => {
    const allowed = ['NO_RELAYS_REACHABLE', 'CLOCK_SKEW'];
    underway.push(
      call.catch(
        (error: unknown) => allowed.includes((error as { code?: string }).code ?? '') || wrong.push(error),
      ),
    );
  };
  let value = 0;
  const acts: (() => unknown)[] = [
    () => {
      const category = random.pick(CATEGORIES);
      const payload = { n: value++, text: 'x'.repeat(random.pick([0, 1_000])) };
      add(category, payload);
      counts.published++;
      ask(sync.publish(category, payload, { waitFor: random.pick(['saved', 'delivered', 'replicated']) }));
    },
    () => ask(sync.fetch(random.pick(CATEGORIES)).then(check)),
    () => ask(sync.syncAll(CATEGORIES).then((all) => all.forEach(check))),
    () => ask(sync.poll(CATEGORIES).then((all) => all.forEach(check))),
    () => ask(sync.getRelays()),
    () => honest.inject(random.pick(writers.genuine)),
  ];
  await clock.advance(1_000);

  let said = 0;
  for (let step = 0; step < STEPS_PER_LIFE && said < frames; step++) {
    if (!hostile.isOpen || random.chance(0.1))
      await clock.advance(random.pick([0, 10, 1_000, 20_000, 100_000]));
    if (random.chance(0.2)) random.pick(acts)();
    if (random.chance(0.02)) {
      counts.reconnects++;
      hostile.hangUp();
    }
    if (random.chance(0.02)) hostile.pong();
    if (!hostile.isOpen) continue;
    const kind = random.pick<Kind>(['junk', 'changed', 'changed', 'grammar', 'grammar', 'grammar']);
    for (let burst = random.chance(0.1) ? 10 : 1; burst > 0 && said < frames; burst--, said++)
      say(life, kind);
    // A client asks a relay no more than it needs.
    expect(hostile.subscriptions.size).toBeLessThan(20);
  }
  await clock.advance(120_000);
  await Promise.all(underway);
  hostile.heard.forEach(expectWellFormed);
  expect(errors.filter((code) => code !== 'CLOCK_SKEW')).toEqual([]);

  // Without it the engine and the honest relay agree on every category, and the next write goes through.
  await sync.removeRelay(HOSTILE);
  add('settings', 'last');
  const last = sync.publish('settings', 'last', { waitFor: 'replicated' });
  for (let waits = 0; waits < 100; waits++) await clock.advance(100);
  expect(await last).toMatchObject({ stage: 'replicated' });
  for (let waits = 0; waits < 100 && (await sync.getStatus()).outboxDepth > 0; waits++)
    await clock.advance(10_000);
  for (const category of CATEGORIES) {
    const found = sync.fetch(category);
    await clock.advance(2_000);
    const local = await found;
    check(local);
    expect(local?.eventId).toBe(stored(honest, category)[0]?.id);
  }
  await sync.close();
  await clock.advance(0);
  honest.disconnectAll();
  await clock.advance(0);
  expect(clock.pending).toBe(0);
  expect(wrong).toEqual([]);
  expect(Object.keys(Object.prototype)).toEqual([]);
  counts.lives++;
  return said;
}

test(
  `${FRAMES} frames, SEED=${SEED}: none throws, shows what nobody wrote, or keeps the honest relay from serving`,
  { timeout: 60_000 + FRAMES * 60 },
  async () => {
    let said = 0;
    for (let n = 0; said < FRAMES; n++) {
      const seed = SEED + n;
      try {
        said += await live(seed, Math.min(FRAMES_PER_LIFE, FRAMES - said));
      } catch (error) {
        throw new Error(`Failed: npm run fuzz -- frames --seed ${seed} --frames ${FRAMES_PER_LIFE}`, {
          cause: error,
        });
      }
    }
    console.info(`frames: SEED=${SEED} ${JSON.stringify(counts)}`);
    // Or the run was blind.
    if (FRAMES >= 5_000)
      for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
  },
);
