/** Values in pieces that are rivals, or in the ring of former values: where their pieces are, and for how long. */

import { describe, expect, test } from 'vitest';
import { secretKeySigner, type NostrEvent, type Signer, type Store } from '../../src/node.ts';
import { MAX_PAST, MAX_PAST_BYTES, ORPHAN_MS, PIECE_ESTIMATE_BYTES } from '../../src/protocol/limits.ts';
import { change, MERGE, start, together, valuesOf, writersAt, type Apart, type Settings } from './apart.ts';
import { KEY, stored, world, type World } from './devices.ts';
import { edited, valueOf } from './values.ts';

const LARGE = { ...MERGE, maxPayloadSize: 409_600 };
const ON_EDIT = {
  ...LARGE,
  categories: { settings: { ...MERGE.categories!['settings'], settle: 'on-edit' } },
} as const;
const NOTES = valueOf(120_000, 1, true);
const MORE = edited(NOTES, 20_000);
const FIRST: Settings = { theme: 'light', font: 12, ...NOTES };

/** The names of pieces that a relay has, and that it has no tombstone for. */
const onRelay = ({ relays }: World): string[] =>
  relays[0]!
    .events()
    .filter(({ tags }) => !tags.some(([name]) => name === 'deleted'))
    .flatMap(({ tags }) => tags.find(([name]) => name === 'd')?.[1]?.match(/\/c\/(.+)$/)?.[1] ?? [])
    .sort();
interface Named {
  readonly pieces?: readonly (string | { readonly name: string })[];
}
type Stored = Readonly<Record<'former' | 'rivals' | 'past', readonly Named[] | undefined>> & {
  readonly head: Named;
};
const recordIn = async (store: Store): Promise<Stored> =>
  JSON.parse([...(await store.list('head/')).values()][0]!) as Stored;
const namesOf = (all: readonly Named[] = []): string[] =>
  all.flatMap(({ pieces = [] }) => pieces.map((piece) => (typeof piece === 'string' ? piece : piece.name)));
const inStore = async (store: Store): Promise<string[]> =>
  [...(await store.list('piece/')).keys()].map((key) => key.split('/').at(-1)!).sort();

/** The laptop's value in pieces is on the relay; the phone, which had not seen it, has written a newer one. */
async function overwritten(at: World, options: typeof LARGE = LARGE): Promise<readonly Apart[]> {
  const all = await together(at, ['laptop', 'phone'], options, FIRST);
  const [laptop, phone] = all;
  phone!.way.cut();
  const mine = { ...FIRST, ...MORE, theme: 'dark' };
  await at.settle(laptop!.device.publish('settings', mine, { waitFor: 'replicated' }));
  await at.clock.advance(2_000);
  await at.settle(phone!.device.publish('settings', { theme: 'light', font: 14 }, { waitFor: 'saved' }));
  return all;
}
const BOTH = { ...MORE, theme: 'dark', font: 14 };

describe('a rival in pieces', () => {
  test('is merged once it is whole: its pieces are fetched by the device that overwrote it', async () => {
    const at = world({});
    const [laptop, phone] = await overwritten(at);
    await laptop!.device.close();
    phone!.way.join();
    const writers = await writersAt(at, 60_000);
    expect(writers.map(({ by }) => by)).toEqual(['phone', 'phone']);
    // The removal of the notes had not seen the edit of them.
    expect(await valuesOf(at, [phone!])).toEqual([BOTH]);
    expect(phone!.merged).toMatchObject([{ base: 'exact', clashes: [{ path: ['notes'] }] }]);
  });

  test('is left as it is while its pieces are nowhere, and merged when they turn up', async () => {
    const at = world({});
    const [laptop, phone] = await overwritten(at);
    await laptop!.device.close();
    const hidden = at.relays[0]!.events().filter(({ tags }) =>
      tags.some(([name, value]) => name === 'd' && value!.includes('/c/')),
    );
    at.relays[0]!.wipe();
    at.relays[0]!.inject(await manifestOf(laptop!.store));
    phone!.way.join();
    await at.clock.advance(60_000);
    expect(phone!.merged).toEqual([]);
    expect(await at.settle(phone!.device.inspect())).toMatchObject([{ rivals: 1 }]);
    for (const one of hidden) at.relays[0]!.inject(one);
    await at.clock.advance(300_000);
    expect(await valuesOf(at, [phone!])).toEqual([BOTH]);
  });

  test(
    'keeps its pieces on the relays, however long it waits; these go once no value needs them',
    { timeout: 60_000 },
    async () => {
      const at = world({});
      const [laptop, phone] = await overwritten(at, ON_EDIT);
      phone!.way.join();
      await at.clock.advance(60_000);
      const [theirs] = [await recordIn(laptop!.store)];
      const names = namesOf(theirs.rivals);
      expect(names.length).toBeGreaterThan(2);
      expect(theirs).toMatchObject({ rivals: [{ isInPieces: true }] });
      await at.clock.advance(2 * ORPHAN_MS + 3_600_000);
      expect(onRelay(at)).toEqual(expect.arrayContaining(names));
      await at.settle(laptop!.device.update('settings', change({ size: 3 }), { waitFor: 'replicated' }));
      expect(await valuesOf(at, [laptop!, phone!])).toEqual(
        Array.from({ length: 2 }, () => ({ ...BOTH, size: 3 })),
      );
      const needed = new Set(namesOf([(await recordIn(laptop!.store)).head]));
      await at.clock.advance(ORPHAN_MS + 3_600_000);
      expect(onRelay(at)).toEqual([...needed].sort());
    },
  );
});

test('whole values that wait together are all written, though the newest value has pieces that are nowhere', async () => {
  const at = world({});
  let sign = (): void => undefined;
  let turn = Promise.resolve();
  const signer = secretKeySigner(KEY);
  const slow: Signer = { ...signer, signEvent: async (event) => turn.then(() => signer.signEvent(event)) };
  const [phone] = (await together(at, ['phone'], LARGE)) as [Apart];
  const laptop = start(at, 'laptop', { ...LARGE, signer: slow });
  const { eventId: basedOn } = (await at.settle(laptop.device.fetch('settings')))!;
  laptop.way.cut();
  await at.settle(phone.device.publish('settings', FIRST, { waitFor: 'replicated' }));
  await phone.device.close();
  at.relays[0]!.wipe();
  at.relays[0]!.inject(await manifestOf(phone.store));
  turn = new Promise((resolve) => (sign = resolve));
  const publish = (more: Settings, options: { readonly signal?: AbortSignal } = {}): Promise<unknown> =>
    laptop.device.publish(
      'settings',
      { theme: 'light', font: 12, ...more },
      { basedOn, waitFor: 'saved', ...options },
    );
  const first = new AbortController();
  const aborted = publish({ wrap: true }, { signal: first.signal });
  await at.clock.advance(100);
  const waiting = [publish({ size: 1 }), publish({ theme: 'dark' })];
  laptop.way.join();
  await at.clock.advance(10_000);
  first.abort();
  sign();
  await expect(aborted).rejects.toThrow();
  await at.settle(Promise.all(waiting));
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'dark', font: 12, size: 1 }]);
});

test('a whole value of before an own write keeps that, though the newest value, made upon it, has pieces that are nowhere', async () => {
  const at = world({});
  const [phone, laptop] = (await together(at, ['phone', 'laptop'], LARGE)) as [Apart, Apart];
  const { eventId: basedOn } = (await at.settle(laptop.device.fetch('settings')))!;
  await at.settle(laptop.device.update('settings', change({ own: 1 }), { waitFor: 'replicated' }));
  laptop.way.cut();
  await at.settle(phone.device.update('settings', change(NOTES), { waitFor: 'replicated' }));
  await phone.device.close();
  const pieces = at.relays[0]!.events();
  at.relays[0]!.wipe();
  at.relays[0]!.inject(await manifestOf(phone.store));
  laptop.way.join();
  await at.clock.advance(10_000);
  await expect(at.settle(laptop.device.update('settings', change({ size: 1 })))).rejects.toMatchObject({
    code: 'INCOMPLETE',
  });
  await at.settle(
    laptop.device.publish('settings', { theme: 'dark', font: 12 }, { basedOn, waitFor: 'saved' }),
  );
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'dark', font: 12, own: 1 }]);
  for (const one of pieces) at.relays[0]!.inject(one);
  await at.clock.advance(300_000);
  expect(await valuesOf(at, [laptop])).toEqual([{ theme: 'dark', font: 12, own: 1, ...NOTES }]);
});

/** The newest value that a device has, as relays have it. */
async function manifestOf(store: Store): Promise<NostrEvent> {
  const [text] = [...(await store.list('head/')).values()];
  return (JSON.parse(text!) as { head: { event: NostrEvent } }).head.event;
}

describe('a former value in pieces', () => {
  async function written(values: readonly unknown[]): Promise<{ at: World; laptop: Apart }> {
    const at = world({});
    const laptop = start(at, 'laptop', LARGE);
    for (const value of values) {
      await at.settle(laptop.device.publish('settings', value, { waitFor: 'replicated' }));
      await at.clock.advance(5_000);
    }
    return { at, laptop };
  }

  test('keeps its pieces in the store when they are collected from the relays', async () => {
    const { at, laptop } = await written([FIRST, 'small']);
    expect(onRelay(at).length).toBeGreaterThan(2);
    await at.clock.advance(ORPHAN_MS + 3_600_000);
    expect(onRelay(at)).toEqual([]);
    const [, former] = await at.settle(laptop.device.history('settings'));
    expect(await at.settle(laptop.device.readVersion('settings', former!.eventId))).toMatchObject({
      payload: FIRST,
    });
    await at.settle(laptop.device.restore('settings', former!.eventId, { waitFor: 'replicated' }));
    const other = start(at, 'phone', LARGE);
    expect(await valuesOf(at, [other])).toEqual([FIRST]);
  });

  test('goes with its pieces: the store has those of the head and of the ring, and no others', async () => {
    const values = Array.from({ length: 5 }, (_, i) => valueOf(120_000, i + 10, true));
    const { at, laptop } = await written(values);
    const record = await recordIn(laptop.store);
    const kept = new Set([...namesOf([record.head]), ...namesOf(record.former), ...namesOf(record.past)]);
    expect(await inStore(laptop.store)).toEqual([...kept].sort());
    const names = new Set(namesOf(record.past));
    expect(names.size * PIECE_ESTIMATE_BYTES).toBeLessThanOrEqual(MAX_PAST_BYTES);
    expect(record.past!.length).toBeLessThan(4);
    expect((await at.settle(laptop.device.history('settings'))).length).toBe(record.past!.length + 1);
  });

  test('shares its pieces: of values that differ in a tenth many find room', async () => {
    let value = NOTES;
    const values = Array.from({ length: 16 }, (_, i) => (value = edited(value, 12_000, 100 + i)));
    const { at, laptop } = await written(values);
    const versions = await at.settle(laptop.device.history('settings'));
    expect(versions.length).toBeLessThanOrEqual(MAX_PAST + 1);
    expect(versions.length).toBeGreaterThanOrEqual(5);
    for (const [i, { eventId }] of versions.slice(0, 3).entries())
      expect(await at.settle(laptop.device.readVersion('settings', eventId))).toMatchObject({
        payload: values.at(-1 - i),
      });
    expect(stored(at.relays[0]!)).toHaveLength(1);
  });
});
