/** What one REQ for heads tells of one relay, and which event is the newest: without relay or store. */

import { describe, expect, test } from 'vitest';
import { toDTag } from '../../src/protocol/address.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { canonicalRelayUrl } from '../../src/relay/url.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import { EMPTY_RECORD, type Delivery, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { createNewest } from '../../src/sync/relays/newest.ts';
import { createTally, type Tally } from '../../src/sync/relays/tally.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { OUR_HASH, told, voiding } from './records.ts';

const D_TAG = toDTag('default', 'settings');
const OTHER = toDTag('default', 'other');
const RELAY = canonicalRelayUrl('wss://a.example');
const STAMP = 1_767_225_600;
const OLDER = told({ stamp: STAMP - 1 });
const HEAD = told({ stamp: STAMP });
const NEWER = told({ stamp: STAMP + 1 });

describe('what a relay has shown', () => {
  interface Bench {
    readonly tally: Tally;
    readonly inputs: Input[];
    /** What the relay has, by its own word: category and id. */
    readonly shown: [string, string | undefined][];
    readonly losses: string[];
    /** The head, and what the relay is known to have of it. */
    show(head: VerifiedEvent, delivery: Delivery, dTag?: typeof D_TAG): void;
  }

  function setUp(...asked: (typeof D_TAG)[]): Bench {
    const records = new Map<string, HeadRecord>();
    const inputs: Input[] = [];
    const shown: Bench['shown'] = [];
    const losses: string[] = [];
    const tally = createTally(RELAY, new Set(asked), {
      replica: {
        get: (dTag) => records.get(dTag),
        peek: (dTag) => records.get(dTag),
        apply: async (_, input) => {
          inputs.push(input);
          return Promise.resolve([]);
        },
      },
      onShown: (_, dTag, id) => shown.push([dTag, id]),
      onLoss: (relay) => losses.push(relay),
    });
    return {
      ...{ tally, inputs, shown, losses },
      show: (head, delivery, dTag = D_TAG) =>
        void records.set(dTag, {
          ...EMPTY_RECORD,
          head: versionOf(head),
          deliveries: new Map([[RELAY, delivery]]),
        }),
    };
  }

  const lacking = (instead: number | undefined): Input => ({
    ...{ type: 'lacking', relay: RELAY, id: HEAD.id, instead },
  });

  test('is nothing for each category of which nothing came, once it has answered completely', async () => {
    const { tally, shown } = setUp(D_TAG, OTHER);
    tally.begin();
    tally.came(D_TAG, HEAD.id);
    expect(shown).toEqual([[D_TAG, HEAD.id]]);
    await tally.complete();
    expect(shown).toEqual([
      [D_TAG, HEAD.id],
      [OTHER, undefined],
    ]);
    await tally.complete();
    expect(shown).toHaveLength(2);
  });

  test.each<[Delivery, readonly Input[], readonly string[]]>([
    ['pending', [], []],
    ['unseen', [lacking(undefined)], []],
    ['acknowledged', [lacking(undefined)], []],
    ['confirmed', [lacking(undefined)], [RELAY]],
  ])('without a head that is %s, it lacks what it should have', async (delivery, inputs, losses) => {
    const bench = setUp(D_TAG);
    bench.show(HEAD, delivery);
    bench.tally.begin();
    await bench.tally.complete();
    expect([bench.inputs, bench.losses]).toEqual([inputs, losses]);
  });

  test('lacks nothing if the head came', async () => {
    const { tally, inputs, show } = setUp(D_TAG);
    show(HEAD, 'confirmed');
    tally.begin();
    expect(tally.isNewest(D_TAG, HEAD.id)).toBe(false);
    tally.cameNewest(D_TAG, HEAD.id, Promise.resolve());
    expect(tally.isNewest(D_TAG, HEAD.id)).toBe(true);
    await tally.complete();
    expect(inputs).toEqual([]);
  });

  test('lacks the head if something older came in its place, with the stamp of that', async () => {
    const { tally, inputs, show } = setUp(D_TAG);
    show(HEAD, 'acknowledged');
    tally.begin();
    tally.cameBelow(D_TAG, OLDER.created_at);
    await tally.complete();
    expect(inputs).toEqual([lacking(OLDER.created_at)]);
  });

  test('lacks nothing that became the head after it was asked', async () => {
    const { tally, inputs, show } = setUp(D_TAG);
    show(OLDER, 'confirmed');
    tally.begin();
    show(HEAD, 'acknowledged');
    await tally.complete();
    expect(inputs).toEqual([]);
  });

  test('is counted once all that came is saved, by what the replica then holds', async () => {
    const { tally, inputs, show } = setUp(D_TAG);
    show(HEAD, 'confirmed');
    tally.begin();
    let save = (): void => undefined;
    tally.cameNewest(D_TAG, NEWER.id, new Promise<void>((resolve) => (save = resolve)));
    expect(tally.isLive()).toBe(false);
    const completed = tally.complete();
    expect(tally.isLive()).toBe(true);
    await createTestClock().advance(0);
    show(NEWER, 'confirmed');
    save();
    await completed;
    expect(inputs).toEqual([]);
  });

  test('counts from the start if the REQ goes out again', async () => {
    const { tally, inputs, shown, show } = setUp(D_TAG);
    show(HEAD, 'acknowledged');
    tally.begin();
    tally.came(D_TAG, HEAD.id);
    tally.cameBelow(D_TAG, OLDER.created_at);
    tally.cameNewest(D_TAG, HEAD.id, Promise.resolve());
    await tally.complete();
    tally.begin();
    expect([tally.isLive(), tally.isNewest(D_TAG, HEAD.id)]).toEqual([false, false]);
    await tally.complete();
    expect(inputs).toEqual([lacking(undefined)]);
    expect(shown.at(-1)).toEqual([D_TAG, undefined]);
  });

  test('is confirmed of the head alone', () => {
    const { tally, show } = setUp(D_TAG);
    show(HEAD, 'confirmed');
    expect([tally.isConfirmed(D_TAG, HEAD.id), tally.isConfirmed(D_TAG, OLDER.id)]).toEqual([true, false]);
    show(HEAD, 'acknowledged');
    expect(tally.isConfirmed(D_TAG, HEAD.id)).toBe(false);
  });
});

describe('the newest event', () => {
  function setUp(record: Partial<HeadRecord> = {}) {
    const known: { record: HeadRecord | undefined } = { record: { ...EMPTY_RECORD, ...record } };
    const newest = createNewest({ get: (dTag) => (dTag === D_TAG ? known.record : undefined) });
    return { known, newest };
  }

  test('is the head, or what is above it and being saved', () => {
    const { newest } = setUp({ head: versionOf(HEAD) });
    expect([newest.of(D_TAG), newest.of(OTHER)]).toEqual([HEAD, undefined]);
    newest.coming(D_TAG, NEWER);
    expect([newest.of(D_TAG), newest.of(OTHER)]).toEqual([NEWER, undefined]);
  });

  test('is the head if that has become newer than what is being saved', () => {
    const { newest, known } = setUp({ head: versionOf(OLDER) });
    newest.coming(D_TAG, HEAD);
    known.record = { ...EMPTY_RECORD, head: versionOf(NEWER) };
    expect(newest.of(D_TAG)).toBe(NEWER);
  });

  test('is what is being saved if nothing is known yet', () => {
    const { newest, known } = setUp();
    known.record = undefined;
    newest.coming(D_TAG, HEAD);
    expect(newest.of(D_TAG)).toBe(HEAD);
  });

  test('is what the replica has decided once that is saved', () => {
    const { newest } = setUp({ head: versionOf(HEAD) });
    newest.coming(D_TAG, NEWER);
    newest.saved(NEWER);
    expect(newest.of(D_TAG)).toBe(HEAD);
  });

  test('is what a held write must be above for as long as that is held', () => {
    const own = { device: OUR_HASH, id: HEAD.id, stamp: STAMP, acknowledged: false, lost: false };
    const { newest, known } = setUp({ head: versionOf(HEAD), own: { ...own, heldUntil: 1 } });
    newest.coming(D_TAG, NEWER);
    newest.saved(NEWER);
    expect(newest.of(D_TAG)).toBe(NEWER);
    known.record = { ...EMPTY_RECORD, head: versionOf(HEAD), own };
    expect(newest.of(D_TAG)).toBe(HEAD);
  });

  test('is nothing that a reset has voided', () => {
    const { newest, known } = setUp({ head: versionOf(HEAD) });
    newest.coming(D_TAG, NEWER);
    expect(newest.isVoided(D_TAG, NEWER)).toBe(false);
    known.record = { ...known.record!, voids: new Map([[NEWER.id, NEWER.created_at]]) };
    expect([newest.of(D_TAG), newest.isVoided(D_TAG, NEWER)]).toEqual([HEAD, true]);
  });

  test.each<[string, VerifiedEvent, boolean]>([
    ['voids nothing', told({ stamp: STAMP - 1 }), false],
    ['voids what is below the newest', told({ stamp: STAMP - 2, tags: voiding(OLDER) }), false],
    ['voids the newest', told({ stamp: STAMP - 1, tags: voiding(HEAD) }), true],
    ['voids what is yet to come', told({ stamp: STAMP - 1, tags: voiding(OLDER, NEWER) }), true],
  ])('of an event that %s: whether it is a reset that matters', (_, event, isReset) => {
    const { newest } = setUp({ head: versionOf(HEAD) });
    expect(newest.isNewReset(D_TAG, event)).toBe(isReset);
  });

  test('is not voided by what is known to be voided already', () => {
    const reset = told({ stamp: STAMP - 1, tags: voiding(NEWER) });
    const { newest } = setUp({ head: versionOf(HEAD), voids: new Map([[NEWER.id, NEWER.created_at]]) });
    expect(newest.isNewReset(D_TAG, reset)).toBe(false);
  });
});
