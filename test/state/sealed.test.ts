/** Several edits of one category that wait as ciphertext, one after another: each is made once, and of two the later one counts. */

import { expect, test } from 'vitest';
import { defineCategory, type NostrSyncOptions, type Store } from '../../src/node.ts';
import { world, type World } from '../sync/devices.ts';
import { LOCKED, lastingStore, startDevice, unlocked, type Restartable } from './devices.ts';

interface Settings {
  theme: string;
  font: number;
}
const settings = defineCategory<Settings>({ name: 'settings', default: { theme: 'light', font: 14 } });

type Signer = NonNullable<NostrSyncOptions['signer']>;

/** Each draft has a name that is drawn by lot. */
const TIMES = 8;

/** A device with a value, and edits that were sealed one after another, in one session each. */
async function withSealed(at: World, fonts: readonly number[]): Promise<Restartable> {
  const first = startDevice(at, {}, lastingStore());
  await at.settle(first.device.state(settings).update({ theme: 'dark', font: 20 }));
  await at.clock.advance(2_000);
  await at.settle(first.device.close());
  let device = first;
  for (const font of fonts) {
    device = first.restart(LOCKED);
    await at.settle(device.device.state(settings).update({ font }));
    await at.settle(device.device.close());
    await at.clock.advance(1_000);
  }
  return device;
}

test('of one field the last one counts', async () => {
  for (let i = 0; i < TIMES; i++) {
    const at = world({});
    const sealed = await withSealed(at, [30, 31, 32]);
    const state = sealed.restart().device.state(settings);
    await at.settle(state.ready);
    await at.clock.advance(3_000);
    expect(state.get()).toEqual({ theme: 'dark', font: 32 });
  }
});

test('a field that goes back to its default does so, whatever was edited after it', async () => {
  for (let i = 0; i < TIMES; i++) {
    const at = world({});
    const first = startDevice(at, {}, lastingStore());
    const state = first.device.state(settings);
    await at.settle(state.update({ theme: 'dark', font: 20 }));
    await at.clock.advance(1_000);
    void state.reset('theme');
    await first.device.clearSigner();
    await at.clock.advance(100);
    expect(await at.settle(state.update({ font: 30 }))).toEqual({ stage: 'sealed' });
    first.way.cut();
    const again = first.restart().device.state(settings);
    await at.settle(again.ready);
    await at.clock.advance(5_000);
    expect(again.get()).toEqual({ theme: 'light', font: 30 });
  }
});

/** Its calls of this kind wait until they are let go. */
function slow(what: 'decrypt' | 'sign'): { readonly signer: Signer; readonly letGo: () => void } {
  const signer = unlocked();
  let letGo = (): void => undefined;
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  return {
    letGo,
    signer: {
      ...signer,
      signEvent: async (event) => {
        if (what === 'sign') await gate;
        return signer.signEvent(event);
      },
      nip44: {
        ...signer.nip44,
        decrypt: async (...args) => {
          if (what === 'decrypt') await gate;
          return signer.nip44.decrypt(...args);
        },
      },
    },
  };
}

test('what is edited over one that is not saved yet takes its place, also back to what it was', async () => {
  const at = world({});
  const sealed = await withSealed(at, [30]);
  const { signer } = slow('sign');
  const waiting = sealed.restart({ signer });
  const state = waiting.device.state(settings);
  await at.settle(state.ready);
  await at.clock.advance(1_000);
  expect(state.get().font).toBe(30);
  void state.update({ font: 20 }).catch(() => undefined);
  await waiting.device.clearSigner();
  await at.clock.advance(1_000);
  waiting.way.cut();
  const again = waiting.restart().device.state(settings);
  await at.settle(again.ready);
  await at.clock.advance(3_000);
  expect(again.get()).toEqual({ theme: 'dark', font: 20 });
});

test('one that is being opened when the signer goes is not lost', async () => {
  const at = world({});
  const sealed = await withSealed(at, [30]);
  const { signer, letGo } = slow('decrypt');
  const { device } = sealed.restart(LOCKED);
  const state = device.state(settings);
  state.subscribe(() => undefined);
  const setting = device.setSigner(signer);
  setting.catch(() => undefined);
  await at.clock.advance(500);
  await device.clearSigner();
  letGo();
  await at.clock.advance(1_000);
  await at.settle(device.setSigner(unlocked()));
  await at.clock.advance(5_000);
  expect(state.get()).toEqual({ theme: 'dark', font: 30 });
  await at.settle(state.update({ theme: 'blue' }));
  const other = startDevice(at).device.state(settings);
  await at.settle(other.ready);
  expect(other.get()).toEqual({ theme: 'blue', font: 30 });
});

test.each([0, 5, 100])('an app that is locked, and unlocked %i ms later, loses no edit', async (ms) => {
  const at = world({});
  const inner = lastingStore();
  let isSlow = false;
  const store: Store = {
    ...inner,
    update: async (...args) => {
      if (isSlow) await new Promise<void>((resolve) => void at.clock.after(60, resolve));
      return inner.update(...args);
    },
  };
  const { device } = startDevice(at, {}, store);
  const state = device.state(settings);
  await at.settle(state.update({ theme: 'dark', font: 20 }));
  await at.clock.advance(1_000);
  isSlow = true;
  void state.update({ font: 30 });
  const locking = device.clearSigner();
  if (ms > 0) await at.clock.advance(ms);
  await at.settle(device.setSigner(unlocked()));
  await locking;
  await at.clock.advance(5_000);
  isSlow = false;
  expect(state.get()).toEqual({ theme: 'dark', font: 30 });
  await at.settle(state.update({ theme: 'blue' }));
  const other = startDevice(at).device.state(settings);
  await at.settle(other.ready);
  expect(other.get()).toEqual({ theme: 'blue', font: 30 });
});
