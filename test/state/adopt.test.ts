/** Data from before an app synced: taken in once, and over nothing that is there. */

import { expect, test } from 'vitest';
import { defineCategory, type Adoption, type Category } from '../../src/node.ts';
import { world } from '../sync/devices.ts';
import { eventsSent, lastingStore, startDevice } from './devices.ts';

interface Settings {
  theme: string;
  font: number;
  name?: string | undefined;
}
const define = (adopt: Adoption<Settings>): Category<Settings> =>
  defineCategory<Settings>({ name: 'settings', default: { theme: 'light', font: 14 }, adopt });

const mine = { theme: 'mine', font: 14, name: 'me' };

test('on the first device: what it had, without what is as the default', async () => {
  const at = world({});
  const { device } = startDevice(at);
  const state = device.state(define({ value: () => mine }));
  await at.settle(state.ready);
  await at.clock.advance(3_000);
  expect(state.get()).toEqual(mine);
  expect((await at.settle(device.fetch('settings')))?.payload).toEqual({ theme: 'mine', name: 'me' });
  expect(await state.undo()).toEqual({ stage: 'none' });
});

test.each([
  ['fill', undefined, { theme: 'theirs', font: 20, name: 'me' }],
  ['fill', 'fill', { theme: 'theirs', font: 20, name: 'me' }],
  ['theirs', 'theirs', { theme: 'theirs', font: 20 }],
  ['mine', 'mine', { theme: 'mine', font: 14, name: 'me' }],
  [
    'a function',
    (had: Partial<Settings>, theirs: Settings) => ({ theme: `${had.theme} and ${theirs.theme}` }),
    { theme: 'mine and theirs', font: 20 },
  ],
  ['a function that takes nothing', () => undefined, { theme: 'theirs', font: 20 }],
] as const)('over what is there, by %s', async (_name, policy, shown) => {
  const at = world({});
  await at.settle(startDevice(at).device.publish('settings', { theme: 'theirs', font: 20 }));
  const state = startDevice(at).device.state(define({ value: async () => mine, ...(policy && { policy }) }));
  await at.settle(state.ready);
  await at.clock.advance(3_000);
  expect(state.get()).toEqual(shown);
});

test('not before every relay has said what there is, and once: a field that was reset since stays so', async () => {
  const at = world({});
  const store = lastingStore();
  await at.settle(startDevice(at).device.publish('settings', { theme: 'theirs' }));
  const first = startDevice(at, {}, store);
  first.way.cut();
  let asked = 0;
  const category = define({ value: () => (asked++, mine) });
  const state = first.device.state(category);
  await at.settle(state.ready);
  await at.clock.advance(20_000);
  expect([asked, state.get()]).toEqual([0, { theme: 'light', font: 14 }]);
  first.way.join();
  await at.clock.advance(60_000);
  expect([asked, state.get()]).toEqual([1, { theme: 'theirs', font: 14, name: 'me' }]);
  await at.settle(state.reset('name'));
  await at.settle(first.device.close());
  const again = first.restart().device.state(category);
  await at.settle(again.ready);
  await at.clock.advance(10_000);
  expect([asked, again.get()]).toEqual([1, { theme: 'theirs', font: 14 }]);
});

test('nothing to take in is remembered, too, and writes nothing', async () => {
  const at = world({});
  const store = lastingStore();
  const state = startDevice(at, {}, store).device.state(define({ value: () => null }));
  await at.settle(state.ready);
  await at.clock.advance(3_000);
  expect(eventsSent(at)).toEqual([]);
  expect([...(await store.list('adopted/'))]).toHaveLength(1);
});
