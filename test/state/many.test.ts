/** Many handles at once: a relay takes few REQs at a time, and limits how often it is asked. */

import { expect, test } from 'vitest';
import { defineCategory } from '../../src/node.ts';
import { received, world } from '../sync/devices.ts';
import { startDevice } from './devices.ts';

test('what a page opens in one turn is asked for in few REQs, however many categories it is', async () => {
  const at = world({});
  const names = Array.from({ length: 100 }, (_, i) => `list-${i}`);
  const { device } = startDevice(at);
  await at.settle(device.publish('list-7', { items: 7 }, { waitFor: 'replicated' }));
  const asked = received(at.relays[0]!, 'REQ').length;
  const states = names.map((name) => device.state(defineCategory({ name, default: { items: 0 } })));
  for (const state of states) state.subscribe(() => undefined);
  await at.settle(Promise.all(states.map(({ ready }) => ready)));
  expect(states.map((state) => state.get().items)).toEqual(names.map((_, i) => (i === 7 ? 7 : 0)));
  expect(states.map(({ meta }) => meta.get().status)).toEqual(names.map(() => 'synced'));
  // The subscription, once for the categories and once for what they hear; and what they have, at once.
  expect(received(at.relays[0]!, 'REQ').length - asked).toBeLessThanOrEqual(4);
});

test('categories that are fetched in one turn have one answer each: what one waits for is nothing of the others', async () => {
  const at = world({});
  const writer = startDevice(at).device;
  await at.settle(writer.publish('one', { it: 1 }, { waitFor: 'replicated' }));
  const { device } = startDevice(at);
  await at.clock.advance(1_000);
  const results = await at.settle(
    Promise.all([device.fetch('one'), device.fetch('none'), device.fetch('one')]),
  );
  expect(results.map((result) => result?.payload)).toEqual([{ it: 1 }, undefined, { it: 1 }]);
});
