/** A former value is listed, read and written again, by the calls of the engine. */

import { expect, test } from 'vitest';
import { memoryStore, NostrSyncError, type Store } from '../../src/node.ts';
import { world, type Device } from './devices.ts';
import { valueOf } from './values.ts';

const payloads = async (sync: Device, settle: <T>(promise: Promise<T>) => Promise<T>): Promise<unknown[]> => {
  const versions = await settle(sync.history('settings'));
  const read = versions.map(({ eventId }) => settle(sync.readVersion('settings', eventId)));
  return (await Promise.all(read)).map(({ payload }) => payload);
};

/** A store that outlives its engine. */
const lastingStore = (): Store => ({ ...memoryStore(), close: async () => Promise.resolve() });

/** Values of one device, each of which every relay has. */
async function written(values: readonly unknown[], store: Store = memoryStore()) {
  const { clock, device, settle, relays } = world({});
  const sync = device({ store, maxPayloadSize: 409_600 });
  for (const value of values) {
    await settle(sync.publish('settings', value, { waitFor: 'replicated' }));
    await clock.advance(2_000);
  }
  return { clock, device, settle, relays, sync };
}

test('what was overwritten is in the history, and restored on all devices above what took its place', async () => {
  const { device, settle, sync } = await written(['a', 'b']);
  const [now, before] = await settle(sync.history('settings'));
  expect([now!.isCurrent, before!.isCurrent, before!.why]).toEqual([true, false, 'own']);
  const receipt = await settle(sync.restore('settings', before!.eventId, { waitFor: 'replicated' }));
  expect(receipt).toMatchObject({ stage: 'replicated', category: 'settings' });
  expect(await settle(sync.fetch('settings'))).toMatchObject({ payload: 'a', eventId: receipt.eventId });
  const other = device();
  expect(await settle(other.fetch('settings'))).toMatchObject({ payload: 'a' });
  expect(await payloads(sync, settle)).toEqual(['a', 'b', 'a']);
  // It is undone in the same way.
  await settle(sync.restore('settings', now!.eventId));
  expect(await settle(sync.fetch('settings'))).toMatchObject({ payload: 'b' });
  expect(sync.conflicts).toEqual([]);
});

test('the value before a removal is restored, and a removal is removed again', async () => {
  const { clock, settle, sync } = await written(['a']);
  await settle(sync.remove('settings', { waitFor: 'replicated' }));
  await clock.advance(2_000);
  const [removal, value] = await settle(sync.history('settings'));
  expect(removal!.why).toBe('removed');
  expect(await settle(sync.readVersion('settings', removal!.eventId))).toMatchObject({ deleted: true });
  await settle(sync.restore('settings', value!.eventId, { waitFor: 'replicated' }));
  await clock.advance(2_000);
  expect(await settle(sync.fetch('settings'))).toMatchObject({ payload: 'a' });
  await settle(sync.restore('settings', removal!.eventId));
  expect(await settle(sync.fetch('settings'))).toBeNull();
});

test('an expiration that is still to come stays, and what has ended is restored without one', async () => {
  const { clock, settle, sync } = await written([]);
  const soon = Math.floor(clock.now() / 1000) + 60;
  await settle(sync.publish('settings', 'a', { expiration: soon, waitFor: 'replicated' }));
  await clock.advance(2_000);
  await settle(sync.publish('settings', 'b', { waitFor: 'replicated' }));
  const [, a] = await settle(sync.history('settings'));
  await settle(sync.restore('settings', a!.eventId));
  expect(await settle(sync.inspect())).toMatchObject([{ expiration: soon }]);
  await clock.advance(120_000);
  await settle(sync.restore('settings', a!.eventId));
  expect(await settle(sync.fetch('settings'))).toMatchObject({ payload: 'a' });
});

test('a former value in pieces is restored, and without one of them it is INCOMPLETE', async () => {
  const store = lastingStore();
  const [large, other] = [valueOf(200_000, 1), valueOf(200_000, 2)];
  const { clock, settle, sync } = await written([large, other], store);
  const [, former] = await settle(sync.history('settings'));
  expect(await settle(sync.readVersion('settings', former!.eventId))).toMatchObject({ payload: large });
  await settle(sync.restore('settings', former!.eventId, { waitFor: 'replicated' }));
  expect(await settle(sync.fetch('settings'))).toMatchObject({ payload: large });
  await clock.advance(2_000);
  await settle(sync.publish('settings', 'small', { waitFor: 'replicated' }));
  await sync.close();
  const again = world({}).device({ store });
  const [key] = [...(await store.list('piece/')).keys()];
  await store.update([], () => new Map([[key!, null]]));
  const ids = (await again.history('settings')).map(({ eventId }) => eventId);
  const results = await Promise.allSettled(ids.map((id) => again.readVersion('settings', id)));
  const reasons = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  expect(reasons.length).toBeGreaterThan(0);
  for (const reason of reasons)
    expect(reason).toMatchObject({ code: 'INCOMPLETE', details: { category: 'settings' } });
  const { have, total } = (reasons[0] as { details: { have: number; total: number } }).details;
  expect(have).toBe(total - 1);
  const lost = ids[results.findIndex(({ status }) => status === 'rejected')]!;
  await expect(again.restore('settings', lost)).rejects.toMatchObject({ code: 'INCOMPLETE' });
  expect((await again.history('settings'))[0]!.eventId).toBe(ids[0]);
});

test('a former value in pieces of which one is lost is no bad value if the store then fails', async () => {
  const inner = lastingStore();
  const { clock, settle, sync } = await written([valueOf(120_000, 1), 'small'], inner);
  await clock.advance(2_000);
  const [, large] = await settle(sync.history('settings'));
  await sync.close();
  const pieces = [...(await inner.list('piece/')).keys()];
  await inner.update([], () => new Map(pieces.map((key) => [key, null])));
  let reads = 0;
  const get = async (key: string): Promise<string | undefined> => {
    if (pieces.includes(key) && ++reads > 1) throw new NostrSyncError('STORE_FAILED', 'no');
    return inner.get(key);
  };
  const again = world({}).device({ store: { ...inner, get } });
  await expect(again.readVersion('settings', large!.eventId)).rejects.toMatchObject({ code: 'STORE_FAILED' });
});

test('history and inspect need no signer, and show what the store has', async () => {
  const store = lastingStore();
  const { sync, device, settle } = await written(['a', 'b'], store);
  const [row] = await settle(sync.inspect());
  expect(row).toMatchObject({
    ...{ category: 'settings', stage: 'replicated', isOwn: true, isRemoval: false, isWhole: true },
    ...{ reading: 'read', rivals: 0, kept: 1 },
  });
  expect(Object.values(row!.relays)).toEqual(['confirmed']);
  await sync.close();
  const locked = device({ store, signer: undefined as never });
  expect((await settle(locked.inspect()))[0]!.eventId).toBe(row!.eventId);
  const versions = await settle(locked.history('settings'));
  expect(versions.map(({ isCurrent }) => isCurrent)).toEqual([true, false]);
  await expect(locked.readVersion('settings', versions[1]!.eventId)).rejects.toMatchObject({
    code: 'SIGNER_NOT_SET',
  });
  await expect(locked.restore('settings', versions[1]!.eventId)).rejects.toMatchObject({
    code: 'SIGNER_NOT_SET',
  });
  const empty = device({ store: memoryStore(), signer: undefined as never });
  expect([await settle(empty.inspect()), await settle(empty.history('settings'))]).toEqual([[], []]);
});

test('bad arguments are named', async () => {
  const { sync } = await written([]);
  await expect(sync.history('a/b')).rejects.toMatchObject({ code: 'INVALID_CATEGORY' });
  for (const call of [sync.readVersion, sync.restore]) {
    await expect(call('settings', 'abc')).rejects.toThrow(
      /Invalid eventId: expected 64 lower-case hex digits.*got "abc"/,
    );
    await expect(call('a/b', 'f'.repeat(64))).rejects.toMatchObject({ code: 'INVALID_CATEGORY' });
    await expect(call('settings', 'f'.repeat(64))).rejects.toMatchObject({ code: 'VERSION_NOT_KEPT' });
  }
  await expect(sync.restore('settings', 'f'.repeat(64), { waitFor: 'x' as never })).rejects.toThrow(
    TypeError,
  );
  await expect(sync.restore('settings', 'f'.repeat(64), { wait: 1 } as never)).rejects.toThrow(/option/);
});
