/** What an app may say of a category: which former values are kept, and what becomes of removals and of writers without vectors. */

import { expect, test } from 'vitest';
import { mergeBy } from '../../src/merge.ts';
import { createNostrSync } from '../../src/node.ts';
import type { CategoryOptions } from '../../src/options.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { KEEP_ALL } from '../../src/sync/heads/past.ts';
import { reconcile } from '../../src/sync/heads/reconcile.ts';
import type { HeadRecord } from '../../src/sync/heads/record.ts';
import { world, written, type World } from './devices.ts';
import { OUR_HASH, OURS, REMOVAL, told } from './records.ts';

const of = (settings: CategoryOptions) => ({ categories: { settings } });
const change = (more: object) => (now: unknown) => ({ ...(now as object | undefined), ...more });

function cut({ relays }: World): void {
  for (const one of relays) {
    one.misbehave({ refuseConnections: true });
    one.disconnectAll();
  }
}

/** Writes six values; what the history has then, the newest first. */
async function keptOf(settings: CategoryOptions): Promise<readonly unknown[]> {
  const { device, settle, clock } = world({});
  const sync = device(of(settings));
  for (let i = 0; i < 6; i++) {
    await settle(sync.publish('settings', { i }, { waitFor: 'replicated' }));
    await clock.advance(2_000);
  }
  const versions = await settle(sync.history('settings'));
  const values = versions.map(async ({ eventId }) => settle(sync.readVersion('settings', eventId)));
  return (await Promise.all(values)).map(({ payload }) => (payload as { readonly i: number }).i);
}

test('as many former values are kept as the app wants', async () => {
  expect(await keptOf({})).toEqual([5, 4, 3, 2, 1, 0]);
  expect(await keptOf({ history: { versions: 2 } })).toEqual([5, 4, 3]);
  expect(await keptOf({ history: false })).toEqual([5]);
  // The newest former value stays, however large.
  expect(await keptOf({ history: { bytes: 1 } })).toEqual([5, 4]);
});

test('of the age of former values the time counts at which another took their place', () => {
  const keptAt = (days: number, ...stamps: readonly number[]): readonly number[] => {
    const keeping = { ...KEEP_ALL, seconds: days * 86_400 };
    let record: HeadRecord | undefined;
    for (const day of stamps) {
      const event = told({ stamp: day * 86_400, seen: { 'their-device': day * 86_400 - 1 } });
      const shown = { type: 'shown', relay: undefined, relays: [], event } as const;
      record = reconcile(record, shown, undefined, keeping).record;
    }
    return record!.past.map(({ stamp }) => stamp / 86_400);
  };
  expect(keptAt(2, 1, 2, 3, 4, 5)).toEqual([4, 3, 2]);
  expect(keptAt(1, 1, 2, 3, 4, 5)).toEqual([4, 3]);
  // However long it was the value, what was replaced last can be restored.
  expect(keptAt(1, 1, 30, 60)).toEqual([30]);
});

test('an own write that nothing has carried is kept if a removal overwrites it unseen, and not if a newer own write does', () => {
  const [mine, later] = [5, 6].map((stamp) => told({ stamp, by: OURS, seen: {} }));
  const write = (event: VerifiedEvent) => ({ type: 'write', event, device: OUR_HASH, isRead: true }) as const;
  const { record } = reconcile(undefined, write(mine!), undefined);
  const removal = told({ stamp: 9, by: 'phone', tags: REMOVAL });
  const shown = { type: 'shown', relay: undefined, relays: [], event: removal } as const;
  const pastOf = (outcome: { readonly record: HeadRecord | undefined }): readonly unknown[] =>
    outcome.record!.past.map(({ id }) => id);
  expect(pastOf(reconcile(record, shown, mine!.id))).toEqual([mine!.id]);
  expect(pastOf(reconcile(record, write(later!), mine!.id))).toEqual([]);
});

test('a category that is merged keeps what merges need', async () => {
  expect(await keptOf({ merge: mergeBy(), history: false })).toHaveLength(6);
  expect(await keptOf({ merge: mergeBy(), history: { versions: 1, days: 1 } })).toHaveLength(6);
});

/** The laptop edits, then the phone removes, each offline. */
async function removedWhileEdited(settings: CategoryOptions, edit: object) {
  const at = world({});
  const [laptop, phone] = ['laptop', 'phone'].map((deviceId) => at.device({ deviceId, ...of(settings) }));
  for (const each of [laptop!, phone!]) each.subscribe(['settings'], () => undefined);
  const first = { theme: 'light', font: 12 };
  await at.settle(laptop!.publish('settings', first, { waitFor: 'replicated' }));
  await at.settle(phone!.fetch('settings'));
  cut(at);
  await at.settle(laptop!.update('settings', change(edit)));
  await at.clock.advance(5_000);
  await at.settle(phone!.remove('settings'));
  at.relays.forEach((one) => one.behave());
  await at.clock.advance(300_000);
  return { at, laptop: laptop!, phone: phone! };
}

test('an edit that a removal had not seen comes back if the app says so, and is told once, as a clash', async () => {
  const merge = mergeBy();
  const edited = { theme: 'dark' };
  const { at, laptop, phone } = await removedWhileEdited({ merge, removal: 'edit-wins' }, edited);
  for (const each of [laptop, phone])
    expect(await at.settle(each.fetch('settings'))).toMatchObject({ payload: { theme: 'dark', font: 12 } });
  expect(laptop.conflicts).toMatchObject([{ theirs: { deleted: true }, clashes: [{ path: [] }] }]);
  expect(phone.conflicts).toEqual([]);
});

test('an edit comes back from any device that a relay shows it to, also if that knew of the removal first', async () => {
  const at = world({}, {});
  const [here, there] = at.urls;
  const settings = of({ merge: mergeBy(), removal: 'edit-wins' });
  const laptop = at.device({ deviceId: 'laptop', ...settings });
  const phone = at.device({ deviceId: 'phone', relays: [here!], ...settings });
  await at.settle(laptop.publish('settings', { theme: 'light', font: 12 }, { waitFor: 'replicated' }));
  await at.settle(phone.fetch('settings'));
  await at.settle(laptop.removeRelay(here!));
  await at.settle(laptop.update('settings', change({ theme: 'dark' }), { waitFor: 'delivered' }));
  await at.settle(laptop.close());
  await at.clock.advance(5_000);
  await at.settle(phone.remove('settings', { waitFor: 'delivered' }));
  await at.settle(phone.addRelay(there!));
  await at.clock.advance(300_000);
  expect(await at.settle(phone.fetch('settings'))).toMatchObject({ payload: { theme: 'dark', font: 12 } });
});

test('without a change in it a removed value stays removed', async () => {
  const options: CategoryOptions = { merge: mergeBy(), removal: 'edit-wins' };
  const { at, laptop, phone } = await removedWhileEdited(options, {});
  for (const each of [laptop, phone]) expect(await at.settle(each.fetch('settings'))).toBeNull();
});

test('an edit that no relay had when a removal overwrote it unseen is in the history', async () => {
  for (const settings of [{}, { merge: mergeBy() }]) {
    const { at, laptop } = await removedWhileEdited(settings, { theme: 'dark' });
    expect(await at.settle(laptop.fetch('settings'))).toBeNull();
    const lost = (await at.settle(laptop.history('settings'))).find(({ why }) => why === 'lost');
    expect(await at.settle(laptop.readVersion('settings', lost!.eventId))).toMatchObject({
      payload: { theme: 'dark', font: 12 },
    });
  }
});

test.each([
  ['trust', { theme: 'dark', font: 12 }],
  ['merge', { theme: 'dark', font: 14 }],
] as const)('what a writer without vectors makes of an old value: %s', async (legacy, expected) => {
  const at = world({});
  const laptop = at.device({ deviceId: 'laptop', ...of({ merge: mergeBy(), legacy }) });
  laptop.subscribe(['settings'], () => undefined);
  const writes = async (payload: object): Promise<void> => {
    at.relays[0]!.inject(written({ payload, created_at: Math.floor(at.clock.now() / 1000) }));
    await at.clock.advance(5_000);
  };
  await writes({ theme: 'light', font: 12 });
  await at.settle(laptop.update('settings', change({ font: 14 }), { waitFor: 'replicated' }));
  await at.clock.advance(5_000);
  await writes({ theme: 'dark', font: 12 });
  await at.clock.advance(300_000);
  expect(await at.settle(laptop.fetch('settings'))).toMatchObject({ payload: expected });
});

test.each<[unknown, RegExp]>([
  [{ settle: 'never' }, /Invalid categories\.notes\.settle: expected 'auto' or 'on-edit', got "never"/],
  [
    { settle: 'auto', removal: 1 },
    /Invalid categories\.notes\.removal: expected 'greater' or 'edit-wins', got 1/,
  ],
  [{ removal: 'edit-wins' }, /Invalid categories\.notes\.removal: it needs merge/],
  [{ legacy: 'all' }, /Invalid categories\.notes\.legacy: expected 'trust' or 'merge', got "all"/],
  [{ legacy: 'merge' }, /Invalid categories\.notes\.legacy: it needs merge/],
  [{ history: true }, /Invalid categories\.notes\.history: expected an object, or false, got true/],
  [{ history: { version: 1 } }, /Invalid option: expected one of versions, days, bytes, got "version"/],
  [
    { history: { versions: 0 } },
    /Invalid categories\.notes\.history\.versions: expected a whole number from 1 to 20/,
  ],
  [{ history: { versions: 21 } }, /history\.versions: .* got 21/],
  [{ history: { bytes: 524_289 } }, /history\.bytes: .* got 524289/],
  [{ history: { days: 0.5 } }, /history\.days: .* got 0.5/],
])('%j is refused by name', (notes, message) => {
  expect(() => createNostrSync({ categories: { notes: notes as CategoryOptions } })).toThrow(message);
});
