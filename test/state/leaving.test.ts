/** A page that may be about to go, while an edit waits for the debounce. What a browser lets a page do then is another matter: docs/STATE.md. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { defineCategory } from '../../src/node.ts';
import { world } from '../sync/devices.ts';
import { eventsSent, lastingStore, startDevice, unlocked } from './devices.ts';

interface Settings {
  theme: string;
  font: number;
}
const settings = defineCategory<Settings>({ name: 'settings', default: { theme: 'light', font: 14 } });

type Globals = Record<'addEventListener' | 'removeEventListener' | 'document', unknown>;
const globals = globalThis as unknown as Globals;
const listeners = new Map<string, Set<() => void>>();
const tell = (type: string): void => listeners.get(type)?.forEach((listener) => listener());

/** As much of a page as is asked for. */
beforeEach(() => {
  const target = {
    addEventListener: (type: string, listener: () => void) => {
      listeners.set(type, (listeners.get(type) ?? new Set()).add(listener));
    },
    removeEventListener: (type: string, listener: () => void) => listeners.get(type)?.delete(listener),
  };
  Object.assign(globals, target, { document: { ...target, visibilityState: 'visible' } });
});
afterEach(() => {
  listeners.clear();
  for (const name of ['addEventListener', 'removeEventListener', 'document'] as const)
    Reflect.deleteProperty(globals, name);
});

function hide(): void {
  (globals.document as { visibilityState: string }).visibilityState = 'hidden';
  tell('visibilitychange');
}

test.each([
  ['goes', () => tell('pagehide')],
  ['is hidden', hide],
] as const)('a page that %s saves what waits, at once', async (_, leave) => {
  const at = world({});
  const first = startDevice(at);
  const state = first.device.state(settings);
  await at.settle(state.ready);
  void state.update({ font: 30 });
  tell('visibilitychange');
  await at.clock.advance(50);
  expect(state.meta.get().status).toBe('pending');
  leave();
  await at.clock.advance(50);
  // The debounce is not over.
  expect(eventsSent(at)).toHaveLength(1);
  const again = first.restart().device.state(settings);
  await at.settle(again.ready);
  expect(again.get()).toEqual({ theme: 'light', font: 30 });
});

test.each([
  ['goes', () => tell('pagehide')],
  ['is hidden', hide],
] as const)('a page that %s keeps what a signer has no time for', async (_, leave) => {
  const at = world({});
  let giveUp = (): void => undefined;
  const signed = new Promise<never>((_, reject) => (giveUp = () => reject(new Error('nobody has signed'))));
  const signer = { ...unlocked(), signEvent: async () => signed };
  const first = startDevice(at, { signer }, lastingStore());
  const state = first.device.state(settings);
  await at.settle(state.ready);
  void state.update({ font: 30 });
  leave();
  // No time passes: the page is gone.
  await at.clock.advance(0);
  first.way.cut();
  const again = first.restart().device.state(settings);
  await at.settle(again.ready);
  await at.clock.advance(1_000);
  giveUp();
  expect(again.get()).toEqual({ theme: 'light', font: 30 });
});

test('an edit that was sealed while another was being saved outlives that save', async () => {
  const at = world({});
  const plain = unlocked();
  const turns: (() => void)[] = [];
  const signEvent: typeof plain.signEvent = async (template) => {
    await new Promise<void>((resolve) => turns.push(resolve));
    return plain.signEvent(template);
  };
  const first = startDevice(at, { signer: { ...plain, signEvent } }, lastingStore());
  const state = first.device.state(settings);
  await at.settle(state.ready);
  void state.update({ font: 30 });
  await at.clock.advance(1_000);
  expect(turns).toHaveLength(1);
  void state.update({ theme: 'dark' });
  hide();
  await at.clock.advance(0);
  turns[0]!();
  await at.clock.advance(100);
  expect(turns).toHaveLength(2);
  first.way.cut();
  const again = first.restart({ signer: plain }).device.state(settings);
  await at.settle(again.ready);
  expect(again.get()).toEqual({ theme: 'dark', font: 30 });
  turns[1]!();
});

test('a handle that is closed listens to the page no more', async () => {
  const at = world({});
  const { device } = startDevice(at);
  const state = device.state(settings);
  await at.settle(state.update({ font: 30 }));
  const all = (): number => [...listeners.values()].reduce((sum, { size }) => sum + size, 0);
  expect(all()).toBe(2);
  await at.settle(state.close());
  expect(all()).toBe(0);
});
