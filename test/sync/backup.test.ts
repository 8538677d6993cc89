/** What a device has goes out as lines, and into another: checked, whole or not, and never above what is newer. */

import { expect, test } from 'vitest';
import { exportLines, importLines } from '../../src/backup.ts';
import { memoryStore, secretKeySigner } from '../../src/node.ts';
import type { NostrEvent } from '../../src/protocol/event.ts';
import type { Store } from '../../src/store/store.ts';
import { remembered } from '../../src/sync/heads/frontier.ts';
import { reconcile } from '../../src/sync/heads/reconcile.ts';
import { aRelay } from '../names.ts';
import { createMemoryTabs } from '../support/memory-tabs.ts';
import { MERGE, together, wayTo } from './apart.ts';
import { KEY, OTHER_KEY, world, written, type Device } from './devices.ts';
import { told } from './records.ts';
import { valueOf } from './values.ts';

const linesOf = async (sync: Device, versions = false): Promise<string[]> => {
  const lines: string[] = [];
  for await (const line of exportLines(sync, { versions })) lines.push(line);
  return lines;
};

async function filled(...values: readonly unknown[]) {
  const { clock, device, settle } = world({});
  const sync = device({ maxPayloadSize: 409_600 });
  for (const value of values) {
    await settle(sync.publish('settings', value, { waitFor: 'replicated' }));
    await clock.advance(2_000);
  }
  return { clock, settle, sync };
}

/** A device whose relays know nothing. */
const fresh = () => {
  const { clock, relays, device, settle } = world({});
  return { clock, relays, settle, sync: device({ maxPayloadSize: 409_600 }) };
};

test('a new device takes all of it, former values too, and gives the relays what they lack', async () => {
  const { settle: first, sync } = await filled('a', valueOf(200_000, 1), valueOf(200_000, 2));
  const lines = await first(linesOf(sync, true));
  expect(lines.join('\n')).not.toContain('notes');
  const { clock, relays, settle, sync: other } = fresh();
  const report = await settle(importLines(other, lines));
  expect(report).toEqual({ taken: 1, known: 0, older: 2, refused: 0, faults: [], isWhole: true });
  expect(await settle(other.fetch('settings'))).toMatchObject({ payload: valueOf(200_000, 2) });
  const versions = await settle(other.history('settings'));
  const read = await Promise.all(
    versions.map(({ eventId }) => settle(other.readVersion('settings', eventId))),
  );
  expect(read.map(({ payload }) => payload)).toEqual([valueOf(200_000, 2), valueOf(200_000, 1), 'a']);
  await settle(other.flush());
  await clock.advance(60_000);
  expect(relays[0]!.events().some(({ id }) => id === versions[0]!.eventId)).toBe(true);
  // Again it changes nothing.
  expect(await settle(importLines(other, lines))).toMatchObject({
    taken: 0,
    known: 3,
    older: 0,
    isWhole: true,
  });
});

test('an old backup beats nothing that is newer: it goes into the history', async () => {
  const { clock, settle, sync } = await filled('old');
  const lines = await settle(linesOf(sync));
  const { settle: later, sync: other, clock: time } = fresh();
  await time.advance(60_000);
  await later(other.publish('settings', 'new', { waitFor: 'replicated' }));
  expect(await later(importLines(other, lines))).toMatchObject({ taken: 0, older: 1, refused: 0 });
  expect(await later(other.fetch('settings'))).toMatchObject({ payload: 'new' });
  const versions = await later(other.history('settings'));
  expect(versions.map(({ isCurrent }) => isCurrent)).toEqual([true, false]);
  expect(await later(other.readVersion('settings', versions[1]!.eventId))).toMatchObject({ payload: 'old' });
  await clock.advance(1);
});

test('of a backup with a value in pieces that was overwritten unseen, that is merged, and not the one before it', async () => {
  const { settle, sync } = await filled({ theme: 'light' }, { theme: 'dark', ...valueOf(200_000, 1) });
  const lines = await settle(linesOf(sync, true));
  const at = world({});
  const [other] = await together(at, ['laptop'], { ...MERGE, maxPayloadSize: 409_600 });
  await at.clock.advance(60_000);
  await at.settle(other!.device.publish('settings', { font: 12 }, { waitFor: 'saved' }));
  expect(await at.settle(importLines(other!.device, lines))).toMatchObject({
    taken: 0,
    older: 2,
    refused: 0,
  });
  await at.clock.advance(400_000);
  const value = { theme: 'dark', font: 12, ...valueOf(200_000, 1) };
  expect(await at.settle(other!.device.fetch('settings'))).toMatchObject({ payload: value });
});

test('what is stamped ahead of this clock is refused until then: its writer may stamp it again', async () => {
  const { clock, settle, sync } = await filled();
  await clock.advance(600_000);
  await settle(sync.publish('settings', 'tomorrow', { waitFor: 'saved' }));
  const lines = await settle(linesOf(sync));
  const { clock: time, settle: later, sync: other } = fresh();
  const refused = { taken: 0, refused: 1, faults: [{ line: 2, fault: 'ahead' }], isWhole: true };
  expect(await later(importLines(other, lines))).toMatchObject(refused);
  expect(await later(other.fetch('settings'))).toBeNull();
  await time.advance(600_000);
  expect(await later(importLines(other, lines))).toMatchObject({ taken: 1, refused: 0 });
});

test('what is written after an export has a stamp of its own: imported, that does not beat it', async () => {
  const { clock, device, settle } = world();
  let save = (): void => undefined;
  const isSaved = new Promise<void>((resolve) => (save = resolve));
  const store = memoryStore();
  let isSlow = false;
  const update: Store['update'] = async (...of) => {
    if (isSlow) await isSaved;
    return store.update(...of);
  };
  const sync = device({ relays: [], store: { ...store, update } });
  const stampOf = async (): Promise<number> =>
    Date.parse((await settle(sync.fetch('settings')))!.updatedAt) - clock.now();
  for (const payload of ['a', 'b']) await settle(sync.publish('settings', payload, { waitFor: 'saved' }));
  const [before, lines] = [await stampOf(), await settle(linesOf(sync))];
  await settle(sync.publish('settings', 'c', { waitFor: 'saved' }));
  expect(await stampOf()).toBe(before + 1000);
  expect(await settle(importLines(sync, lines))).toMatchObject({ taken: 0, known: 1 });
  // One that is being saved, and may take the stamp of that, is waited for.
  isSlow = true;
  const publishing = sync.publish('settings', 'd', { waitFor: 'saved' });
  await clock.advance(10);
  const exporting = linesOf(sync);
  await clock.advance(10);
  save();
  await settle(publishing);
  expect((await settle(exporting))[1]).toContain((await settle(sync.fetch('settings')))!.eventId);
  expect(sync.errors).toEqual([]);
});

test('only with its last line it is whole', async () => {
  const { settle: first, sync } = await filled('a');
  const lines = await first(linesOf(sync));
  const reports = [lines.slice(0, -1), [lines[0]!, ...lines.slice(2)], [...lines, '{}'], lines.toReversed()];
  const { settle, sync: other } = fresh();
  expect(await settle(importLines(other, reports[0]!))).toMatchObject({ taken: 1, isWhole: false });
  expect(await settle(importLines(other, reports[1]!))).toMatchObject({ known: 0, isWhole: false });
  expect(await settle(importLines(other, reports[2]!))).toMatchObject({ known: 1, isWhole: false });
  const changed = [lines[0]!, '{}', lines[2]!];
  expect(await settle(importLines(other, changed))).toMatchObject({ refused: 1, isWhole: false });
  await expect(importLines(other, reports[3]!)).rejects.toMatchObject({ code: 'INVALID_EXPORT' });
});

test('each line is hostile until it is checked, and the report says what was wrong', async () => {
  const { settle: first, sync } = await filled('a');
  const [head, own] = await first(linesOf(sync));
  const event = JSON.parse(own!) as NostrEvent;
  const bad = [
    '{',
    '"'.padEnd(300_000, 'x'),
    JSON.stringify({ ...event, sig: 'x' }),
    JSON.stringify(written({ key: OTHER_KEY })),
    JSON.stringify(written({ kind: 1 })),
    JSON.stringify(written({ dTags: [['d', 'other/settings/v1']] })),
    JSON.stringify({ ...event, content: `${event.content}x` }),
    JSON.stringify({ ...event, sig: `${event.sig.slice(0, -2)}${event.sig.endsWith('00') ? '11' : '00'}` }),
    JSON.stringify({ version: [event] }),
  ];
  const { settle, sync: other } = fresh();
  const report = await settle(importLines(other, [head!, ...bad, own!]));
  const names = ['json', 'size', 'shape', 'author', 'kind', 'd-tag', 'id', 'signature', 'shape'];
  expect(report).toEqual({
    ...{ taken: 1, known: 0, older: 0, refused: bad.length, isWhole: false },
    faults: names.map((fault, i) => ({ line: i + 2, fault })),
  });
});

test('a value in pieces without one of them is refused, and nothing is shown of it', async () => {
  const { settle: first, sync } = await filled(valueOf(200_000, 1));
  const lines = await first(linesOf(sync));
  const { settle, sync: other } = fresh();
  const report = await settle(importLines(other, [lines[0]!, ...lines.slice(2)]));
  expect(report).toMatchObject({ taken: 0, faults: [{ fault: 'incomplete' }] });
  expect(await settle(other.inspect())).toEqual([]);
});

test('a value in pieces of which the signer says something else keeps nothing else out', async () => {
  const { settle: first, sync } = await filled(valueOf(200_000, 1));
  const [header, ...large] = await first(linesOf(sync));
  await first(sync.publish('notes', 'b', { waitFor: 'replicated' }));
  const small = (await first(linesOf(sync))).find((line) => !large.includes(line) && line.includes('notes'));
  const { device, settle } = world({});
  const { nip44, ...signer } = secretKeySigner(KEY);
  const other = device({ signer: { ...signer, nip44: { ...nip44, decrypt: async () => '"no manifest"' } } });
  const report = await settle(importLines(other, [header!, ...large.slice(0, -1), small!]));
  expect(report).toMatchObject({ taken: 1, faults: [{ fault: 'unreadable' }] });
  expect(await settle(other.inspect())).toMatchObject([{ category: 'notes' }]);
});

test('another key, another namespace and what is no export are told apart from it, and nothing is taken', async () => {
  const { settle: first, sync } = await filled('a');
  const lines = await first(linesOf(sync));
  const { device, settle } = world({});
  const code = 'INVALID_EXPORT';
  await expect(
    settle(importLines(device({ signer: secretKeySigner(OTHER_KEY) }), lines)),
  ).rejects.toMatchObject({ code, message: expect.stringContaining('another key') });
  const other = device({ namespace: 'other', store: memoryStore() });
  await expect(settle(importLines(other, lines))).rejects.toMatchObject({ code });
  for (const none of [[], ['x'], ['[]'], lines.slice(1)])
    await expect(settle(importLines(other, none))).rejects.toMatchObject({ code });
  await expect(importLines(other, 7 as never)).rejects.toThrow(/Invalid lines: expected an iterable/);
  expect(() => exportLines(other, { version: true } as never)).toThrow(/Invalid option/);
  expect(await settle(other.inspect())).toEqual([]);
});

test('a version of before goes into the ring once, and never above the head', () => {
  const relay = aRelay('wss://relay.example');
  const [old, head, later] = [5, 9, 12].map((stamp) => told({ stamp, by: 'phone' }));
  const shown = { type: 'shown', relay, event: head!, relays: [relay] } as const;
  const { record } = reconcile(undefined, shown, undefined);
  const next = remembered(record!, { type: 'remembered', event: old! });
  expect(next.past.map(({ id }) => id)).toEqual([old!.id]);
  expect(next.head).toBe(record!.head);
  for (const event of [old!, head!, later!])
    expect(remembered(next, { type: 'remembered', event })).toBe(next);
});

test('what one tab exports before a relay has it is older than what another tab writes next, at whatever speed', async () => {
  const at = world({});
  at.relays[0]!.misbehave({ refuseConnections: true });
  const browser = createMemoryTabs(wayTo(at).openSocket);
  const open = (): Device => {
    const { kill: _, freeze: __, ...platform } = browser.open();
    return at.device({ ...platform, clock: at.clock, deviceId: 'laptop' });
  };
  const [leader, follower] = [open(), open()];
  await at.settle(leader.publish('settings', 'first', { waitFor: 'saved' }));
  await at.clock.advance(5_000);
  // Ids are as good as random: by one of these the exported event is the greater one of two with one stamp.
  for (let i = 0; i < 8; i++) {
    await at.settle(leader.publish('settings', `exported ${i}`, { waitFor: 'saved' }));
    const lines = await at.settle(linesOf(follower));
    await at.settle(leader.publish('settings', `last ${i}`, { waitFor: 'saved' }));
    expect(await at.settle(importLines(follower, lines))).toMatchObject({ taken: 0 });
    expect(await at.settle(leader.fetch('settings'))).toMatchObject({ payload: `last ${i}` });
  }
  expect([leader, follower].flatMap(({ errors }) => errors.map(({ code }) => code))).not.toContain(
    'DEVICE_ID_TAKEN',
  );
});
