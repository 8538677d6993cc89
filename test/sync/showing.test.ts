/** What is shown of a head whose rivals wait for the app's next edit, and when that is news. */

import { expect, test } from 'vitest';
import { mergeBy } from '../../src/merge.ts';
import { asAddress, type EventId } from '../../src/protocol/address.ts';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import type { Joined } from '../../src/sync/merging/joining.ts';
import { createShowing, type Showing } from '../../src/sync/merging/showing.ts';
import type { HeadRecord } from '../../src/sync/heads/record.ts';

const D_TAG = asAddress('default/settings/v1');
const id = (digit: string): EventId => digit.repeat(64) as EventId;
const HEAD = id('a');
const HEAD_VALUE = { theme: 'light' };

interface Bench {
  readonly showing: Showing;
  readonly told: unknown[];
  /** The head, together with these rivals, says this. */
  show(value: unknown, ...rivals: readonly EventId[]): Promise<void>;
  renew(to: EventId): void;
}

function setUp(): Bench {
  let head = HEAD;
  let joined: Pick<Joined, 'value' | 'taken'> = { value: HEAD_VALUE, taken: [] };
  const told: unknown[] = [];
  const showing = createShowing({
    replica: { get: () => ({ head: { event: { id: head } }, rivals: [] }) as unknown as HeadRecord },
    joining: {
      join: async () =>
        Promise.resolve({ ...joined, head: { id: head }, headValue: HEAD_VALUE } as unknown as Joined),
    } as never,
    mergerOf: () => mergeBy(),
    isDue: () => true,
    primitives: nodePrimitives,
    onShown: (_, { value }, isNews) => void (isNews && told.push(value)),
  });
  return {
    showing,
    told,
    show: async (value, ...rivals) => {
      joined = { value, taken: rivals.map((rival) => ({ id: rival }) as never) };
      await showing.show(D_TAG);
    },
    renew: (to) => {
      const effects = [{ type: 'advanced', event: { id: to }, renews: head }];
      head = to;
      showing.changed({ dTag: D_TAG, effects } as never);
    },
  };
}

const DARK = { theme: 'dark' };

test('what a head and its rivals say together is news once, and not if the head alone says it', async () => {
  const { told, show, showing } = setUp();
  await show(HEAD_VALUE, id('1'));
  expect([told, showing.viewOf(D_TAG, HEAD)]).toEqual([[], undefined]);
  await show(DARK, id('1'), id('2'));
  await show(DARK, id('1'), id('2'));
  expect(told).toEqual([DARK]);
  await show(HEAD_VALUE, id('1'));
  expect(told).toEqual([DARK, HEAD_VALUE]);
});

test('an app that was locked meanwhile is not told again, also if one more rival says the same', async () => {
  const { told, show, showing } = setUp();
  await show(DARK, id('1'));
  showing.forget();
  expect(showing.viewOf(D_TAG, HEAD)).toBeUndefined();
  await show(DARK, id('1'), id('2'));
  expect(told).toEqual([DARK]);
  expect(showing.viewOf(D_TAG, HEAD)?.value).toEqual(DARK);
});

test('an app that was locked meanwhile is told that the head alone says it all now', async () => {
  const { told, show, showing } = setUp();
  await show(DARK, id('1'));
  showing.forget();
  await show(HEAD_VALUE);
  expect(told).toEqual([DARK, HEAD_VALUE]);
});

test('a head that is said again is shown as before, also after the app was locked', async () => {
  const { told, show, showing, renew } = setUp();
  await show(DARK, id('1'));
  renew(id('b'));
  expect(showing.viewOf(D_TAG, HEAD)).toBeUndefined();
  expect(showing.viewOf(D_TAG, id('b'))?.value).toEqual(DARK);
  showing.forget();
  renew(id('c'));
  await show(DARK, id('1'));
  expect(told).toEqual([DARK]);
});
