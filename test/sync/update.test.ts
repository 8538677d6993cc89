/** `update` among other writes of its category, and what it refuses to write. */

import { expect, test } from 'vitest';
import { mergeBy } from '../../src/merge.ts';
import { memoryStore, type Store } from '../../src/node.ts';
import type { NostrSyncOptions } from '../../src/options.ts';
import { asAddress } from '../../src/protocol/address.ts';
import { createComposing, type Compose } from '../../src/sync/composing.ts';
import type { Wanted } from '../../src/sync/drafts.ts';
import { EMPTY_RECORD } from '../../src/sync/heads/record.ts';
import { countOf, createMergeComposing } from '../../src/sync/merging/composing.ts';
import type { Joined, Joining } from '../../src/sync/merging/joining.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { told } from './records.ts';
import { world } from './devices.ts';

const MERGE: NostrSyncOptions = { categories: { settings: { merge: mergeBy() } } };

test.each([
  ['without rules', {}],
  ['with rules', MERGE],
])('an update that throws fails alone: what waits beside it is written, %s', async (_, options) => {
  const at = world({});
  const laptop = at.device(options);
  await at.settle(laptop.publish('settings', { n: 0 }));
  const failing = (): Promise<unknown> =>
    laptop.update('settings', () => {
      throw new RangeError('of the app');
    });
  const writes = [
    laptop.publish('settings', { n: 1 }),
    failing(),
    laptop.publish('settings', { n: 2 }),
    failing(),
    laptop.update('settings', (now) => ({ ...(now as object), more: true })),
    failing(),
  ];
  const outcomes = await at.settle(Promise.allSettled(writes));
  expect(outcomes.map(({ status }) => status)).toEqual([
    ...['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled', 'rejected'],
  ]);
  expect(outcomes[1]).toMatchObject({ reason: { message: 'of the app' } });
  expect(await at.settle(laptop.fetch('settings'))).toMatchObject({ payload: { n: 2, more: true } });
});

test('calls are made in their order, whether they come before there is a session, while it is signed in, or after', async () => {
  const at = world({});
  const inner = memoryStore();
  const update: Store['update'] = async (...of) => {
    await new Promise<void>((resolve) => void at.clock.after(400, resolve));
    return inner.update(...of);
  };
  const laptop = at.device({ ...MERGE, store: { ...inner, update } });
  const calls = Array.from({ length: 20 }, (_, i) => i);
  const writes: Promise<unknown>[] = [];
  for (const i of calls) {
    const add = (now: unknown): unknown => ({ all: [...((now as { all?: number[] } | null)?.all ?? []), i] });
    writes.push(laptop.update('settings', add, { waitFor: 'saved' }));
    await at.clock.advance(70);
  }
  await at.settle(Promise.all(writes));
  expect(await at.settle(laptop.fetch('settings'))).toMatchObject({ payload: { all: calls } });
});

test.each([
  ['nothing, as a function does that changes its argument', (now: any) => void (now.n = 1)],
  ['a promise', async () => ({ n: 1 })],
  ['what is too large', () => 'x'.repeat(70_000)],
])('an update that returns %s writes nothing', async (_, change) => {
  const at = world({});
  const laptop = at.device(MERGE);
  await at.settle(laptop.publish('settings', { n: 0 }));
  const failing = laptop.update('settings', change as never);
  const beside = laptop.publish('other', 1);
  await expect(at.settle(failing)).rejects.toMatchObject({
    code: expect.stringMatching(/INVALID_PAYLOAD|PAYLOAD_TOO_LARGE/),
  });
  await at.settle(beside);
  expect(await at.settle(laptop.fetch('settings'))).toMatchObject({ payload: { n: 0 } });
});

const write = {
  text: '',
  isRemoval: false,
  waitFor: 'saved',
  signal: undefined,
  onSaved: undefined,
} as const;

/** Of a category whose head is `{ a: 1 }`, and of what is merged with it. */
function composing(
  merger: ReturnType<typeof mergeBy> | undefined,
  value: unknown = { a: 1 },
  join?: Joining['join'],
): Compose {
  const clock = createTestClock();
  const head = told({ stamp: 100 });
  const replica = { get: () => ({ ...EMPTY_RECORD, head: { event: head } }) as never };
  if (merger === undefined)
    return createComposing({
      ...{ clock, replica, mergingOf: () => undefined },
      content: { payloadOf: async () => value },
    });
  const joined = { value, headValue: { a: 1 }, head, seen: new Map(), taken: [] } as unknown as Joined;
  return createMergeComposing({
    ...{
      replica,
      mergerOf: () => merger,
      written: () => undefined,
      isDue: () => false,
      viewOf: () => undefined,
    },
    joining: {
      join: join ?? (async () => joined),
      eventOf: async () => undefined,
      valueAt: async () => undefined,
    },
  });
}

test('a value that is written together with a merge of the engine ends when it should, and is news if it says more', async () => {
  const payload = { a: 2 };
  const on = { type: 'call', call: { payload: { a: 1 }, basedOn: undefined, isLost: false } } as const;
  const wanted: Wanted[] = [
    { write: { ...write, expiration: 99, edit: { type: 'whole', payload, basedOn: on } }, seen: new Map() },
    { write: { ...write, expiration: undefined, edit: { type: 'merge' } }, seen: new Map() },
  ];
  const compose = composing(mergeBy(), { a: 1, b: 1 });
  expect(await compose(asAddress('default/settings/v1'), wanted)).toMatchObject({
    ...{ text: '{"a":2,"b":1}', expiration: 99, isNews: true, settles: undefined, isRemoval: false },
  });
});

test.each([
  ['without rules', undefined],
  ['with rules', mergeBy()],
])('an update that waits after a restore is made of what that restores, %s', async (_, merger) => {
  const change = (now: unknown): unknown => ({ was: now ?? 'nothing' });
  const wantedAfter = (restored: Partial<Wanted['write']>): Wanted[] => [
    { write: { ...write, expiration: undefined, ...restored }, seen: new Map() },
    {
      write: { ...write, text: 'null', expiration: undefined, edit: { type: 'update', change } },
      seen: new Map(),
    },
  ];
  const dTag = asAddress('default/settings/v1');
  const compose = composing(merger);
  expect(await compose(dTag, wantedAfter({ text: '[7]' }))).toMatchObject({ text: '{"was":[7]}' });
  expect(await compose(dTag, wantedAfter({ text: 'null', isRemoval: true }))).toMatchObject({
    text: '{"was":"nothing"}',
  });
});

const RESTORE = undefined;
const REMOVE = { type: 'remove' } as const;
const UPDATE = { type: 'update', change: () => 1 } as const;
const WHOLE = { type: 'whole', payload: 1, basedOn: undefined } as const;

test.each<[string, readonly (readonly [Wanted['write']['edit'], number])[], number]>([
  [
    'edits, whatever came in between',
    [
      [WHOLE, 1],
      [UPDATE, 2],
      [WHOLE, 3],
    ],
    3,
  ],
  [
    'a restore, and an edit that has seen no more',
    [
      [RESTORE, 2],
      [UPDATE, 2],
    ],
    2,
  ],
  [
    'a restore alone, if an edit behind it has seen more',
    [
      [WHOLE, 1],
      [RESTORE, 2],
      [UPDATE, 2],
      [WHOLE, 3],
    ],
    2,
  ],
  [
    'a removal alone, if an edit behind it has seen more',
    [
      [REMOVE, 1],
      [UPDATE, 2],
    ],
    1,
  ],
  [
    'what a later restore replaces as well',
    [
      [RESTORE, 1],
      [UPDATE, 2],
      [RESTORE, 3],
      [UPDATE, 3],
    ],
    4,
  ],
])('one write is made of %s', (_, calls, count) => {
  const wanted = calls.map(([edit, stamp]): Wanted => {
    return {
      write: { ...write, expiration: undefined, ...(edit && { edit }) },
      seen: new Map([['theirs', stamp]]),
    };
  });
  expect(countOf(wanted)).toBe(count);
});

test('an update of a value that is not saved yet has seen what that had, and not the head that the value will beat', async () => {
  const older = new Map([['theirs', 5]]);
  const after = { write: { ...write, expiration: undefined, edit: UPDATE }, seen: new Map([['theirs', 9]]) };
  const value = { write: { ...write, text: '7', expiration: undefined, edit: WHOLE }, seen: older };
  const compose = composing(undefined);
  expect(await compose(asAddress('default/settings/v1'), [value, after])).toMatchObject({ seen: older });
  expect(await compose(asAddress('default/settings/v1'), [after])).not.toMatchObject({ seen: older });
});

test('what a restore has replaced is not said to be part of an update behind it', async () => {
  const dTag = asAddress('default/settings/v1');
  const taken: string[] = [];
  const compose = composing(mergeBy(), undefined, async (_, __, takingOf) => {
    const rival = { id: 'rival', device: 'other', stamp: 1, written: 1, seen: new Map() };
    taken.push(takingOf(rival as never, { newest: [], isExact: true }));
    return { value: { a: 1 }, headValue: { a: 1 }, seen: new Map(), taken: [] } as never;
  });
  const update = { type: 'update', change: () => 1 } as const;
  const made = { write: { ...write, expiration: undefined, edit: update }, seen: new Map() };
  const restored = { write: { ...write, text: '[7]', expiration: undefined }, seen: new Map() };
  await compose(dTag, [made]);
  await compose(dTag, [restored, made]);
  expect(taken).toEqual(['may', 'not']);
});

test.each([
  ['restore', { text: '[7]' }],
  ['removal', { text: 'null', isRemoval: true, edit: { type: 'remove' } as const }],
])('what came in since the call of a %s is not said to be part of an update behind it', async (_, what) => {
  const dTag = asAddress('default/settings/v1');
  const newer = new Map([['theirs', 9]]);
  const compose = composing(mergeBy(), undefined, async () =>
    Promise.resolve({ value: { a: 1 }, headValue: { a: 1 }, seen: newer, taken: [] } as never),
  );
  const update = { type: 'update', change: () => 1 } as const;
  const made = { write: { ...write, expiration: undefined, edit: update }, seen: newer };
  const replacing = { write: { ...write, expiration: undefined, ...what }, seen: new Map([['theirs', 5]]) };
  expect(await compose(dTag, [made])).toMatchObject({ seen: newer });
  const after = { ...made, seen: replacing.seen };
  expect(await compose(dTag, [made, replacing, after])).toMatchObject({ seen: replacing.seen });
});

test('an update of what cannot be read fails by a typed error, whatever a signer makes of it', async () => {
  const compose = createComposing({
    ...{ clock: createTestClock(), mergingOf: () => undefined },
    replica: { get: () => ({ ...EMPTY_RECORD, head: { event: told({ stamp: 100 }) } }) as never },
    content: { payloadOf: () => Promise.reject(new Error('not JSON')) },
  });
  const update = { type: 'update', change: () => 1 } as const;
  const made = { write: { ...write, expiration: undefined, edit: update }, seen: new Map() };
  await expect(compose(asAddress('default/settings/v1'), [made])).rejects.toMatchObject({
    ...{ code: 'UNDECODABLE', details: { category: 'settings' } },
  });
});

test('a write that was called before there was a session is not overtaken by one that was called while the signer is set', async () => {
  const { clock, relays, device, settle } = world({});
  const inner = memoryStore();
  const update: Store['update'] = async (keys, decide) => {
    if (keys.some((key) => key.startsWith('identity/')))
      await new Promise<void>((resolve) => void clock.after(1_000, resolve));
    return inner.update(keys, decide);
  };
  const sync = device({ store: { ...inner, update } });
  const first = sync.update('settings', (now: unknown) => `${String(now)}, first`);
  // Its session is there, and the store is about to keep which identity it is.
  for (let i = 0; i < 50 && relays[0]!.connections() === 0; i++) await clock.advance(10);
  const second = sync.update('settings', (now: unknown) => `${String(now)}, second`);
  await settle(Promise.all([first, second]));
  expect((await settle(sync.fetch('settings')))?.payload).toBe('undefined, first, second');
});
