/** What is shown of a category whose merges wait for the app's next edit: `settle: 'on-edit'`, or a signer that may ask a person. */

import { expect, test } from 'vitest';
import { mergeBy } from '../../src/merge.ts';
import { secretKeySigner, type FetchResult, type NostrSyncOptions, type Signer } from '../../src/node.ts';
import { editApart, MERGE, restarted, together, valuesOf, type Apart } from './apart.ts';
import { KEY, received, stored, world, type World } from './devices.ts';

const ON_EDIT: NostrSyncOptions = { categories: { settings: { merge: mergeBy(), settle: 'on-edit' } } };
const BOTH = { theme: 'dark', font: 14 };
const WRITES_FREELY_MS = 300_000;

/** The laptop changes the theme and the phone the font, apart; the laptop hears of the phone's, which is newer. */
async function apart(at: World, options = ON_EDIT): Promise<readonly [Apart, Apart, FetchResult[]]> {
  const [laptop, phone] = (await together(at, ['laptop', 'phone'], options)) as [Apart, Apart];
  await editApart(at, [
    [laptop, { theme: 'dark' }],
    [phone, { font: 14 }],
  ]);
  const given: FetchResult[] = [];
  laptop.device.subscribe(['settings'], (result) => given.push(result));
  laptop.device.on('updated', (result) => given.push(result));
  await at.clock.advance(100);
  given.length = 0;
  phone.way.join();
  await at.clock.advance(60_000);
  laptop.way.join();
  await at.clock.advance(WRITES_FREELY_MS);
  return [laptop, phone, given];
}

test('both edits are shown to all that ask, as one that no relay has, and nothing is signed', async () => {
  const at = world({});
  const [laptop, , given] = await apart(at);
  const shown = { payload: BOTH, pending: true };
  const now = await at.settle(laptop.device.fetch('settings'));
  expect(now).toMatchObject(shown);
  // It is no event: an app that knows what it has by the id sees that it is more.
  expect(now!.eventId).toMatch(/^[0-9a-f]{64}$/);
  expect(given.at(-1)!.eventId).toBe(now!.eventId);
  expect(stored(at.relays[0]!)[0]!.id).not.toBe(now!.eventId);
  expect(await at.settle(laptop.device.syncAll(['settings']))).toMatchObject([shown]);
  expect(await at.settle(laptop.device.poll(['settings']))).toMatchObject([shown]);
  expect(await at.settle(laptop.device.poll(['settings']))).toEqual([]);
  // The subscription and `updated`: first what came, then what that is together with the own edit.
  const last = given.slice(-2).map(({ payload }) => payload);
  expect([given.length, last]).toEqual([4, [BOTH, BOTH]]);
  expect(laptop.merged).toEqual([]);
  const written = new Set(received(at.relays[0]!, 'EVENT').map(([, event]) => (event as { id: string }).id));
  // The first value, and an edit of each.
  expect(written.size).toBe(3);
});

test('they are shown again after a restart, as soon as the app is unlocked, and with the next edit written', async () => {
  const at = world({});
  const [first, phone] = await apart(at);
  const laptop = await restarted(at, first, ON_EDIT);
  await at.clock.advance(5_000);
  expect(await valuesOf(at, [laptop])).toEqual([BOTH]);
  await at.settle(laptop.device.update('settings', (now) => ({ ...(now as object), size: 1 })));
  await at.clock.advance(5_000);
  expect(await valuesOf(at, [laptop, phone])).toEqual([
    { ...BOTH, size: 1 },
    { ...BOTH, size: 1 },
  ]);
  expect(laptop.merged).toMatchObject([{ base: 'exact', clashes: [] }]);
});

test('a whole value is made of what was shown: what the app takes back of it is taken back', async () => {
  const at = world({});
  const [laptop, phone] = await apart(at);
  await at.settle(laptop.device.publish('settings', { theme: 'light', font: 14 }));
  await at.clock.advance(5_000);
  expect(await valuesOf(at, [laptop, phone])).toEqual([
    { theme: 'light', font: 14 },
    { theme: 'light', font: 14 },
  ]);
});

test('a whole value of an app that names the head, and had it before more was shown, takes nothing back', async () => {
  const at = world({});
  const [laptop] = await apart(at);
  const [head] = stored(at.relays[0]!);
  await at.settle(laptop.device.publish('settings', { theme: 'light', font: 16 }, { basedOn: head!.id }));
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'dark', font: 16 }]);
});

test('a whole value of an app that names what was shown takes back what it has changed of that', async () => {
  const at = world({});
  const [laptop] = await apart(at);
  const { eventId } = (await at.settle(laptop.device.fetch('settings')))!;
  await at.settle(laptop.device.publish('settings', { theme: 'light', font: 16 }, { basedOn: eventId }));
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'light', font: 16 }]);
});

test('a newer value of another device that has seen none of it is shown with it, too', async () => {
  const at = world({});
  const [laptop, phone] = await apart(at);
  await at.settle(phone.device.publish('settings', { theme: 'light', font: 16 }));
  await at.clock.advance(WRITES_FREELY_MS);
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'dark', font: 16 }]);
});

test('an app that is locked has none of it in memory, and shows it once it is unlocked', async () => {
  const at = world({});
  const [laptop] = await apart(at);
  await at.settle(laptop.device.clearSigner());
  await expect(at.settle(laptop.device.fetch('settings'))).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
  await at.settle(laptop.device.setSigner(secretKeySigner(KEY)));
  await at.clock.advance(5_000);
  expect(await valuesOf(at, [laptop])).toEqual([BOTH]);
  // And it is known again what the app makes its next value of.
  await at.settle(laptop.device.publish('settings', { font: 14 }));
  expect(await valuesOf(at, [laptop])).toEqual([{ font: 14 }]);
});

test('a signer that may ask a person is asked to sign nothing: that is the default for one', async () => {
  const at = world({});
  const local = secretKeySigner(KEY);
  let signed = 0;
  const remote = {
    ...local,
    isLocal: false,
    signEvent: async (...args: Parameters<Signer['signEvent']>) => {
      signed += 1;
      return local.signEvent(...args);
    },
  } as Signer;
  const options = { ...MERGE, signer: remote };
  const [laptop, phone] = (await together(at, ['laptop', 'phone'], options)) as [Apart, Apart];
  await editApart(at, [
    [laptop, { theme: 'dark' }],
    [phone, { font: 14 }],
  ]);
  const before = signed;
  for (const { way } of [phone, laptop]) way.join();
  await at.clock.advance(WRITES_FREELY_MS);
  expect(await valuesOf(at, [laptop])).toEqual([BOTH]);
  expect(signed).toBe(before);
});
