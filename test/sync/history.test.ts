/** What a device keeps of a category beside its newest value: in its store, and as the engine gives it. */

import { describe, expect, test } from 'vitest';
import { memoryStore, type Store } from '../../src/node.ts';
import type { EventVerifier, NostrEvent, VerifiedEvent } from '../../src/protocol/event.ts';
import type { FetchResult } from '../../src/sync/events.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import { openReplica, type Replica } from '../../src/sync/heads/replica.ts';
import { createHistory, type History } from '../../src/sync/history.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { anAddress, aRelay } from '../names.ts';
import { world, written } from './devices.ts';
import { OUR_HASH, OURS, REMOVAL, told } from './records.ts';

const D = anAddress('default/settings/v1');
const RELAY = aRelay('wss://relay.example');
/** Takes every event for genuine. */
const verifier: EventVerifier = {
  hash: (event) => (event as unknown as { readonly id: string }).id,
  verifySignature: () => true,
};
const shown = (event: VerifiedEvent): Input => ({ type: 'shown', relay: RELAY, event, relays: [RELAY] });

async function open(store: Store): Promise<{ replica: Replica; history: History }> {
  const replica = await openReplica({
    ...{ store, clock: createTestClock(), verifier, pubkey: 'a'.repeat(64), namespace: 'default' },
    ...{ isAlone: true, onDeposed: () => undefined, onChange: () => undefined, onError: () => undefined },
  });
  const decode = async ({ id }: VerifiedEvent): Promise<FetchResult> =>
    Promise.resolve({ eventId: id } as unknown as FetchResult);
  const content = {
    payloadOf: async ({ id }: VerifiedEvent): Promise<unknown> => Promise.resolve(id.slice(0, 4)),
    piecesOf: async (): Promise<never> => Promise.reject(new Error('none is in pieces')),
  };
  const clock = createTestClock();
  return {
    replica,
    history: createHistory({
      clock,
      replica,
      content,
      decode,
      deviceId: () => OURS,
      carried: () => undefined,
    }),
  };
}

describe('the history of a category', () => {
  const first = told({ stamp: 5, by: 'phone' });
  const mine = told({ stamp: 9, by: OURS, seen: { phone: 5 } });
  const theirs = told({ stamp: 10, by: 'phone' });
  const removal = told({ stamp: 11, by: 'phone', tags: REMOVAL });
  const last = told({ stamp: 12, by: 'phone' });

  async function filled(): Promise<Store> {
    const store = memoryStore();
    const { replica } = await open(store);
    for (const one of [
      shown(first),
      { type: 'write', event: mine, device: OUR_HASH, isRead: true } as const,
      ...[theirs, removal, last].map(shown),
    ])
      await replica.apply(D, one);
    await replica.close();
    return store;
  }

  test('is its newest value and the former ones, newest first, and survives a restart', async () => {
    const { history } = await open(await filled());
    expect(await history.versions(D)).toMatchObject([
      { eventId: last.id, deviceId: 'phone', isCurrent: true, why: 'received' },
      { eventId: removal.id, isCurrent: false, why: 'removed' },
      { eventId: theirs.id, isCurrent: false, why: 'received' },
      { eventId: mine.id, deviceId: OURS, why: 'lost', updatedAt: '1970-01-01T00:00:09.000Z' },
      { eventId: first.id, bytes: JSON.stringify(first).length, why: 'received' },
    ]);
    expect(await history.versions(anAddress('default/other/v1'))).toEqual([]);
  });

  test('gives what one of them says, and nothing that it does not keep', async () => {
    const { history } = await open(await filled());
    expect(await history.read(D, mine.id)).toMatchObject({ eventId: mine.id, payload: mine.id.slice(0, 4) });
    expect(await history.read(D, last.id)).toEqual({ eventId: last.id });
    expect(await history.read(D, removal.id)).toMatchObject({ payload: null, deleted: true });
    await expect(history.read(D, 'f'.repeat(64))).rejects.toMatchObject({
      code: 'VERSION_NOT_KEPT',
      details: { category: 'settings', eventId: 'f'.repeat(64) },
    });
    expect(await history.eventOf(D, first.id)).toEqual(first);
  });

  test('leaves out what the store has lost, or holds of another', async () => {
    const store = await filled();
    const key = (event: NostrEvent): string =>
      `version/${'a'.repeat(64)}/${D}/${(event as VerifiedEvent).id}`;
    await store.update(
      [],
      () =>
        new Map([
          [key(mine), null],
          [key(first), JSON.stringify(last)],
          [key(theirs), '{'],
        ]),
    );
    const { history } = await open(store);
    expect((await history.versions(D)).map(({ eventId }) => eventId)).toEqual([last.id, removal.id]);
    await expect(history.read(D, first.id)).rejects.toMatchObject({ code: 'VERSION_NOT_KEPT' });
  });

  test('is there though the store failed to take it', async () => {
    const inner = memoryStore();
    let isFull = false;
    const update: Store['update'] = async (...change) => {
      if (isFull) throw new Error('full');
      return inner.update(...change);
    };
    const { replica, history } = await open({ ...inner, update });
    await replica.apply(D, shown(first));
    isFull = true;
    await replica.apply(D, shown(theirs));
    expect((await inner.list('version/')).size).toBe(0);
    expect(await history.read(D, first.id)).toMatchObject({ eventId: first.id });
    isFull = false;
    await replica.apply(D, { type: 'resave' });
    expect((await inner.list('version/')).size).toBe(1);
    expect(await history.read(D, first.id)).toMatchObject({ eventId: first.id });
  });
});

describe('what another device had delivered, and is beaten on arrival,', () => {
  const START = 1_767_225_600;
  const of = (name: string, seconds: number): NostrEvent =>
    written({
      created_at: START + seconds,
      payload: name,
      tags: [
        ['device_id', name],
        ['vv', `${name.padEnd(8, '0')}:${START + seconds}`],
      ],
    });

  test('is kept, of each of several that come at once', async () => {
    const { clock, relays, device: make, settle } = world({});
    const store = memoryStore();
    const laptop = make({ store });
    await clock.advance(60_000);
    await settle(laptop.publish('settings', 'newest', { waitFor: 'replicated' }));
    laptop.subscribe(['settings'], () => undefined);
    await clock.advance(1_000);
    relays[0]!.misbehave({ serve: [of('aa', -50), of('bb', -40), of('cc', -30)] });
    await settle(laptop.fetch('settings'));
    await clock.advance(1_000);
    const [record] = [...(await store.list('head/')).values()].map(
      (text) => JSON.parse(text) as { rivals: { id: string }[] },
    );
    expect(record!.rivals).toHaveLength(3);
    expect((await store.list('version/')).size).toBe(3);
    expect(laptop.conflicts).toEqual([]);
  });
});
