/** What a device of the reference plugin and one of ours must be able to do with each other, over whatever relay. */

import { afterEach, describe, expect, test } from 'vitest';
import { systemClock, type FetchResult, type NostrEvent } from '../../src/node.ts';
import { device, KEY, PUBKEY, written } from '../sync/devices.ts';
import { PAYLOADS, payloadOf } from './payloads.ts';
import { referenceDevice, type ReferenceDevice, type ReferenceOptions } from './reference-device.ts';
import { valueOf } from '../sync/values.ts';

const nowSeconds = (): number => Math.floor(Date.now() / 1000);
/** Far below what relays accept of the future, far above what a test lasts. */
const FUTURE_SECONDS = 100;

/**
 * `saysReplaced`: whether the relay tells a write that came too late from one that it took. `largest`: how many bytes of the reference's it takes
 * in one event.
 */
export function sharesStateWithTheReference(
  startRelay: () => Promise<{ readonly url: string }>,
  { saysReplaced, largest = 65_408 }: { readonly saysReplaced: boolean; readonly largest?: number },
): void {
  const references: ReferenceDevice[] = [];
  afterEach(() => {
    for (const reference of references.splice(0)) reference.close();
  });

  async function theirs(url: string, options: Partial<ReferenceOptions> = {}): Promise<ReferenceDevice> {
    const reference = await referenceDevice(url, { key: KEY, ...options });
    references.push(reference);
    return reference;
  }

  describe('what the reference writes', () => {
    test('is fetched, synced and polled by ours, with its device and its time', async () => {
      const { url } = await startRelay();
      const reference = await theirs(url);
      const event = await reference.publish('ui-settings', { theme: 'dark' });
      const expected = {
        category: 'ui-settings',
        payload: { theme: 'dark' },
        updatedAt: new Date(event.created_at * 1000).toISOString(),
        deviceId: 'reference-device',
        eventId: event.id,
        source: 'relay',
      };
      expect(await device([url]).fetch('ui-settings')).toEqual(expected);
      expect(await device([url]).syncAll(['ui-settings', 'wallet'])).toEqual([expected]);
      const ours = device([url]);
      expect(await ours.poll(['ui-settings', 'wallet'])).toEqual([expected]);
      expect(await ours.poll(['ui-settings', 'wallet'])).toEqual([]);
    });

    test('is pushed to a subscriber of ours', async () => {
      const { url } = await startRelay();
      const [reference, ours] = [await theirs(url), device([url])];
      await reference.publish('ui-settings', 1);
      const results: FetchResult[] = [];
      ours.subscribe(['ui-settings'], (result) => void results.push(result));
      await expect.poll(() => results.map(({ payload }) => payload)).toEqual([1]);
      const later = await theirs(url, { now: () => nowSeconds() + 1 });
      await later.publish('ui-settings', 2);
      await expect.poll(() => results.map(({ payload }) => payload)).toEqual([1, 2]);
    });

    test('is shown under the public key where it names no device', async () => {
      const { url } = await startRelay();
      const reference = await theirs(url);
      await reference.send(written({ tags: [] }));
      expect(await device([url]).fetch('settings')).toMatchObject({ deviceId: PUBKEY });
      expect(await reference.fetch('settings')).toMatchObject({ deviceId: PUBKEY });
    });

    test('ends for ours when its expiration has passed by our clock', async () => {
      const { url } = await startRelay();
      const reference = await theirs(url);
      await reference.publish('token', 'abc', nowSeconds() + 1_800);
      expect(await device([url]).fetch('token')).toMatchObject({ payload: 'abc' });
      const hourAhead = { ...systemClock, now: (): number => Date.now() + 3_600_000 };
      expect(await device([url], { clock: hourAhead }).fetch('token')).toBeNull();
    });

    test.each(PAYLOADS)('as the payload %j comes to ours unchanged', async (payload) => {
      const { url } = await startRelay();
      await (await theirs(url)).publish('settings', payload);
      expect(await device([url]).fetch('settings')).toMatchObject({ payload });
    });

    test('that cannot be decrypted fails its whole sync, never ours, until ours writes the category anew', async () => {
      const { url } = await startRelay();
      const [reference, ours] = [await theirs(url), device([url])];
      await reference.publish('good', 1);
      await reference.send(written({ category: 'bad', content: 'no ciphertext' }));
      await expect(reference.syncAll(['good', 'bad'])).rejects.toThrow();
      expect(await ours.syncAll(['good', 'bad'])).toMatchObject([{ category: 'good', payload: 1 }]);
      expect(ours.errors.map(({ code }) => code)).toEqual(['UNDECODABLE']);
      await ours.publish('bad', 2);
      expect(await reference.syncAll(['good', 'bad'])).toMatchObject([{ payload: 1 }, { payload: 2 }]);
    });
  });

  describe('what ours writes', () => {
    test('is read by the reference, which ignores the version vector', async () => {
      const { url } = await startRelay();
      const [reference, ours] = [await theirs(url), device([url], { deviceId: 'our-laptop' })];
      const receipt = await ours.publish('ui-settings', { theme: 'dark' });
      const event = (await reference.head('ui-settings')) as NostrEvent;
      expect(event.tags.map(([name]) => name)).toEqual(['d', 'device_id', 'vv']);
      const { updatedAt } = receipt;
      const expected = {
        category: 'ui-settings',
        payload: { theme: 'dark' },
        updatedAt,
        deviceId: 'our-laptop',
      };
      expect(await reference.fetch('ui-settings')).toEqual(expected);
      expect(await reference.syncAll(['ui-settings', 'wallet'])).toEqual([expected]);
      expect(await reference.poll(['ui-settings'])).toEqual([expected]);
      expect(await reference.poll(['ui-settings'])).toEqual([]);
    });

    test('twice in one second is polled by the reference both times, though it asks for strictly newer', async () => {
      const { url } = await startRelay();
      const [reference, ours] = [await theirs(url), device([url])];
      for (let value = 0; value < 4; value++) {
        await ours.publish('ui-settings', value);
        expect(await reference.poll(['ui-settings'])).toMatchObject([{ payload: value }]);
      }
    });

    test('with an expiration carries it in the tag that the reference writes as well', async () => {
      const { url } = await startRelay();
      const [reference, ours] = [await theirs(url), device([url])];
      const expiration = nowSeconds() + 1_800;
      await ours.publish('token', 'abc', expiration);
      expect((await reference.head('token'))?.tags).toContainEqual(['expiration', String(expiration)]);
      expect(await reference.fetch('token')).toMatchObject({ payload: 'abc' });
    });

    test.each(PAYLOADS)('as the payload %j comes to the reference unchanged', async (payload) => {
      const { url } = await startRelay();
      await device([url]).publish('settings', payload);
      expect(await (await theirs(url)).fetch('settings')).toMatchObject({ payload });
    });

    test(`goes up to 40,960 bytes, and what it writes up to the ${largest} that one event can hold`, async () => {
      const { url } = await startRelay();
      const [reference, ours] = [await theirs(url), device([url])];
      const ownLargest = payloadOf(40_960);
      expect((await ours.publish('ours', ownLargest)).stage).toBe('delivered');
      expect(await reference.fetch('ours')).toMatchObject({ payload: ownLargest });
      const theirLargest = payloadOf(largest);
      await reference.publish('theirs', theirLargest);
      expect(await ours.fetch('theirs')).toMatchObject({ payload: theirLargest });
    });

    test.each([
      ['deflated', 'x'.repeat(60_000)],
      ['in pieces', valueOf(150_000, 1, true)],
    ])('above 40,960 bytes (%s) leaves its other categories as they are', async (_, large) => {
      const { url } = await startRelay();
      const [reference, ours] = [await theirs(url), device([url], { maxPayloadSize: 409_600 })];
      await ours.publish('large', large, { waitFor: 'replicated' });
      await ours.publish('ui-settings', { theme: 'dark' });
      const got = await reference.syncAll(['large', 'ui-settings']);
      expect(got.find(({ category }) => category === 'ui-settings')).toMatchObject({
        payload: { theme: 'dark' },
      });
      expect(await reference.poll(['ui-settings', 'large'])).not.toHaveLength(0);
      await reference.publish('large', 'small again');
      expect(await ours.fetch('large')).toMatchObject({ payload: 'small again' });
    });

    test('as a removal is `null` to the reference, and stays', async () => {
      const { url } = await startRelay();
      const [reference, ours] = [await theirs(url), device([url])];
      await reference.publish('ui-settings', { theme: 'dark' });
      expect(await ours.fetch('ui-settings')).toMatchObject({ payload: { theme: 'dark' } });
      const receipt = await ours.remove('ui-settings', { waitFor: 'replicated' });
      expect(receipt.stage).toBe('replicated');
      expect(await reference.fetch('ui-settings')).toMatchObject({ payload: null });
      expect(await ours.fetch('ui-settings')).toBeNull();
      await reference.publish('ui-settings', { theme: 'light' }).catch(() => {});
      const later = await theirs(url, { now: () => nowSeconds() + FUTURE_SECONDS });
      await later.publish('ui-settings', { theme: 'light' });
      expect(await ours.fetch('ui-settings')).toMatchObject({ payload: { theme: 'light' } });
    });
  });

  describe('the order', () => {
    test('lets ours win over what it has seen, in whichever second', async () => {
      const { url } = await startRelay();
      const reference = await theirs(url, { now: () => nowSeconds() + FUTURE_SECONDS });
      const ours = device([url]);
      const event = await reference.publish('ui-settings', 'theirs');
      const receipt = await ours.publish('ui-settings', 'ours');
      expect(Date.parse(receipt.updatedAt) / 1000).toBe(event.created_at + 1);
      expect(await reference.fetch('ui-settings')).toMatchObject({ payload: 'ours' });
      expect(await device([url]).fetch('ui-settings')).toMatchObject({ payload: 'ours' });
    });

    test('lets ours lose against a later second, and keep against an earlier one', async () => {
      const { url } = await startRelay();
      const ours = device([url]);
      await ours.publish('ui-settings', 'ours');
      const early = await theirs(url, { now: () => nowSeconds() - FUTURE_SECONDS });
      await early.publish('ui-settings', 'early').catch(() => {});
      expect(await ours.fetch('ui-settings')).toMatchObject({ payload: 'ours' });
      expect(await early.fetch('ui-settings')).toMatchObject({ payload: 'ours' });
      const late = await theirs(url, { now: () => nowSeconds() + FUTURE_SECONDS });
      await late.publish('ui-settings', 'late');
      expect(await ours.fetch('ui-settings')).toMatchObject({ payload: 'late' });
    });

    test('of two references in one second is the lowest id for ours and for the relay, whichever came first', async () => {
      const { url } = await startRelay();
      const [reference, ours] = [await theirs(url), device([url])];
      const created_at = nowSeconds();
      for (let round = 0; round < 6; round++) {
        const category = `tie-${round}`;
        const pair = ['a', 'b'].map((payload) => written({ category, payload, created_at }));
        const [low, high] = pair.toSorted((a, b) => (a.id < b.id ? -1 : 1));
        for (const event of round % 2 === 0 ? [low!, high!] : [high!, low!]) {
          await reference.send(event);
          await ours.fetch(category);
        }
        expect(await ours.fetch(category)).toMatchObject({ eventId: low!.id });
        expect(await reference.head(category)).toMatchObject({ id: low!.id });
      }
    });

    test('is alternated without a loss when each writes after it has seen the other', async () => {
      const { url } = await startRelay();
      const ours = device([url]);
      let head = nowSeconds();
      const reference = await theirs(url, { now: () => head + 1 });
      for (let round = 0; round < 5; round++) {
        const receipt = await ours.publish('counter', 2 * round);
        head = Date.parse(receipt.updatedAt) / 1000;
        expect(await reference.poll(['counter'])).toMatchObject([{ payload: 2 * round }]);
        await reference.publish('counter', 2 * round + 1);
        expect(await ours.poll(['counter'])).toMatchObject([{ payload: 2 * round + 1 }]);
      }
      expect(ours.conflicts).toEqual([]);
    });
  });

  describe('a conflict with the reference, which has no vector,', () => {
    test('is none where a relay had acknowledged our write: it may have been seen', async () => {
      const { url } = await startRelay();
      const ours = device([url]);
      expect((await ours.publish('ui-settings', 'ours')).stage).toBe('delivered');
      const late = await theirs(url, { now: () => nowSeconds() + FUTURE_SECONDS });
      await late.publish('ui-settings', 'theirs');
      expect(await ours.fetch('ui-settings')).toMatchObject({ payload: 'theirs' });
      expect(ours.conflicts).toEqual([]);
    });

    const untold = saysReplaced ? 'is one, with mine and theirs,' : 'is overlooked';
    test(`${untold} where our write came too late to a relay that says ${saysReplaced ? 'so' : 'OK'}`, async () => {
      const { url } = await startRelay();
      const ours = device([]);
      expect((await ours.publish('ui-settings', 'ours')).stage).toBe('saved');
      const late = await theirs(url, { now: () => nowSeconds() + FUTURE_SECONDS });
      await late.publish('ui-settings', 'theirs');
      await ours.addRelay(url);
      await ours.flush();
      expect(await ours.fetch('ui-settings')).toMatchObject({ payload: 'theirs' });
      const conflict = {
        category: 'ui-settings',
        mine: { payload: 'ours' },
        theirs: { payload: 'theirs', deviceId: 'reference-device' },
      };
      await expect.poll(() => ours.conflicts).toMatchObject(saysReplaced ? [conflict] : []);
      expect((await ours.getStatus()).outboxDepth).toBe(0);
    });

    test('is none where our write wins', async () => {
      const { url } = await startRelay();
      const early = await theirs(url, { now: () => nowSeconds() - FUTURE_SECONDS });
      await early.publish('ui-settings', 'theirs');
      const ours = device([]);
      await ours.publish('ui-settings', 'ours');
      await ours.addRelay(url);
      await ours.flush();
      expect(await early.fetch('ui-settings')).toMatchObject({ payload: 'ours' });
      expect(ours.conflicts).toEqual([]);
    });
  });
}
