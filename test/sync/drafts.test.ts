/** Which write of a category is made next, and which calls it settles: without engine, signer or store. */

import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { toDTag } from '../../src/protocol/address.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { SIGNER_TURN_MS } from '../../src/protocol/limits.ts';
import { createDrafts, type Drafts, type Making } from '../../src/sync/drafts.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { told } from './records.ts';

const D_TAG = toDTag('default', 'settings');
const OTHER = toDTag('default', 'other');

/** One that is made. Ends by itself if it is abandoned before it is saved, as a signer's call does. */
interface Made extends Making {
  /** The values of the calls that it settled when it began, the newest last. */
  readonly texts: readonly string[];
  readonly saved: VerifiedEvent;
  done(): Promise<void>;
  fail(): Promise<void>;
}

interface Bench {
  readonly clock: TestClock;
  readonly drafts: Drafts;
  readonly makings: readonly Made[];
  /** By value, what its call was answered. */
  readonly answers: Record<string, unknown>;
  write(text: string, more?: { readonly dTag?: typeof D_TAG; readonly signal?: AbortSignal }): void;
  abort(text: string): Promise<void>;
}

function setUp(): Bench {
  const clock = createTestClock();
  const makings: Made[] = [];
  const answers: Bench['answers'] = {};
  const aborts = new Map<string, AbortController>();

  const drafts = createDrafts({
    clock,
    // "|": what comes after it is another write.
    countOf: (_, wanted) => wanted.findIndex(({ write }) => write.text.endsWith('|')) + 1 || wanted.length,
    make: (_, making) =>
      new Promise((resolve, reject) => {
        let isSaving = false;
        const saved = told({ stamp: makings.length });
        const abandon = (): void => {
          if (!isSaving) reject(making.signal.reason as Error);
        };
        making.signal.addEventListener('abort', abandon);
        makings.push({
          ...making,
          texts: making.wanted.map(({ write }) => write.text),
          saved,
          saving: () => {
            isSaving = true;
            making.saving();
          },
          notSaved: () => {
            isSaving = false;
            making.notSaved();
          },
          done: () => {
            resolve(saved);
            return clock.advance(0);
          },
          fail: () => {
            reject(new Error('it failed'));
            return clock.advance(0);
          },
        });
        if (making.signal.aborted) abandon();
      }),
  });

  return {
    ...{ clock, drafts, makings, answers },
    write: (text, { dTag = D_TAG } = {}) => {
      const abort = new AbortController();
      aborts.set(text, abort);
      const write = { text, expiration: undefined, isRemoval: false, waitFor: 'saved' } as const;
      drafts
        .add(dTag, { write: { ...write, signal: abort.signal, onSaved: undefined }, seen: new Map() })
        .then(
          (saved) => (answers[text] = saved),
          (error: unknown) => (answers[text] = error),
        );
    },
    abort: (text) => {
      aborts.get(text)!.abort(`${text} is not wanted`);
      return clock.advance(0);
    },
  };
}

test('one write of a category is made at a time, and all that came meanwhile are settled by the newest', async () => {
  const { makings, answers, write } = setUp();
  for (const text of ['1', '2', '3']) write(text);
  expect(makings.map(({ texts }) => texts)).toEqual([['1']]);
  await makings[0]!.done();
  expect(answers).toEqual({ 1: makings[0]!.saved });
  expect(makings.map(({ texts }) => texts)).toEqual([['1'], ['2', '3']]);
  await makings[1]!.done();
  expect(answers).toEqual({ 1: makings[0]!.saved, 2: makings[1]!.saved, 3: makings[1]!.saved });
  expect(makings).toHaveLength(2);
});

test('what one write cannot be made of is the next one, also if the first is made again', async () => {
  const { makings, answers, clock, write } = setUp();
  for (const text of ['1', '2', '3|', '4']) write(text);
  await makings[0]!.done();
  expect(makings.map(({ texts }) => texts)).toEqual([['1'], ['2', '3|']]);
  write('5');
  await clock.advance(SIGNER_TURN_MS);
  expect(makings.map(({ texts }) => texts)).toEqual([['1'], ['2', '3|'], ['2', '3|']]);
  await makings[2]!.done();
  expect(makings[3]!.texts).toEqual(['4', '5']);
  await makings[3]!.done();
  expect(answers).toMatchObject({ '3|': makings[2]!.saved, 4: makings[3]!.saved, 5: makings[3]!.saved });
  expect(clock.pending).toBe(0);
});

test('a write does not wait for one of another category', () => {
  const { makings, write } = setUp();
  write('1');
  write('2', { dTag: OTHER });
  expect(makings.map(({ texts }) => texts)).toEqual([['1'], ['2']]);
});

test('a write that fails rejects its own calls alone, and the next is made', async () => {
  const { makings, answers, write, clock } = setUp();
  write('1');
  write('2');
  await makings[0]!.fail();
  expect(answers).toEqual({ 1: new Error('it failed') });
  await makings[1]!.done();
  expect(answers).toMatchObject({ 2: makings[1]!.saved });
  expect(clock.pending).toBe(0);
});

test('a newer write waits for the one that is made for a signer’s turn, and then for both', async () => {
  const { makings, clock, write, answers } = setUp();
  write('1');
  await clock.advance(SIGNER_TURN_MS);
  write('2');
  await clock.advance(SIGNER_TURN_MS - 1);
  expect(makings[0]!.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(makings[0]!.signal.aborted).toBe(true);
  expect(makings.map(({ texts }) => texts)).toEqual([['1'], ['1', '2']]);
  await makings[1]!.done();
  expect(answers).toEqual({ 1: makings[1]!.saved, 2: makings[1]!.saved });
});

test('a third write does not begin the wait of the second again', async () => {
  const { makings, clock, write } = setUp();
  write('1');
  write('2');
  await clock.advance(SIGNER_TURN_MS - 1);
  write('3');
  expect(clock.pending).toBe(1);
  await clock.advance(1);
  expect(makings.map(({ texts }) => texts)).toEqual([['1'], ['1', '2', '3']]);
});

test('a signer that is slow is given twice the time at each turn, until one write is saved', async () => {
  const { makings, clock, write } = setUp();
  write('1');
  for (const [times, turnMs] of [SIGNER_TURN_MS, SIGNER_TURN_MS * 2, SIGNER_TURN_MS * 4].entries()) {
    write(`newer ${times}`);
    await clock.advance(turnMs - 1);
    expect(makings).toHaveLength(times + 1);
    await clock.advance(1);
    expect(makings).toHaveLength(times + 2);
  }
  await makings.at(-1)!.done();
  write('after');
  write('last');
  await clock.advance(SIGNER_TURN_MS);
  expect(makings.at(-1)!.texts).toEqual(['after', 'last']);
});

test.each<[string, 'before' | 'after']>([
  ['began to wait before that', 'before'],
  ['came after that', 'after'],
])('what may be on the medium goes on to its end, also if a newer write %s', async (_, when) => {
  const { makings, clock, write } = setUp();
  write('1');
  if (when === 'before') write('2');
  makings[0]!.saving();
  if (when === 'after') write('2');
  await clock.advance(SIGNER_TURN_MS * 9);
  expect(makings[0]!.signal.aborted).toBe(false);
  expect(makings).toHaveLength(1);
});

test('if what was abandoned cannot be made again, its calls are told why', async () => {
  const { makings, answers, clock, write } = setUp();
  write('1');
  write('2');
  await clock.advance(SIGNER_TURN_MS);
  await makings[1]!.fail();
  const failed = new Error('it failed');
  expect([answers, makings.map(({ texts }) => texts)]).toEqual([
    { 1: failed, 2: failed },
    [['1'], ['1', '2']],
  ]);
});

test('a call that waits is told why it fails, also if a newer one was aborted', async () => {
  const { makings, answers, write, abort } = setUp();
  for (const text of ['1', '2', '3']) write(text);
  await abort('3');
  await makings[0]!.done();
  expect(makings).toHaveLength(2);
  expect(makings[1]!.signal.aborted).toBe(false);
  await makings[1]!.fail();
  expect(answers).toMatchObject({ 2: new Error('it failed'), 3: '3 is not wanted' });
});

test('a call that is aborted while it waits is not written', async () => {
  const { makings, answers, write, abort } = setUp();
  write('1');
  write('2');
  await abort('2');
  expect(answers).toEqual({ 2: '2 is not wanted' });
  await makings[0]!.done();
  expect(makings).toHaveLength(1);
});

test('a call whose place was taken by one that is aborted is settled by what it wrote itself', async () => {
  const { makings, answers, write, abort } = setUp();
  for (const text of ['1', '2', '3']) write(text);
  await abort('3');
  expect(makings[0]!.signal.aborted).toBe(false);
  await makings[0]!.done();
  expect(makings.at(-1)!.texts).toEqual(['2']);
  await makings.at(-1)!.done();
  expect(answers).toMatchObject({ 2: makings.at(-1)!.saved, 3: '3 is not wanted' });
});

test('what is made for a call that is aborted is abandoned, and the next is made', async () => {
  const { makings, answers, write, abort } = setUp();
  write('1');
  await abort('1');
  expect(answers).toEqual({ 1: '1 is not wanted' });
  expect(makings[0]!.signal.aborted).toBe(true);
  write('2');
  expect(makings.map(({ texts }) => texts)).toEqual([['1'], ['2']]);
});

test('what is made goes on if it settles a call that is aborted beside its own', async () => {
  const { makings, answers, write, abort } = setUp();
  for (const text of ['1', '2', '3']) write(text);
  await makings[0]!.done();
  await abort('2');
  expect(makings[1]!.signal.aborted).toBe(false);
  await makings[1]!.done();
  expect(answers).toEqual({ 1: makings[0]!.saved, 2: '2 is not wanted', 3: makings[1]!.saved });
});

test('if the newest of several calls is aborted, the write of the one before is made in its place', async () => {
  const { makings, answers, write, abort } = setUp();
  for (const text of ['1', '2', '3']) write(text);
  await makings[0]!.done();
  write('4');
  await abort('3');
  expect(answers[3]).toBe('3 is not wanted');
  expect(makings.map(({ texts }) => texts)).toEqual([['1'], ['2', '3'], ['2', '4']]);
});

test('a call that is aborted while its write may be on the medium is told what was saved', async () => {
  const { makings, answers, write, abort } = setUp();
  write('1');
  makings[0]!.saving();
  await abort('1');
  expect(answers).toEqual({});
  await makings[0]!.done();
  expect(answers).toEqual({ 1: makings[0]!.saved });
});

test('if it was not saved, a call that was aborted meanwhile is let go, and another is not', async () => {
  const { clock, makings, answers, write, abort } = setUp();
  for (const text of ['1', '2', '3']) write(text);
  await makings[0]!.done();
  makings[1]!.saving();
  await abort('3');
  makings[1]!.notSaved();
  await clock.advance(0);
  expect(answers).toEqual({ 1: makings[0]!.saved, 3: '3 is not wanted' });
  expect(makings.map(({ texts }) => texts)).toEqual([['1'], ['2', '3'], ['2']]);
});

test.each<[string, (made: Made) => Promise<void>]>([
  ['is saved', (made) => made.done()],
  ['has failed', (made) => made.fail()],
])('once a call %s its signal is listened to no more', async (_, end) => {
  const { drafts, makings } = setUp();
  const { signal } = new AbortController();
  const write = { text: '1', expiration: undefined, isRemoval: false, waitFor: 'saved' } as const;
  const added = drafts.add(D_TAG, { write: { ...write, signal, onSaved: undefined }, seen: new Map() });
  added.catch(() => undefined);
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await end(makings[0]!);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});
