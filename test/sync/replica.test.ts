/** The replica by itself, over a store that fails. */

import { expect, test } from 'vitest';
import type { EventVerifier } from '../../src/protocol/event.ts';
import { openReplica } from '../../src/sync/heads/replica.ts';
import { parseRecord } from '../../src/sync/heads/record-codec.ts';
import { floorOf } from '../../src/sync/heads/record.ts';
import { memoryStore, type Store } from '../../src/node.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { anAddress, aRelay } from '../names.ts';
import { OUR_HASH, OURS, told, voiding } from './records.ts';

const DAY = 86_400;
const D = anAddress('default/settings/v1');
const RELAY = aRelay('wss://relay.example');
/** Takes every event for genuine. */
const verifier: EventVerifier = {
  hash: (event) => (event as unknown as { readonly id: string }).id,
  verifySignature: () => true,
};

test('a reset that the store fails to take lowers the floor once it is saved, though another tab has saved what it knew', async () => {
  const inner = memoryStore();
  let isFailing = false;
  const update: Store['update'] = async (keys, change) => {
    if (isFailing) throw new Error('no');
    return inner.update(keys, change);
  };
  const clock = createTestClock();
  const ports = { clock, verifier, pubkey: 'a'.repeat(64), namespace: 'default', isAlone: false };
  const ignored = { onDeposed: () => undefined, onChange: () => undefined, onError: () => undefined };
  const replica = await openReplica({ ...ports, ...ignored, store: { ...inner, update } });
  const future = told({ stamp: 100 * DAY, by: OURS });
  await replica.apply(D, { type: 'write', event: future, device: OUR_HASH, isRead: true });
  const other = await openReplica({ ...ports, ...ignored, store: inner });
  isFailing = true;
  const event = told({ stamp: 20, tags: voiding(future) });
  await replica.apply(D, { type: 'shown', relay: RELAY, event, relays: [RELAY] });
  expect(floorOf(replica.get(D))).toBe(20);
  await other.apply(D, { type: 'answered', relay: RELAY, id: future.id, delivery: 'acknowledged' });
  isFailing = false;
  await clock.advance(DAY * 1000);
  expect(replica.get(D)?.head?.event).toEqual(event);
  expect(floorOf(replica.get(D))).toBe(20);
  const [text] = (await inner.list('head/')).values();
  expect(floorOf(parseRecord(text!))).toBe(20);
  await Promise.all([replica.close(), other.close()]);
});
