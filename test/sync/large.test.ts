import { finalizeEvent } from 'nostr-tools/pure';
import { getConversationKey, v2 } from 'nostr-tools/nip44';
import { hexToBytes } from '@noble/hashes/utils.js';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { memoryStore, secretKeySigner, type NostrEvent, type Signer, type Store } from '../../src/node.ts';
import type { RelayFaults, RelayOptions } from '../../src/testing/relay-options.ts';
import type { Relay } from '../../src/testing/relay.ts';
import { device, health, KEY, PUBKEY, received, relay, stored, world, type Device } from './devices.ts';
import { edited, valueOf } from './values.ts';

const LARGE = { maxPayloadSize: 409_600 };
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The pieces that a relay has of a category. */
function pieces(on: Relay, category = 'settings'): NostrEvent[] {
  return on
    .events()
    .filter(({ tags }) =>
      tags.some(([name, value]) => name === 'd' && value?.startsWith(`default/${category}/c/`)),
    )
    .filter(({ tags }) => !tags.some(([name]) => name === 'deleted'));
}

function formatOf(event: NostrEvent | undefined): string | undefined {
  return event?.tags.find(([name]) => name === 'format')?.[1];
}

function bytesSent(on: Relay): number {
  return received(on, 'EVENT').reduce((sum, frame) => sum + JSON.stringify(frame).length, 0);
}

function isPieceFrame(frame: readonly unknown[]): boolean {
  return JSON.stringify((frame[1] as NostrEvent).tags).includes('/c/');
}

describe('a value larger than one event', () => {
  const LIMITS: Record<string, RelayOptions> = {
    strfry: { flavour: 'strfry' },
    'nostr-rs-relay': {
      flavour: 'nostr-rs-relay',
      limits: { maxEventBytes: 131_072, maxFrameBytes: 131_072 },
    },
    nostream: { flavour: 'nostream', limits: { maxEventBytes: 102_400, maxFrameBytes: 524_288 } },
  };
  test.each(Object.keys(LIMITS))('of 400 KB goes from one device to another over %s', async (name) => {
    const one = await relay(LIMITS[name]);
    const value = valueOf(409_500, 1, true);
    const writer = device([one.url], LARGE);
    const receipt = await writer.publish('settings', value, { waitFor: 'replicated' });
    expect(receipt).toMatchObject({
      stage: 'replicated',
      pieces: { done: { [one.url]: receipt.pieces?.total } },
    });
    expect(formatOf(stored(one)[0])).toBe('chunked/1');
    expect(pieces(one.relay)).toHaveLength(receipt.pieces!.total);
    expect((await device([one.url], LARGE).fetch('settings'))?.payload).toEqual(value);
    expect(writer.errors).toEqual([]);
  });

  test('is one event in the format of the reference up to 40,960 bytes, and one byte more is not', async () => {
    const { url, relay: on } = await relay();
    const laptop = device([url]);
    await laptop.publish('settings', 'x'.repeat(40_958));
    expect(formatOf(stored(on)[0])).toBeUndefined();
    await laptop.publish('settings', 'x'.repeat(40_959));
    expect(formatOf(stored(on)[0])).toBe('deflate/1');
    expect(await device([url]).fetch('settings')).toMatchObject({ payload: 'x'.repeat(40_959) });
  });

  test('is one event where it deflates to the size of one', async () => {
    const { url, relay: on } = await relay();
    const value = Array.from({ length: 1_200 }, (_, i) => ({
      id: i,
      name: `item ${i}`,
      isDone: i % 3 === 0,
    }));
    const receipt = await device([url]).publish('settings', value);
    expect([receipt.pieces, formatOf(stored(on)[0]), pieces(on)]).toEqual([undefined, 'deflate/1', []]);
    expect((await device([url]).fetch('settings'))?.payload).toEqual(value);
  });

  test('with every kind of text comes back as it was', async () => {
    const { url } = await relay();
    const text = Array.from({ length: 20_000 }, (_, i) =>
      String.fromCodePoint(0x1f300 + ((i * 7_919) % 700)),
    ).join('');
    const value = { ['__proto__x']: [null, -0.5, 'ü', '\u2028'], text, deep: { a: [{ b: {} }] } };
    await device([url], LARGE).publish('settings', value);
    expect((await device([url], LARGE).fetch('settings'))?.payload).toEqual(value);
  });

  test('in smaller pieces behind a signer that says it is remote', async () => {
    const { url, relay: on } = await relay();
    const signer = { ...secretKeySigner(KEY), isRemote: true };
    const value = valueOf(100_000, 1, true);
    await device([url], { ...LARGE, signer }).publish('settings', value, { waitFor: 'replicated' });
    // Base64 of the padded 28,672 bytes, and what NIP-44 adds.
    const longest = Math.max(...pieces(on).map(({ content }) => content.length));
    expect(longest).toBeLessThanOrEqual(4 * Math.ceil((28_672 + 67) / 3));
    await device([url], { ...LARGE, signer }).publish('settings', 'x'.repeat(28_671));
    expect(formatOf(stored(on)[0])).toBe('deflate/1');
    expect(await device([url]).fetch('settings')).toMatchObject({ payload: 'x'.repeat(28_671) });
  });

  test('reaches who subscribed, once and whole', async () => {
    const { url } = await relay();
    const phone = device([url], LARGE);
    const got: unknown[] = [];
    phone.subscribe(['settings'], (result) => got.push(result.payload));
    const laptop = device([url], LARGE);
    const [first, second] = [valueOf(150_000, 1, true), valueOf(150_000, 2, true)];
    await laptop.publish('settings', first);
    await vi.waitFor(() => expect(got).toHaveLength(1));
    await laptop.publish('settings', second);
    await vi.waitFor(() => expect(got).toHaveLength(2));
    expect(got).toEqual([first, second]);
    expect(phone.errors).toEqual([]);
  });
});

describe('an edit of a large value', () => {
  test('sends the pieces that changed and nothing else, from every device that has the value', async () => {
    const { url, relay: on } = await relay({ frameLogSize: 10_000 });
    const laptop = device([url], LARGE);
    let value = valueOf(400_000, 1, true);
    await laptop.publish('settings', value, { waitFor: 'replicated' });
    const phone = device([url], LARGE);
    await phone.fetch('settings');
    const whole = bytesSent(on);
    for (const [i, writer] of [laptop, phone, phone, laptop].entries()) {
      const before = bytesSent(on);
      const eventsBefore = received(on, 'EVENT').length;
      value = edited(value, 1_000, i);
      await writer.publish('settings', value, { waitFor: 'replicated' });
      expect(received(on, 'EVENT').length - eventsBefore).toBeLessThanOrEqual(6);
      expect(bytesSent(on) - before).toBeLessThan(whole / 3);
      for (const reader of [laptop, phone]) expect((await reader.fetch('settings'))?.payload).toEqual(value);
    }
    expect((await device([url], LARGE).fetch('settings'))?.payload).toEqual(value);
  });

  describe('on a relay that lost what it had', () => {
    async function afterWipe(agoMs: number): Promise<{ before: number; total: number }> {
      const { urls, relays, clock, device: make, settle } = world({}, {});
      const value = valueOf(120_000, 1, true);
      const laptop = make(LARGE);
      await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
      const [, wiped] = relays;
      wiped!.wipe();
      const sent = received(wiped!, 'EVENT').length;
      await clock.advance(agoMs);
      const next = edited(value, 500);
      await settle(laptop.publish('settings', next, { waitFor: 'replicated' }));
      const receipt = await settle(laptop.publish('settings', next, { waitFor: 'replicated' }));
      expect(receipt.stage).toBe('replicated');
      const phone = make({ ...LARGE, relays: [urls[1]!] });
      expect((await settle(phone.fetch('settings')))?.payload).toEqual(next);
      const events = received(wiped!, 'EVENT').map(([, event]) => event as NostrEvent);
      const isManifest = ({ tags }: NostrEvent): boolean => tags.some(([name]) => name === 'format');
      return { before: events.slice(sent).findIndex(isManifest), total: receipt.pieces!.total };
    }

    test('an hour ago all of it is sent again, and the manifest last', async () => {
      const { before, total } = await afterWipe(HOUR);
      expect(before).toBe(total);
    });

    test('a second ago all of it is sent in the end', async () => {
      const { before, total } = await afterWipe(1000);
      expect(before).toBeLessThan(total);
    });
  });

  test('that was made offline drops the pieces that nobody sent', async () => {
    const { relays, clock, device: make, settle } = world({});
    relays[0]!.misbehave({ refuseConnections: true });
    relays[0]!.disconnectAll();
    const laptop = make(LARGE);
    for (let i = 0; i < 5; i++) await settle(laptop.publish('settings', valueOf(120_000, i, true)));
    relays[0]!.behave();
    await settle(laptop.flush());
    await clock.advance(10_000);
    const last = (await settle(laptop.publish('settings', valueOf(120_000, 4, true)))).pieces!.total;
    expect(pieces(relays[0]!)).toHaveLength(last);
  });

  test('that is made while the value before is on its way drops the pieces that were not sent yet', async () => {
    const {
      relays,
      clock,
      device: make,
      settle,
    } = world({
      limits: { writeRate: { burst: 3, perMinute: 6 } },
    });
    const laptop = make(LARGE);
    const former = (await settle(laptop.publish('settings', valueOf(200_000, 1, true)))).pieces!.total;
    const sent = pieces(relays[0]!).length;
    expect(sent).toBeLessThan(former);
    const value = valueOf(120_000, 2, true);
    const { total } = (await settle(laptop.publish('settings', value, { waitFor: 'saved' }))).pieces!;
    await settle(laptop.flush(), HOUR);
    await clock.advance(60_000);
    expect(pieces(relays[0]!)).toHaveLength(sent + total);
    expect((await settle(make(LARGE).fetch('settings')))?.payload).toEqual(value);
  });

  test('that two devices made without seeing each other is a conflict, told with both values whole', async () => {
    const { urls, relays, device: make, settle } = world({});
    const base = valueOf(120_000, 1, true);
    const [laptop, phone] = [make(LARGE), make(LARGE)];
    await settle(laptop.publish('settings', base, { waitFor: 'replicated' }));
    await settle(phone.fetch('settings'));
    relays[0]!.misbehave({ refuseConnections: true });
    relays[0]!.disconnectAll();
    await settle(laptop.publish('settings', edited(base, 300, 1)));
    await settle(phone.publish('settings', edited(base, 300, 2)));
    await settle(phone.publish('settings', edited(base, 300, 3)));
    relays[0]!.behave();
    await settle(Promise.all([laptop.flush(), phone.flush()]));
    await settle(Promise.all([laptop.fetch('settings'), phone.fetch('settings')]));
    const there = await settle(make({ ...LARGE, relays: urls }).fetch('settings'));
    const told = [...laptop.conflicts, ...phone.conflicts];
    expect(told).toHaveLength(1);
    expect(told[0]!.theirs.payload).toEqual(there?.payload);
    const both = [edited(base, 300, 1), edited(base, 300, 3)];
    expect(both).toContainEqual(told[0]!.mine.payload);
    expect(both).toContainEqual(there?.payload);
  });
});

describe('pieces that are missing', () => {
  async function twoRelays(): Promise<{
    value: unknown;
    older: unknown;
    all: Awaited<ReturnType<typeof relay>>[];
    phone: Device;
  }> {
    const all = [await relay(), await relay()];
    const [older, value] = [valueOf(150_000, 1, true), valueOf(150_000, 2, true)];
    const laptop = device(
      all.map(({ url }) => url),
      LARGE,
    );
    await laptop.publish('settings', older, { waitFor: 'replicated' });
    const phone = device(
      all.map(({ url }) => url),
      LARGE,
    );
    await phone.fetch('settings');
    await laptop.publish('settings', value, { waitFor: 'replicated' });
    return { value, older, all, phone };
  }

  /** What a relay serves without some pieces. */
  function without(
    names: ReadonlySet<string>,
  ): (frame: readonly unknown[]) => readonly (readonly unknown[])[] {
    return (frame) =>
      frame[0] === 'EVENT' && (frame[2] as NostrEvent).tags.some(([, value]) => names.has(value!))
        ? []
        : [frame];
  }

  const addresses = (on: Relay): string[] => pieces(on).map(({ tags }) => tags[0]![1]!);

  test('on one relay come from the others, in any combination', async () => {
    const { value, all } = await twoRelays();
    const [even, odd] = [0, 1].map(
      (half) => new Set(addresses(all[0]!.relay).filter((_, i) => i % 2 === half)),
    );
    all[0]!.relay.misbehave({ rewrite: without(even!) });
    all[1]!.relay.misbehave({ rewrite: without(odd!) });
    const tablet = device(
      all.map(({ url }) => url),
      LARGE,
    );
    expect((await tablet.fetch('settings'))?.payload).toEqual(value);
    expect(tablet.errors).toEqual([]);
  });

  test(
    'everywhere leave the older value shown, or a clear error; once they come, the value is',
    { timeout: 60_000 },
    async () => {
      const { relays, urls, clock, device: make, settle } = world({});
      const [older, value] = [valueOf(150_000, 1, true), valueOf(150_000, 2, true)];
      const laptop = make(LARGE);
      await settle(laptop.publish('settings', older, { waitFor: 'replicated' }));
      const phone = make(LARGE);
      const got: unknown[] = [];
      phone.subscribe(['settings'], (result) => got.push(result.payload));
      await settle(phone.fetch('settings'));
      const kept = new Set(addresses(relays[0]!));
      await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
      const lost = new Set(
        addresses(relays[0]!)
          .filter((address) => !kept.has(address))
          .slice(1, 3),
      );
      await settle(laptop.close());
      relays[0]!.misbehave({ rewrite: without(lost) });
      const tablet = make({ ...LARGE, relays: urls });
      await expect(settle(tablet.fetch('settings'))).rejects.toMatchObject({
        code: 'INCOMPLETE',
        details: { category: 'settings', eventId: stored(relays[0]!)[0]!.id },
      });
      expect(await settle(tablet.syncAll(['settings', 'other']))).toEqual([]);
      await clock.advance(HOUR);
      expect(tablet.errors.map(({ code }) => code)).toEqual(['INCOMPLETE']);
      relays[0]!.behave();
      await clock.advance(HOUR);
      expect(tablet.updated.map(({ payload }) => payload)).toEqual([value]);
      expect(got.at(-1)).toEqual(value);
      expect((await settle(phone.fetch('settings')))?.payload).toEqual(value);
    },
  );

  test('of a newer value do not stop writing, and the writer is told', async () => {
    const { relays, device: make, settle } = world({});
    const laptop = make(LARGE);
    await settle(laptop.publish('settings', valueOf(150_000, 1, true), { waitFor: 'replicated' }));
    const all = new Set(addresses(relays[0]!));
    relays[0]!.misbehave({ rewrite: without(all) });
    const tablet = make(LARGE);
    await expect(settle(tablet.fetch('settings'))).rejects.toMatchObject({ code: 'INCOMPLETE' });
    await settle(tablet.publish('settings', 'mine'));
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'mine' });
    expect(laptop.conflicts).toHaveLength(1);
  });

  test('that are forged change nothing, and count against the relay that sent them', async () => {
    const { value, all } = await twoRelays();
    const forge = (event: NostrEvent): NostrEvent => ({
      ...event,
      content: `${event.content.slice(0, -5)}AAAA=`,
    });
    all[0]!.relay.misbehave({
      rewrite: (frame) =>
        frame[0] === 'EVENT' && (frame[2] as NostrEvent).tags[0]![1]!.includes('/c/')
          ? [['EVENT', frame[1], forge(frame[2] as NostrEvent)]]
          : [frame],
    });
    const tablet = device(
      all.map(({ url }) => url),
      LARGE,
    );
    expect((await tablet.fetch('settings'))?.payload).toEqual(value);
    const { violations } = await health(tablet, all[0]!.url);
    const other = await health(tablet, all[1]!.url);
    expect([violations.id ?? 0, other.violations]).toEqual([expect.any(Number), {}]);
  });

  test('that are swapped, or of another category, are not taken', async () => {
    const { value, all } = await twoRelays();
    const laptop = device(
      all.map(({ url }) => url),
      LARGE,
    );
    await laptop.publish('other', valueOf(150_000, 7, true), { waitFor: 'replicated' });
    const others = pieces(all[0]!.relay, 'other');
    let swapped = 0;
    all[0]!.relay.misbehave({
      rewrite: (frame) => {
        if (frame[0] !== 'EVENT' || !(frame[2] as NostrEvent).tags[0]![1]!.includes('settings/c/'))
          return [frame];
        return [['EVENT', frame[1], others[swapped++ % others.length]]];
      },
    });
    const tablet = device(
      all.map(({ url }) => url),
      LARGE,
    );
    expect((await tablet.fetch('settings'))?.payload).toEqual(value);
    expect((await health(tablet, all[0]!.url)).violations['d-tag'] ?? 0).toBe(swapped);
  });
});

describe('a piece that the store has lost', () => {
  test('comes from the relays', async () => {
    const { device: make, settle } = world({});
    const store = kept();
    const laptop = make({ ...LARGE, store });
    const value = valueOf(150_000, 1, true);
    await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
    await settle(laptop.close());
    const [lost] = [...(await store.list('piece/')).keys()];
    await store.update([lost!], () => new Map([[lost!, null]]));
    const again = make({ ...LARGE, store });
    expect((await settle(again.fetch('settings')))?.payload).toEqual(value);
    expect(again.errors).toEqual([]);
    expect([...(await store.list('piece/')).keys()]).toContain(lost);
  });
});

describe('a piece in the store that is not genuine', () => {
  test('is not taken from the store, nor sent from it', async () => {
    const { urls, relays, device: make, settle } = world({}, {});
    const store = kept();
    const laptop = make({ ...LARGE, store, relays: [urls[0]!] });
    const value = valueOf(90_000, 1, true);
    await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
    await settle(laptop.close());
    const [[key, text]] = [...(await store.list('piece/'))] as [[string, string]];
    const altered = JSON.stringify({ ...(JSON.parse(text) as NostrEvent), sig: '0'.repeat(128) });
    await store.update([key], () => new Map([[key, altered]]));
    const again = make({ ...LARGE, store });
    expect((await settle(again.fetch('settings')))?.payload).toEqual(value);
    expect(await store.get(key)).toBe(text);
    await settle(again.flush());
    expect(pieces(relays[1]!)).toEqual(pieces(relays[0]!));
  });
});

describe('content that is not what it says', () => {
  const secret = hexToBytes(KEY);
  const conversation = getConversationKey(secret, PUBKEY);
  const signed = (content: string, tags: string[][], dTag = 'default/settings/v1'): NostrEvent => {
    const template = {
      kind: 30078,
      created_at: Math.floor(Date.now() / 1000),
      tags: [['d', dTag], ...tags],
      content,
    };
    return JSON.parse(JSON.stringify(finalizeEvent(template, secret))) as NostrEvent;
  };

  async function shown(...events: NostrEvent[]): Promise<Device> {
    const { url, relay: on } = await relay();
    on.misbehave({ serve: events });
    const phone = device([url], LARGE);
    await expect(phone.fetch('settings')).rejects.toMatchObject({ code: 'UNDECODABLE' });
    await phone.fetch('other');
    return phone;
  }

  test('is UNDECODABLE where it inflates to more than any value may have', async () => {
    const bomb = deflateRawSync(Buffer.alloc(20_000_000, 0x20)).toString('base64');
    const event = signed(v2.encrypt(JSON.stringify(bomb), conversation), [['format', 'deflate/1']]);
    const phone = await shown(event);
    expect(String(phone.errors[0]?.cause)).toMatch(/more than 409600 bytes/);
  });

  test.each([
    ['no manifest', 'null'],
    [
      'a size that no value has',
      JSON.stringify({ size: 1e9, sha256: 'a'.repeat(64), key: 'b'.repeat(64), parts: [] }),
    ],
    [
      'too many pieces',
      JSON.stringify({
        size: 9,
        sha256: 'a'.repeat(64),
        key: 'b'.repeat(64),
        parts: Array(257).fill('c'.repeat(32)),
      }),
    ],
    [
      'names that lead elsewhere',
      JSON.stringify({ size: 9, sha256: 'a'.repeat(64), key: 'b'.repeat(64), parts: ['../../x/v1'] }),
    ],
  ])('is UNDECODABLE with %s', async (_, text) => {
    const phone = await shown(signed(v2.encrypt(text, conversation), [['format', 'chunked/1']]));
    expect(phone.errors.map(({ code }) => code)).toEqual(['UNDECODABLE']);
  });

  test('is UNDECODABLE where the pieces are genuine and the manifest is not about them', async () => {
    const one = await relay();
    await device([one.url], LARGE).publish('settings', valueOf(150_000, 1, true), { waitFor: 'replicated' });
    const [manifest] = stored(one);
    const told = JSON.parse(v2.decrypt(manifest!.content, conversation)) as {
      parts: string[];
      sha256: string;
    };
    const wrong = { ...told, parts: told.parts.toReversed() };
    const event = finalizeEvent(
      {
        kind: 30078,
        created_at: manifest!.created_at + 1,
        tags: manifest!.tags as string[][],
        content: v2.encrypt(JSON.stringify(wrong), conversation),
      },
      secret,
    );
    one.relay.misbehave({ serve: [JSON.parse(JSON.stringify(event)) as NostrEvent, ...pieces(one.relay)] });
    const phone = device([one.url], LARGE);
    await expect(phone.fetch('settings')).rejects.toMatchObject({ code: 'UNDECODABLE' });
  });
});

describe('a person who signs', () => {
  test('that takes its time asks relays for few pieces again, though newer values come in meanwhile', async () => {
    const { clock, device, relays, settle } = world({});
    const inner = secretKeySigner(KEY);
    const decrypt = async (peer: string, text: string): Promise<string> => {
      await new Promise<void>((resolve) => void clock.after(2_500, resolve));
      return inner.nip44.decrypt(peer, text);
    };
    const reader = device({ signer: { ...inner, nip44: { ...inner.nip44, decrypt } }, ...LARGE });
    reader.subscribe(['settings'], () => undefined);
    const writer = device(LARGE);
    const value = valueOf(200_000, 1, true);
    for (let i = 0; i < 5; i++) {
      await settle(writer.publish('settings', edited(value, 100, i), { waitFor: 'delivered' }));
      await clock.advance(1_000);
    }
    await clock.advance(60_000);
    expect(await settle(reader.fetch('settings'))).toMatchObject({ payload: edited(value, 100, 4) });
    const asked = received(relays[0]!, 'REQ').flatMap(([, , filter]) =>
      ((filter as { readonly '#d'?: readonly string[] })['#d'] ?? []).filter((dTag) => dTag.includes('/c/')),
    );
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.length).toBeLessThan(3 * new Set(asked).size);
  });

  test('is asked once to encrypt and once to decrypt 400 KB, and to sign each event', async () => {
    const one = await relay();
    const asked = { encrypt: 0, sign: 0, decrypt: 0 };
    const inner = secretKeySigner(KEY);
    const signer: Signer = {
      ...inner,
      signEvent: async (template) => (asked.sign++, inner.signEvent(template)),
      nip44: {
        encrypt: async (peer, text) => (asked.encrypt++, inner.nip44.encrypt(peer, text)),
        decrypt: async (peer, text) => (asked.decrypt++, inner.nip44.decrypt(peer, text)),
      },
    };
    const value = valueOf(409_500, 1, true);
    const writer = device([one.url], { ...LARGE, signer });
    const { pieces: sent } = await writer.publish('settings', value, { waitFor: 'replicated' });
    expect(asked).toEqual({ encrypt: 1, sign: sent!.total + 1, decrypt: 0 });
    Object.assign(asked, { encrypt: 0, sign: 0 });
    expect((await device([one.url], { ...LARGE, signer }).fetch('settings'))?.payload).toEqual(value);
    expect(asked).toEqual({ encrypt: 0, sign: 0, decrypt: 1 });
  });
});

describe('a relay', () => {
  test('that allows 6 writes a minute gets 400 KB, and the progress is told', async () => {
    const {
      urls,
      relays,
      device: make,
      settle,
      clock,
    } = world({
      limits: { writeRate: { burst: 6, perMinute: 6 } },
      frameLogSize: 10_000,
    });
    const laptop = make(LARGE);
    const value = valueOf(409_500, 1, true);
    const receipt = await settle(laptop.publish('settings', value));
    expect(receipt.stage).toBe('saved');
    await settle(laptop.flush(), 2 * HOUR);
    await clock.advance(5_000);
    const { total } = receipt.pieces!;
    const progress = laptop.deliveries.map((report) => report.pieces!.done[urls[0]!]!);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));
    expect([progress[0], progress.at(-1)]).toEqual([0, total]);
    expect(new Set(progress).size).toBeGreaterThan(total / 2);
    const refusals = relays[0]!.frames.filter(
      ({ frame }) => Array.isArray(frame) && frame[0] === 'OK' && String(frame[3]).startsWith('rate-limited'),
    );
    // Fewer than one for every two writes that were taken: no relay bans for that.
    expect(refusals.length).toBeLessThan(total / 2);
    expect((await settle(make(LARGE).fetch('settings')))?.payload).toEqual(value);
  });

  test.each([
    ['answers', { maxEventBytes: 18_000 }],
    ['hangs up', { maxFrameBytes: 18_000, maxEventBytes: 1_000_000 }],
  ])('that takes 18,000 bytes an event and %s changes nothing for the others', async (how, limits) => {
    const { urls, relays, device: make, settle, clock } = world({}, { limits, frameLogSize: 10_000 });
    const store = kept();
    const laptop = make({ ...LARGE, store });
    const value = valueOf(400_000, 1, true);
    const { total } = (await settle(laptop.publish('settings', value))).pieces!;
    await settle(laptop.flush(), DAY);
    await clock.advance(60_000);
    expect(laptop.deliveries.at(-1)!.relays).toEqual({ [urls[0]!]: 'confirmed', [urls[1]!]: 'refused' });
    const { refusedBytes } = await health(laptop, urls[1]!);
    expect(refusedBytes).toBeGreaterThan(18_000);
    // What is known is not tried again, by the next process either. How large pieces are is by chance.
    const tooLarge = (): number =>
      received(relays[1]!, 'EVENT').filter(([, event]) => JSON.stringify(event).length >= refusedBytes!)
        .length;
    const before = tooLarge();
    // The relay has no record of what it hangs up on.
    expect(before > 0).toBe(how === 'answers');
    await settle(laptop.close());
    await clock.advance(1_000);
    const again = make({ ...LARGE, store });
    const last = await settle(again.publish('settings', valueOf(400_000, 5, true)));
    await settle(again.flush(), DAY);
    expect(tooLarge()).toBe(before);
    expect(last.pieces!.total).toBeLessThan(total * 1.5);
  });

  test(
    'that takes no piece of any size is reported as unable, and left alone',
    { timeout: 60_000 },
    async () => {
      const { urls, relays, device: make, settle, clock } = world({}, { limits: { maxEventBytes: 5_000 } });
      const laptop = make(LARGE);
      const value = valueOf(120_000, 1, true);
      await settle(laptop.publish('settings', value));
      await settle(laptop.flush(), DAY);
      await clock.advance(60_000);
      const last = laptop.deliveries.at(-1)!;
      expect(last.relays).toEqual({ [urls[0]!]: 'confirmed', [urls[1]!]: 'refused' });
      const before = received(relays[1]!, 'EVENT').length;
      await clock.advance(DAY);
      expect(received(relays[1]!, 'EVENT')).toHaveLength(before);
      expect(before).toBeLessThan(30);
      expect((await settle(laptop.publish('settings', 'small', { waitFor: 'replicated' }))).stage).toBe(
        'replicated',
      );
    },
  );

  test('alone that takes no piece of any size: the write is rejected, and the older value stays', async () => {
    const { device: make, settle } = world({ limits: { maxEventBytes: 5_000 } });
    const laptop = make(LARGE);
    await settle(laptop.publish('settings', 'older', { waitFor: 'replicated' }));
    await expect(settle(laptop.publish('settings', valueOf(120_000, 1, true)))).rejects.toMatchObject({
      code: 'NO_RELAYS_ACCEPTED',
    });
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'older' });
  });

  test('that refuses the pieces of a write made offline is asked what it has: the device learns of what is newer', async () => {
    const { urls, relays, clock, device: make, settle } = world({});
    const [laptop, phone] = [make(LARGE), make({ ...LARGE, relays: [] })];
    await settle(phone.publish('settings', valueOf(120_000, 1, true)));
    await clock.advance(5_000);
    await settle(laptop.publish('settings', 'newer', { waitFor: 'replicated' }));
    const isPiece = ({ tags }: NostrEvent): boolean => isPieceFrame(['EVENT', { tags }]);
    relays[0]!.misbehave({ refuse: (event) => (isPiece(event) ? 'blocked: no pieces' : undefined) });
    await phone.addRelay(urls[0]!);
    await clock.advance(60_000);
    expect(phone.updated).toMatchObject([{ category: 'settings', payload: 'newer' }]);
    expect(phone.deliveries.map(({ relays: said }) => said[urls[0]!])).toContain('refused');
  });

  test('alone that refuses a newer value: the older one and its pieces are still on the device', async () => {
    const { relays, device: make, settle } = world({});
    const store = kept();
    const laptop = make({ ...LARGE, store });
    const older = valueOf(120_000, 1, true);
    await settle(laptop.publish('settings', older, { waitFor: 'replicated' }));
    const there = [...(await store.list('piece/')).keys()];
    relays[0]!.misbehave({ refuse: 'blocked: no more' });
    await expect(settle(laptop.publish('settings', valueOf(120_000, 2, true)))).rejects.toMatchObject({
      code: 'NO_RELAYS_ACCEPTED',
    });
    await settle(laptop.close());
    expect([...(await store.list('piece/')).keys()]).toEqual(there);
    relays[0]!.misbehave({ refuseConnections: true });
    const again = make({ ...LARGE, store });
    expect((await settle(again.fetch('settings')))?.payload).toEqual(older);
    expect(again.errors).toEqual([]);
  });

  test('that says OK to a piece and loses it is found out, and sent it again', async () => {
    const { relays, device: make, settle } = world({});
    const laptop = make(LARGE);
    const value = valueOf(120_000, 1, true);
    const total = (await settle(laptop.publish('settings', value, { waitFor: 'delivered' }))).pieces!.total;
    const lost = pieces(relays[0]!)[1]!;
    relays[0]!.restore(relays[0]!.events().filter(({ id }) => id !== lost.id));
    await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
    expect(pieces(relays[0]!)).toHaveLength(total);
    expect((await settle(make(LARGE).fetch('settings')))?.payload).toEqual(value);
  });

  test('that shows a value of which it has lost the pieces, and takes them no more, is not asked again and again', async () => {
    const { relays, clock, device: make, settle } = world({ latencyMs: 20 }, {});
    const laptop = make(LARGE);
    const value = valueOf(120_000, 1, true);
    const { total } = (await settle(laptop.publish('settings', value, { waitFor: 'replicated' }))).pieces!;
    const isPiece = ({ tags }: NostrEvent): boolean => isPieceFrame(['EVENT', { tags }]);
    relays[0]!.restore(relays[0]!.events().filter((event) => !isPiece(event)));
    relays[0]!.misbehave({ refuse: (event) => (isPiece(event) ? 'blocked: no pieces' : undefined) });
    const frames = (): number => received(relays[0]!, 'REQ').length + received(relays[0]!, 'EVENT').length;
    const before = frames();
    // All its pieces are those of the value before.
    await settle(laptop.publish('settings', value, { waitFor: 'delivered' }));
    await clock.advance(60_000);
    expect(received(relays[0]!, 'EVENT').filter(isPieceFrame).length).toBeGreaterThan(total);
    expect(frames() - before).toBeLessThan(60);
    relays[0]!.behave();
    await clock.advance(HOUR);
    expect(pieces(relays[0]!)).toHaveLength(total);
  });

  test('that shows a value without some of its pieces gets them from whoever has read it', async () => {
    const { relays, device: make, settle } = world({ latencyMs: 100 }, {});
    const laptop = make(LARGE);
    const value = valueOf(120_000, 1, true);
    await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
    await settle(laptop.close());
    const all = pieces(relays[1]!);
    const lost = new Set(all.slice(1, 3).map(({ id }) => id));
    relays[1]!.restore(relays[1]!.events().filter(({ id }) => !lost.has(id)));
    const phone = make(LARGE);
    expect((await settle(phone.fetch('settings')))?.payload).toEqual(value);
    await settle(phone.flush());
    expect(pieces(relays[1]!)).toEqual(all);
  });
});

describe('a device that ends', () => {
  test(
    'between any two pieces leaves the older value readable, and goes on after its restart without a signer',
    { timeout: 60_000 },
    async () => {
      for (let after = 0; after < 12; after++) {
        const { relays, device: make, settle } = world({});
        const store = kept();
        // More than a dozen pieces, wherever the random key of the pieces cuts it.
        const [older, value] = [valueOf(320_000, 1, true), valueOf(320_000, 2, true)];
        const laptop = make({ ...LARGE, store });
        await settle(laptop.publish('settings', older, { waitFor: 'replicated' }));
        let taken = 0;
        relays[0]!.misbehave({
          receive: (frame) => (frame[0] === 'EVENT' && ++taken > after ? 'disconnect' : undefined),
        });
        await settle(laptop.publish('settings', value));
        const reader = make(LARGE);
        expect((await settle(reader.fetch('settings')))?.payload).toEqual(older);
        await settle(laptop.close());
        relays[0]!.behave();
        const restarted = make({ ...LARGE, store, signer: undefined as never });
        await settle(restarted.flush());
        expect((await settle(reader.fetch('settings')))?.payload).toEqual(value);
        expect(reader.errors).toEqual([]);
        await settle(Promise.all([restarted.close(), reader.close()]));
      }
    },
  );
});

describe('pieces of former values', () => {
  test('are collected: few are left after many updates', { timeout: 60_000 }, async () => {
    const { relays, device: make, settle, clock } = world({ frameLogSize: 10 });
    const laptop = make(LARGE);
    let value = valueOf(90_000, 1, true);
    for (let i = 0; i < 120; i++) {
      value = edited(value, 1_000, i);
      await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
      await clock.advance(60_000);
    }
    const { total } = (await settle(laptop.publish('settings', value))).pieces!;
    await clock.advance(HOUR);
    expect(pieces(relays[0]!).length).toBeLessThanOrEqual(total + 94);
    await clock.advance(8 * DAY);
    expect(pieces(relays[0]!)).toHaveLength(total);
    expect((await settle(make(LARGE).fetch('settings')))?.payload).toEqual(value);
    // Neither tombstones nor requests to delete them stay.
    await clock.advance(8 * DAY);
    expect(relays[0]!.events().length).toBeLessThanOrEqual(total + 2);
  });

  test('are kept for days', async () => {
    const { relays, device: make, settle, clock } = world({});
    const laptop = make(LARGE);
    await settle(laptop.publish('settings', valueOf(90_000, 1, true), { waitFor: 'replicated' }));
    const before = new Set(pieces(relays[0]!).map(({ id }) => id));
    await settle(laptop.publish('settings', valueOf(90_000, 2, true), { waitFor: 'replicated' }));
    await clock.advance(6 * DAY);
    expect(pieces(relays[0]!).filter(({ id }) => before.has(id))).toHaveLength(before.size);
  });

  test('are kept while a relay has not got the removal', async () => {
    const { relays, device: make, settle, clock } = world({}, {});
    const laptop = make(LARGE);
    await settle(laptop.publish('settings', valueOf(90_000, 1, true), { waitFor: 'replicated' }));
    relays[1]!.misbehave({ refuse: 'error: not now' });
    await settle(laptop.remove('settings'));
    const all = pieces(relays[0]!).length;
    await clock.advance(HOUR);
    expect(pieces(relays[0]!)).toHaveLength(all);
  });

  test.each<[string, RelayFaults]>([
    ['has not said what it has', { noEose: true }],
    ['is silent', { silent: true }],
    ['is not there', { refuseConnections: true }],
  ])('are kept while a relay that had the removal %s: it may have a newer value', async (_, faults) => {
    const { relays, device: make, settle, clock } = world({}, {});
    const laptop = make(LARGE);
    await settle(laptop.publish('settings', valueOf(90_000, 1, true), { waitFor: 'replicated' }));
    await settle(laptop.remove('settings', { waitFor: 'replicated' }));
    const all = relays.map((one) => pieces(one).length);
    relays[1]!.misbehave(faults);
    if (faults.refuseConnections) relays[1]!.disconnectAll();
    await clock.advance(HOUR);
    expect(relays.map((one) => pieces(one).length)).toEqual(all);
    relays[1]!.behave();
    await clock.advance(HOUR);
    expect(relays.map((one) => pieces(one).length)).toEqual([0, 0]);
  });

  test('are collected after a removal', { timeout: 60_000 }, async () => {
    const { relays, device: make, settle, clock } = world({});
    const laptop = make(LARGE);
    await settle(laptop.publish('settings', valueOf(200_000, 1, true), { waitFor: 'replicated' }));
    await settle(laptop.remove('settings', { waitFor: 'replicated' }));
    const [{ created_at }] = stored(relays[0]!) as [NostrEvent];
    await clock.advance(HOUR);
    expect(pieces(relays[0]!)).toEqual([]);
    // Above nothing that came after the removal: a device that shares a piece by then has written it again.
    const said = received(relays[0]!, 'EVENT').map(([, event]) => event as NostrEvent);
    const collecting = said.filter(
      ({ kind, tags }) => kind === 5 || tags.some(([name]) => name === 'deleted'),
    );
    expect(collecting.length).toBeGreaterThan(2);
    expect(collecting.filter((one) => one.created_at > created_at)).toEqual([]);
    expect(await settle(laptop.fetch('settings'))).toBeNull();
  });

  test(
    'that a device still shares, which was away while they were collected, are made anew',
    { timeout: 60_000 },
    async () => {
      const { relays, device: make, settle, clock } = world({});
      const base = valueOf(200_000, 1, true);
      const [laptop, phone] = [make(LARGE), make(LARGE)];
      await settle(laptop.publish('settings', base, { waitFor: 'replicated' }));
      await settle(phone.fetch('settings'));
      const store = kept();
      const away = make({ ...LARGE, store });
      await settle(away.fetch('settings'));
      await settle(away.close());
      await settle(laptop.publish('settings', valueOf(200_000, 2, true), { waitFor: 'replicated' }));
      await settle(phone.close());
      await clock.advance(8 * DAY);
      const mine = edited(base, 500);
      const back = make({ ...LARGE, store: store });
      await settle(back.publish('settings', mine, { waitFor: 'saved' }));
      await settle(back.flush(), DAY);
      await clock.advance(HOUR);
      expect((await settle(make(LARGE).fetch('settings')))?.payload).toEqual(mine);
      expect((await settle(laptop.fetch('settings')))?.payload).toEqual(mine);
      expect(pieces(relays[0]!).length).toBeGreaterThan(0);
    },
  );

  test('that a relay has destroyed are made anew by whoever has them', { timeout: 60_000 }, async () => {
    const { relays, device: make, settle, clock } = world({});
    const laptop = make(LARGE);
    const value = valueOf(200_000, 1, true);
    relays[0]!.misbehave({ forget: true });
    await settle(laptop.publish('settings', value));
    const [frame] = received(relays[0]!, 'EVENT').filter(isPieceFrame);
    relays[0]!.behave();
    const { tags, created_at } = frame![1] as NostrEvent;
    const tombstone = finalizeEvent(
      {
        kind: 30078,
        created_at: created_at + 1,
        tags: [...(tags as string[][]), ['deleted', '']],
        content: '',
      },
      hexToBytes(KEY),
    );
    relays[0]!.inject(JSON.parse(JSON.stringify(tombstone)) as NostrEvent);
    await settle(laptop.flush(), DAY);
    await clock.advance(HOUR);
    expect((await settle(make(LARGE).fetch('settings')))?.payload).toEqual(value);
  });
});

/** A store that outlives its engine. */
function kept(): Store {
  return { ...memoryStore(), close: async () => undefined };
}
