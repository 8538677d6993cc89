/** The replica by itself, over a store that fails, or that several have open. */

import { describe, expect, test, vi } from 'vitest';
import type { EventVerifier } from '../../src/protocol/event.ts';
import { openReplica, type Replica } from '../../src/sync/heads/replica.ts';
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

test('what it has saved itself is not read again from the text that is in the store', async () => {
  const ports = { clock: createTestClock(), verifier, pubkey: 'a'.repeat(64), namespace: 'default' };
  const ignored = { onDeposed: () => undefined, onChange: () => undefined, onError: () => undefined };
  const replica = await openReplica({ ...ports, ...ignored, store: memoryStore(), isAlone: true });
  const parse = vi.spyOn(JSON, 'parse');
  for (const stamp of [10, 11, 12]) {
    await replica.apply(D, {
      ...{ type: 'write', event: told({ stamp, by: OURS }), device: OUR_HASH, isRead: true },
    });
    replica.claim(D);
  }
  expect(parse).not.toHaveBeenCalled();
  parse.mockRestore();
  expect(replica.get(D)?.past).toHaveLength(2);
  await replica.close();
});

describe('of two engines on one store', () => {
  async function two(): Promise<readonly [Replica, Replica]> {
    const ports = { clock: createTestClock(), verifier, pubkey: 'a'.repeat(64), namespace: 'default' };
    const ignored = { onDeposed: () => undefined, onChange: () => undefined, onError: () => undefined };
    const store = memoryStore();
    const open = async (): Promise<Replica> => openReplica({ ...ports, ...ignored, store, isAlone: false });
    return [await open(), await open()];
  }

  async function writeBy(replica: Replica): Promise<void> {
    const event = told({ stamp: 20, by: OURS });
    await replica.apply(D, { type: 'write', event, device: OUR_HASH, isRead: true });
  }

  test('the one that leads by its mark knows what no socket has carried', async () => {
    const [replica] = await two();
    await replica.lead('one', () => true);
    await writeBy(replica);
    expect(replica.isUncarried(D)).toBe(true);
  });

  test('one that lost its place before its turn does not pass for the one that took it', async () => {
    const [replica, other] = await two();
    await other.lead('other', () => true);
    await replica.lead(undefined, () => false);
    await writeBy(replica);
    expect(replica.isUncarried(D)).toBe(false);
  });

  test('one that lost its place leaves the mark of the one that took it', async () => {
    const [replica, other] = await two();
    await other.lead('other', () => true);
    await replica.lead('one', () => false);
    await writeBy(other);
    expect(other.isUncarried(D)).toBe(true);
  });

  test('one that lost its place knows no more what the other has carried, though that leaves the mark', async () => {
    const [replica, other] = await two();
    await replica.lead('one', () => true);
    replica.resign();
    await other.lead(undefined, () => true);
    await writeBy(replica);
    expect(replica.isUncarried(D)).toBe(false);
  });
});
