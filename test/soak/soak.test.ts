/**
 * MINUTES (10) of three devices on five relays that come and go, and on a sixth that sends 1,000 junk frames a second to each of
 * them. In between it is calm, and then everything is everywhere, and nothing has grown.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { fileStore, systemClock, type Clock, type NostrEvent, type Receipt } from '../../src/node.ts';
import { startRelay, type RunningRelay, type StartRelayOptions } from '../../src/testing/relay-server.ts';
import type { RelayFaults } from '../../src/testing/relay-options.ts';
import { createRandom, filler, numberFrom, type Random } from '../support/random.ts';
import { device, stored, written, type Device } from '../sync/devices.ts';

const MINUTES = numberFrom('MINUTES', 10);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);
const RELAYS = 5;
const DEVICES = 3;
const CATEGORIES = ['a', 'b', 'c', 'd', 'e'] as const;
const STORM_MS = 15_000;
const GROWTH_LIMIT_BYTES = 10 * 1024 * 1024;
/** Storms in which the memories of verified events and of plaintexts are filled to their bounds, and the verifiers' tables made. */
const WARM_UP = 2;
const WARM_UP_STORM = { fillerChars: 40_000, gapMs: 10 };
const USUAL_STORM = { fillerChars: 2_000, gapMs: 50 };
/** Frames that relays keep are no growth of the engine. */
const OPTIONS: StartRelayOptions = {
  frameLogSize: 10,
  limits: { maxEventBytes: 131_072, maxFrameBytes: 200_000 },
};

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** A relay that goes and comes back on its port, with all it holds. */
interface Flapping {
  running: RunningRelay;
  isUp: boolean;
}

/** A clock that knows how many of its timers are armed. */
function countingClock(): Clock & { armed(): number } {
  const armed = new Set<object>();
  return {
    now: systemClock.now,
    after: (ms, callback) => {
      const timer = {};
      armed.add(timer);
      const cancel = systemClock.after(ms, () => {
        armed.delete(timer);
        callback();
      });
      return () => {
        armed.delete(timer);
        cancel();
      };
    },
    armed: () => armed.size,
  };
}

const junkCounts = { sent: 0 };

/** Ten frames each ten milliseconds to every connection. */
function hostility(random: Random): RelayFaults {
  const genuine = written({ category: 'a', payload: 'old', created_at: 1_700_000_000 });
  const forged: NostrEvent = { ...genuine, sig: genuine.sig.replace(/^./, (c) => (c === '0' ? '1' : '0')) };
  return {
    dropOk: true,
    noEose: true,
    flood: {
      everyMs: 10,
      frames: ({ subscriptions }) => {
        junkCounts.sent += 10;
        const [subscription = 'none'] = subscriptions();
        return Array.from({ length: 10 }, () =>
          random.pick([
            () => '}{ no frame',
            () => ['NOTICE', 'x'.repeat(random.below(1_000))],
            () => ['EVENT', 'nobody asked', genuine],
            () => ['EVENT', subscription, { ...forged, content: 'x'.repeat(random.below(1_000)) }],
            () => ['EVENT', subscription, forged],
            () => ['EVENT', subscription, genuine],
            () => ['OK', genuine.id, true, ''],
            () => ['AUTH', String(random.next())],
            () => ['CLOSED', 'x', ''],
          ])(),
        );
      },
    },
  };
}

function heap(): number {
  (globalThis as { gc?: () => void }).gc!();
  return process.memoryUsage().heapUsed;
}

/** Sockets and other handles of this process, those of the hostile relay left out: it is hung up on now and then. */
function handles(hostile: RunningRelay): number {
  const all = process.getActiveResourcesInfo().filter((type) => type.includes('TCP'));
  return all.length - 2 * hostile.relay.connections();
}

test(
  `${MINUTES} minutes, SEED=${SEED}: nothing is lost, and nothing grows`,
  { timeout: MINUTES * 60_000 * 2 + 300_000 },
  async () => {
    const random = createRandom(SEED);
    const relays: Flapping[] = [];
    for (let i = 0; i < RELAYS; i++) relays.push({ running: await startRelay(OPTIONS), isUp: true });
    const hostile = await startRelay(OPTIONS);
    hostile.relay.misbehave(hostility(random));
    const clock = countingClock();
    const urls = [...relays.map(({ running }) => running.url), hostile.url];
    const devices: Device[] = [];
    for (let i = 0; i < DEVICES; i++) {
      const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-soak-'));
      folders.push(folder);
      const pacing = { burst: 60, intervalMs: 100 };
      devices.push(device(urls, { clock, store: fileStore(folder), pacing }));
      devices[i]!.subscribe(CATEGORIES, () => undefined);
    }
    const counts = { published: 0, failed: 0, flaps: 0, calms: 0 };
    /**
     * By category: the acknowledged writes with the highest stamp. One that no socket had carried may have been replaced by the
     * next one with the same stamp, and of two devices' the lower id wins.
     */
    const newest = new Map<string, { updatedAt: string; ids: Set<string> }>();
    function tell({ category, updatedAt, eventId }: Receipt): void {
      const before = newest.get(category);
      if (before === undefined || updatedAt > before.updatedAt)
        newest.set(category, { updatedAt, ids: new Set([eventId]) });
      else if (updatedAt === before.updatedAt) before.ids.add(eventId);
    }

    async function up(flapping: Flapping): Promise<void> {
      flapping.running.relay.behave();
      if (flapping.isUp) return;
      const { port, relay } = flapping.running;
      flapping.running = await startRelay({ port, relay });
      flapping.isUp = true;
    }

    async function flap(flapping: Flapping): Promise<void> {
      counts.flaps++;
      const drawn = random.next();
      if (!flapping.isUp || drawn < 0.3) await up(flapping);
      else if (drawn < 0.6) {
        flapping.isUp = false;
        await flapping.running.close();
      } else if (drawn < 0.75) flapping.running.relay.misbehave({ silent: true });
      else if (drawn < 0.9) flapping.running.relay.disconnectAll();
      else flapping.running.relay.wipe();
    }

    async function storm({ fillerChars, gapMs }: typeof USUAL_STORM): Promise<void> {
      const until = performance.now() + STORM_MS;
      while (performance.now() < until) {
        if (random.chance(gapMs / 150)) await flap(random.pick(relays));
        const from = random.pick(devices);
        const category = random.pick(CATEGORIES);
        const payload = { n: counts.published, text: filler(random.below(fillerChars)) };
        // Nobody waits for it here: the next one comes whether it has got anywhere or not.
        const receipt = from.publish(category, payload, { waitFor: random.pick(['saved', 'delivered']) });
        receipt.then(
          (one) => {
            counts.published++;
            tell(one);
          },
          () => counts.failed++,
        );
        await sleep(gapMs + random.below(3 * gapMs));
      }
    }

    /** Everybody is there but the hostile one; waits until all agree. */
    async function calm(): Promise<void> {
      for (const flapping of relays) await up(flapping);
      const honest = relays.map(({ running }) => running);
      await expect
        .poll(
          async () => {
            // Whoever asks finds out what a relay has lost.
            await devices[0]!.syncAll(CATEGORIES);
            return CATEGORIES.map((category) => {
              const heads = new Set(honest.map((one) => stored(one, category)[0]?.id ?? 'nothing'));
              const [head] = heads;
              const isNewest = newest.get(category)?.ids.has(head!) ?? head === 'nothing';
              return heads.size === 1 && isNewest ? 'the newest' : [...heads].join();
            });
          },
          { timeout: 150_000, interval: 1_000, message: 'what the relays have' },
        )
        .toEqual(CATEGORIES.map(() => 'the newest'));
      await expect
        .poll(() => honest.every((one) => one.relay.connections() === DEVICES), {
          timeout: 90_000,
          interval: 250,
        })
        .toBe(true);
      for (const one of devices) {
        for (const category of newest.keys())
          expect((await one.fetch(category))?.eventId).toBe(stored(honest[0]!, category)[0]!.id);
        expect(one.errors.filter(({ code }) => code !== 'CLOCK_SKEW')).toEqual([]);
        // What tests keep of what devices told is no growth of the engine.
        for (const list of [one.updated, one.conflicts, one.deliveries, one.errors]) list.length = 0;
      }
      counts.calms++;
    }

    const rows: { heap: number; timers: number; handles: number }[] = [];
    const until = performance.now() + MINUTES * 60_000;
    while (performance.now() < until || rows.length < WARM_UP + 2) {
      await storm(rows.length < WARM_UP ? WARM_UP_STORM : USUAL_STORM);
      await calm();
      await sleep(1_500);
      rows.push({ heap: heap(), timers: clock.armed(), handles: handles(hostile) });
    }
    const megabytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
    for (const row of rows)
      console.info(`${megabytes(row.heap)} MB, ${row.timers} timers, ${row.handles} sockets`);
    console.info(`soak: SEED=${SEED} ${JSON.stringify({ ...counts, junk: junkCounts.sent })}`);

    const [before, after] = [rows[WARM_UP - 1]!, rows.at(-1)!];
    expect(after.heap - before.heap).toBeLessThan(GROWTH_LIMIT_BYTES);
    expect(after.handles).toBe(before.handles);
    // A retry or a read-back may be waiting at either moment, for each relay of each device.
    expect(after.timers - before.timers).toBeLessThan(2 * DEVICES * (RELAYS + 1));
    expect(counts.failed).toBe(0);
    for (const [what, count] of Object.entries({ ...counts, failed: 1, junk: junkCounts.sent }))
      expect(count, what).toBeGreaterThan(0);

    await Promise.all(devices.map((one) => one.close()));
    expect(clock.armed()).toBe(0);
    await Promise.all([hostile, ...relays.map(({ running }) => running)].map((one) => one.close()));
  },
);
