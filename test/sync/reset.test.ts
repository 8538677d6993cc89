/** `reset`: a category that somebody wrote in the future can be written by all devices again. */

import { describe, expect, test } from 'vitest';
import { memoryStore, secretKeySigner, type NostrEvent, type Signer, type Store } from '../../src/node.ts';
import { deviceHash } from '../../src/protocol/causality.ts';
import { KEY, received, stored, world, written, type Device, type World } from './devices.ts';
import { valueOf } from './values.ts';

const DAY = 86_400_000;
const START = 1_767_225_600;
const YEAR_SECONDS = 31_536_000;
/** Takes any stamp. */
const LENIENT = { limits: { createdAtUpperLimit: 100 * YEAR_SECONDS } };
const LARGE = { maxPayloadSize: 409_600 };

const kept = (): Store => ({ ...memoryStore(), close: async () => undefined });

/** A device whose clock is off writes, and is gone. */
async function poisoned(on: World, aheadMs: number, value: unknown = 'by a wrong clock'): Promise<string> {
  const clock = { now: () => on.clock.now() + aheadMs, after: on.clock.after };
  const tablet = on.device({ ...LARGE, clock });
  await on.settle(tablet.fetch('settings'));
  const { eventId } = await on.settle(tablet.publish('settings', value, { waitFor: 'replicated' }));
  await on.settle(tablet.close());
  return eventId;
}

async function valueOn(on: World, device: Device = on.device(LARGE)): Promise<unknown> {
  return (await on.settle(device.fetch('settings')))?.payload;
}

/** A write of a device that has seen nothing else. */
function by(id: string, created_at: number, payload: unknown): NostrEvent {
  const tags = [
    ['device_id', id],
    ['vv', `${deviceHash(id)}:${created_at}`],
  ];
  return written({ created_at, payload, tags });
}

const isLate =
  (on: World) =>
  ({ created_at }: NostrEvent): boolean =>
    created_at > on.clock.now() / 1000 + 60;

const isVoiding = ({ tags }: NostrEvent): boolean => tags.some(([name]) => name === 'void');

describe.each([
  ['half a year', 182 * DAY],
  ['two years', 730 * DAY],
])('a value from %s ahead', (_, aheadMs) => {
  test('is written again at the present time, and every device writes and reads from there', async () => {
    const on = world(LENIENT, LENIENT);
    const [laptop, phone] = [on.device(), on.device()];
    phone.subscribe(['settings'], () => undefined);
    await on.settle(phone.publish('settings', 'v1', { waitFor: 'replicated' }));
    const bad = await poisoned(on, aheadMs);
    expect(await valueOn(on, laptop)).toBe('by a wrong clock');
    const receipt = await on.settle(laptop.reset('settings', { waitFor: 'replicated' }));
    expect(receipt).toMatchObject({ stage: 'replicated' });
    for (const relay of on.relays) {
      expect(stored(relay)).toMatchObject([{ id: receipt!.eventId }]);
      expect(stored(relay)[0]!.created_at).toBeLessThan(on.clock.now() / 1000 + 60);
      expect(received(relay, 'EVENT').map(([, event]) => event)).toContainEqual(
        expect.objectContaining({
          kind: 5,
          tags: [
            ['e', bad],
            ['k', '30078'],
          ],
        }),
      );
    }
    expect(phone.updated.at(-1)).toMatchObject({ eventId: receipt!.eventId });
    await on.settle(phone.publish('settings', 'v2'));
    expect(await valueOn(on, laptop)).toBe('v2');
    await on.settle(laptop.publish('settings', 'v3', { waitFor: 'replicated' }));
    expect(await valueOn(on)).toBe('v3');
    await on.clock.advance(60_000);
    expect(phone.updated.at(-1)).toMatchObject({ payload: 'v3' });
    expect(stored(on.relays[0]!)[0]!.created_at).toBeLessThan(on.clock.now() / 1000 + 60);
    expect([laptop, phone].flatMap(({ errors }) => errors.map(({ code }) => code))).not.toContain(
      'DEVICE_ID_TAKEN',
    );
    expect([laptop.conflicts, phone.conflicts]).toEqual([[], []]);
  });

  test('of this device itself is left behind by it, over restarts', async () => {
    const on = world(LENIENT);
    let aheadBy = aheadMs;
    const clock = { now: () => on.clock.now() + aheadBy, after: on.clock.after };
    const store = kept();
    const laptop = on.device({ store, clock });
    await on.settle(laptop.publish('settings', 'v1', { waitFor: 'replicated' }));
    aheadBy = 0;
    await on.settle(laptop.reset('settings', { waitFor: 'replicated' }));
    await on.settle(laptop.close());
    const again = on.device({ store });
    await on.settle(again.publish('settings', 'v2', { waitFor: 'replicated' }));
    expect(stored(on.relays[0]!)[0]!.created_at).toBeLessThan(on.clock.now() / 1000 + 60);
    expect(await valueOn(on)).toBe('v2');
    expect(again.errors.map(({ code }) => code)).not.toContain('DEVICE_ID_TAKEN');
  });

  test('comes back over nothing: a relay that was away is asked to delete it', async () => {
    const on = world(LENIENT, LENIENT);
    const [laptop, phone] = [on.device(), on.device()];
    await poisoned(on, aheadMs);
    await valueOn(on, phone);
    await valueOn(on, laptop);
    on.relays[1]!.misbehave({ refuseConnections: true });
    on.relays[1]!.disconnectAll();
    await on.settle(laptop.reset('settings'));
    await on.settle(phone.publish('settings', 'v2'));
    on.relays[1]!.behave();
    await on.clock.advance(600_000);
    const [first, second] = on.relays.map((relay) => stored(relay));
    expect(second).toEqual(first);
    expect(second).toHaveLength(1);
    expect(second!.every(isVoiding)).toBe(true);
    expect(await valueOn(on)).toBe('v2');
  });

  test('in pieces is written again whole', async () => {
    const on = world(LENIENT, LENIENT);
    const value = valueOf(120_000, 1, true);
    await poisoned(on, aheadMs, value);
    const laptop = on.device(LARGE);
    expect(await valueOn(on, laptop)).toEqual(value);
    await on.settle(laptop.reset('settings', { waitFor: 'replicated' }));
    expect(await valueOn(on)).toEqual(value);
    expect(stored(on.relays[0]!)[0]!.created_at).toBeLessThan(on.clock.now() / 1000 + 60);
    await on.clock.advance(8 * DAY);
    const late = on.relays.flatMap((relay) => relay.events()).filter(isLate(on));
    expect(late).toEqual([]);
    expect(await valueOn(on)).toEqual(value);
  });
});

describe('a reset', () => {
  test('writes nothing where nothing is from the future', async () => {
    const on = world(LENIENT);
    const laptop = on.device();
    expect(await on.settle(laptop.reset('settings'))).toBeNull();
    await on.settle(laptop.publish('settings', 'v1'));
    const count = received(on.relays[0]!, 'EVENT').length;
    expect(await on.settle(laptop.reset('settings'))).toBeNull();
    expect(received(on.relays[0]!, 'EVENT')).toHaveLength(count);
  });

  test('by another device leaves the writer from the future a present', async () => {
    const on = world(LENIENT);
    let aheadMs = 100 * DAY;
    const clock = { now: () => on.clock.now() + aheadMs, after: on.clock.after };
    const tablet = on.device({ clock });
    await on.settle(tablet.publish('settings', 'v1', { waitFor: 'replicated' }));
    aheadMs = 0;
    await on.settle(on.device().reset('settings', { waitFor: 'replicated' }));
    await on.settle(tablet.publish('settings', 'v2', { waitFor: 'replicated' }));
    expect(stored(on.relays[0]!)[0]!.created_at).toBeLessThan(on.clock.now() / 1000 + 60);
    expect(await valueOn(on)).toBe('v2');
    expect(tablet.conflicts).toEqual([]);
  });

  test('of a removal is a removal', async () => {
    const on = world(LENIENT);
    const clock = { now: () => on.clock.now() + 400 * DAY, after: on.clock.after };
    const tablet = on.device({ clock });
    const laptop = on.device();
    await on.settle(laptop.publish('settings', 'v1', { waitFor: 'replicated' }));
    await on.settle(tablet.fetch('settings'));
    await on.settle(tablet.remove('settings', { waitFor: 'replicated' }));
    await on.settle(laptop.reset('settings'));
    expect(stored(on.relays[0]!)).toMatchObject([{ tags: expect.arrayContaining([['deleted', '']]) }]);
    expect(await on.settle(on.device().fetch('settings'))).toBeNull();
    await on.settle(laptop.publish('settings', 'v2'));
    expect(await valueOn(on)).toBe('v2');
  });

  test('of a removal by a device that knew of nothing there is taken by relays', async () => {
    const on = world(LENIENT);
    const clock = { now: () => on.clock.now() + 200 * DAY, after: on.clock.after };
    await on.settle(on.device({ clock }).remove('settings', { waitFor: 'replicated' }));
    await on.clock.advance(60_000);
    const laptop = on.device();
    await on.settle(laptop.fetch('settings'));
    await on.settle(laptop.reset('settings', { waitFor: 'replicated' }));
    await on.settle(laptop.publish('settings', 'v1', { waitFor: 'replicated' }));
    expect(await valueOn(on)).toBe('v1');
  });

  test('on a relay that ignores deletion requests waits, and this device goes on by what counts', async () => {
    const on = world(LENIENT);
    const bad = await poisoned(on, 400 * DAY);
    on.relays[0]!.misbehave({
      receive: ([, event]) => ((event as NostrEvent)?.kind === 5 ? 'ignore' : undefined),
    });
    const laptop = on.device();
    const receipt = await on.settle(laptop.reset('settings'));
    expect(receipt).toMatchObject({ stage: 'saved' });
    await on.clock.advance(3_600_000);
    expect(stored(on.relays[0]!)).toMatchObject([{ id: bad }]);
    expect(await valueOn(on, laptop)).toBe('by a wrong clock');
    expect(received(on.relays[0]!, 'EVENT').length).toBeLessThan(60);
  });

  test.each([
    ['a few', 5, 3, 'ahead 2'],
    ['many', 300, 12, 'ahead 11'],
    // Of so many the first is kept nowhere here.
    ['too many', 300, 40, 'ahead 0'],
  ])(
    'of the last of %s writes by a wrong clock: where a relay kept the first, no twin is seen in it, and what is known does not come back',
    async (_, apart, count, payload) => {
      const on = world(LENIENT);
      let aheadBy = 0;
      const clock = { now: () => on.clock.now() + aheadBy, after: on.clock.after };
      const laptop = on.device({ clock });
      await on.settle(laptop.publish('settings', 'v1', { waitFor: 'replicated' }));
      aheadBy = 100 * DAY;
      for (let i = 0; i < count; i++) {
        await on.settle(laptop.publish('settings', `ahead ${i}`, { waitFor: 'replicated' }));
        await on.clock.advance(apart * 1000);
      }
      aheadBy = 0;
      await on.settle(laptop.reset('settings', { waitFor: 'replicated' }));
      const kept = received(on.relays[0]!, 'EVENT').map(([, event]) => event as NostrEvent);
      on.relays[0]!.inject(kept.find(({ created_at }) => created_at > on.clock.now() / 1000 + 86_400)!);
      expect(await on.settle(laptop.fetch('settings'))).toMatchObject({ payload });
      expect(laptop.errors.map(({ code }) => code)).not.toContain('DEVICE_ID_TAKEN');
      expect(laptop.conflicts).toEqual([]);
    },
  );

  test('that a writer had not heard of is told on by who had: its value says it one second later', async () => {
    const on = world(LENIENT, LENIENT);
    const bad = await poisoned(on, 400 * DAY);
    const [event] = stored(on.relays[0]!);
    const laptop = on.device();
    laptop.subscribe(['settings'], () => undefined);
    await on.settle(laptop.reset('settings', { waitFor: 'replicated' }));
    const stamp = Math.floor(on.clock.now() / 1000) + 5;
    on.relays[0]!.inject(written({ created_at: stamp, payload: 'unaware' }));
    await on.clock.advance(120_000);
    const [now] = stored(on.relays[1]!);
    expect(now).toMatchObject({ created_at: stamp + 1 });
    expect(now!.tags).toContainEqual(['void', `${bad}:${event!.created_at}`]);
    // A device that meets the bad one first does not stay with it.
    on.relays[0]!.wipe();
    on.relays[0]!.inject(event!);
    const fresh = on.device();
    expect(await valueOn(on, fresh)).toBe('unaware');
  });

  test.each([
    ['a write', 'v1'],
    ['a write in pieces', valueOf(120_000, 1, true)],
  ])('does not beat %s that its device had not heard of: it comes back from who has it', async (_, value) => {
    const on = world(LENIENT);
    const clock = { now: () => on.clock.now() + 300_000, after: on.clock.after };
    const laptop = on.device({ ...LARGE, clock });
    laptop.subscribe(['settings'], () => undefined);
    await on.settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
    const [mine] = stored(on.relays[0]!);
    const stamp = Math.floor(on.clock.now() / 1000) + 365 * 86_400;
    on.relays[0]!.inject(by('tablet', stamp, 'unaware'));
    await on.clock.advance(5_000);
    expect(laptop.updated.at(-1)).toMatchObject({ payload: 'unaware' });
    const phone = on.device();
    const receipt = await on.settle(phone.reset('settings'));
    await on.clock.advance(600_000);
    expect(phone.conflicts).toMatchObject([{ mine: { eventId: receipt!.eventId } }]);
    const [now] = stored(on.relays[0]!);
    expect(now).toMatchObject({ content: mine!.content, created_at: mine!.created_at + 1 });
    expect(isVoiding(now!)).toBe(true);
    expect([await valueOn(on, phone), await valueOn(on, laptop)]).toEqual([value, value]);
    await on.clock.advance(8 * DAY);
    expect(await valueOn(on)).toEqual(value);
    await on.settle(laptop.publish('settings', 'v2', { waitFor: 'replicated' }));
    expect(await valueOn(on, phone)).toBe('v2');
    expect(laptop.errors.map(({ code }) => code)).not.toContain('DEVICE_ID_TAKEN');
  });

  test('is below a later write of a device that hears of it, which says from then on what does not count', async () => {
    const on = world(LENIENT, LENIENT);
    const [first, second] = on.urls;
    const clock = { now: () => on.clock.now() + 300_000, after: on.clock.after };
    const laptop = on.device({ clock, relays: [first!] });
    laptop.subscribe(['settings'], () => undefined);
    await on.settle(laptop.publish('settings', 'v1', { waitFor: 'replicated' }));
    const stamp = Math.floor(on.clock.now() / 1000) + 365 * 86_400;
    const bad = written({ created_at: stamp, payload: 'bad' });
    on.relays[1]!.inject(bad);
    const phone = on.device({ relays: [second!] });
    await on.settle(phone.reset('settings', { waitFor: 'replicated' }));
    await on.settle(laptop.addRelay(second!));
    await on.settle(laptop.fetch('settings'));
    await on.clock.advance(120_000);
    expect(stored(on.relays[1]!)[0]!.tags).toContainEqual(['void', `${bad.id}:${stamp}`]);
    on.relays[1]!.inject(bad);
    expect(await valueOn(on, laptop)).toBe('v1');
    expect(await valueOn(on, phone)).toBe('v1');
    await on.clock.advance(120_000);
    expect(await valueOn(on)).toBe('v1');
  });

  test.each([
    ['what its writer had written before', 300, 'phone'],
    ['another value from the future', 100 * 86_400, 'tablet'],
  ])('brings back nothing to who had seen %s', async (_, afterSeconds, writer) => {
    const on = world(LENIENT);
    const laptop = on.device();
    laptop.subscribe(['settings'], () => undefined);
    await on.settle(laptop.fetch('settings'));
    const now = Math.floor(on.clock.now() / 1000);
    on.relays[0]!.inject(by('phone', now + afterSeconds, 'v0'));
    await on.clock.advance(5_000);
    on.relays[0]!.inject(by(writer, now + 200 * 86_400, 'v1'));
    await on.clock.advance(5_000);
    const { eventId } = (await on.settle(on.device().reset('settings')))!;
    await on.clock.advance(600_000);
    expect(stored(on.relays[0]!)).toMatchObject([{ id: eventId }]);
    expect(laptop.updated.map(({ payload }) => payload)).toEqual(['v0', 'v1', 'v1']);
  });

  test('is above what a value from the future without a vector had replaced', async () => {
    const on = world(LENIENT);
    const laptop = on.device();
    const now = Math.floor(on.clock.now() / 1000);
    const good = written({ created_at: now + 300, payload: 'good', tags: [['device_id', 'phone']] });
    for (const event of [
      good,
      written({ created_at: now + 100 * 86_400, payload: 'bad' }),
      written({ created_at: now + 200 * 86_400, payload: 'worse' }),
    ]) {
      on.relays[0]!.inject(event);
      await on.settle(laptop.fetch('settings'));
    }
    await on.settle(laptop.reset('settings', { waitFor: 'replicated' }));
    on.relays[0]!.inject(good);
    await on.clock.advance(60_000);
    expect(stored(on.relays[0]!)).toMatchObject([{ created_at: good.created_at + 1 }]);
  });

  test('by another device leaves the next write of the one that wrote in the future above what it had written before', async () => {
    const on = world(LENIENT);
    let aheadMs = 300_000;
    const clock = { now: () => on.clock.now() + aheadMs, after: on.clock.after };
    const tablet = on.device({ clock });
    await on.settle(tablet.publish('settings', 'v1', { waitFor: 'replicated' }));
    const [v1] = stored(on.relays[0]!);
    aheadMs = 100 * DAY;
    await on.settle(tablet.publish('settings', 'bad', { waitFor: 'replicated' }));
    aheadMs = 0;
    const { eventId } = (await on.settle(on.device().reset('settings', { waitFor: 'replicated' })))!;
    expect(stored(on.relays[0]!)[0]!.created_at).toBeLessThan(v1!.created_at);
    expect(await on.settle(tablet.fetch('settings'))).toMatchObject({ eventId, payload: 'bad' });
    await on.settle(tablet.publish('settings', 'v2', { waitFor: 'replicated' }));
    on.relays[0]!.inject(v1!);
    expect(await valueOn(on)).toBe('v2');
    expect(tablet.errors.map(({ code }) => code)).not.toContain('DEVICE_ID_TAKEN');
  });

  test.each([
    ['that is not one', ['void', 'x']],
    ['with a stamp that is not that of the event', ['void', 'ID:1']],
    ['with too many entries', ['void', ...Array<string>(17).fill(`ID:STAMP`)]],
  ])('by a tag %s voids nothing', async (_, tag) => {
    const on = world(LENIENT);
    const bad = await poisoned(on, 100 * DAY);
    const [event] = stored(on.relays[0]!);
    const laptop = on.device();
    await valueOn(on, laptop);
    const entries = tag.map((one) => one.replace('ID', bad).replace('STAMP', String(event!.created_at)));
    on.relays[0]!.wipe();
    on.relays[0]!.inject(written({ created_at: START + 100, payload: 'forged', tags: [entries] }));
    await on.settle(laptop.fetch('settings'));
    expect(await valueOn(on, laptop)).toBe('by a wrong clock');
  });
});

test('what another device has reset while the signer took its time keeps what was written since', async () => {
  const on = world(LENIENT);
  const signer = secretKeySigner(KEY);
  let wait = Promise.resolve();
  const signEvent: Signer['signEvent'] = async (event) => wait.then(() => signer.signEvent(event));
  const [laptop, phone] = [on.device({ signer: { ...signer, signEvent } }), on.device()];
  await poisoned(on, 182 * DAY);
  for (const one of [laptop, phone]) {
    one.subscribe(['settings'], () => undefined);
    await on.settle(one.fetch('settings'));
  }
  let go = (): void => undefined;
  wait = new Promise((resolve) => (go = resolve));
  const resetting = laptop.reset('settings', { waitFor: 'saved' });
  await on.clock.advance(100);
  await on.settle(phone.reset('settings', { waitFor: 'replicated' }));
  await on.settle(phone.publish('settings', 'since then', { waitFor: 'replicated' }));
  go();
  await on.settle(resetting);
  await on.clock.advance(5_000);
  expect([await valueOn(on, laptop), await valueOn(on, phone)]).toEqual(['since then', 'since then']);
});

test.each<[string, number | undefined]>([
  ['while relays are asked', undefined],
  ['while the signer takes its time for it', 1_000],
])('what the app writes after a reset, %s, stays', async (_, afterMs) => {
  const on = world(LENIENT);
  await poisoned(on, 182 * DAY);
  const signer = secretKeySigner(KEY);
  const slow: Signer = {
    ...signer,
    signEvent: async (event) => {
      await new Promise<void>((resolve) => void on.clock.after(3_000, resolve));
      return signer.signEvent(event);
    },
  };
  const laptop = on.device({ signer: slow });
  expect(await valueOn(on, laptop)).toBe('by a wrong clock');
  const reset = laptop.reset('settings');
  if (afterMs !== undefined) await on.clock.advance(afterMs);
  const publish = laptop.publish('settings', 'after it');
  await on.settle(Promise.all([reset, publish]));
  await on.clock.advance(60_000);
  expect(await valueOn(on, laptop)).toBe('after it');
  expect(await valueOn(on)).toBe('after it');
  expect(stored(on.relays[0]!)[0]!.created_at).toBeLessThan(on.clock.now() / 1000 + 120);
});
