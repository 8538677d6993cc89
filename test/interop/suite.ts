/** What devices of ours must be able to do over any relay that others wrote. */

import { describe, expect, test } from 'vitest';
import { memoryStore, systemClock, type FetchResult, type NostrSync } from '../../src/node.ts';
import { device, relay, stored, type Device } from '../sync/devices.ts';
import type { RelayProcess } from './relay-process.ts';

/** What a relay sends again after a restart may take a few attempts to connect. */
const WAIT = { timeout: 15_000 };
/** So much text that it goes in pieces. */
const LARGE_CHARS = 200_000;

/** Text that does not compress to nothing: lines of numbers that follow from a seed. */
function largeText(seed: number): string {
  let state = seed;
  let text = '';
  while (text.length < LARGE_CHARS) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    text += `${state.toString(36)}\n`;
  }
  return text;
}

const payloadsOf = (results: readonly (FetchResult | null)[]): unknown[] =>
  results.map((result) => result?.payload);

export function keepsStateOf(startRelay: () => Promise<RelayProcess>): void {
  describe('two devices', () => {
    test('fetch, sync and poll what the other publishes', async () => {
      const { url } = await startRelay();
      const [laptop, phone] = [device([url]), device([url])];
      const receipt = await laptop.publish('ui-settings', { theme: 'dark' }, { waitFor: 'delivered' });
      await laptop.publish('wallet', { accounts: 2 }, { waitFor: 'delivered' });
      expect(await phone.fetch('ui-settings')).toMatchObject({
        payload: { theme: 'dark' },
        source: 'relay',
        eventId: receipt.eventId,
      });
      expect(await phone.fetch('nothing')).toBeNull();
      const categories = ['ui-settings', 'wallet', 'nothing'];
      const byCategory = (a: FetchResult, b: FetchResult): number => (a.category < b.category ? -1 : 1);
      const all = (await phone.syncAll(categories)).toSorted(byCategory);
      expect(payloadsOf(all)).toEqual([{ theme: 'dark' }, { accounts: 2 }]);
      expect(await phone.poll(categories)).toHaveLength(2);
      expect(await phone.poll(categories)).toEqual([]);
      await laptop.publish('wallet', { accounts: 3 }, { waitFor: 'delivered' });
      expect(await phone.poll(categories)).toMatchObject([{ category: 'wallet', payload: { accounts: 3 } }]);
      expect(await laptop.poll(categories)).toEqual([]);
    });

    test('are pushed each other’s writes, live, never their own', async () => {
      const { url } = await startRelay();
      const [laptop, phone] = [device([url]), device([url])];
      const [onLaptop, onPhone]: [FetchResult[], FetchResult[]] = [[], []];
      laptop.subscribe(['ui-settings'], (result) => void onLaptop.push(result));
      phone.subscribe(['ui-settings'], (result) => void onPhone.push(result));
      await laptop.publish('ui-settings', 1);
      await expect.poll(() => payloadsOf(onPhone), WAIT).toEqual([1]);
      await phone.publish('ui-settings', 2);
      await expect.poll(() => payloadsOf(onLaptop), WAIT).toEqual([2]);
      expect(onPhone).toHaveLength(1);
    });

    test('that write in turn as fast as they can end on one head, which is the last write', async () => {
      const { url } = await startRelay();
      const [laptop, phone] = [device([url]), device([url])];
      for (let value = 0; value < 10; value++) {
        const writer = value % 2 === 0 ? laptop : phone;
        await writer.fetch('counter');
        await writer.publish('counter', value);
      }
      await Promise.all([laptop.flush(), phone.flush()]);
      for (const reader of [laptop, phone, device([url])])
        expect(await reader.fetch('counter')).toMatchObject({ payload: 9 });
      expect([...laptop.conflicts, ...phone.conflicts]).toEqual([]);
    });

    test('that write in one second, unseen, agree on one head, and the loser is told', async () => {
      const { url } = await startRelay();
      // It stands still until both are written, whatever the machine takes for that.
      const start = Date.now();
      let now = (): number => start;
      const clock = { ...systemClock, now: () => now() };
      const [laptop, phone] = [device([], { clock }), device([], { clock })];
      const [one, other] = [
        await laptop.publish('ui-settings', 'laptop'),
        await phone.publish('ui-settings', 'phone'),
      ];
      expect(one.updatedAt).toBe(other.updatedAt);
      const lateMs = Date.now() - start;
      now = () => Date.now() - lateMs;
      await Promise.all([laptop.addRelay(url), phone.addRelay(url)]);
      const heads = async (): Promise<unknown[]> =>
        Promise.all([laptop, phone].map(async (one) => (await one.fetch('ui-settings'))?.eventId));
      await expect.poll(heads, WAIT).toSatisfy(([a, b]) => a === b);
      const winner = await device([url]).fetch('ui-settings');
      expect(['laptop', 'phone']).toContain(winner?.payload);
      expect(await heads()).toEqual([winner?.eventId, winner?.eventId]);
      const [winning, losing] = winner?.payload === 'laptop' ? [laptop, phone] : [phone, laptop];
      await expect.poll(() => losing.conflicts.map(({ shown }) => shown), WAIT).toEqual(['theirs']);
      // It may have met the other one on the relay.
      expect(['', 'mine']).toContain(winning.conflicts.map(({ shown }) => shown).join());
    });

    test('have large values, and what is changed of them', async () => {
      const { url } = await startRelay();
      const options = { maxPayloadSize: 409_600 };
      const [laptop, phone] = [device([url], options), device([url], options)];
      const text = largeText(1);
      await laptop.publish('document', text, { waitFor: 'replicated' });
      expect(await phone.fetch('document')).toMatchObject({ payload: text, source: 'relay' });
      const changed = `${text.slice(0, 90_000)}a line in between\n${text.slice(90_000)}`;
      await phone.publish('document', changed, { waitFor: 'replicated' });
      expect(await laptop.fetch('document')).toMatchObject({ payload: changed });
      expect(await device([url], options).fetch('document')).toMatchObject({ payload: changed });
    });
  });

  describe('the relay', () => {
    test('that is killed and started on the same data still has everything, and connections come back', async () => {
      const running = await startRelay();
      const [laptop, phone] = [device([running.url]), device([running.url])];
      const got: unknown[] = [];
      phone.subscribe(['ui-settings'], ({ payload }) => void got.push(payload));
      await laptop.publish('ui-settings', 1, { waitFor: 'replicated' });
      await running.restart();
      expect(await device([running.url]).fetch('ui-settings')).toMatchObject({ payload: 1, source: 'relay' });
      await laptop.publish('ui-settings', 2);
      await laptop.flush();
      await expect.poll(() => got.at(-1), WAIT).toBe(2);
    });

    test('that was wiped is given back all that a device has, once that asks for a head', async () => {
      const running = await startRelay();
      const laptop = device([running.url]);
      const categories = Array.from({ length: 12 }, (_, n) => `category-${n}`);
      for (const category of categories) await laptop.publish(category, category);
      await laptop.flush();
      // What it has confirmed is found to be missing; about the others no device asks.
      expect(await laptop.syncAll(categories)).toHaveLength(12);
      await running.wipe();
      const isBack = async (): Promise<number> => {
        await laptop.fetch('category-0');
        return (await device([running.url]).syncAll(categories)).length;
      };
      await expect.poll(isBack, { ...WAIT, interval: 500 }).toBe(12);
    });
  });

  describe('the outbox', () => {
    test('delivers what was written while the relay was down', async () => {
      const running = await startRelay();
      await running.kill();
      const phone = device([running.url], { store: memoryStore() });
      for (let value = 0; value < 5; value++)
        expect((await phone.publish('wallet', value)).stage).toBe('saved');
      expect((await phone.getStatus()).outboxDepth).toBe(1);
      await running.restart();
      await phone.flush();
      expect((await phone.getStatus()).outboxDepth).toBe(0);
      expect(await device([running.url]).fetch('wallet')).toMatchObject({ payload: 4 });
    });

    test('brings a value to the relay that lacks it, and the newer one to the relay that is behind', async () => {
      const [theirs, ours] = [await startRelay(), await relay()];
      const earlier = { ...systemClock, now: () => Date.now() - 60_000 };
      const before = device([theirs.url], { clock: earlier });
      await before.publish('here', 1, { waitFor: 'replicated' });
      await before.publish('both', 'older', { waitFor: 'replicated' });
      const laptop = device([ours.url]);
      await laptop.publish('there', 2, { waitFor: 'replicated' });
      await laptop.publish('both', 'newer', { waitFor: 'replicated' });
      const phone = device([theirs.url, ours.url]);
      // The first time it learns them; asked again, a relay that lacks one, or shows an older one, is sent it.
      for (let time = 0; time < 2; time++) await phone.syncAll(['here', 'there', 'both']);
      await phone.flush();
      await expect.poll(() => stored(ours, 'here').length, WAIT).toBe(1);
      const onTheirs = async (category: string): Promise<unknown> =>
        (await fresh(theirs.url).fetch(category))?.payload;
      await expect.poll(() => onTheirs('there'), WAIT).toBe(2);
      await expect.poll(() => onTheirs('both'), WAIT).toBe('newer');
    });

    test('comes to an end after a removal, whatever this relay does with deletion requests', async () => {
      const { url } = await startRelay();
      const [laptop, phone] = [device([url]), device([url])];
      await laptop.publish('ui-settings', 1, { waitFor: 'replicated' });
      expect(await phone.fetch('ui-settings')).toMatchObject({ payload: 1 });
      expect((await laptop.remove('ui-settings', { waitFor: 'replicated' })).stage).toBe('replicated');
      await laptop.flush();
      expect(await phone.poll(['ui-settings'])).toMatchObject([{ payload: null, deleted: true }]);
      expect(await laptop.fetch('ui-settings')).toBeNull();
      expect(await fresh(url).fetch('ui-settings')).toBeNull();
    });
  });
}

/** A device that knows nothing yet. */
const fresh = (url: string): Device & NostrSync => device([url], { store: memoryStore() });
