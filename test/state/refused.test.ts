/** Edits that cannot be saved: which of them wait, which are taken back, and what is told. */

import { expect, test } from 'vitest';
import { defineCategory, NostrSyncError, type CategoryDefinition, type Store } from '../../src/node.ts';
import { world } from '../sync/devices.ts';
import { eventsSent, lastingStore, startDevice } from './devices.ts';

interface Settings {
  theme: string;
  font: number;
}
const DEFAULT: Settings = { theme: 'light', font: 14 };
const settings = defineCategory<Settings>({ name: 'settings', default: DEFAULT });

test('one that is too large is taken back', async () => {
  const at = world({});
  const state = startDevice(at).device.state(settings);
  await at.settle(state.update({ font: 20 }));
  const large = state.update({ theme: 'x'.repeat(100_000) });
  expect(state.get().theme).toHaveLength(100_000);
  await expect(at.settle(large)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  expect(state.get()).toEqual({ theme: 'light', font: 20 });
  expect(state.meta.get()).toMatchObject({ status: 'error', error: { code: 'PAYLOAD_TOO_LARGE' } });
  await at.settle(state.update({ theme: 'dark' }));
  await at.clock.advance(3_000);
  expect(state.get()).toEqual({ theme: 'dark', font: 20 });
  expect(state.meta.get()).toMatchObject({ status: 'synced' });
});

test('one that the store could not save waits, and is saved with the next', async () => {
  const at = world({});
  let isFull = false;
  const inner = lastingStore();
  const store: Store = {
    ...inner,
    update: async (...args) => {
      if (isFull) throw new NostrSyncError('STORE_FAILED', 'full');
      return inner.update(...args);
    },
  };
  const state = startDevice(at, {}, store).device.state(settings);
  await at.settle(state.update({ font: 20 }));
  isFull = true;
  await expect(at.settle(state.update({ theme: 'dark' }))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  expect(state.get()).toEqual({ theme: 'dark', font: 20 });
  expect(state.meta.get().status).toBe('error');
  await expect(at.settle(state.flush())).rejects.toMatchObject({ code: 'STORE_FAILED' });
  isFull = false;
  await at.settle(state.update({ font: 21 }));
  await at.clock.advance(3_000);
  expect(state.get()).toEqual({ theme: 'dark', font: 21 });
  expect(state.meta.get().status).toBe('synced');
});

test('one that every relay has refused is gone, and that is told', async () => {
  const at = world({});
  at.relays[0]!.misbehave({ refuse: 'blocked: no' });
  const state = startDevice(at).device.state(settings);
  await at.settle(state.ready);
  await at.settle(state.update({ font: 20 }));
  await at.clock.advance(60_000);
  expect(state.meta.get()).toMatchObject({ status: 'error', error: { code: 'NO_RELAYS_ACCEPTED' } });
  expect(state.get()).toEqual(DEFAULT);
});

test('a category that is removed shows its defaults and by which device, and the next edit starts again', async () => {
  const at = world({});
  const other = startDevice(at, { deviceId: 'other' }).device;
  const state = startDevice(at).device.state(settings);
  await at.settle(state.update({ font: 20 }));
  await at.settle(other.fetch('settings'));
  await at.settle(other.remove('settings'));
  await at.clock.advance(3_000);
  expect(state.get()).toEqual(DEFAULT);
  expect(state.meta.get()).toMatchObject({ status: 'synced', deletedBy: 'other' });
  await at.settle(state.update({ theme: 'dark' }));
  expect((await at.settle(other.fetch('settings')))?.payload).toEqual({ theme: 'dark' });
  expect(state.meta.get().deletedBy).toBeUndefined();
});

test('an edit that gives way to a removal is told, until the app has shown it', async () => {
  const at = world({});
  const [one, other] = [startDevice(at), startDevice(at)];
  const state = one.device.state(settings);
  await at.settle(state.update({ font: 20 }));
  await at.settle(other.device.fetch('settings'));
  for (const { way } of [one, other]) way.cut();
  await at.clock.advance(1_000);
  await at.settle(state.update({ font: 30 }));
  await at.clock.advance(5_000);
  await at.settle(other.device.remove('settings', { waitFor: 'saved' }));
  other.way.join();
  await at.clock.advance(60_000);
  one.way.join();
  await at.clock.advance(300_000);
  expect(state.get()).toEqual(DEFAULT);
  expect(state.meta.get()).toMatchObject({ status: 'conflict', clashes: [{ path: [], mine: { font: 30 } }] });
  state.acknowledge();
  expect(state.meta.get().status).toBe('synced');
});

test('a listener that throws stops nobody, and the error is the app’s', async () => {
  const at = world({});
  const state = startDevice(at).device.state(settings);
  const uncaught: unknown[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => uncaught.push(error));
  try {
    const seen: number[] = [];
    state.subscribe(() => {
      throw new Error('mine');
    });
    state.subscribe(({ font }) => seen.push(font));
    await at.settle(state.update({ font: 20 }));
    expect(seen).toEqual([20]);
    await new Promise((resolve) => void setImmediate(resolve));
    expect(uncaught).toEqual([new Error('mine')]);
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
});

test.each<
  readonly [string, Partial<Record<keyof CategoryDefinition<Settings>, unknown>> & Record<string, unknown>]
>([
  ['name: expected the name of a category, got undefined', { name: undefined }],
  ['option: expected one of name, schema', { nmae: 'x' }],
  ['schema: expected one of Standard Schema v1', { schema: {} }],
  ['version: expected a whole number from 1, got 0', { version: 0 }],
  ['writableBy: expected a whole number from 1 to version, which is 2', { version: 2, writableBy: 3 }],
  ['migrate: expected versions from 2 to 2, got "3"', { version: 2, migrate: { 3: () => 1 } }],
  ['migrate.2: expected a function, got 1', { version: 2, migrate: { 2: 1 } }],
  ['merge.theme: expected a rule', { merge: { theme: 1 } }],
  ['local: expected true, or names of fields, got false', { local: false }],
  ["whileLocked: expected 'clear' or 'keep', got \"show\"", { whileLocked: 'show' }],
  ["write: expected 'sparse' or 'full', got \"all\"", { write: 'all' }],
  ['adopt.value: expected a function, got undefined', { adopt: {} }],
  [
    "adopt.policy: expected 'fill', 'theirs', 'mine' or a function, got \"ask\"",
    { adopt: { value: () => 1, policy: 'ask' } },
  ],
  ['debounceMs: expected milliseconds, from 0, got -1', { debounceMs: -1 }],
  [
    'default: expected what the schema takes, and these do not fit: theme',
    {
      schema: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: () => ({ issues: [{ message: 'no', path: ['theme'] }] }),
        },
      },
    },
  ],
])('defineCategory says what is wrong: %s', (message, wrong) => {
  expect(() => defineCategory({ name: 'settings', default: DEFAULT, ...wrong } as never)).toThrow(
    `Invalid ${message}`,
  );
});

test('a name that no category can have is found by sync.state', () => {
  const at = world({});
  const { device } = startDevice(at);
  const wrong = defineCategory({ name: 'a/b', default: {} });
  expect(() => device.state(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_CATEGORY' }));
  expect(eventsSent(at)).toEqual([]);
});
