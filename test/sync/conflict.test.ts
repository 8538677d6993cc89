/** Conflicts: a write that was overwritten unseen is told of, one that was merely superseded is not. */

import { expect, test, vi } from 'vitest';
import {
  memoryStore,
  secretKeySigner,
  type FetchResult,
  type NostrEvent,
  type Signer,
  type Store,
} from '../../src/node.ts';
import { deviceHash } from '../../src/protocol/causality.ts';
import { vectorOf } from '../../src/protocol/header.ts';
import { device, KEY, relay, stored, world, written, type Device } from './devices.ts';

const START = 1_767_225_600;

/** Of another device, which has seen this. */
const later = (payload: string, seconds: number, ...seen: readonly string[]): NostrEvent =>
  written({
    created_at: START + seconds,
    payload,
    tags: [
      ['device_id', 'other'],
      ['vv', `00000000:${START + seconds}`, ...seen],
    ],
  });

const blind = (): NostrEvent => later('blind', 600);

test('a first write in ignorance is told of what it beats once that turns up, once', async () => {
  const { clock, relays, device: make, settle } = world({}, {});
  relays[1]!.misbehave({ refuseConnections: true });
  const laptop = make();
  await clock.advance(60_000);
  await settle(laptop.publish('settings', 'defaults'));
  relays[1]!.misbehave({
    refuseConnections: false,
    serve: [later('years of settings', -1), later('older still', -5)],
  });
  await clock.advance(60_000);
  for (let i = 0; i < 3; i++) await settle(laptop.fetch('settings'));
  expect(laptop.conflicts).toMatchObject([
    { mine: { payload: 'defaults' }, theirs: { payload: 'years of settings' }, shown: 'mine' },
  ]);
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'defaults' });
});

test.each([
  ['older', -60],
  ['newer', 50],
])('a first write tells of the %s value that turns up while relays are asked', async (_name, seconds) => {
  const { clock, relays, device: make, settle } = world({});
  relays[0]!.inject(later('years of settings', seconds));
  const laptop = make();
  await settle(laptop.publish('settings', 'defaults'));
  await clock.advance(1_000);
  expect(laptop.conflicts).toMatchObject([
    { mine: { payload: 'defaults' }, theirs: { payload: 'years of settings' }, shown: 'mine' },
  ]);
  // Once, whatever shows it again.
  relays[0]!.misbehave({ serve: [later('years of settings', seconds)] });
  await settle(laptop.fetch('settings'));
  expect(laptop.conflicts).toHaveLength(1);
});

test('a first write tells of a large value that turns up while relays are asked', async () => {
  const { device: make, clock, settle } = world({});
  const large = 'years of settings '.repeat(8_000);
  const phone = make({ maxPayloadSize: 409_600 });
  await settle(phone.publish('settings', large));
  await settle(phone.close());
  await clock.advance(60_000);
  const laptop = make({ maxPayloadSize: 409_600 });
  await settle(laptop.publish('settings', 'defaults'));
  await clock.advance(5_000);
  expect(laptop.conflicts).toMatchObject([{ theirs: { payload: large }, shown: 'mine' }]);
});

test('a first write tells of the newest that it beats, and of nothing that it does not', async () => {
  const { relays, device: make, clock, settle } = world({ latencyMs: 200 }, {});
  relays[0]!.inject(later('old', -60));
  relays[1]!.inject(later('less old', -30));
  const laptop = make();
  await settle(laptop.publish('settings', 'defaults'));
  await clock.advance(1_000);
  expect(laptop.conflicts.map(({ theirs }) => theirs)).toMatchObject([{ payload: 'less old' }]);
});

test('a first write whose process ends tells of what that had been shown, though no relay shows it again', async () => {
  const { relays, urls, device: make, clock, settle } = world({}, { latencyMs: 60_000 }, {});
  relays[0]!.inject(later('years of settings', -60));
  const store = memoryStore();
  const killed = make({ store, relays: [urls[0]!, urls[1]!] });
  await settle(killed.publish('settings', 'defaults', { waitFor: 'saved' }));
  await clock.advance(1_000);
  const copy = memoryStore();
  const entries = await store.list('');
  await copy.update([], () => new Map(entries));
  const laptop = make({ store: copy, relays: [urls[2]!] });
  await clock.advance(10_000);
  expect(stored(relays[2]!)).toHaveLength(1);
  expect(laptop.conflicts).toMatchObject([
    { mine: { payload: 'defaults' }, theirs: { payload: 'years of settings' }, shown: 'mine' },
  ]);
});

test('a first write that meets a removal beats nothing', async () => {
  const { relays, device: make, clock, settle } = world({});
  const gone = make();
  await settle(gone.publish('settings', 1));
  await settle(gone.remove('settings'));
  await settle(gone.close());
  await clock.advance(60_000);
  const laptop = make();
  await settle(laptop.publish('settings', 2));
  await clock.advance(60_000);
  expect(stored(relays[0]!)).toHaveLength(1);
  expect(laptop.conflicts).toEqual([]);
});

test('what a blind write beats and what beats the next one are two conflicts, also if both are saved at once', async () => {
  const { clock, relays, device: make, settle } = world({}, {});
  relays[1]!.misbehave({ silent: true });
  const kept = memoryStore();
  let gate: Promise<unknown> = Promise.resolve();
  const update: Store['update'] = async (...change) => {
    await gate;
    return kept.update(...change);
  };
  const laptop = make({ store: { ...kept, update } });
  laptop.subscribe(['settings', 'other'], () => undefined);
  await settle(laptop.publish('settings', 'blind'));
  await clock.advance(10_000);
  // While the first of these is saved the others wait.
  let open = (): void => undefined;
  gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  relays[0]!.inject(written({ category: 'other', created_at: START }));
  await clock.advance(10);
  relays[0]!.inject(later('older', -60));
  await clock.advance(10);
  const publishing = laptop.publish('settings', 'next');
  await clock.advance(10);
  relays[0]!.inject(later('newer', 600));
  await clock.advance(10);
  open();
  await settle(publishing);
  await clock.advance(1_000);
  expect(laptop.conflicts.toSorted((a, b) => (a.shown < b.shown ? -1 : 1))).toMatchObject([
    { mine: { payload: 'blind' }, theirs: { payload: 'older' }, shown: 'mine' },
    { mine: { payload: 'next' }, theirs: { payload: 'newer' }, shown: 'theirs' },
  ]);
});

test('a first write that every relay was asked about is told of nothing later', async () => {
  const { relays, device: make, settle } = world({}, {});
  const laptop = make();
  await settle(laptop.publish('settings', 'first'));
  relays[1]!.misbehave({ serve: [later('turns up', -10)] });
  await settle(laptop.fetch('settings'));
  expect(laptop.conflicts).toEqual([]);
});

test('the loser of two writes that had not seen each other is told, the winner is not', async () => {
  const { clock, relays, device: make, settle } = world({});
  const [laptop, phone] = [make({ deviceId: 'laptop' }), make({ deviceId: 'phone' })];
  await settle(laptop.publish('settings', 'base'));
  await settle(phone.fetch('settings'));
  relays[0]!.misbehave({ refuseConnections: true });
  relays[0]!.disconnectAll();
  await clock.advance(10);
  await settle(laptop.publish('settings', 'of the laptop'));
  await clock.advance(5_000);
  await settle(phone.publish('settings', 'of the phone'));
  relays[0]!.behave();
  await settle(Promise.all([laptop.flush(), phone.flush()]));
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'of the phone' });
  expect(laptop.conflicts).toMatchObject([
    {
      category: 'settings',
      mine: { payload: 'of the laptop', deviceId: 'laptop' },
      theirs: { payload: 'of the phone', deviceId: 'phone' },
    },
  ]);
  expect(phone.conflicts).toEqual([]);
});

test('a write has not seen what came while it was being signed, and whoever wrote that is told', async () => {
  const { clock, device: make, settle } = world({});
  const honest = secretKeySigner(KEY);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const encrypt: Signer['nip44']['encrypt'] = async (...args) => {
    await held;
    return honest.nip44.encrypt(...args);
  };
  const laptop = make({ signer: { ...honest, nip44: { ...honest.nip44, encrypt } } });
  const phone = make();
  for (const each of [laptop, phone]) each.subscribe(['settings'], () => undefined);
  const publishing = laptop.publish('settings', 'of the laptop');
  await clock.advance(1_000);
  await settle(phone.publish('settings', 'of the phone'));
  await clock.advance(0);
  expect(laptop.updated).toMatchObject([{ payload: 'of the phone' }]);
  release();
  await settle(publishing);
  expect(await settle(phone.fetch('settings'))).toMatchObject({ payload: 'of the laptop' });
  expect(phone.conflicts).toMatchObject([
    { mine: { payload: 'of the phone' }, theirs: { payload: 'of the laptop' } },
  ]);
  expect(laptop.conflicts).toEqual([]);
});

test('writes that build on each other are no conflict', async () => {
  const { url } = await relay();
  const [laptop, phone] = [device([url]), device([url])];
  for (const each of [laptop, phone]) each.subscribe(['settings'], () => undefined);
  for (let i = 0; i < 4; i++) {
    const [writer, reader] = i % 2 === 0 ? [laptop, phone] : [phone, laptop];
    await writer.publish('settings', i);
    await vi.waitFor(() => expect(reader.updated.at(-1)).toMatchObject({ payload: i }));
  }
  expect([...laptop.conflicts, ...phone.conflicts]).toEqual([]);
});

test('a conflict is told once, though others go on from the winner', async () => {
  const { clock, relays, device: make, settle } = world({});
  const [laptop, phone] = [make(), make()];
  laptop.subscribe(['settings'], () => undefined);
  relays[0]!.misbehave({ refuseConnections: true });
  relays[0]!.disconnectAll();
  await clock.advance(10);
  await settle(laptop.publish('settings', 'lost'));
  await clock.advance(5_000);
  await settle(phone.publish('settings', 'won'));
  relays[0]!.behave();
  await settle(Promise.all([laptop.flush(), phone.flush()]));
  for (let i = 0; i < 3; i++) await settle(phone.publish('settings', i));
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 2 });
  expect(laptop.conflicts).toHaveLength(1);
});

test('of a writer without vectors only what no relay had acknowledged is in conflict', async () => {
  const { clock, relays, device: make, settle } = world({});
  const laptop = make();
  laptop.subscribe(['settings'], () => undefined);
  await settle(laptop.publish('settings', 'acknowledged'));
  relays[0]!.inject(written({ created_at: START + 10 }));
  await settle(laptop.fetch('settings'));
  expect(laptop.conflicts).toEqual([]);
  relays[0]!.misbehave({ refuseConnections: true });
  relays[0]!.disconnectAll();
  await clock.advance(10);
  await settle(laptop.publish('settings', 'not acknowledged'));
  relays[0]!.inject(written({ created_at: START + 600, payload: 'blind' }));
  relays[0]!.behave();
  await settle(laptop.flush());
  await clock.advance(1_000);
  expect(laptop.conflicts).toMatchObject([
    { mine: { payload: 'not acknowledged' }, theirs: { payload: 'blind' } },
  ]);
});

test('where several come together the newest decides, which may have seen what the one before it had not', async () => {
  const { clock, relays, device: make, settle } = world({}, {});
  const laptop = make({ deviceId: 'laptop' });
  const { updatedAt } = await settle(laptop.publish('settings', 'of the laptop', { waitFor: 'replicated' }));
  relays[0]!.inject(blind());
  relays[1]!.inject(later('merged', 601, `${deviceHash('laptop')}:${Date.parse(updatedAt) / 1000}`));
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'merged' });
  await clock.advance(1_000);
  expect(laptop.conflicts).toEqual([]);
});

test('a conflict is told with the next signer where it came while there was none', async () => {
  const { clock, relays, device: make, settle } = world({});
  const laptop = make();
  laptop.subscribe(['settings'], () => undefined);
  await settle(laptop.publish('settings', 'of the laptop'));
  await laptop.clearSigner();
  relays[0]!.inject(blind());
  await clock.advance(2_000);
  expect(laptop.conflicts).toEqual([]);
  await settle(laptop.setSigner(secretKeySigner(KEY)));
  await clock.advance(10);
  expect(laptop.conflicts).toMatchObject([
    { mine: { payload: 'of the laptop' }, theirs: { payload: 'blind' } },
  ]);
});

test('a write that is the newest again, because the one after it was refused, is missed like any other', async () => {
  const { clock, relays, device: make, settle } = world({});
  const laptop = make();
  laptop.subscribe(['settings'], () => undefined);
  await settle(laptop.publish('settings', 'former'));
  relays[0]!.misbehave({ refuse: 'blocked: no' });
  await expect(settle(laptop.publish('settings', 'refused'))).rejects.toThrow();
  relays[0]!.behave();
  relays[0]!.inject(blind());
  await clock.advance(2_000);
  expect(laptop.conflicts).toMatchObject([{ mine: { payload: 'former' }, theirs: { payload: 'blind' } }]);
});

test('a write that was refused and withdrawn is not missed later', async () => {
  const { relays, device: make, settle } = world({});
  const [laptop, phone] = [make(), make()];
  await settle(laptop.publish('settings', 'former'));
  relays[0]!.misbehave({ refuse: 'blocked: no' });
  await expect(settle(laptop.publish('settings', 'refused'))).rejects.toMatchObject({
    code: 'NO_RELAYS_ACCEPTED',
  });
  relays[0]!.behave();
  await settle(phone.fetch('settings'));
  // Above the stamp of what was withdrawn.
  for (let i = 0; i < 3; i++) await settle(phone.publish('settings', i));
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 2 });
  expect(laptop.conflicts).toEqual([]);
});

test('sixteen entries far in the future, once, from a buggy client, end no conflict detection', async () => {
  const { clock, relays, device: make, settle } = world({});
  const laptop = make({ deviceId: 'laptop' });
  laptop.subscribe(['settings'], () => undefined);
  await settle(laptop.publish('settings', 'first'));
  const future = Array.from({ length: 16 }, (_, i) => `${`${i}`.padStart(8, 'f')}:${START + 90_000_000}`);
  relays[0]!.inject(
    written({
      created_at: START + 20,
      payload: 'buggy',
      tags: [
        ['device_id', 'buggy'],
        ['vv', ...future],
      ],
    }),
  );
  await clock.advance(1_000);
  await settle(laptop.publish('settings', 'second'));
  const [second] = stored(relays[0]!);
  expect(vectorOf(second!)?.get(deviceHash('laptop'))).toBe(second!.created_at);
  // What the buggy client claimed to have seen goes no further.
  expect([...vectorOf(second!)!.values()].every((stamp) => stamp <= second!.created_at)).toBe(true);
  relays[0]!.inject(later('blind', 600));
  await clock.advance(1_000);
  expect(laptop.conflicts).toMatchObject([{ mine: { payload: 'second' }, theirs: { payload: 'blind' } }]);
});

test('who overwrites blindly what had seen a write is in conflict with the writer of that, not of the first', async () => {
  const { clock, relays, device: make, settle } = world({});
  const [laptop, phone] = [make({ deviceId: 'laptop' }), make({ deviceId: 'phone' })];
  for (const each of [laptop, phone]) each.subscribe(['settings'], () => undefined);
  await settle(laptop.publish('settings', 'of the laptop', { waitFor: 'replicated' }));
  await clock.advance(1_000);
  await settle(phone.publish('settings', 'of the phone', { waitFor: 'replicated' }));
  await clock.advance(1_000);
  relays[0]!.inject(blind());
  await clock.advance(1_000);
  expect(laptop.updated.at(-1)).toMatchObject({ payload: 'blind' });
  expect(phone.conflicts).toMatchObject([
    { mine: { payload: 'of the phone' }, theirs: { payload: 'blind' } },
  ]);
  expect(laptop.conflicts).toEqual([]);
});

test('a write upon one without a vector has seen what that is deemed to have seen', async () => {
  const { clock, relays, urls, device: make, settle } = world({});
  const store = memoryStore();
  const undying = { ...store, close: async () => undefined };
  const laptop = make({ deviceId: 'laptop' });
  const phone = make({ deviceId: 'phone', relays: urls, store: undying });
  phone.subscribe(['settings'], () => undefined);
  await settle(laptop.publish('settings', 'of the laptop', { waitFor: 'replicated' }));
  await clock.advance(1_000);
  await laptop.close();
  for (const second of [10, 20]) relays[0]!.inject(written({ created_at: START + second }));
  await clock.advance(1_000);
  // Over a restart.
  await phone.close();
  await settle(make({ deviceId: 'phone', relays: urls, store: undying }).publish('settings', 'of the phone'));
  const [last] = stored(relays[0]!);
  expect([...vectorOf(last!)!.keys()].toSorted()).toEqual(
    ['laptop', 'phone', 'reference'].map(deviceHash).toSorted(),
  );
});

test('is told before the value that made it, however slow the signer is, and by whatever way that comes', async () => {
  const { clock, relays, device: make, settle } = world({});
  const honest = secretKeySigner(KEY);
  // The write of its own, which a restart has made it forget, is the slower one to read.
  let calls = 0;
  const decrypt: Signer['nip44']['decrypt'] = async (...args) => {
    await new Promise<void>((resolve) => clock.after(1_000 * ++calls, resolve));
    return honest.nip44.decrypt(...args);
  };
  const store = { ...memoryStore(), close: async () => undefined };
  const signer = { ...honest, nip44: { ...honest.nip44, decrypt } };
  const before = make({ store, deviceId: 'laptop' });
  await settle(before.publish('settings', 'mine', { waitFor: 'replicated' }));
  await settle(before.close());
  const laptop = make({ store, signer, deviceId: 'laptop' });
  const told: string[] = [];
  laptop.on('conflict', () => told.push('conflict'));
  laptop.on('updated', () => told.push('updated'));
  laptop.subscribe(['settings'], ({ payload }) => told.push(`subscription: ${String(payload)}`));
  await clock.advance(5_000);
  relays[0]!.inject(blind());
  await clock.advance(500);
  void laptop.poll(['settings']);
  await clock.advance(30_000);
  expect(told).toEqual(['subscription: mine', 'conflict', 'updated', 'subscription: blind']);
});

test('a value of this device that no relay has is pending, and no longer once one has it', async () => {
  const { relays, device: make, settle } = world({});
  const laptop = make();
  relays[0]!.misbehave({ dropOk: true, forget: true });
  await settle(laptop.publish('settings', 1, { waitFor: 'saved' }));
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 1, pending: true });
  relays[0]!.behave();
  await settle(laptop.flush());
  expect(await settle(laptop.fetch('settings'))).not.toHaveProperty('pending');
  const phone = make();
  expect(await settle(phone.fetch('settings'))).not.toHaveProperty('pending');
});

test('so it is wherever this device’s own value is given: syncAll, a subscription, and poll of the next process', async () => {
  const { clock, relays, device: make, settle } = world({});
  const store = { ...memoryStore(), close: async () => undefined };
  /** What each of them gives of "settings". */
  const given = async (laptop: Device): Promise<readonly FetchResult[]> => {
    const shown: FetchResult[] = [];
    const stop = laptop.subscribe(['settings'], (result) => shown.push(result));
    const polled = await settle(laptop.poll(['settings']));
    const synced = await settle(laptop.syncAll(['settings']));
    await clock.advance(1_000);
    stop();
    const all = [...synced, ...shown, ...polled];
    expect(all.map(({ payload }) => payload)).toEqual(all.map(() => 'mine'));
    return all;
  };
  relays[0]!.misbehave({ dropOk: true, forget: true });
  const first = make({ store });
  await settle(first.publish('settings', 'mine', { waitFor: 'saved' }));
  // What this process has written itself is no news to poll.
  expect((await given(first)).map(({ pending }) => pending)).toEqual([true, true]);
  await settle(first.close());
  const second = make({ store });
  expect((await given(second)).map(({ pending }) => pending)).toEqual([true, true, true]);
  expect(second.updated.filter(({ pending }) => pending !== true)).toEqual([]);
  relays[0]!.behave();
  await settle(second.flush());
  expect((await given(second)).filter((result) => 'pending' in result)).toEqual([]);
  await settle(second.close());
  const third = await given(make({ store }));
  expect(third).toHaveLength(3);
  expect(third.filter((result) => 'pending' in result)).toEqual([]);
});
