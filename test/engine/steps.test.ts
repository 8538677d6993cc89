/** The order of what opens and changes an engine, and what calls wait for: without engine or store. */

import { expect, test } from 'vitest';
import { createSteps, type Steps } from '../../src/engine/steps.ts';
import { createTestClock } from '../../src/testing/clock.ts';

/** Lets all go on that does not wait for something else. */
const settle = (): Promise<void> => createTestClock().advance(0);

interface Bench {
  readonly steps: Steps;
  readonly log: string[];
  /** Whether the store can be opened, and whether it is open. */
  readonly state: { isUsable: boolean; isOpen: boolean };
  /** A step that notes that it runs. */
  step(name: string): Promise<void>;
}

/** `opened`: what the first opening waits for. */
function setUp({ isUsable = true, opened = Promise.resolve() } = {}): Bench {
  const log: string[] = [];
  const state = { isUsable, isOpen: false };
  const steps = createSteps({
    open: async () => {
      await opened;
      log.push('open');
      if (!state.isUsable) throw new Error('the store is away');
      state.isOpen = true;
    },
    isOpen: () => state.isOpen,
    onOpenFailed: () => log.push('open failed'),
  });
  const step = (name: string): Promise<void> =>
    steps.next(async () => {
      log.push(`${name} begins`);
      await Promise.resolve();
      log.push(`${name} ends`);
    });
  return { steps, log, state, step };
}

/** A promise, and what resolves it. */
function latch(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

test('steps run one at a time, in the order of the calls, after the store was opened', async () => {
  const { log, step } = setUp();
  await Promise.all(['a', 'b'].map(step));
  expect(log).toEqual(['open', 'a begins', 'a ends', 'b begins', 'b ends']);
});

test('a step gives its result to its own call', async () => {
  const { steps } = setUp();
  expect(await steps.next(async () => Promise.resolve('result'))).toBe('result');
});

test('a step that fails rejects its own call alone', async () => {
  const { steps, log, step } = setUp();
  const failing = steps.next(() => Promise.reject(new Error('no')));
  const after = step('a');
  await expect(failing).rejects.toThrow('no');
  await after;
  await steps.opened();
  expect(log).toEqual(['open', 'a begins', 'a ends']);
});

test('an opening that fails is told of once, and is tried again before each later step until it succeeds', async () => {
  const { steps, log, state, step } = setUp({ isUsable: false });
  await expect(step('a')).rejects.toThrow('the store is away');
  expect(log).toEqual(['open', 'open failed', 'open']);
  await expect(step('b')).rejects.toThrow('the store is away');
  state.isUsable = true;
  log.length = 0;
  await step('c');
  await step('d');
  expect(log).toEqual(['open', 'c begins', 'c ends', 'd begins', 'd ends']);
  await steps.opened();
});

test('a failed opening that no step follows is told to its call alone', async () => {
  const { log, step } = setUp({ isUsable: false });
  await expect(step('a')).rejects.toThrow('the store is away');
  // A rejection that nothing handles would fail this run.
  await settle();
  expect(log).toEqual(['open', 'open failed', 'open']);
});

test('a call that waits for the opening waits for all steps, also for those that come meanwhile', async () => {
  const { opened, open } = latch();
  const later = latch();
  const { steps, log, step } = setUp({ opened });
  void step('a');
  const waiting = steps.opened().then(() => log.push('waited'));
  void steps.next(() => later.opened).then(() => log.push('b ends'));
  open();
  await settle();
  expect(log).toEqual(['open', 'a begins', 'a ends']);
  later.open();
  await waiting;
  expect(log.slice(3)).toEqual(['b ends', 'waited']);
});

test('calls that wait go on in their order, those that came while the store was tried again as well', async () => {
  const { opened, open } = latch();
  const { steps, log } = setUp({ opened });
  for (const name of ['a', 'b']) void steps.opened().then(() => log.push(name));
  await settle();
  void steps.opened().then(() => log.push('c'));
  open();
  await settle();
  expect(log).toEqual(['open', 'a', 'b', 'c']);
});

test('a call that waits tries a failed opening again, and all that wait are told if that fails', async () => {
  const { steps, log, state } = setUp({ isUsable: false });
  await settle();
  const told = await Promise.allSettled([steps.opened(), steps.opened()]);
  expect(told.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(log).toEqual(['open', 'open failed', 'open']);
  state.isUsable = true;
  await steps.opened();
  expect(log.at(-1)).toBe('open');
});

test('nothing runs after the end: later calls and calls that wait are told so', async () => {
  const { opened, open } = latch();
  const { steps, log, step } = setUp({ opened });
  const before = step('a');
  const waiting = steps.opened();
  waiting.catch(() => undefined);
  expect(steps.isClosed()).toBe(false);
  const closed = steps.close().then(() => log.push('closed'));
  expect(steps.isClosed()).toBe(true);
  const closedError = { code: 'CLOSED' };
  await expect(step('b')).rejects.toMatchObject(closedError);
  open();
  await Promise.all([before, closed]);
  await expect(waiting).rejects.toMatchObject(closedError);
  await expect(steps.opened()).rejects.toMatchObject(closedError);
  expect(log).toEqual(['open', 'a begins', 'a ends', 'closed']);
});

test('a call that comes after the end does not wait for a step that hangs', async () => {
  const { steps } = setUp({ opened: latch().opened });
  void steps.close();
  await expect(steps.opened()).rejects.toMatchObject({ code: 'CLOSED' });
});

test('the end is reached if the store was never opened', async () => {
  const { steps } = setUp({ isUsable: false });
  await expect(steps.close()).resolves.toBeUndefined();
});
