/** What a save writes, and what it starts from: by itself, without a store. */

import { describe, expect, test } from 'vitest';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import { createKeys } from '../../src/sync/heads/keys.ts';
import { baseOf, plan, type Known, type Plan } from '../../src/sync/heads/plan.ts';
import { KEEP_ALL } from '../../src/sync/heads/past.ts';
import { reconcile } from '../../src/sync/heads/reconcile.ts';
import { parseRecord, serializeRecord } from '../../src/sync/heads/record-codec.ts';
import { floorOf, type HeadRecord } from '../../src/sync/heads/record.ts';
import { aRelay, anAddress, anId } from '../names.ts';
import { IN_PIECES, nameOf, OUR_HASH, OURS, told, voiding, REMOVAL } from './records.ts';

const RELAY = aRelay('wss://relay.example');
const D = anAddress('default/settings/v1');
const keys = createKeys('pubkey', 'default');
const NOTHING: Known = {
  read: (_, text) => (text === undefined ? undefined : (parseRecord(text) as HeadRecord | undefined)),
  unsaved: new Map(),
  refused: new Map(),
  uncarried: new Map(),
};

const ours = (stamp: number, more: Partial<Parameters<typeof told>[0]> = {}): VerifiedEvent =>
  told({ stamp, by: OURS, ...more });
const shown = (event: VerifiedEvent): Input => ({ type: 'shown', relay: RELAY, event, relays: [RELAY] });
type Write = Extract<Input, { readonly type: 'write' }>;
const write = (event: VerifiedEvent, more: Partial<Write> = {}): Write => ({
  ...{ type: 'write', event, device: OUR_HASH, isRead: true },
  ...more,
});

function after(...inputs: readonly Input[]): HeadRecord | undefined {
  let record: HeadRecord | undefined;
  for (const input of inputs) ({ record } = reconcile(record, input, undefined));
  return record;
}

function planOf(
  stored: HeadRecord | string | undefined,
  inputs: readonly Input[],
  known: Partial<Known> = {},
): Plan {
  const text = typeof stored === 'object' ? serializeRecord(stored) : stored;
  const jobs = inputs.map((input) => ({ dTag: D, input }));
  return plan(jobs, new Map([[D, text]]), { ...NOTHING, ...known }, keys);
}

/** As if the ring had let go of all. */
const withoutPast = (record: HeadRecord): HeadRecord => ({ ...record, former: [], past: [] });

const savedIn = ({ writes }: Plan): HeadRecord => NOTHING.read(D, writes.get(keys.record(D))!)!;

describe('a plan', () => {
  describe('of an input that was tried over what is in memory', () => {
    const [old, next, other] = [told({ stamp: 10 }), told({ stamp: 12 }), told({ stamp: 11 })];
    const here = after(shown(old))!;
    const elsewhere = after(shown(other))!;
    const tried = { over: here, outcome: reconcile(here, shown(next), undefined) };
    const over = (stored: HeadRecord, uncarried = NOTHING.uncarried): Plan => {
      const known = { ...NOTHING, uncarried, read: () => stored };
      return plan([{ dTag: D, input: shown(next), tried }], new Map([[D, 'text']]), known, keys);
    };
    const past = (made: Plan): unknown[] => made.decided.get(D)!.record!.past.map(({ id }) => id);

    test('takes what came of it, if the store has the same', () => {
      expect(over(here).effects[0]).toBe(tried.outcome.effects);
      expect(past(over(here))).toEqual([old.id]);
    });

    test('decides anew, if the store has another record', () => {
      expect(over(elsewhere).effects[0]).not.toBe(tried.outcome.effects);
      expect(past(over(elsewhere))).toEqual([other.id]);
    });

    test('decides anew over a write that no socket has carried: that is no former value', () => {
      expect(past(over(here, new Map([[D, old.id]])))).toEqual([]);
    });
  });

  test('writes the record that all inputs lead to, once, and tells the effects of each', () => {
    const [first, second] = [told({ stamp: 10 }), told({ stamp: 11 })];
    const made = planOf(undefined, [shown(first), shown(second), shown(second)]);
    expect([...made.writes.keys()]).toEqual([keys.record(D), keys.version(D, first.id)]);
    expect(savedIn(made).head?.event).toEqual(second);
    expect(made.effects.map((effects) => effects.map(({ type }) => type))).toEqual([
      ['advanced'],
      ['advanced'],
      [],
    ]);
    expect(made.decided.get(D)).toMatchObject({
      previous: undefined,
      effects: [{ event: first }, { event: second }],
    });
    expect(made.texts.get(D)).toBe(made.writes.get(keys.record(D)));
  });

  test('of what is known already writes nothing', () => {
    const record = after(shown(told({ stamp: 10 })))!;
    const made = planOf(record, [shown(record.head!.event), { type: 'resave' }]);
    expect(made.writes.size).toBe(0);
    expect(made.texts.get(D)).toBe(serializeRecord(record));
  });

  test('lets a write take the stamp of one that no socket has carried, and of no other', () => {
    const first = ours(10);
    const stored = after(write(first));
    const again = write(ours(10));
    expect(planOf(stored, [again], { uncarried: new Map([[D, first.id]]) }).effects).toEqual([[]]);
    expect(planOf(stored, [again]).effects).toEqual([[{ type: 'stale' }]]);
  });

  test('of nothing writes nothing', () => {
    const made = planOf(undefined, [{ type: 'resave' }]);
    expect(made.writes.size).toBe(0);
    expect(made.texts).toEqual(new Map([[D, undefined]]));
    const unsaved = new Map([[D, undefined]]);
    expect(planOf(undefined, [{ type: 'resave' }], { unsaved }).writes.size).toBe(0);
  });

  test('of what takes the place of a record is that record, and the event that it replaces: one more entry', () => {
    const first = told({ stamp: 10 });
    const { writes, decided } = planOf(after(shown(first)), [shown(told({ stamp: 11 }))]);
    expect([...writes.keys()]).toEqual([keys.record(D), keys.version(D, first.id)]);
    expect(JSON.parse(writes.get(keys.version(D, first.id))!)).toEqual(first);
    // From then on it is the store's, and not in memory.
    expect(decided.get(D)?.record?.past).toMatchObject([{ id: first.id }]);
    expect(decided.get(D)?.record?.past[0]).not.toHaveProperty('event');
  });

  test('removes the event of a former value with the place in the ring, and writes none again', () => {
    const events = Array.from({ length: 21 }, (_, i) => told({ stamp: 10 + i }));
    const stored = after(...events.map(shown))!;
    const next = told({ stamp: 99 });
    const { writes, decided } = planOf(stored, [shown(next)]);
    const left = stored.past.filter(({ id }) => decided.get(D)!.record!.past.every((one) => one.id !== id));
    expect(left).toHaveLength(1);
    expect([...writes].filter(([key]) => key.startsWith('version/'))).toEqual([
      [keys.version(D, events.at(-1)!.id), JSON.stringify(events.at(-1))],
      [keys.version(D, left[0]!.id), null],
    ]);
  });

  test('leaves in memory no event that the store has, nor of what a write has taken in', () => {
    const [base, mine, theirs] = [told({ stamp: 5 }), ours(10), told({ stamp: 20 })];
    const merge = ours(30, { seen: { 'their-device': 20 } });
    const made = planOf(undefined, [shown(base), write(mine), shown(theirs), write(merge)]);
    const { own, past } = made.decided.get(D)!.record!;
    expect(own).toMatchObject({ id: merge.id, stamp: 30, taken: { joint: new Map() } });
    expect(own!.taken!.rivals.map(({ id }) => id)).toEqual([mine.id]);
    expect(past.map(({ id }) => id)).toEqual([theirs.id, mine.id, base.id]);
    const next = planOf(savedIn(made), [shown(told({ stamp: 40 }))]).decided.get(D)!.record!;
    expect(next.past).toHaveLength(3);
    const all = [...past, ...own!.taken!.rivals, ...next.past, ...next.rivals];
    for (const one of all) expect(one).not.toHaveProperty('event');
  });

  test('is the very record that was tried, if the store has all events of that', () => {
    const [first, second] = [told({ stamp: 10 }), told({ stamp: 11 })];
    const stored = savedIn(planOf(undefined, [shown(first), shown(second)]));
    const outcome = reconcile(stored, { type: 'read', id: second.id }, undefined);
    expect(outcome.record).not.toBe(stored);
    const known = { ...NOTHING, read: () => stored };
    const job = {
      dTag: D,
      input: { type: 'read', id: second.id },
      tried: { over: stored, outcome },
    } as const;
    const { decided } = plan([job], new Map([[D, 'text']]), known, keys);
    expect(decided.get(D)!.record).toBe(outcome.record);
  });

  test('writes no event that the store has, though it is in memory as well, and none that is nowhere', () => {
    const events = [told({ stamp: 10 }), told({ stamp: 11 }), told({ stamp: 12 })];
    const [inMemory, saved] = [after(...events.map(shown)), planOf(undefined, events.map(shown))];
    const unsaved = new Map([[D, reconcile(inMemory, shown(told({ stamp: 13 })), undefined).record]]);
    const before = planOf(savedIn(saved), [{ type: 'resave' }], { unsaved });
    expect([...before.writes.keys()]).toEqual([keys.record(D), keys.version(D, events[2]!.id)]);
    const emptied = planOf(undefined, [{ type: 'resave' }], { unsaved: new Map([[D, savedIn(saved)]]) });
    expect([...emptied.writes.keys()]).toEqual([keys.record(D)]);
  });

  test('of several categories is about each by itself', () => {
    const other = anAddress('default/other/v1');
    const note = (name: string) => () => [[name, D]] as const;
    const [one, two] = [ours(10), ours(11)];
    const jobs = [
      { dTag: D, input: write(one, { along: note('first') }) },
      { dTag: other, input: shown(told({ stamp: 30 })) },
      { dTag: other, input: write(two, { along: note('second') }) },
    ];
    const made = plan(
      jobs,
      new Map([
        [D, undefined],
        [other, undefined],
      ]),
      NOTHING,
      keys,
    );
    expect([...made.writes.keys()]).toEqual([keys.record(D), 'first', keys.record(other)]);
    expect(made.decided.get(D)).toMatchObject({ effects: [], record: { head: { event: one } } });
    expect(made.decided.get(other)!.effects.map(({ type }) => type)).toEqual(['advanced', 'stale']);
  });

  test('keeps a stored text that cannot be read beside what takes its place', () => {
    const made = planOf('{"v":', [shown(told({ stamp: 10 }))]);
    expect(made.writes.get(keys.unreadable(keys.record(D)))).toBe('{"v":');
    expect(made.writes.has(keys.record(D))).toBe(true);
  });
});

describe('pieces', () => {
  const piece = told({ stamp: 20 });
  const large = write(ours(20, { tags: IN_PIECES }), {
    made: new Map([[nameOf(1), piece]]),
    names: [nameOf(1)],
  });

  test('are written with the record that needs them', () => {
    const { writes } = planOf(undefined, [large]);
    expect([...writes.keys()]).toEqual([keys.record(D), keys.piece(D, nameOf(1))]);
    expect(JSON.parse(writes.get(keys.piece(D, nameOf(1)))!)).toEqual(piece);
  });

  test('are written if the signer, which says its own time, made them later than the head', () => {
    const late = told({ stamp: 23, by: OURS });
    const made = planOf(undefined, [
      write(ours(20, { tags: IN_PIECES }), { made: new Map([[nameOf(1), late]]), names: [nameOf(1)] }),
    ]);
    expect(JSON.parse(made.writes.get(keys.piece(D, nameOf(1)))!)).toEqual(late);
    expect(made.decided.get(D)?.record?.head?.pieces).toMatchObject([{ name: nameOf(1), stamp: 23 }]);
  });

  test('are written with a write that is beaten in the same save: it is kept as a rival', () => {
    const above = told({ stamp: 30 });
    const { writes, decided } = planOf(undefined, [large, shown(above)]);
    expect(decided.get(D)?.record).toMatchObject({
      head: { event: above },
      rivals: [{ id: large.event.id }],
    });
    expect(JSON.parse(writes.get(keys.piece(D, nameOf(1)))!)).toEqual(piece);
  });

  test('and of one that was beaten by several', () => {
    const [above, top] = [told({ stamp: 30 }), told({ stamp: 40, by: 'third' })];
    const made = planOf(undefined, [large, shown(above), { type: 'read', id: above.id }, shown(top)]);
    expect(made.decided.get(D)?.record?.former).toMatchObject([{ event: above }]);
    expect(made.writes.has(keys.piece(D, nameOf(1)))).toBe(true);
  });

  test('are written as the head has them, though the value before it has one of that name too', () => {
    const [old, again] = [told({ stamp: 20 }), told({ stamp: 30 })];
    const pieces = (one: VerifiedEvent): Partial<Write> => ({
      ...{ made: new Map([[nameOf(1), one]]), names: [nameOf(1)] },
    });
    const stored = after(write(ours(20, { tags: IN_PIECES }), pieces(old)));
    const { writes } = planOf(stored, [write(ours(30, { tags: IN_PIECES }), pieces(again))]);
    expect(JSON.parse(writes.get(keys.piece(D, nameOf(1)))!)).toEqual(again);
  });

  test('of a write that came too late are not', () => {
    const made = planOf(after(shown(told({ stamp: 30 }))), [large]);
    expect(made.effects).toEqual([[{ type: 'stale' }]]);
    expect(made.writes.size).toBe(0);
  });

  test('go with the record that last needed them', () => {
    const stored = after(large);
    const [next, last] = [write(ours(21)), write(ours(22))];
    expect(planOf(stored, [next, last]).writes.has(keys.piece(D, nameOf(1)))).toBe(false);
    const { record: after2 } = planOf(stored, [next, last]).decided.get(D)!;
    expect(
      planOf(stored, [{ type: 'resave' }], { unsaved: new Map([[D, withoutPast(after2!)]]) }).writes.get(
        keys.piece(D, nameOf(1)),
      ),
    ).toBeNull();
  });

  test('of the text that is replaced go, though a record that could not be saved had let them go before', () => {
    const stored = after(large);
    const unsaved = new Map([[D, withoutPast(after(large, write(ours(21)), write(ours(22)))!)]]);
    const made = planOf(stored, [{ type: 'resave' }], { unsaved });
    expect(made.writes.get(keys.piece(D, nameOf(1)))).toBeNull();
  });
});

describe('pieces that were made', () => {
  const names = [nameOf(1)];
  const tags = IN_PIECES;

  test('for a write that came too late are not written in the place of those of another', () => {
    const [mine, late] = [told({ stamp: 30 }), told({ stamp: 20 })];
    const inputs = [
      write(ours(30, { tags }), { made: new Map([[nameOf(1), mine]]), names }),
      write(ours(20, { tags }), { made: new Map([[nameOf(1), late]]), names }),
    ];
    const { writes } = planOf(undefined, inputs);
    expect(JSON.parse(writes.get(keys.piece(D, nameOf(1)))!)).toEqual(mine);
  });

  test('are written, and none that were not', () => {
    const [one, two] = [told({ stamp: 10 }), told({ stamp: 20 })];
    const first = write(ours(10, { tags }), { made: new Map([[nameOf(1), one]]), names });
    const made = new Map([[nameOf(2), two]]);
    const { writes } = planOf(after(first), [
      write(ours(20, { tags }), { made, names: [nameOf(1), nameOf(2)] }),
    ]);
    expect([...writes.keys()]).toEqual([
      ...[keys.record(D), keys.version(D, first.event.id), keys.piece(D, nameOf(2))],
    ]);
  });

  test('for nothing of the record are not written', () => {
    const made = new Map([[nameOf(2), told({ stamp: 20 })]]);
    expect(planOf(undefined, [write(ours(20), { made })]).writes.size).toBe(1);
  });
});

describe('what is saved along', () => {
  const note = (text: string | null) => () => [['note', text] as const];

  test('with a write is saved if the write is the newest of this device', () => {
    expect(planOf(undefined, [write(ours(10), { along: note('saved') })]).writes.get('note')).toBe('saved');
    const late = planOf(after(shown(told({ stamp: 30 }))), [
      write(ours(10), { along: note('saved') }),
      shown(told({ stamp: 31 })),
    ]);
    expect(late.writes.has('note')).toBe(false);
  });

  test('with a withdrawal is saved whatever else happens, and by its own category alone', () => {
    const [event, other] = [ours(10), anAddress('default/other/v1')];
    const withdraw = { type: 'withdraw', id: event.id, along: note('withdrawn') } as const;
    const inputs = [shown(told({ stamp: 5 })), write(event), withdraw];
    expect(planOf(undefined, inputs).writes.get('note')).toBe('withdrawn');
    const vain = { type: 'withdraw', id: event.id, along: note('in vain') } as const;
    const jobs = [...inputs.map((input) => ({ dTag: D, input })), { dTag: other, input: vain }];
    const stored = new Map([D, other].map((dTag) => [dTag, undefined]));
    expect(plan(jobs, stored, NOTHING, keys).writes.get('note')).toBe('withdrawn');
  });

  test('with a withdrawal is saved if that takes anything back', () => {
    const event = ours(10);
    const withdraw = { type: 'withdraw', id: event.id, along: note(null) } as const;
    expect(planOf(after(write(event)), [withdraw]).writes.get('note')).toBeNull();
    expect(
      planOf(after(write(event), shown(told({ stamp: 11 }))), [
        withdraw,
        shown(told({ stamp: 12 })),
      ]).writes.has('note'),
    ).toBe(false);
  });
});

describe('a write that was refused to its caller', () => {
  const first = told({ stamp: 10 });
  const event = ours(11, { seen: { 'their-device': 10 } });
  const refused = new Map([[D, [write(event, { along: () => [['note', 'saved']] })]]]);

  test('is taken out of the store if it is there after all, with what went along', () => {
    const made = planOf(after(shown(first), write(event)), [{ type: 'resave' }], { refused });
    expect(savedIn(made)).toMatchObject({ head: { event: first }, own: { withdrawn: [event.id] } });
    expect(made.writes.get('note')).toBeNull();
  });

  test('is taken out with those before it, and nothing that went along if nothing did', () => {
    const next = ours(12, { seen: { 'their-device': 10 } });
    const writes = [event, next].map((one) => write(one, { isRead: false }));
    const both = new Map([[D, writes]]);
    const made = planOf(after(shown(first), ...writes), [{ type: 'resave' }], {
      refused: both,
    });
    expect(savedIn(made).head?.event).toEqual(first);
    expect(made.writes.get(keys.version(D, event.id))).toBeNull();
    expect(savedIn(made).past).toEqual([]);
    const above = planOf(after(shown(first), ...writes), [{ type: 'resave' }], { refused });
    expect(above.writes.size).toBe(0);
  });

  test('stays in the store if a relay has it: others see it', () => {
    const stored = after(shown(first), write(event), shown(event))!;
    expect(baseOf(D, serializeRecord(stored), { ...NOTHING, refused })).toMatchObject({
      ...{ isStored: true, record: { head: { event } } },
    });
  });

  test('leaves what could not be saved out of sight: the store is mended first', () => {
    const unsaved = new Map([[D, after(shown(told({ stamp: 30 })))]]);
    const stored = serializeRecord(after(shown(first), write(event))!);
    const base = baseOf(D, stored, { ...NOTHING, unsaved, refused });
    expect(base).toMatchObject({ isStored: false, record: { head: { event: first } } });
  });

  test('of another category is not in this one', () => {
    const other = new Map([[anAddress('default/other/v1'), refused.get(D)!]]);
    expect(
      planOf(after(shown(first), write(event)), [{ type: 'resave' }], { refused: other }).writes.size,
    ).toBe(0);
  });

  test('is not looked for in vain', () => {
    expect(planOf(undefined, [{ type: 'resave' }], { refused }).writes.size).toBe(0);
    const withdrawn = after(write(event), { type: 'withdraw', id: event.id });
    expect(planOf(withdrawn, [{ type: 'resave' }], { refused }).writes.size).toBe(0);

    expect(planOf(after(shown(first)), [{ type: 'resave' }], { refused }).writes.size).toBe(0);
  });
});

describe('a decision starts from', () => {
  const DAY = 86_400;
  const base = (stored: HeadRecord | undefined, unsaved: HeadRecord | undefined): HeadRecord | undefined =>
    baseOf(D, stored && serializeRecord(stored), { ...NOTHING, unsaved: new Map([[D, unsaved]]) }).record;

  test('what another tab has saved meanwhile, and this one has not seen, is kept as a rival and in the ring', () => {
    const [mine, theirs] = [ours(20), told({ stamp: 30 })];
    const stored = after(shown(told({ stamp: 5 })), write(ours(15)), write(mine))!;
    const known = base(stored, after(shown(theirs)));
    expect(known?.head?.event).toBe(theirs);
    expect(known?.own).toMatchObject({ id: mine.id });
    expect(known?.rivals).toMatchObject([{ id: mine.id, isOverwritten: true }]);
    expect(known?.past.map(({ id }) => id)).toEqual(stored.past.map(({ id }) => id));
    const seen = base(stored, after(shown(told({ stamp: 30, seen: { [OURS]: 20 } }))));
    expect(seen?.rivals).toEqual([]);
    expect(base(stored, after(shown(told({ stamp: 30, tags: REMOVAL }))))?.rivals).toEqual([]);
  });

  test('an edit beside a removal, if edits survive these: by another tab, and under a write that was refused', () => {
    const keeping = { ...KEEP_ALL, doEditsSurvive: true };
    const [edit, removal] = [ours(20), told({ stamp: 30, tags: REMOVAL })];
    const survivors = (stored: HeadRecord, known: Partial<Known>): unknown[] => {
      const { record } = baseOf(D, serializeRecord(stored), {
        ...{ ...NOTHING, keepingOf: () => keeping },
        ...known,
      });
      expect(record?.head?.event.id).toBe(removal.id);
      return record!.rivals.map(({ id }) => id);
    };
    const unsaved = new Map([[D, after(shown(removal))]]);
    expect(survivors(after(write(edit))!, { unsaved })).toEqual([edit.id]);
    const merge = write(ours(40, { seen: { [OURS]: 20, 'their-device': 30 } }));
    let merged: HeadRecord | undefined;
    for (const input of [write(edit), shown(removal), merge])
      merged = reconcile(merged, input, undefined, keeping).record;
    expect(merged?.rivals).toEqual([]);
    expect(survivors(merged!, { refused: new Map([[D, [merge]]]) })).toEqual([edit.id]);
  });

  test('what could not be saved', () => {
    const stored = after(shown(told({ stamp: 10 })));
    const unsaved = after(shown(told({ stamp: 11 })));
    expect(base(stored, unsaved)).toBe(unsaved);
    expect(planOf(stored, [{ type: 'resave' }], { unsaved: new Map([[D, unsaved]]) }).writes.size).toBe(1);
  });

  test('a greater head that another tab has saved since', () => {
    const stored = after(shown(told({ stamp: 12 })))!;
    expect(base(stored, after(shown(told({ stamp: 11 }))))?.head).toEqual(stored.head);
    expect(base(stored, { ...stored, head: undefined })?.head).toEqual(stored.head);
    expect(base(stored, undefined)?.head).toEqual(stored.head);
  });

  test('what could not be saved, with the own write that another tab has saved since', () => {
    const mine = ours(10);
    const stored = after(write(mine))!;
    const unsaved = after(shown(told({ stamp: 11, seen: { [OURS]: 10 } })))!;
    expect(base(stored, unsaved)).toMatchObject({ ...unsaved, own: { id: mine.id } });
  });

  test('an own write that another tab has saved under the stamp of one that no socket had carried', () => {
    const [before, mine] = [ours(20, { id: '1' }), ours(20, { id: '2' })];
    const unsaved = after(shown(told({ stamp: 5 })), write(before), { type: 'read', id: before.id })!;
    const stored = reconcile(unsaved, write(mine), before.id).record!;
    expect(base(stored, unsaved)?.head?.event).toEqual(mine);
    const above = base(stored, reconcile(unsaved, shown(told({ stamp: 30 })), undefined).record);
    expect(above).toMatchObject({ head: { event: { created_at: 30 } }, rivals: [{ id: mine.id }] });
    // The same write under a greater stamp is the newer.
    const renewal = { ...before, created_at: 21, id: anId('a') } as VerifiedEvent;
    const renewed = reconcile(unsaved, { type: 'renew', id: before.id, event: renewal }, undefined).record!;
    expect(base(unsaved, renewed)?.head?.event).toEqual(renewal);
  });

  test('what was before an own write that another tab has taken back', () => {
    const [before, mine] = [told({ stamp: 5 }), ours(20)];
    const unsaved = after(shown(before), write(mine), { type: 'read', id: mine.id })!;
    const stored = reconcile(unsaved, { type: 'withdraw', id: mine.id }, undefined).record;
    expect(base(stored, unsaved)?.head?.event).toEqual(before);
  });

  test('a reset that could not be saved: not from the floor that it has lowered', () => {
    const future = ours(100 * DAY);
    const stored = after(shown(told({ stamp: 10 })), write(future))!;
    const reset = told({ stamp: 20, tags: voiding(future) });
    const unsaved = reconcile(stored, shown(reset), undefined).record!;
    expect(floorOf(unsaved)).toBe(20);
    expect(floorOf(base(stored, unsaved))).toBe(20);
  });

  test('the store, if it has just that', () => {
    const stored = serializeRecord(after(shown(told({ stamp: 10 })))!);
    expect(baseOf(D, stored, NOTHING).isStored).toBe(true);
    expect(baseOf(D, undefined, NOTHING)).toEqual({ record: undefined, isStored: true });
    const unsaved = new Map([[D, undefined]]);
    expect(baseOf(D, stored, { ...NOTHING, unsaved }).isStored).toBe(false);
    const other = new Map([[anAddress('default/other/v1'), undefined]]);
    expect(baseOf(D, stored, { ...NOTHING, unsaved: other }).isStored).toBe(true);
  });

  test('what could not be saved, over a first write that was withdrawn, or over nothing', () => {
    const unsaved = after(shown(told({ stamp: 11 })));
    expect(base(undefined, unsaved)).toBe(unsaved);
    const withdrawn = after(write(ours(10)), { type: 'withdraw', id: anId('') })!;
    expect(base({ ...withdrawn, head: undefined }, unsaved)).toEqual({ ...unsaved, own: withdrawn.own });
    expect(base({ ...withdrawn, head: undefined }, { ...withdrawn, head: undefined })?.head).toBeUndefined();
  });

  test('what could not be saved, if the store has the same, or what does not count', () => {
    const event = told({ stamp: 11 });
    const unsaved = after(shown(event), { type: 'read', id: event.id });
    expect(base(after(shown(event)), unsaved)).toBe(unsaved);
    const future = told({ stamp: 100 * DAY });
    const reset = after(shown(future), shown(told({ stamp: 20, tags: voiding(future) })));
    expect(base(after(shown(future)), reset)).toBe(reset);
  });

  test('what could not be saved, an own write, over an older one, over another’s and over nothing', () => {
    const first = shown(told({ stamp: 5 }));
    for (const before of [[], [first], [first, write(ours(10))]]) {
      const unsaved = after(...before, write(ours(20)));
      expect(base(after(...before), unsaved)).toBe(unsaved);
    }
  });

  test('what could not be saved, with its own write, if the store has none that is newer', () => {
    const mine = ours(10);
    const stored = after(write(mine))!;
    const unsaved = reconcile(stored, shown(told({ stamp: 11 })), undefined).record!;
    expect(base(stored, unsaved)).toBe(unsaved);
  });

  test('a reset that could not be saved, with the own write that another tab has saved since: it is no part of that', () => {
    const future = ours(100 * DAY);
    const stored = after(shown(told({ stamp: 10 })), write(future))!;
    const reset = told({ stamp: 20, tags: voiding(future) });
    const unsaved = reconcile(stored, shown(reset), undefined).record!;
    const own = { ...stored.own!, stamp: 50, floor: 60 };
    expect(base({ ...stored, own }, unsaved)?.own).toEqual(own);
    const known = { ...own, floor: 100 * DAY, undone: [90 * DAY, 110 * DAY] };
    expect(base({ ...stored, own: known }, unsaved)?.own).toEqual(known);
  });
});
