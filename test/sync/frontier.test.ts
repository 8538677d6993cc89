/** The frontier: the head, its rivals, and what becomes of them. Through `reconcile`, which is where it is decided. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deviceHash, type VersionVector } from '../../src/protocol/causality.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { vectorOf } from '../../src/protocol/header.ts';
import { MAX_RIVALS } from '../../src/protocol/limits.ts';
import { compareEvents } from '../../src/protocol/order.ts';
import { hasSeenOwn, isRival, withOwn } from '../../src/sync/heads/frontier.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import { reconcile } from '../../src/sync/heads/reconcile.ts';
import { KEEP_ALL } from '../../src/sync/heads/past.ts';
import type { HeadRecord } from '../../src/sync/heads/record.ts';
import { aRelay } from '../names.ts';
import { IN_PIECES, nameOf, OUR_HASH, OURS, REMOVAL, told, voiding } from './records.ts';

const RELAY = aRelay('wss://relay.example');
const shown = (event: VerifiedEvent): Input => ({ type: 'shown', relay: RELAY, event, relays: [RELAY] });
type Write = Extract<Input, { readonly type: 'write' }>;
const write = (event: VerifiedEvent, more: Partial<Write> = {}): Write => ({
  ...{ type: 'write', event, device: OUR_HASH, isRead: true },
  ...more,
});
const acknowledged = ({ id }: VerifiedEvent): Input => ({
  ...{ type: 'answered', relay: RELAY, id, delivery: 'acknowledged' },
});

function after(...inputs: readonly Input[]): HeadRecord {
  let record: HeadRecord | undefined;
  for (const input of inputs) ({ record } = reconcile(record, input, undefined));
  return record!;
}
const ids = (all: readonly { readonly id: string }[]): string[] => all.map(({ id }) => id);

const BASE = told({ stamp: 5 });
const THEIRS = told({ stamp: 10 });
const BEATEN = told({ stamp: 8, by: 'third', seen: { 'their-device': 5 } });
const MINE = told({ stamp: 9, by: OURS, seen: { 'their-device': 5 } });

test('a write is not too late because it has not seen an own one from the future, upon which another was reset', () => {
  const future = told({ stamp: 9e6, by: OURS });
  const upon = told({ stamp: 9e6 + 1, seen: { [OURS]: 9e6 } });
  const reset = told({ stamp: 20, tags: voiding(upon) });
  const next = told({ stamp: 30, by: OURS, seen: { 'their-device': 20 } });
  const record = after(write(future), shown(future), shown(upon), shown(reset), write(next));
  expect(record.head?.event).toBe(next);
});

test('a call that waited covers all that the own write before it covers, though that has the stamp of one that the call had seen', () => {
  const first = told({ stamp: 9, by: OURS });
  const merge = told({ stamp: 9, by: OURS, seen: { 'their-device': 5 } });
  const known = after(write(first));
  const { record } = reconcile(known, write(merge), first.id);
  const seen = withOwn(record, vectorOf(first)!);
  expect(seen).toEqual(vectorOf(merge));
  expect(hasSeenOwn(record, seen)).toBe(true);
  expect(withOwn(undefined, seen)).toEqual(seen);
});

describe('a rival', () => {
  test('is what another device wrote and the head had beaten before it came', () => {
    const record = after(shown(THEIRS), shown(BEATEN));
    expect(record.head?.event).toBe(THEIRS);
    expect(record.rivals).toMatchObject([{ id: BEATEN.id, isOverwritten: true, event: BEATEN }]);
  });

  test('is what an own write that had not seen it beats, though a relay has that write', () => {
    const next = told({ stamp: 20, by: OURS });
    const record = after(write(next), acknowledged(next), shown(BEATEN));
    expect(ids(record.rivals)).toEqual([BEATEN.id]);
  });

  test('is no renewal of what a writer without vectors has written, and an own write has seen', () => {
    const plain = told({ stamp: 8, by: 'reference', seen: false });
    const mine = told({ stamp: 9, by: OURS, seen: { reference: 8 } });
    const renewal = { ...plain, created_at: 9, id: 'f'.repeat(64) } as VerifiedEvent;
    expect(after(shown(plain), write(mine), shown(renewal)).rivals).toEqual([]);
    const blind = told({ stamp: 9, by: OURS });
    expect(ids(after(shown(plain), write(blind), shown(renewal)).rivals)).toEqual([renewal.id]);
  });

  test('is an own write that was overwritten unseen', () => {
    const record = after(shown(BASE), write(MINE), shown(THEIRS));
    expect(ids(record.rivals)).toEqual([MINE.id]);
    expect(ids(record.past)).toEqual([BASE.id]);
  });

  test('is what came while an own write was signed', () => {
    const late = told({ stamp: 11, by: OURS, seen: { 'their-device': 5 } });
    expect(ids(after(shown(BASE), shown(THEIRS), write(late)).rivals)).toEqual([THEIRS.id]);
  });

  test('is all that turns up while a first write is held, which will be above it', () => {
    const first = told({ stamp: 9, by: OURS });
    const large = told({ stamp: 6, by: 'fourth', tags: IN_PIECES });
    const inputs = [write(first, { heldUntil: 1_000 }), shown(BEATEN), shown(large), shown(THEIRS)];
    const held = after(...inputs);
    expect(ids(held.rivals)).toEqual([THEIRS.id, BEATEN.id, large.id]);
    const again = told({ stamp: 11, by: OURS });
    const over: Input = { type: 'explored', id: first.id, isBlind: false, again };
    expect(ids(after(...inputs, over).rivals)).toEqual([THEIRS.id, BEATEN.id, large.id]);
    // If it could not be signed again, what is above it takes its place.
    const below = after(...inputs, { type: 'explored', id: first.id, isBlind: false }, shown(THEIRS));
    expect(ids(below.rivals)).toEqual([first.id, BEATEN.id, large.id]);
    expect(below.past).toEqual([]);
  });

  test('is nothing that was removed when a held write is let go, unless edits survive removals', () => {
    const first = told({ stamp: 20, by: OURS });
    const removal = told({ stamp: 9, tags: REMOVAL });
    const later = told({ stamp: 10, by: 'fourth' });
    const over: Input = { type: 'explored', id: first.id, isBlind: false };
    const held = write(first, { heldUntil: 1_000 });
    const ended = after(held, shown(BEATEN), shown(removal), over);
    expect([ids(ended.rivals), ids(ended.past)]).toEqual([[], [BEATEN.id]]);
    expect(ids(after(held, shown(BEATEN), shown(removal), shown(later), over).rivals)).toContain(later.id);
    const keeping = { ...KEEP_ALL, doEditsSurvive: true };
    const { record } = reconcile(after(held, shown(BEATEN), shown(removal)), over, undefined, keeping);
    expect(ids(record!.rivals)).toEqual([BEATEN.id]);
  });

  test('is what a writer without vectors cannot have seen, since no relay has shown it', () => {
    const plain = told({ stamp: 20, by: 'reference', seen: false });
    expect(ids(after(shown(BASE), write(MINE), shown(plain)).rivals)).toEqual([MINE.id]);
    // A relay says OK to what it drops for something newer.
    expect(ids(after(shown(BASE), write(MINE), acknowledged(MINE), shown(plain)).rivals)).toEqual([MINE.id]);
    expect(ids(after(shown(BASE), write(MINE), shown(MINE), shown(plain)).rivals)).toEqual([]);
  });

  test('stays one if such a writer writes again: it has not seen ours by that', () => {
    const plain = (stamp: number): VerifiedEvent => told({ stamp, by: 'reference', seen: false });
    const record = after(shown(BASE), write(MINE), shown(plain(20)), shown(plain(30)));
    expect(ids(record.rivals)).toEqual([MINE.id]);
    const earlier = told({ stamp: 7, by: OURS, seen: { 'their-device': 5 } });
    const both = after(
      ...[shown(BASE), write(earlier), acknowledged(earlier), write(MINE), shown(plain(20))],
    );
    expect(both.deemed).toEqual(
      new Map([
        [deviceHash('their-device'), 5],
        [OUR_HASH, 7],
      ]),
    );
  });

  test('of a writer without vectors is based on the newest value that it can have seen', () => {
    const plain = told({ stamp: 8, by: 'reference', seen: false });
    const { rivals } = after(shown(BASE), shown(THEIRS), shown(plain));
    expect(rivals).toMatchObject([
      {
        id: plain.id,
        seen: new Map([
          [deviceHash('their-device'), 5],
          [deviceHash('reference'), 8],
        ]),
      },
    ]);
  });

  test('is no event of this device that a relay shows: what was taken back must not return', () => {
    const old = told({ stamp: 7, by: OURS });
    expect(after(shown(BASE), write(MINE), shown(THEIRS), shown(old)).rivals).toHaveLength(1);
    expect(isRival(after(write(MINE)), old, MINE, undefined)).toBe(false);
  });

  test('is no removal, and a removal has none', () => {
    const removal = told({ stamp: 9, by: 'third', tags: REMOVAL });
    expect(after(shown(THEIRS), shown(removal)).rivals).toEqual([]);
    const over = told({ stamp: 30, by: 'fourth', tags: REMOVAL });
    const record = after(shown(BASE), shown(THEIRS), shown(BEATEN), shown(over), shown(told({ stamp: 29 })));
    expect(record.rivals).toEqual([]);
    expect(ids(record.past)).toEqual([THEIRS.id, BEATEN.id, BASE.id]);
  });

  test('is no head that was removed', () => {
    const removal = told({ stamp: 9, by: 'third', tags: REMOVAL });
    expect(after(shown(removal), shown(THEIRS)).rivals).toEqual([]);
  });

  test('is none while there is no head, nor for what is coming in its place', () => {
    expect(isRival(undefined, BEATEN, THEIRS, undefined)).toBe(false);
    const record = after(shown(BASE));
    expect(isRival(record, BEATEN, BASE, undefined)).toBe(false);
    expect(isRival(record, BEATEN, undefined, undefined)).toBe(false);
    expect(isRival(record, BEATEN, THEIRS, undefined)).toBe(true);
    const seeing = told({ stamp: 12, seen: { third: 8 } });
    expect(isRival(record, BEATEN, seeing, undefined)).toBe(false);
  });

  test('goes into the ring once the head has seen it', () => {
    const merge = told({ stamp: 12, seen: { 'their-device': 10, third: 8 } });
    const record = after(shown(BASE), shown(THEIRS), shown(BEATEN), shown(merge));
    expect(record.rivals).toEqual([]);
    expect(ids(record.past)).toEqual([THEIRS.id, BEATEN.id, BASE.id]);
  });

  test('goes into the ring once another rival has seen it', () => {
    const later = told({ stamp: 9, by: 'fourth', seen: { third: 8 } });
    const record = after(shown(THEIRS), shown(BEATEN), shown(later));
    expect(ids(record.rivals)).toEqual([later.id]);
    expect(ids(record.past)).toEqual([BEATEN.id]);
  });

  test('stays without its pieces, and goes into no ring without them', () => {
    const large = told({ stamp: 8, by: 'third', tags: IN_PIECES });
    const merge = told({ stamp: 12, seen: { third: 8 } });
    const record = after(shown(THEIRS), shown(large));
    expect(ids(record.rivals)).toEqual([large.id]);
    expect(ids(after(shown(THEIRS), shown(large), shown(merge)).past)).toEqual([THEIRS.id]);
  });

  test('is one of sixteen at most: the oldest is a former value then', () => {
    const all = Array.from({ length: MAX_RIVALS + 1 }, (_, i) => told({ stamp: 6 + i, by: `device ${i}` }));
    const record = after(shown(told({ stamp: 90 })), ...all.map(shown));
    expect(ids(record.rivals)).toEqual(ids(all.slice(1).reverse()));
    expect(ids(record.past)).toEqual([all[0]!.id]);
  });

  test('that a reset names counts no more, nor does such a former value', () => {
    const reset = told({ stamp: 20, seen: { third: 1 }, tags: voiding(BEATEN, BASE) });
    const future = told({ stamp: 900, by: 'third' });
    const top = told({ stamp: 800 });
    expect(ids(after(shown(BASE), shown(THEIRS), shown(BEATEN), shown(reset)).rivals)).toEqual([BEATEN.id]);
    const voided = told({ stamp: 801, by: 'fourth', tags: voiding(future) });
    const record = after(shown(future), shown(top), shown(voided), shown(future));
    expect(record.head?.event).toBe(voided);
    expect([...ids(record.rivals), ...ids(record.past)]).not.toContain(future.id);
  });
});

test('a rival that is above the reset of its head is no rival of that: it is a former value', () => {
  const future = told({ stamp: 900, by: 'third' });
  const late = told({ stamp: 700, by: 'fourth' });
  const reset = told({ stamp: 20, tags: voiding(future) });
  const before = after(shown(future), shown(late));
  expect(ids(before.rivals)).toEqual([late.id]);
  const { record } = reconcile(before, shown(reset), undefined);
  expect(record?.head?.event).toBe(reset);
  expect([ids(record!.rivals), ids(record!.past)]).toEqual([[], [late.id]]);
});

describe('what the head contains', () => {
  const merged = (seen: VersionVector): Input => ({
    ...{ type: 'settled', id: THEIRS.id, ids: new Set([BEATEN.id]), seen },
  });
  const settled = after(
    ...[shown(BASE), shown(THEIRS), shown(BEATEN), merged(new Map([[deviceHash('third'), 8]]))],
  );

  test('is more than its event has seen, if rivals add nothing to it: these come no more', () => {
    expect(settled.rivals).toEqual([]);
    expect(ids(settled.past)).toEqual([BEATEN.id, BASE.id]);
    expect(reconcile(settled, shown(BEATEN), undefined).record).toBe(settled);
  });

  test('stays if the next head has seen the head, and no longer', () => {
    const seeing = told({ stamp: 12, by: 'fourth', seen: { 'their-device': 10 } });
    const blind = told({ stamp: 12, by: 'fourth' });
    expect(reconcile(settled, shown(seeing), undefined).record?.joint).toEqual(settled.joint);
    expect(reconcile(settled, shown(blind), undefined).record?.joint.size).toBe(0);
  });

  test('is also what a writer without vectors had seen, if the head has seen that one', () => {
    const plain = told({ stamp: 12, by: 'reference', seen: false });
    const unaware = told({ stamp: 15, by: 'fourth' });
    const seeing = told({ stamp: 20, by: 'fourth', seen: { reference: 12 } });
    // As the head before it, and as a rival of that.
    for (const between of [[], [shown(unaware)]]) {
      const record = after(shown(THEIRS), shown(plain), ...between, shown(seeing));
      expect(record.joint).toEqual(new Map([[deviceHash('their-device'), 10]]));
      expect(reconcile(record, shown(THEIRS), undefined).record!.rivals).toEqual([]);
    }
    // What has seen all of it says so itself.
    const aware = told({ stamp: 20, by: 'fourth', seen: { reference: 12, 'their-device': 10 } });
    expect(after(shown(THEIRS), shown(plain), shown(aware)).joint.size).toBe(0);
    // A removal takes the place of rivals that it has not seen.
    const gone = told({ stamp: 20, by: 'fourth', seen: { 'some-device': 1 }, tags: REMOVAL });
    expect(after(shown(THEIRS), shown(plain), shown(unaware), shown(gone)).joint.size).toBe(0);
  });

  test('is not changed by what is no rival', () => {
    const record = after(shown(BASE), shown(THEIRS));
    expect(reconcile(record, merged(new Map()), undefined).record).toBe(record);
  });
});

describe('a write that is withdrawn', () => {
  const merge = told({ stamp: 12, by: OURS, seen: { 'their-device': 10, third: 8 } });
  const before = [shown(BASE), shown(THEIRS), shown(BEATEN)] as const;
  const back: Input = { type: 'withdraw', id: merge.id };

  test('gives back what it had taken in', () => {
    const record = after(...before, write(merge));
    expect(record.rivals).toEqual([]);
    const { record: restored } = reconcile(record, back, undefined);
    expect(restored?.head?.event).toBe(THEIRS);
    expect(ids(restored!.rivals)).toEqual([BEATEN.id]);
    expect(ids(restored!.past)).toEqual([BASE.id]);
  });

  test('gives nothing back once a relay has it', () => {
    expect(after(...before, write(merge), acknowledged(merge)).own?.taken).toBeUndefined();
  });

  test('makes no rival of what is the head again', () => {
    const blind = told({ stamp: 12, by: OURS, seen: { 'their-device': 5 } });
    const record = after(shown(BASE), shown(THEIRS), write(blind));
    expect(ids(record.rivals)).toEqual([THEIRS.id]);
    const { record: restored } = reconcile(record, { type: 'withdraw', id: blind.id }, undefined);
    expect(restored?.head?.event).toBe(THEIRS);
    expect(restored?.rivals).toEqual([]);
  });

  test('and was no other, leaves nothing', () => {
    const record = after(write(told({ stamp: 9, by: OURS, id: 'f' })), shown(BEATEN));
    const { record: restored } = reconcile(
      record,
      { type: 'withdraw', id: record.head!.event.id },
      undefined,
    );
    expect(restored).toMatchObject({ head: undefined, rivals: [], past: [] });
  });
});

test('an own write that no socket has carried is no former value: no device can have built on it', () => {
  const first = told({ stamp: 9, by: OURS });
  const record = after(shown(BASE), write(first));
  const next = write(told({ stamp: 10, by: OURS, seen: { 'their-device': 5 } }));
  expect(ids(reconcile(record, next, first.id).record!.past)).toEqual([BASE.id]);
  expect(ids(reconcile(record, next, undefined).record!.past)).toEqual([first.id, BASE.id]);
});

test('what could not be read is no former value', () => {
  const record = after(shown(BASE), { type: 'unreadable', id: BASE.id }, shown(THEIRS));
  expect(record.past).toEqual([]);
});

test('in any order events leave the same frontier: what no other has seen (I21), and each comes once (I9)', () => {
  const steps = fc.array(
    fc.record({
      device: fc.nat({ max: 3 }),
      known: fc.array(fc.nat({ max: 30 }), { maxLength: 3 }),
      later: fc.nat({ max: 3 }),
    }),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(steps, fc.array(fc.nat({ max: 100 }), { minLength: 12, maxLength: 12 }), (made, keys) => {
      const events: VerifiedEvent[] = [];
      const names = ['their-device', 'third', 'fourth', 'fifth'];
      for (const { device, known, later } of made) {
        const own = events.findLast(({ tags }) => tags[1]![1] === names[device]);
        const seen = [...known.flatMap((i) => events[i] ?? []), ...(own === undefined ? [] : [own])];
        const vector: Record<string, number> = {};
        for (const one of seen)
          for (const name of names)
            vector[name] = Math.max(vector[name] ?? -1, vectorOf(one)!.get(deviceHash(name)) ?? -1);
        for (const name of names) if (vector[name]! < 0 || name === names[device]) delete vector[name];
        const stamp = 1 + later + Math.max(0, ...seen.map(({ created_at }) => created_at));
        events.push(told({ stamp, by: names[device]!, seen: vector }));
      }
      const hasSeen = (newer: VerifiedEvent, older: VerifiedEvent): boolean =>
        newer !== older && (vectorOf(newer)!.get(deviceHash(older.tags[1]![1]!)) ?? -1) >= older.created_at;
      const open = events.filter((one) => events.every((other) => !hasSeen(other, one)));
      const head = events.toSorted((a, b) => compareEvents(b, a))[0]!;
      const order = events.map((_, i) => i).sort((a, b) => keys[a]! - keys[b]! || a - b);
      let record: HeadRecord | undefined;
      for (const i of order) {
        ({ record } = reconcile(record, shown(events[i]!), undefined));
        expect(reconcile(record, shown(events[i]!), undefined).record).toBe(record);
      }
      expect(record!.head?.event).toBe(head);
      expect(ids(record!.rivals).sort()).toEqual(ids(open.filter((one) => one !== head)).sort());
    }),
    { numRuns: 500 },
  );
});

test('a rival in pieces is whole once these are here, and no other is', () => {
  const large = told({ stamp: 8, by: 'third', tags: IN_PIECES });
  const piece = told({ stamp: 8, by: 'third' });
  const made = new Map([[nameOf(1), piece]]);
  const record = after(shown(THEIRS), shown(large));
  const { record: whole } = reconcile(record, { type: 'gathered', id: large.id, made }, undefined);
  expect(whole!.rivals).toMatchObject([{ id: large.id, pieces: [nameOf(1)] }]);
  expect(reconcile(whole, { type: 'gathered', id: large.id, made }, undefined).record).toBe(whole);
  expect(reconcile(record, { type: 'gathered', id: THEIRS.id, made }, undefined).record).toBe(record);
  const plain = after(shown(THEIRS), shown(BEATEN));
  expect(reconcile(plain, { type: 'gathered', id: BEATEN.id, made }, undefined).record).toBe(plain);
});
