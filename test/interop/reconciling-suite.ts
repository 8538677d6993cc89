/** What a relay that others wrote and that has NIP-77 must spare a device of ours, and what it must not take from it. */

import { describe, expect, test } from 'vitest';
import { openNodeSocket } from '../../src/relay/node-socket.ts';
import type { OpenSocket } from '../../src/relay/socket.ts';
import { device, type Device } from '../sync/devices.ts';
import type { RelayProcess } from './relay-process.ts';

const WAIT = { timeout: 20_000 };
const CATEGORIES = Array.from({ length: 40 }, (_, i) => `category-${i}`);
const valueOf = (n: number): unknown => ({ n, filler: 'x'.repeat(2_000) });

interface Line {
  readonly phone: Device;
  /** Since the last call, by what they begin with. */
  frames(): readonly string[];
}

/** A device that has everything, and has found out what the relay can do. */
async function lineTo(url: string): Promise<Line> {
  let frames: string[] = [];
  const openSocket: OpenSocket = (address, handlers) => {
    const socket = openNodeSocket(address, {
      ...handlers,
      onMessage: (text) => {
        frames.push(text);
        handlers.onMessage(text);
      },
    });
    return {
      ...socket,
      send: (text) => {
        frames.push(text);
        socket.send(text);
      },
    };
  };
  const phone = device([url], { openSocket });
  await phone.syncAll(CATEGORIES);
  await expect.poll(() => frames.some((frame) => frame.startsWith('["NEG-MSG"')), WAIT).toBe(true);
  const since = (): readonly string[] => {
    const all = frames;
    frames = [];
    return all;
  };
  since();
  return { phone, frames: since };
}

const charsOf = (frames: readonly string[]): number => frames.reduce((sum, { length }) => sum + length, 0);
const numbersOf = (found: readonly { readonly payload: unknown }[]): number[] =>
  found.map(({ payload }) => (payload as { n: number }).n);

export function reconciles(startRelay: () => Promise<RelayProcess>): void {
  describe('a device that has everything', () => {
    async function setup(): Promise<Line & { readonly relay: RelayProcess; readonly laptop: Device }> {
      const relay = await startRelay();
      const laptop = device([relay.url]);
      await Promise.all(
        CATEGORIES.map((category) => laptop.publish(category, valueOf(0), { waitFor: 'delivered' })),
      );
      return { relay, laptop, ...(await lineTo(relay.url)) };
    }

    test('is told by 1 KB that nothing is new, and shown what is', async () => {
      const { laptop, phone, frames } = await setup();
      expect(numbersOf(await phone.syncAll(CATEGORIES)).every((n) => n === 0)).toBe(true);
      expect(charsOf(frames())).toBeLessThan(1_200);
      await laptop.publish('category-7', valueOf(1), { waitFor: 'delivered' });
      const found = await phone.syncAll(CATEGORIES);
      expect(numbersOf(found).filter((n) => n === 1)).toHaveLength(1);
      expect(charsOf(frames())).toBeLessThan(9_000);
    });

    test('finds out that the relay was wiped, and gives back what it has', async () => {
      const { relay, laptop, phone } = await setup();
      await laptop.close();
      await relay.wipe();
      await expect.poll(async () => (await phone.getStatus()).connectedRelayCount, WAIT).toBe(1);
      await phone.syncAll(CATEGORIES);
      const other = device([relay.url]);
      await expect.poll(async () => (await other.syncAll(CATEGORIES)).length, WAIT).toBe(CATEGORIES.length);
    });

    test('finds what was written while the relay was away, by what another device gives it', async () => {
      const { relay, laptop, phone, frames } = await setup();
      phone.subscribe(CATEGORIES, () => undefined);
      await relay.restart();
      await laptop.publish('category-3', valueOf(5), { waitFor: 'delivered' });
      await expect
        .poll(async () => numbersOf(await phone.syncAll(CATEGORIES)).filter((n) => n === 5).length, WAIT)
        .toBe(1);
      const costs = async (): Promise<number> => {
        frames();
        await phone.syncAll(CATEGORIES);
        return charsOf(frames());
      };
      // What is read back for the other's write comes in between.
      await expect.poll(costs, WAIT).toBeLessThan(1_200);
    });
  });
}
