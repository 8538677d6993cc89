/** Reconciliation of two sets (NIP-77), against nostr-tools' implementation and on hostile messages. */

import { nip77 } from 'nostr-tools';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createReconciliation, createResponder } from '../../src/protocol/negentropy.ts';
import type { Place } from '../../src/protocol/order.ts';
import { createRandom, type Random } from '../support/random.ts';
import { anId } from '../names.ts';

/** Fewer where each of many mutations is to be noticed. */
const PAIRS = Number(process.env['NEGENTROPY_PAIRS'] ?? 10_000);
/** So that no message is cut: where that is done, each implementation has its own way. */
const ROOM = 10_000_000;

/** See test/vectors/README.md. */
const VECTORS = JSON.parse(readFileSync(new URL('../vectors/negentropy.json', import.meta.url), 'utf8')) as {
  readonly start: number;
  readonly cases: readonly {
    readonly name: string;
    readonly count: number;
    readonly step: number;
    readonly onlyOurs: readonly number[];
    readonly onlyTheirs: readonly number[];
    readonly messages: readonly string[];
    readonly have: readonly string[];
    readonly need: readonly string[];
  }[];
};

interface Pair {
  readonly ours: readonly Place[];
  readonly theirs: readonly Place[];
}

function anEvent(random: Random): Place {
  // Many of one second, and ids that begin alike: bounds must tell them apart.
  const start = random.pick(['', '', '00', 'aabbcc', '0123456789abcdef'.repeat(3)]);
  const rest = Array.from(random.bytes(32), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const stamp = 1_800_000_000 + random.below(random.pick([1, 5, 1_000_000]));
  return { id: anId((start + rest).slice(0, 64)), created_at: random.chance(0.02) ? 0 : stamp };
}

/** Sets that share some, little or all. */
function aPair(random: Random): Pair {
  const size = random.pick([0, 1, 3, 20, 31, 32, 33, 80, 80, random.chance(0.05) ? 3_000 : 10]);
  const all = Array.from({ length: size }, () => anEvent(random));
  const [lost, missing] = [random.pick([0, 0, 0.01, 0.2, 1]), random.pick([0, 0, 0.01, 0.2, 1])];
  return {
    ours: all.filter(() => !random.chance(lost)),
    theirs: all.filter(() => !random.chance(missing)),
  };
}

function storageOf(events: readonly Place[]): nip77.NegentropyStorageVector {
  const storage = new nip77.NegentropyStorageVector();
  for (const { created_at, id } of events) storage.insert(created_at, id);
  storage.seal();
  return storage;
}

const idsOf = (events: readonly Place[]): Set<string> => new Set(events.map(({ id }) => id));
const without = (some: Set<string>, others: Set<string>): Set<string> =>
  new Set([...some].filter((id) => !others.has(id)));

/** The messages of both sides, and what the side that asked has learned. */
function reconcile(
  { ours, theirs }: Pair,
  maxBytes?: number,
): { messages: string[]; have: ReadonlySet<string>; need: ReadonlySet<string> } {
  const client = createReconciliation(ours, maxBytes);
  const respond = createResponder(theirs, maxBytes);
  const messages = [client.open()];
  for (;;) {
    const answer = respond(messages.at(-1)!);
    if (answer.type === 'malformed') throw new Error(`refused: ${answer.expected}`);
    messages.push(answer.message);
    const step = client.take(answer.message);
    if (step.type === 'malformed') throw new Error(`refused: ${step.expected}`);
    if (step.type === 'done') return { messages, have: client.have, need: client.need };
    messages.push(step.message);
  }
}

describe('against nostr-tools', () => {
  test(`${PAIRS} pairs of sets: both clients learn the same of our server, and go on by the same messages`, () => {
    const random = createRandom(77);
    for (let n = 0; n < PAIRS; n++) {
      const pair = aPair(random);
      const [mine, other] = [idsOf(pair.ours), idsOf(pair.theirs)];
      const { have, need } = reconcile(pair, ROOM);
      expect(have, `pair ${n}`).toEqual(without(mine, other));
      expect(need, `pair ${n}`).toEqual(without(other, mine));

      const client = new nip77.Negentropy(storageOf(pair.ours), ROOM);
      const respond = createResponder(pair.theirs, ROOM);
      // Ours says another first message, and goes on by the same ones after theirs.
      const same = createReconciliation(pair.ours, ROOM);
      const [found, lacking]: [Set<string>, Set<string>] = [new Set(), new Set()];
      for (let message: string | null = client.initiate(); message !== null;) {
        const answer = respond(message);
        if (answer.type === 'malformed') throw new Error(`refused: ${answer.expected}`);
        message = client.reconcile(
          answer.message,
          (id) => found.add(id),
          (id) => lacking.add(id),
        );
        const step = same.take(answer.message);
        if (step.type !== 'next') expect([step.type, message], `pair ${n}`).toEqual(['done', null]);
        else expect(step.message === message, `pair ${n}`).toBe(true);
      }
      expect(found, `pair ${n}`).toEqual(have);
      expect(lacking, `pair ${n}`).toEqual(need);
    }
  }, 120_000);
});

describe("the vectors, of the protocol's own implementation", () => {
  test.each(VECTORS.cases)('$name', ({ name, count, step, onlyOurs, onlyTheirs, messages, have, need }) => {
    const all = Array.from({ length: count }, (_, i) => ({
      id: anId(createHash('sha256').update(`${name} ${i}`).digest('hex')),
      created_at: VECTORS.start + i * step,
    }));
    const except = (absent: readonly number[]): Place[] => all.filter((_, i) => !absent.includes(i));
    const respond = createResponder(except(onlyOurs));
    const client = createReconciliation(except(onlyTheirs));
    // Ours says one fingerprint of a small set, and of a large one what is above its newest by itself: all but the last range are the same.
    const isSmall = count - onlyTheirs.length < 32;
    // A bound of no stamp and no id, the kind of range, and 16 bytes.
    const same = messages[0]!.slice(0, -('000001'.length + 32));
    const newest = messages[0]!.slice(-32);
    if (!isSmall) expect(client.open()).toMatch(new RegExp(`^${same}[0-9a-f]{2,6}0001${newest}00000200$`));
    for (let at = 0; at < messages.length; at += 2) {
      expect(respond(messages[at]!)).toEqual({ type: 'answer', message: messages[at + 1] });
      const step = client.take(messages[at + 1]!);
      expect(step).toEqual(
        at + 2 < messages.length ? { type: 'next', message: messages[at + 2] } : { type: 'done' },
      );
    }
    expect([...client.have].sort()).toEqual(have);
    expect([...client.need].sort()).toEqual(need);
  });
});

describe('messages', () => {
  test('are bounded, whatever the sets', () => {
    const random = createRandom(78);
    for (let n = 0; n < 40; n++) {
      const theirs = Array.from({ length: 400 }, () => anEvent(random));
      const pair = { theirs, ours: theirs.filter(() => random.chance(0.5)) };
      const { messages, have, need } = reconcile(pair, 4_096);
      expect(have).toEqual(new Set());
      expect(need).toEqual(without(idsOf(theirs), idsOf(pair.ours)));
      for (const message of messages) expect(message.length).toBeLessThanOrEqual(8_192);
    }
  });

  test('that have no room for a list go on with it in the next', () => {
    const random = createRandom(82);
    const ours = Array.from({ length: 100 }, () => anEvent(random));
    const newer = Array.from({ length: 300 }, () => ({ ...anEvent(random), created_at: 1_900_000_000 }));
    const { messages, have, need } = reconcile({ ours, theirs: [...ours, ...newer] }, 4_096);
    expect(messages.length).toBeGreaterThan(2);
    for (const message of messages) expect(message.length).toBeLessThanOrEqual(8_192);
    // As much as there is room for is said.
    expect(messages[1]!.length).toBeGreaterThan(7_000);
    expect([have, need]).toEqual([new Set(), idsOf(newer)]);
  });

  test('are bounded if the other side asks for the ids of many ranges', () => {
    const answer = createResponder([], 4_096)(`61${'02000200'.repeat(4_000)}`);
    expect(answer).toMatchObject({ type: 'answer', message: expect.stringMatching(/^.{7000,8192}$/) });
  });

  test('say fewer than 32 ids by themselves, and more by parts', () => {
    const random = createRandom(83);
    const [few, many] = [31, 32].map((count) => Array.from({ length: count }, () => anEvent(random)));
    const question = `61000001${'00'.repeat(16)}`;
    const lengths = [few!, many!].map((events) => {
      const answer = createResponder(events)(question) as { readonly message: string };
      return [createReconciliation(events).open().length, answer.message.length];
    });
    // One fingerprint, or 16; all ids, or 16 fingerprints.
    expect(lengths[0]![0]).toBe(40);
    expect(lengths[0]![1]).toBe(10 + 31 * 64);
    expect(lengths[1]![0]).toBeGreaterThan(16 * 32);
    expect(lengths[1]![1]).toBeLessThan(32 * 64);
  });

  test('may say nothing of a range between two equal bounds', () => {
    expect(createReconciliation([]).take('6183750000010000')).toEqual({ type: 'done' });
  });

  test('of equal sets are one question and an empty answer, of a size that hardly grows', () => {
    const random = createRandom(79);
    const events = Array.from({ length: 10_000 }, () => anEvent(random));
    const sizes = [1, 31, 100, 10_000].map((count) => {
      const some = events.slice(0, count);
      const { messages } = reconcile({ ours: some, theirs: some.toReversed() });
      expect(messages).toHaveLength(2);
      // Nothing is above the newest of a large set.
      expect(messages[1]).toMatch(/^61([0-9a-f]{10,16}00000200)?$/);
      return messages[0]!.length;
    });
    expect(sizes[0]).toBe(sizes[1]);
    expect(sizes[3]! - sizes[2]!).toBeLessThan(600);
  });

  test('of a set in which the newest half is new are one question: the answer lists what is above all that is here', () => {
    const random = createRandom(81);
    const ours = Array.from({ length: 100 }, () => anEvent(random));
    const newer = Array.from({ length: 100 }, () => ({ ...anEvent(random), created_at: 1_900_000_000 }));
    const { messages, need } = reconcile({ ours, theirs: [...ours, ...newer] });
    expect(messages).toHaveLength(2);
    expect(need).toEqual(idsOf(newer));
  });

  test('of a set in which one of 10,000 was replaced are three questions at most', () => {
    const random = createRandom(80);
    const theirs = Array.from({ length: 10_000 }, () => anEvent(random));
    const ours = [...theirs.slice(1), anEvent(random)];
    expect(reconcile({ ours, theirs }).messages.length).toBeLessThanOrEqual(6);
  });
});

describe('what is no message', () => {
  const id = 'ab'.repeat(32);
  const cases: readonly (readonly [string, string, string])[] = [
    ['nothing', '', 'hex'],
    ['half a byte', '6', 'hex'],
    ['upper case', '61AA', 'hex'],
    ['other text', '61zz', 'hex'],
    ['half a byte at the end', '610', 'hex'],
    ['something before the version', 'zz61', 'hex'],
    ['another version', '62', 'version'],
    ['another version further on', '0062', 'version'],
    ['no version', '00', 'version'],
    ['a bound that is cut off', '6105', 'bound'],
    ['a stamp without an end', '61ffffffffffffffff', 'bound'],
    ['a stamp of eight digits', '61ffffffffffffff010000', 'bound'],
    ['a prefix of 33 bytes', `610021${id}ab`, 'bound'],
    ['a prefix that is cut off', `610020${id.slice(2)}`, 'bound'],
    ['an unknown mode', '61000003', 'range'],
    ['an unknown mode with a list', '6100000300', 'range'],
    ['no mode', '610000', 'range'],
    ['half a fingerprint', '61000001abcd', 'range'],
    ['fewer ids than were said', `6100000202${id}`, 'range'],
    ['a number of ids beyond all memory', '61000002ffffffffffff7f', 'range'],
    ['something after the end', '610000000000', 'rise'],
    ['bounds that fall', '610301aa000101ab000101aa00', 'rise'],
    ['as much as a frame may have', `61${'00'.repeat(131_071)}`, 'rise'],
    ['more than a frame has', `61${'00'.repeat(200_000)}`, 'characters'],
  ];

  test.each(cases)('%s is refused on both sides, by what was expected', (_, message, word) => {
    const answers = [createReconciliation([]).take(message), createResponder([])(message)];
    // The side that is asked says its own version to another.
    if (message === '62') expect(answers.pop()).toEqual({ type: 'answer', message: '61' });
    for (const answer of answers)
      expect(answer).toMatchObject({ type: 'malformed', expected: expect.stringContaining(word) });
  });

  test('a side that never agrees is asked a bounded number of times', () => {
    const random = createRandom(81);
    const client = createReconciliation(Array.from({ length: 100 }, () => anEvent(random)));
    client.open();
    let asked = 0;
    for (; asked < 1_000; asked++) {
      const step = client.take(`610000 01${'00'.repeat(16)}`.replace(' ', ''));
      if (step.type !== 'malformed') continue;
      expect(step.expected).toBe('an end');
      break;
    }
    expect(asked).toBe(16);
  });

  test('ids that are said in a range where this side has them elsewhere are not needed', () => {
    const event = { id: anId(id), created_at: 1_000 };
    const client = createReconciliation([event]);
    // Up to stamp 500 the id; from there to the end nothing.
    client.open();
    expect(client.take(`6183750002 01${id}00000200`.replace(' ', ''))).toEqual({ type: 'done' });
    expect(client.need).toEqual(new Set());
    expect(client.have).toEqual(new Set([id]));
  });
});
