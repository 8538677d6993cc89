/** Two devices of one person that are both the first one: whatever order things come in, what was written under either secret is read by both. */

import { expect, test } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { mergeBy } from '../../src/merge.ts';
import {
  memoryStore,
  nip07Signer,
  secretKeySigner,
  type NostrSyncOptions,
  type Signer,
  type Store,
} from '../../src/node.ts';
import type { RelayFlavour, RelayOptions } from '../../src/testing/relay-options.ts';
import { randomBytes as nodeRandomBytes } from 'node:crypto';
import { FORMER } from '../../src/engine/former.ts';
import { unlock, type UnlockedSigner } from '../../src/unlock/unlock.ts';
import { KEY, OTHER_KEY, world, type Device, type World } from '../sync/devices.ts';

const namespace = 'my-app';

/** A store that outlives the engine that closes it, as a database does. */
const disk = (): Store => ({ ...memoryStore(), close: async () => undefined });

/** What is left of a device between two starts. */
interface Disks {
  readonly vault: Store;
  readonly state: Store;
}

const disks = (): Disks => ({ vault: disk(), state: disk() });

interface Started {
  readonly sync: Device;
  readonly pubkey: string;
  readonly former: readonly string[];
}

function unlocked(
  here: World,
  signer: Signer,
  { relays = here.urls, store }: { readonly relays?: readonly string[]; readonly store?: Store } = {},
): Promise<UnlockedSigner> {
  return unlock(
    signer,
    { namespace, relays, ...(store !== undefined && { store }) },
    {
      open: (options: NostrSyncOptions) => here.device(options),
      clock: here.clock,
      sha256Hex: nodePrimitives.sha256Hex,
      randomBytes: (length) => new Uint8Array(nodeRandomBytes(length)),
      signerOf: secretKeySigner,
    },
  );
}

/** A device starts: it unlocks, and its app's engine goes to work. `fields` is a category that merges. */
async function start(
  here: World,
  {
    relays = here.urls,
    disks: { vault, state } = disks(),
    signer = secretKeySigner(KEY),
  }: { readonly relays?: readonly string[]; readonly disks?: Disks; readonly signer?: Signer } = {},
): Promise<Started> {
  const of = await unlocked(here, signer, { relays, store: vault });
  const sync = here.device({
    ...{ namespace, relays, store: state, signer: of },
    categories: { fields: { merge: mergeBy() } },
  });
  return { sync, pubkey: (await sync.getPubkey())!, former: of.former };
}

/** A person who takes their time to encrypt the secret. */
function slowPerson() {
  const own = secretKeySigner(KEY);
  let say = (): void => undefined;
  let ask = (): void => undefined;
  const asked = new Promise<void>((resolve) => (ask = resolve));
  const said = new Promise<void>((resolve) => (say = resolve));
  const encrypt = async (peer: string, text: string): Promise<string> => {
    ask();
    await said;
    return own.nip44.encrypt(peer, text);
  };
  const { getPublicKey, signEvent } = own;
  const signer = nip07Signer({ getPublicKey, signEvent, nip44: { ...own.nip44, encrypt } });
  return { signer, asked, say: () => say() };
}

const payloadOf = async (here: World, { sync }: Started, category: string): Promise<unknown> =>
  (await here.settle(sync.fetch(category)))?.payload;
const later = (here: World): Promise<void> => here.clock.advance(60_000);
const stop = (here: World, ...devices: readonly Started[]): Promise<unknown> =>
  here.settle(Promise.all(devices.map(({ sync }) => sync.close())));

/** Two first devices, each with another relay, and so each with another secret. That of `first` is older: it counts. */
async function apart(options: RelayOptions = {}) {
  const here = world(options, options);
  const [a, b] = [disks(), disks()];
  const first = await here.settle(start(here, { relays: [here.urls[0]!], disks: a }));
  await here.clock.advance(10_000);
  const second = await here.settle(start(here, { relays: [here.urls[1]!], disks: b }));
  expect(first.pubkey).not.toBe(second.pubkey);
  return { here, a, b, first, second };
}

test('a person who is asked for long on one device has the secret of the other one, which has gone on', async () => {
  const here = world({});
  const { signer, asked, say } = slowPerson();
  const slow = start(here, { signer });
  await here.settle(asked);
  const quick = await here.settle(start(here));
  await here.settle(quick.sync.publish('settings', 'of the quick one', { waitFor: 'replicated' }));
  await later(here);
  say();
  const late = await here.settle(slow);
  expect(late.pubkey).toBe(quick.pubkey);
  expect(late.former).toEqual([]);
  expect(await payloadOf(here, late, 'settings')).toBe('of the quick one');
});

test('the device whose secret came second moves at its next start, and what it wrote comes along', async () => {
  const { here, a, b, first, second } = await apart();
  await here.settle(first.sync.publish('settings', 'of a', { waitFor: 'replicated' }));
  await here.settle(second.sync.publish('notes', 'of b', { waitFor: 'replicated' }));
  await stop(here, first, second);
  const again = await here.settle(start(here, { disks: b }));
  expect(again.pubkey).toBe(first.pubkey);
  expect(again.former).toEqual([second.pubkey]);
  expect(await payloadOf(here, again, 'notes')).toBe('of b');
  expect(await payloadOf(here, again, 'settings')).toBe('of a');
  await later(here);
  const other = await here.settle(start(here, { disks: a }));
  expect(other.pubkey).toBe(first.pubkey);
  expect(await payloadOf(here, other, 'notes')).toBe('of b');
  await later(here);
  for (const { sync } of [again, other]) expect([sync.errors, sync.conflicts]).toEqual([[], []]);
  // Once all has come along, relays are asked whether there is more, and the former key does nothing else.
  await stop(here, again, other);
  const asked = here.relays[0]!.frames.length;
  const last = await here.settle(start(here, { disks: b }));
  await later(here);
  expect(last.former).toEqual([second.pubkey]);
  const filters = here.relays[0]!.frames.slice(asked).flatMap(({ direction, frame }) =>
    direction === 'in' && Array.isArray(frame) && frame[0] === 'REQ' ? frame.slice(2) : [],
  );
  const ofFormer = filters.filter((filter) => JSON.stringify(filter).includes(second.pubkey));
  expect(ofFormer).toMatchObject([{ limit: 500 }, { limit: 500, until: expect.any(Number) as number }]);
});

test('it moves also after another account was signed in in between', async () => {
  const { here, b, first, second } = await apart();
  await here.settle(second.sync.removeRelay(here.urls[1]!));
  await here.settle(second.sync.publish('notes', 'of b', { waitFor: 'saved' }));
  await here.settle(second.sync.setSigner(secretKeySigner(OTHER_KEY)));
  await stop(here, second);
  const again = await here.settle(start(here, { disks: b }));
  expect(again.pubkey).toBe(first.pubkey);
  expect(await payloadOf(here, again, 'notes')).toBe('of b');
});

test('it moves also if the app joins by the call that carries over', async () => {
  const { here, b, first, second } = await apart();
  await here.settle(second.sync.publish('notes', 'of b', { waitFor: 'replicated' }));
  await stop(here, second);
  const of = await here.settle(unlocked(here, secretKeySigner(KEY), { store: b.vault }));
  // Locked until then.
  const sync = here.device({ namespace, store: b.state, signer: undefined } as object);
  await here.settle(sync.setSigner(of, { carryOver: 'missing' }));
  expect(await sync.getPubkey()).toBe(first.pubkey);
  expect((await here.settle(sync.fetch('notes')))?.payload).toBe('of b');
});

test('what no relay has comes along without any relay, and is shown at once', async () => {
  const { here, b, first, second } = await apart();
  await here.settle(second.sync.removeRelay(here.urls[1]!));
  await here.settle(second.sync.publish('notes', 'of b', { waitFor: 'saved' }));
  await here.settle(unlocked(here, secretKeySigner(KEY), { store: b.vault }));
  await later(here);
  await stop(here, second);
  const offline = await here.settle(start(here, { disks: b, relays: ['wss://nowhere.example'] }));
  expect(offline.pubkey).toBe(first.pubkey);
  expect(await here.settle(offline.sync.fetch('notes'))).toMatchObject({ payload: 'of b', pending: true });
});

test('of two values the newer counts, also if the device was restarted before all relays had answered', async () => {
  const { here, b, first, second } = await apart();
  await here.settle(first.sync.publish('notes', 'of a', { waitFor: 'replicated' }));
  await here.clock.advance(10_000);
  await here.settle(second.sync.publish('notes', 'of b, newer', { waitFor: 'replicated' }));
  await here.settle(unlocked(here, secretKeySigner(KEY), { store: b.vault }));
  await stop(here, second);
  const offline = await here.settle(start(here, { disks: b, relays: ['wss://nowhere.example'] }));
  await stop(here, offline);
  const again = await here.settle(start(here, { disks: b }));
  await later(here);
  for (const device of [again, first]) expect(await payloadOf(here, device, 'notes')).toBe('of b, newer');
});

test('what a device wrote upon a value that relays have is no conflict with that', async () => {
  const { here, b, second } = await apart({ latencyMs: 200 });
  await here.settle(second.sync.publish('notes', 'of b', { waitFor: 'replicated' }));
  await here.settle(second.sync.removeRelay(here.urls[1]!));
  await here.settle(second.sync.publish('notes', 'of b, later', { waitFor: 'saved' }));
  await stop(here, second);
  const again = await here.settle(start(here, { disks: b }));
  await later(here);
  expect(await payloadOf(here, again, 'notes')).toBe('of b, later');
  expect(again.sync.conflicts).toEqual([]);
});

test('of two values the newer counts, and devices are told of the other', async () => {
  const { here, b, first, second } = await apart();
  await here.settle(first.sync.publish('old', 'of a'));
  await here.settle(second.sync.publish('new', 'of b'));
  await here.clock.advance(10_000);
  await here.settle(second.sync.publish('old', 'of b, newer', { waitFor: 'replicated' }));
  await here.settle(first.sync.publish('new', 'of a, newer', { waitFor: 'replicated' }));
  await stop(here, second);
  await here.settle(first.sync.addRelay(here.urls[1]!));
  await here.settle(first.sync.flush());
  const again = await here.settle(start(here, { disks: b }));
  await later(here);
  for (const device of [again, first]) {
    expect(await payloadOf(here, device, 'old')).toBe('of b, newer');
    expect(await payloadOf(here, device, 'new')).toBe('of a, newer');
  }
  expect(first.sync.conflicts).toMatchObject([{ category: 'old', mine: { payload: 'of a' } }]);
  expect(again.sync.conflicts).toMatchObject([
    { category: 'new', mine: { payload: 'of b' }, theirs: { payload: 'of a, newer' }, shown: 'theirs' },
  ]);
  const [kept] = (await again.sync.history('new')).filter(({ why }) => why === 'before-joining');
  expect((await here.settle(again.sync.readVersion('new', kept!.eventId))).payload).toBe('of b');
});

test('a newer value takes the place of a removal, and an older one does not', async () => {
  const { here, b, first, second } = await apart();
  await here.settle(second.sync.publish('removed', 'of b'));
  await here.settle(first.sync.publish('written', 'of a'));
  await here.clock.advance(10_000);
  await here.settle(first.sync.publish('removed', 'of a'));
  await here.settle(first.sync.publish('fields', { of: 'a' }));
  await here.settle(first.sync.remove('fields', { waitFor: 'replicated' }));
  await here.settle(first.sync.remove('removed', { waitFor: 'replicated' }));
  await here.settle(first.sync.remove('written', { waitFor: 'replicated' }));
  await here.clock.advance(10_000);
  await here.settle(second.sync.publish('written', 'of b'));
  await here.settle(second.sync.publish('fields', { of: 'b' }));
  await stop(here, second);
  await here.settle(first.sync.addRelay(here.urls[1]!));
  const again = await here.settle(start(here, { disks: b }));
  await later(here);
  expect(await payloadOf(here, again, 'removed')).toBeUndefined();
  expect(await payloadOf(here, first, 'written')).toBe('of b');
  expect(await payloadOf(here, first, 'fields')).toEqual({ of: 'b' });
});

test('a category that merges has the edits of both, and of a field that both say the newer value', async () => {
  const { here, b, first, second } = await apart();
  await here.settle(first.sync.publish('fields', { theme: 'dark', size: 12 }, { waitFor: 'replicated' }));
  await here.clock.advance(10_000);
  await here.settle(second.sync.publish('fields', { font: 'serif', size: 14 }, { waitFor: 'replicated' }));
  await stop(here, second);
  const again = await here.settle(start(here, { disks: b }));
  await later(here);
  expect(await payloadOf(here, again, 'fields')).toEqual({ theme: 'dark', font: 'serif', size: 14 });
});

test('a device that was offline for long finds what it wrote there under the secret that counts', async () => {
  const { here, b, first, second } = await apart();
  await here.settle(second.sync.removeRelay(here.urls[1]!));
  const large = 'x'.repeat(60_000);
  await here.settle(second.sync.publish('offline', 'seen by no relay', { waitFor: 'saved' }));
  await here.settle(second.sync.publish('large', large, { waitFor: 'saved' }));
  await stop(here, second);
  // A third device joins both secrets, meanwhile.
  const third = await here.settle(start(here));
  expect(third.pubkey).toBe(first.pubkey);
  here.clock.set(here.clock.now() + 90 * 86_400_000);
  const again = await here.settle(start(here, { disks: b }));
  expect(again.pubkey).toBe(first.pubkey);
  await later(here);
  expect(await payloadOf(here, third, 'offline')).toBe('seen by no relay');
  expect(await payloadOf(here, third, 'large')).toBe(large);
});

test('a device that is gone for good: what relays have under its secret comes along to the others, once', async () => {
  const { here, a, first, second } = await apart();
  const large = Array.from({ length: 9_000 }, (_, i) => i.toString(36)).join();
  await here.settle(second.sync.publish('notes', 'of b', { waitFor: 'replicated' }));
  await here.settle(second.sync.publish('large', large, { waitFor: 'replicated' }));
  await stop(here, first, second);
  const again = await here.settle(start(here, { disks: a }));
  expect(again.former).toEqual([second.pubkey]);
  await later(here);
  expect(await payloadOf(here, again, 'notes')).toBe('of b');
  expect(await payloadOf(here, again, 'large')).toBe(large);
  await here.settle(again.sync.remove('notes', { waitFor: 'replicated' }));
  await stop(here, again);
  const next = await here.settle(start(here, { disks: a }));
  await later(here);
  // What was removed since does not come back.
  expect(await payloadOf(here, next, 'notes')).toBeUndefined();
  expect(await payloadOf(here, next, 'large')).toBe(large);
  expect([next.sync.errors, next.sync.conflicts]).toEqual([[], []]);
});

test('what a device writes under the former secret after that comes along as well', async () => {
  const { here, a, b, first, second } = await apart();
  await here.settle(second.sync.publish('notes', 'of b', { waitFor: 'replicated' }));
  await stop(here, first);
  const again = await here.settle(start(here, { disks: a }));
  await later(here);
  expect(await payloadOf(here, again, 'notes')).toBe('of b');
  // It runs on, and does not know.
  await here.settle(second.sync.publish('notes', 'of b, later', { waitFor: 'replicated' }));
  await stop(here, second);
  const moved = await here.settle(start(here, { disks: b }));
  await later(here);
  for (const device of [again, moved]) expect(await payloadOf(here, device, 'notes')).toBe('of b, later');
});

test('without a store of its own a device loses nothing that relays have', async () => {
  const { here, first, second } = await apart();
  await here.settle(second.sync.publish('notes', 'of b', { waitFor: 'replicated' }));
  await stop(here, first, second);
  const fresh = await here.settle(start(here));
  await later(here);
  expect(await payloadOf(here, fresh, 'notes')).toBe('of b');
});

test('nothing comes along from relays while one of them is silent: it may have what is newer', async () => {
  const { here, first, second } = await apart();
  await here.settle(second.sync.publish('notes', 'of b', { waitFor: 'replicated' }));
  const fresh = disks();
  await here.settle(unlocked(here, secretKeySigner(KEY), { store: fresh.vault }));
  await stop(here, first, second);
  here.relays[0]!.misbehave({ receive: (frame) => (frame[0] === 'REQ' ? 'ignore' : undefined) });
  const started = await here.settle(start(here, { disks: fresh }));
  await later(here);
  await expect(payloadOf(here, started, 'notes')).rejects.toMatchObject({ code: 'NO_RELAYS_REACHABLE' });
  here.relays[0]!.behave();
  await stop(here, started);
  const again = await here.settle(start(here, { disks: fresh }));
  await later(here);
  expect(await payloadOf(here, again, 'notes')).toBe('of b');
});

test('a secret that is on no relay any more is known to the device that made it, and counts again', async () => {
  const here = world({});
  const a = disks();
  const first = await here.settle(start(here, { disks: a }));
  await here.settle(first.sync.publish('settings', 'of a', { waitFor: 'replicated' }));
  await stop(here, first);
  await later(here);
  here.relays[0]!.wipe();
  const second = await here.settle(start(here));
  expect(second.pubkey).not.toBe(first.pubkey);
  await here.settle(second.sync.publish('settings', 'of b', { waitFor: 'replicated' }));
  await here.settle(second.sync.publish('notes', 'of b', { waitFor: 'replicated' }));
  await stop(here, second);
  const again = await here.settle(start(here, { disks: a }));
  expect([again.pubkey, again.former]).toEqual([first.pubkey, [second.pubkey]]);
  await later(here);
  expect(await payloadOf(here, again, 'settings')).toBe('of b');
  expect(await payloadOf(here, again, 'notes')).toBe('of b');
});

test('killed at any write to its store while it moves, a device has all of its values at the next start', async () => {
  for (let writes = 0, isOver = false; !isOver; writes++) {
    const { here, b, first, second } = await apart();
    await here.settle(second.sync.removeRelay(here.urls[1]!));
    await here.settle(second.sync.publish('notes', 'of b', { waitFor: 'saved' }));
    await here.settle(second.sync.publish('large', 'x'.repeat(50_000), { waitFor: 'saved' }));
    await stop(here, first, second);
    let left = writes;
    let die: (error: Error) => void = () => undefined;
    const dead = new Promise<never>((_, reject) => (die = reject));
    dead.catch(() => undefined);
    const dying: Store = {
      ...b.state,
      update: async (...update) => (left-- > 0 ? b.state.update(...update) : dead),
    };
    const moving = start(here, { disks: { ...b, state: dying } });
    moving.catch(() => undefined);
    await here.clock.advance(10_000);
    isOver = left > 0;
    die(new Error('killed'));
    const again = await here.settle(start(here, { disks: b }));
    await later(here);
    // It does not look under the former key.
    const joined = await here.settle(unlocked(here, secretKeySigner(KEY)));
    const fresh = here.device({ namespace, signer: { ...joined, [FORMER]: undefined } as Signer });
    for (const [category, value] of [
      ['notes', 'of b'],
      ['large', 'x'.repeat(50_000)],
    ])
      expect((await here.settle(fresh.fetch(category!)))?.payload, `after ${writes} writes`).toBe(value);
    await stop(here, again);
  }
});

const FLAVOURS: readonly (RelayFlavour | 'ties')[] = ['strfry', 'ties'];

test.each(FLAVOURS)(
  'two devices that start at the same time, or nearly so, on slow relays: %s',
  async (flavour) => {
    const options = flavour === 'ties' ? ({ tie: 'last' } as const) : { flavour };
    for (let apartMs = 0; apartMs <= 2_400; apartMs += 400) {
      const here = world({ latencyMs: 130, ...options }, { latencyMs: 340, ...options });
      const [a, b] = [disks(), disks()];
      const early = start(here, { disks: a });
      await here.clock.advance(apartMs);
      const late = start(here, { disks: b });
      const both = await here.settle(Promise.all([early, late]));
      await here.settle(both[0].sync.publish('of a', 1, { waitFor: 'saved' }));
      await here.settle(both[1].sync.publish('of b', 2, { waitFor: 'saved' }));
      await later(here);
      await stop(here, ...both);
      for (const one of [{ disks: a }, { disks: b }, {}]) {
        const again = await here.settle(start(here, one));
        await later(here);
        expect(await payloadOf(here, again, 'of a'), `${apartMs} ms apart`).toBe(1);
        expect(await payloadOf(here, again, 'of b'), `${apartMs} ms apart`).toBe(2);
        await stop(here, again);
      }
    }
  },
);

test('with a store it starts without any relay', async () => {
  const here = world({});
  const a = disks();
  const first = await here.settle(start(here, { disks: a }));
  await later(here);
  const offline = await here.settle(start(here, { relays: ['wss://nowhere.example'], disks: a }));
  expect(offline.pubkey).toBe(first.pubkey);
});
