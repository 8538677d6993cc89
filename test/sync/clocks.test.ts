/** Clocks that are off by a day or by years, and are set right: what was written by them beats nothing, and is not lost. */

import { describe, expect, test } from 'vitest';
import { memoryStore, type NostrEvent, type NostrSyncOptions, type Store } from '../../src/node.ts';
import { received, stored, world, written, type Device, type World } from './devices.ts';
import { valueOf } from './values.ts';

const DAY = 86_400_000;
const YEAR = 365 * DAY;
const START = 1_767_225_600;

const kept = (): Store => ({ ...memoryStore(), close: async () => undefined });

/** A device whose clock is off until it is set right. */
function wrong(
  on: World,
  byMs: number,
  options: NostrSyncOptions = {},
): { laptop: Device; set: (ms: number) => void } {
  let offMs = byMs;
  const clock = { now: () => on.clock.now() + offMs, after: on.clock.after };
  return { laptop: on.device({ clock, ...options }), set: (ms) => (offMs = ms) };
}

/** What a device that knows nothing yet gets. */
async function fresh({ device, settle }: World): Promise<unknown> {
  return (await settle(device({ maxPayloadSize: 409_600 }).fetch('settings')))?.payload;
}

const stampsOn = ({ relays }: World): (number | undefined)[] =>
  relays.map((relay) => stored(relay)[0]?.created_at);

describe.each([
  ['a day', DAY],
  ['two years', 2 * YEAR],
])('a write by a clock that is %s ahead, and is set right', (_, aheadMs) => {
  test('is stamped just above what it is above, and the category can be written and read again', async () => {
    const on = world({}, {});
    const phone = on.device();
    phone.subscribe(['settings'], () => undefined);
    await on.settle(phone.publish('settings', 'v1', { waitFor: 'replicated' }));
    const [before] = stampsOn(on);
    const { laptop, set } = wrong(on, aheadMs);
    await on.settle(laptop.fetch('settings'));
    expect((await on.settle(laptop.publish('settings', 'v2'))).stage).toBe('saved');
    set(0);
    await on.clock.advance(600_000);
    expect(stampsOn(on)).toEqual([before! + 1, before! + 1]);
    expect(phone.updated.at(-1)).toMatchObject({ payload: 'v2' });
    expect(await on.settle(laptop.publish('settings', 'v3'))).toMatchObject({ stage: 'delivered' });
    await on.settle(phone.publish('settings', 'v4'));
    expect(await on.settle(laptop.fetch('settings'))).toMatchObject({ payload: 'v4' });
    expect(await fresh(on)).toBe('v4');
    expect([laptop.conflicts, phone.conflicts]).toEqual([[], []]);
  });

  test('comes back over nothing that others wrote since, and its loss is told', async () => {
    const on = world({}, {});
    const phone = on.device();
    await on.settle(phone.publish('settings', 'v1', { waitFor: 'replicated' }));
    const { laptop, set } = wrong(on, aheadMs);
    laptop.subscribe(['settings'], () => undefined);
    await on.settle(laptop.fetch('settings'));
    await on.settle(laptop.publish('settings', 'by a wrong clock'));
    await on.clock.advance(60_000);
    await on.settle(phone.publish('settings', 'v2', { waitFor: 'replicated' }));
    set(0);
    await on.clock.advance(600_000);
    expect(await on.settle(laptop.fetch('settings'))).toMatchObject({ payload: 'v2' });
    expect(await fresh(on)).toBe('v2');
    expect(laptop.conflicts).toMatchObject([
      { mine: { payload: 'by a wrong clock' }, theirs: { payload: 'v2' }, shown: 'theirs' },
    ]);
    expect((await laptop.getStatus()).outboxDepth).toBe(0);
  });

  test('upon others by that clock, over a restart, is stamped above what relays have', async () => {
    const on = world({});
    await on.settle(on.device().publish('settings', 'v1', { waitFor: 'replicated' }));
    const store = kept();
    const { laptop } = wrong(on, aheadMs, { store });
    await on.settle(laptop.fetch('settings'));
    for (const value of ['v2', 'v3']) {
      await on.settle(laptop.publish('settings', value));
      await on.clock.advance(20_000);
    }
    await on.settle(laptop.close());
    const again = on.device({ store });
    await on.clock.advance(600_000);
    expect(await fresh(on)).toBe('v3');
    expect(stampsOn(on)[0]).toBeLessThan(START + 60);
    expect((await again.getStatus()).outboxDepth).toBe(0);
  });

  test('that is the first of its category is stamped a day back', async () => {
    const on = world({});
    const { laptop, set } = wrong(on, aheadMs);
    await on.settle(laptop.publish('settings', 'first'));
    set(0);
    await on.clock.advance(600_000);
    expect(await fresh(on)).toBe('first');
    expect(stampsOn(on)[0]).toBeLessThanOrEqual(on.clock.now() / 1000 - 86_399);
    await on.settle(on.device().publish('settings', 'second'));
    expect(await fresh(on)).toBe('second');
  });

  test('upon one of which the clock was some minutes ahead is above that once this is hardly ahead', async () => {
    const on = world({});
    await on.settle(wrong(on, 300_000).laptop.publish('settings', 'v1', { waitFor: 'replicated' }));
    const [before] = stampsOn(on);
    const { laptop, set } = wrong(on, aheadMs);
    await on.settle(laptop.fetch('settings'));
    await on.settle(laptop.publish('settings', 'v2'));
    set(0);
    await on.clock.advance(1_000_000);
    expect(stampsOn(on)).toEqual([before! + 1]);
    expect(await fresh(on)).toBe('v2');
  });

  test('upon the first of its category, which was by that clock too, is stamped a day back', async () => {
    const on = world({});
    const { laptop, set } = wrong(on, aheadMs);
    for (const value of ['first', 'second', 'third']) await on.settle(laptop.publish('settings', value));
    set(0);
    await on.clock.advance(600_000);
    expect(await fresh(on)).toBe('third');
    expect(stampsOn(on)[0]).toBeLessThanOrEqual(on.clock.now() / 1000 - 86_399);
    expect((await laptop.getStatus()).outboxDepth).toBe(0);
  });

  test('upon the first of its category, which was by a right clock and reached nobody, is above that', async () => {
    const on = world({});
    on.relays[0]!.misbehave({ dropOk: true });
    const { laptop, set } = wrong(on, 0);
    await on.settle(laptop.publish('settings', 'first'));
    const [first] = stampsOn(on);
    set(aheadMs);
    on.relays[0]!.behave();
    await on.settle(laptop.publish('settings', 'second'));
    set(0);
    await on.clock.advance(600_000);
    expect(await fresh(on)).toBe('second');
    expect(stampsOn(on)).toEqual([first! + 1]);
  });

  test('in pieces takes them along', async () => {
    const on = world({}, {});
    await on.settle(on.device().publish('settings', 'v1', { waitFor: 'replicated' }));
    const { laptop, set } = wrong(on, aheadMs, { maxPayloadSize: 409_600 });
    await on.settle(laptop.fetch('settings'));
    const large = valueOf(120_000, 1, true);
    await on.settle(laptop.publish('settings', large));
    set(0);
    await on.clock.advance(900_000);
    expect(await fresh(on)).toEqual(large);
    for (const relay of on.relays)
      for (const { created_at } of relay.events()) expect(created_at).toBeLessThan(START + 60);
    await on.settle(laptop.flush());
  });
});

describe('a write from the future', () => {
  const written1 = { payload: 'v1', created_at: START - 10 };

  test('keeps its stamp where one relay has taken it', async () => {
    const on = world({}, { limits: { createdAtUpperLimit: 10 * YEAR } });
    for (const relay of on.relays) relay.inject(written(written1));
    const { laptop, set } = wrong(on, DAY);
    await on.settle(laptop.fetch('settings'));
    const { eventId } = await on.settle(laptop.publish('settings', 'v2'));
    set(0);
    await on.clock.advance(3_600_000);
    expect(stored(on.relays[1]!)).toMatchObject([{ id: eventId }]);
    expect(await on.settle(laptop.fetch('settings'))).toMatchObject({ eventId });
  });

  test('waits for the word of each relay that is connected, and for a complete answer', async () => {
    const on = world({}, {});
    for (const relay of on.relays) relay.inject(written(written1));
    const { laptop, set } = wrong(on, DAY);
    await on.settle(laptop.fetch('settings'));
    on.relays[1]!.misbehave({ dropOk: true });
    await on.settle(laptop.publish('settings', 'v2'));
    set(0);
    await on.clock.advance(900_000);
    expect(stampsOn(on)).toEqual([START - 10, START - 10]);
    on.relays[1]!.behave();
    on.relays[1]!.misbehave({ noEose: true });
    await on.clock.advance(120_000);
    expect(stampsOn(on)).toEqual([START - 10, START - 10]);
    on.relays[1]!.behave();
    await on.clock.advance(900_000);
    expect(stampsOn(on)).toEqual([START - 9, START - 9]);
  });

  test('that comes back under its former stamp is told as one from the future: nothing was withdrawn, and no twin is seen in it', async () => {
    const on = world({}, {});
    for (const relay of on.relays) relay.inject(written(written1));
    const { laptop, set } = wrong(on, DAY);
    await on.settle(laptop.fetch('settings'));
    const { eventId } = await on.settle(laptop.publish('settings', 'v2'));
    const [, event] = received(on.relays[1]!, 'EVENT').at(-1) as [string, NostrEvent];
    set(0);
    await on.clock.advance(600_000);
    expect(stampsOn(on)).toEqual([START - 9, START - 9]);
    on.relays[1]!.inject(event);
    expect(await on.settle(laptop.fetch('settings'))).toMatchObject({ payload: 'v2', eventId });
    expect(laptop.errors.at(-1)).toMatchObject({
      code: 'CLOCK_SKEW',
      message: expect.stringContaining('The newest value of "settings" is stamped'),
    });
    expect(new Set(laptop.errors.map(({ code }) => code))).toEqual(new Set(['CLOCK_SKEW']));
    expect(laptop.conflicts).toEqual([]);
  });
});

describe('a clock that every relay finds a day ahead', () => {
  const skewOf = (failed: unknown): unknown => failed;

  /** A device that has written by it, a day and some minutes ago. */
  async function contradicted(on: World, aheadMs = 3 * DAY): Promise<ReturnType<typeof wrong>> {
    const device = wrong(on, aheadMs);
    await on.settle(device.laptop.publish('settings', 'v1'));
    await on.clock.advance(DAY + 600_000);
    return device;
  }

  test('is not written by: what relays refuse as too late is a day old by it', async () => {
    const on = world({}, {});
    const { laptop } = await contradicted(on);
    const sent = on.relays.map((relay) => received(relay, 'EVENT').length);
    const failed = await on.settle(laptop.publish('settings', 'v2').catch(skewOf));
    expect(failed).toMatchObject({ code: 'CLOCK_SKEW', details: { aheadSeconds: expect.any(Number) } });
    const { aheadSeconds } = (failed as { details: { aheadSeconds: number } }).details;
    expect(aheadSeconds).toBeGreaterThanOrEqual(86_400);
    expect(aheadSeconds).toBeLessThanOrEqual(3 * 86_400);
    expect(await on.settle(laptop.remove('other').catch(skewOf))).toMatchObject({ code: 'CLOCK_SKEW' });
    expect(on.relays.map((relay) => received(relay, 'EVENT').length)).toEqual(sent);
  });

  test('is written by again as soon as it is set right, and what it wrote is delivered', async () => {
    const on = world({}, {});
    const { laptop, set } = await contradicted(on);
    await expect(on.settle(laptop.publish('settings', 'v2'))).rejects.toMatchObject({ code: 'CLOCK_SKEW' });
    set(0);
    expect((await on.settle(laptop.publish('other', 'fine'))).stage).toBe('delivered');
    await on.clock.advance(900_000);
    expect(await fresh(on)).toBe('v1');
  });

  test('is not found so by one relay alone, whatever it says, nor by what is not a day old', async () => {
    const on = world({ limits: { createdAtUpperLimit: 10 * YEAR } }, {});
    const { laptop } = await contradicted(on);
    on.relays[1]!.misbehave({ refuse: 'invalid: created_at too late' });
    await on.settle(laptop.publish('settings', 'v2'));
    const strict = world({});
    const other = wrong(strict, 3 * DAY);
    await strict.settle(other.laptop.publish('settings', 'v1'));
    await strict.clock.advance(DAY / 2);
    expect((await strict.settle(other.laptop.publish('settings', 'v2'))).stage).toBe('saved');
  });
});

test('nothing is signed more than a year ahead, by the app or without it', async () => {
  const on = world({ limits: { createdAtUpperLimit: 10 * YEAR } });
  on.relays[0]!.inject(
    written({ created_at: START + 40_000_000, tags: [['expiration', String(START + 60)]] }),
  );
  const laptop = on.device();
  await on.settle(laptop.fetch('settings'));
  await expect(on.settle(laptop.publish('settings', 'mine'))).rejects.toMatchObject({
    code: 'CLOCK_SKEW',
    details: { aheadSeconds: expect.any(Number) },
  });
  await on.clock.advance(2 * DAY);
  expect(received(on.relays[0]!, 'EVENT')).toEqual([]);
});

describe.each([
  ['behind', -7_200_000],
  ['ahead', 7_200_000],
])('AUTH that is refused for a clock that is %s', (_, offMs) => {
  test('is told as CLOCK_SKEW, once, and goes through when it is set right', async () => {
    const on = world({ auth: 'both' });
    const { laptop, set } = wrong(on, offMs);
    await on.settle(laptop.publish('settings', 'v1'));
    await on.clock.advance(600_000);
    const skews = laptop.errors.filter(({ code }) => code === 'CLOCK_SKEW');
    expect(skews).toMatchObject([{ message: expect.stringContaining(on.urls[0]!), details: {} }]);
    set(0);
    await on.clock.advance(3_600_000);
    expect(stored(on.relays[0]!)).toHaveLength(1);
  });
});
