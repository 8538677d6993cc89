/** An app that does not wait for its edit hears why it is not saved from `meta`, and from nowhere else. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { defineCategory, memoryStore } from '../../src/node.ts';
import { world } from '../sync/devices.ts';

let unhandled: unknown[];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => {
  unhandled = [];
  process.prependListener('unhandledRejection', note);
});
afterEach(() => void process.off('unhandledRejection', note));

test('an edit that the store fails to save is no unhandled rejection', async () => {
  const { device, clock, settle } = world({});
  const store = memoryStore();
  let isBroken = false;
  const update: typeof store.update = async (...args) => {
    if (isBroken) throw new Error('disk full');
    return store.update(...args);
  };
  const desk = device({ store: { ...store, update } });
  const settings = desk.state(
    defineCategory({ name: 'settings', default: { theme: 'light' }, debounceMs: 0 }),
  );
  const stop = settings.subscribe(() => undefined);
  await settle(settings.ready);
  isBroken = true;
  void settings.update({ theme: 'dark' });
  void settings.set({ theme: 'blue' });
  for (let passed = 0; passed < 20_000 && settings.meta.get().error === undefined; passed += 100)
    await clock.advance(100);
  await new Promise(setImmediate);
  expect(settings.meta.get()).toMatchObject({ status: 'error', error: { code: 'STORE_FAILED' } });
  expect(unhandled).toEqual([]);
  isBroken = false;
  stop();
});
