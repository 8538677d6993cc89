/**
 * Devices as real processes that edit different fields apart, are killed, and start again: each edit is in the value of all. Meanwhile a
 * relay holds both edits, one of them, or none.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { startRelay, type RunningRelay } from '../../src/testing/relay-server.ts';
import { createRandom, numberFrom } from '../support/random.ts';
import { MERGED, root, startDevice, type DeviceProcess } from './processes.ts';

const ROUNDS = numberFrom('MERGE_ROUNDS', 12);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);

type Fields = Readonly<Record<string, string | number>>;

const BEFORE = { theme: 'light', font: 12 };
const BOTH = { theme: 'dark', font: 14 };

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Laptop {
  /** A process on this device's disk. */
  start(...urls: readonly string[]): Promise<void>;
  kill(): Promise<void>;
  /** With all that it has saved. */
  destroy(): Promise<void>;
  /** Resolves when it is saved. */
  edit(fields: Fields): Promise<void>;
  /** What the app is given. */
  value(): Promise<unknown>;
  flush(): Promise<void>;
  /** Codes of errors, and categories of conflicts, that this process has told of. */
  told(): Promise<unknown>;
}

async function newLaptop(): Promise<Laptop> {
  const folder = await mkdtemp(join(root, 'laptop-'));
  let device: DeviceProcess | undefined;
  const ask = (command: Parameters<DeviceProcess['ask']>[0]): ReturnType<DeviceProcess['ask']> =>
    device!.ask(command);
  return {
    start: async (...urls) => {
      device = startDevice(folder, urls.join(','));
      expect(await device.answer()).toEqual({ type: 'started' });
    },
    kill: async () => device!.kill(),
    destroy: async () => {
      await device!.kill();
      await rm(folder, { recursive: true });
    },
    edit: async (fields) => {
      expect(await ask({ do: 'update', category: MERGED, fields })).toMatchObject({ type: 'updated' });
    },
    value: async () => {
      const answer = await ask({ do: 'fetch', category: MERGED });
      return answer?.type === 'fetched' ? answer.result?.payload : answer;
    },
    flush: async () => {
      expect(await ask({ do: 'flush' })).toEqual({ type: 'flushed' });
    },
    told: async () => {
      const answer = await ask({ do: 'status' });
      return answer?.type === 'status' ? [...answer.errors, ...answer.conflicts] : answer;
    },
  };
}

const relays = new Set<RunningRelay>();
afterEach(async () => {
  for (const one of relays) await one.close();
  relays.clear();
});

async function newRelay(): Promise<RunningRelay> {
  const one = await startRelay();
  relays.add(one);
  return one;
}

/** Starts a relay again that was closed, with what it holds. */
async function comeBack({ relay, port }: RunningRelay): Promise<void> {
  relays.add(await startRelay({ relay, port }));
}

/** Stamps are seconds: of two writes in one, chance would decide which is the newer. */
const nextSecond = (): Promise<void> => wait(1_100);

/** Devices that have one value in common, and no relay any more. */
async function apart(count: number): Promise<{ relay: RunningRelay; laptops: readonly Laptop[] }> {
  const relay = await newRelay();
  const laptops = await Promise.all(Array.from({ length: count }, newLaptop));
  for (const one of laptops) await one.start(relay.url);
  await laptops[0]!.edit(BEFORE);
  await laptops[0]!.flush();
  for (const one of laptops) await expect.poll(() => one.value()).toEqual(BEFORE);
  await relay.close();
  await nextSecond();
  return { relay, laptops };
}

async function showBoth(laptops: readonly Laptop[], withinMs = 20_000): Promise<void> {
  for (const one of laptops)
    await expect.poll(() => one.value(), { timeout: withinMs, interval: 200 }).toEqual(BOTH);
  for (const one of laptops) expect(await one.told()).toEqual([]);
}

// Of two edits in different seconds the later is the newest value; so each of them is the one that is overwritten, once.
describe.each(['first', 'second'])('two laptops edit offline, and are killed, the %s one last', (last) => {
  const inTurn = async (one: () => Promise<void>, other: () => Promise<void>): Promise<void> => {
    const [earlier, later] = last === 'second' ? [one, other] : [other, one];
    await earlier();
    await nextSecond();
    await later();
  };

  async function killedApart(): ReturnType<typeof apart> {
    const at = await apart(2);
    const [one, other] = at.laptops as [Laptop, Laptop];
    await inTurn(
      () => one.edit({ theme: 'dark' }),
      () => other.edit({ font: 14 }),
    );
    await Promise.all([one.kill(), other.kill()]);
    return at;
  }

  test('started again, both show both', async () => {
    const { relay, laptops } = await killedApart();
    const [one, other] = laptops as [Laptop, Laptop];
    await Promise.all([one.start(relay.url), other.start(relay.url)]);
    expect(await one.value()).toEqual({ theme: 'dark', font: 12 });
    expect(await other.value()).toEqual({ theme: 'light', font: 14 });
    await comeBack(relay);
    await showBoth(laptops);
  });

  test('the relay was wiped when it held the first one alone', async () => {
    const { relay, laptops } = await killedApart();
    const [one, other] = laptops as [Laptop, Laptop];
    await comeBack(relay);
    await one.start(relay.url);
    await one.flush();
    await one.kill();
    relay.relay.wipe();
    await other.start(relay.url);
    await other.flush();
    await other.kill();
    expect(relay.relay.events()).toHaveLength(1);
    await Promise.all([one.start(relay.url), other.start(relay.url)]);
    await showBoth(laptops);
  });

  test('each relay held one of them', async () => {
    const { relay, laptops } = await killedApart();
    const [one, other] = laptops as [Laptop, Laptop];
    await comeBack(relay);
    const second = await newRelay();
    await one.start(relay.url);
    await other.start(second.url);
    await Promise.all([one.flush(), other.flush()]);
    expect(await one.value()).toEqual({ theme: 'dark', font: 12 });
    expect(await other.value()).toEqual({ theme: 'light', font: 14 });
    await Promise.all([one.kill(), other.kill()]);
    await Promise.all(laptops.map((each) => each.start(relay.url, second.url)));
    await showBoth(laptops);
  });
});

describe('the author of an edit is destroyed after a relay has had it', () => {
  /** The first laptop's edit is on the relay and gone from its disk, the second one's is on its disk alone. */
  async function authorGone(): ReturnType<typeof apart> {
    const at = await apart(3);
    const [author, offline] = at.laptops as [Laptop, Laptop];
    await author.edit({ theme: 'dark' });
    await nextSecond();
    await offline.edit({ font: 14 });
    await offline.kill();
    return at;
  }

  test('the one that overwrites it merges it', async () => {
    const { relay, laptops } = await authorGone();
    const [author, offline, third] = laptops as [Laptop, Laptop, Laptop];
    await third.kill();
    await comeBack(relay);
    await author.flush();
    await author.destroy();
    await offline.start(relay.url);
    await third.start(relay.url);
    await showBoth([offline, third], 40_000);
  });

  // A witness waits for a minute at most: the author may come back.
  test('a third one that was there merges it, though it is killed and the relay is wiped', async () => {
    const { relay, laptops } = await authorGone();
    const [author, offline, third] = laptops as [Laptop, Laptop, Laptop];
    await comeBack(relay);
    await author.flush();
    await expect.poll(() => third.value(), { timeout: 20_000 }).toEqual({ theme: 'dark', font: 12 });
    await author.destroy();
    await third.kill();
    relay.relay.wipe();
    await offline.start(relay.url);
    await offline.flush();
    await third.start(relay.url);
    await expect.poll(() => third.value(), { timeout: 20_000 }).toEqual({ theme: 'light', font: 14 });
    await third.kill();
    await third.start(relay.url);
    await showBoth([offline, third], 90_000);
  });
});

test(
  `killed ${ROUNDS} times while they merge (SEED=${SEED}), two laptops end with each edit of both`,
  { timeout: 60_000 + ROUNDS * 10_000 },
  async () => {
    const { below, chance } = createRandom(SEED);
    const { relay, laptops } = await apart(2);
    let running = relay;
    let edits: Fields = BEFORE;
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, one] of laptops.entries()) {
        const fields = { [`of laptop ${i}`]: round };
        edits = { ...edits, ...fields };
        await one.edit(fields);
      }
      running = await startRelay({ relay: relay.relay, port: relay.port });
      relays.add(running);
      // A merge is made within a second of the connection.
      await wait(below(2_000));
      await Promise.all(laptops.map((one) => one.kill()));
      if (chance(0.3)) relay.relay.wipe();
      await Promise.all(laptops.map((one) => one.start(relay.url)));
      if (chance(0.5)) await wait(below(1_000));
      if (round < ROUNDS - 1) await running.close();
    }
    for (const one of laptops)
      await expect.poll(() => one.value(), { timeout: 60_000, interval: 200 }).toEqual(edits);
  },
);
