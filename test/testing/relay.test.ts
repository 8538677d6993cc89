/** The embedded relay against NIP-01, 09, 11, 40 and 42, over both of its transports. */

import { afterEach, describe, expect, test } from 'vitest';

import { nip77 } from 'nostr-tools';
import type { SignedEvent } from '../../src/protocol/event.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { defaultRelayLimits, type RelayFlavour, type RelayOptions } from '../../src/testing/relay-options.ts';
import { startRelay } from '../../src/testing/relay-server.ts';
import { createRelay, type Relay } from '../../src/testing/relay.ts';
import { connect, openWebSocket, type Client, type Connect } from './client.ts';
import { alice, alicePubkey, bob, bobPubkey, sign, START, tiedValues, value } from './events.ts';

interface Setup {
  readonly relay: Relay;
  readonly url: string;
  readonly connect: Connect;
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const transports = {
  async 'in memory'(options: RelayOptions): Promise<Setup> {
    const relay = createRelay(options);
    const url = 'wss://relay.test';
    return { relay, url, connect: () => connect(relay.openSocket, url) };
  },
  async 'on loopback'(options: RelayOptions): Promise<Setup> {
    const { relay, url, close } = await startRelay(options);
    cleanups.push(close);
    return { relay, url, connect: () => connect(openWebSocket, url) };
  },
};

describe.each(Object.entries(transports))('a relay %s', (_name, start) => {
  const clock = createTestClock();

  async function setup(options: RelayOptions = {}): Promise<Setup & { readonly client: Client }> {
    clock.set(START * 1_000);
    // A flavour that puts nothing before its reasons.
    const running = await start({ clock, flavour: 'khatru', ...options });
    return { ...running, client: await running.connect() };
  }

  describe('reconciliation (NIP-77)', () => {
    /** What the relay lacks, and what it has more, by a client that nobody here wrote. */
    async function reconcile(client: Client, ours: readonly SignedEvent[]): Promise<[string[], string[]]> {
      const storage = new nip77.NegentropyStorageVector();
      for (const { created_at, id } of ours) storage.insert(created_at, id);
      storage.seal();
      const negentropy = new nip77.Negentropy(storage);
      const [have, need]: [string[], string[]] = [[], []];
      let [type, id, message] = await client.ask('NEG-OPEN', 'neg', { kinds: [1] }, negentropy.initiate());
      for (;;) {
        expect([type, id]).toEqual(['NEG-MSG', 'neg']);
        const next = negentropy.reconcile(
          message as string,
          (one) => have.push(one),
          (one) => need.push(one),
        );
        if (next === null) break;
        [type, id, message] = await client.ask('NEG-MSG', 'neg', next);
      }
      client.send('NEG-CLOSE', 'neg');
      return [have, need];
    }

    test('says which of the events that match it has, and which not', async () => {
      const { client, relay } = await setup();
      const events = Array.from({ length: 60 }, (_, i) => sign({ content: `${i}` }));
      for (const event of [...events.slice(0, 50), sign({ kind: 7, content: '+' })]) relay.inject(event);
      const [have, need] = await reconcile(client, events.slice(10));
      expect(have.sort()).toEqual(
        events
          .slice(50)
          .map(({ id }) => id)
          .sort(),
      );
      expect(need.sort()).toEqual(
        events
          .slice(0, 10)
          .map(({ id }) => id)
          .sort(),
      );
      expect(relay.information().supported_nips).toContain(77);
    });

    test('refuses what it cannot read, and what it was not asked', async () => {
      const { client } = await setup();
      expect(await client.ask('NEG-OPEN', 'a', { ids: 'x' }, '61')).toEqual([
        'NEG-ERR',
        'a',
        expect.stringContaining('invalid'),
      ]);
      expect(await client.ask('NEG-OPEN', 'a', {}, 'no hex')).toEqual([
        'NEG-ERR',
        'a',
        expect.stringContaining('invalid'),
      ]);
      expect(await client.ask('NEG-OPEN', 'a', {})).toEqual([
        'NEG-ERR',
        'a',
        expect.stringContaining('invalid'),
      ]);
      expect(await client.ask('NEG-MSG', 'b', '61')).toEqual([
        'NEG-ERR',
        'b',
        expect.stringContaining('closed'),
      ]);
      client.send('NEG-OPEN', 7);
      client.send('NEG-CLOSE', 'c');
      expect(await client.drain()).toEqual([]);
      for (let n = 0; n < 20; n++)
        expect((await client.ask('NEG-OPEN', `${n}`, {}, '61'))[0]).toBe('NEG-MSG');
      expect(await client.ask('NEG-OPEN', 'more', {}, '61')).toEqual([
        'NEG-ERR',
        'more',
        expect.stringContaining('blocked'),
      ]);
    });

    test("shows a stranger nothing that is another user's, and says so", async () => {
      const { client } = await setup({ auth: 'read' });
      await client.drain();
      expect(await client.ask('NEG-OPEN', 'a', {}, '61')).toEqual([
        'NEG-ERR',
        'a',
        expect.stringContaining('auth-required'),
      ]);
    });

    test('can be switched off, with a word or without', async () => {
      const { client, relay } = await setup({ negentropy: 'notice' });
      expect(await client.ask('NEG-OPEN', 'a', {}, '61')).toEqual([
        'NOTICE',
        expect.stringContaining('negentropy'),
      ]);
      expect(relay.information().supported_nips).not.toContain(77);
      const { client: other } = await setup({ flavour: 'citrine' });
      other.send('NEG-OPEN', 'a', {}, '61');
      expect(await other.drain()).toEqual([]);
    });
  });

  describe('events', () => {
    test('stores an event, says OK, and serves it until EOSE', async () => {
      const { client, relay } = await setup();
      const event = sign({ content: 'hello 🦩' });
      expect(await client.ask('EVENT', event)).toEqual(['OK', event.id, true, '']);
      client.send('REQ', 'all', {});
      expect(await client.drain()).toEqual([
        ['EVENT', 'all', event],
        ['EOSE', 'all'],
      ]);
      expect(relay.events()).toEqual([event]);
    });

    test('answers an event that it has with duplicate', async () => {
      const { client } = await setup();
      const event = sign();
      await client.ask('EVENT', event);
      expect(await client.ask('EVENT', event)).toEqual([
        'OK',
        event.id,
        true,
        expect.stringMatching(/^duplicate: /),
      ]);
    });

    test('refuses a wrong id, a wrong signature, and a changed event', async () => {
      const { client, relay } = await setup();
      const event = sign();
      const other = sign({ content: 'other' });
      for (const forged of [
        { ...event, id: other.id },
        { ...event, sig: other.sig },
        { ...event, content: 'changed' },
      ]) {
        expect(await client.ask('EVENT', forged)).toEqual([
          'OK',
          forged.id,
          false,
          expect.stringMatching(/^invalid: bad (event id|signature)$/),
        ]);
      }
      expect(relay.events()).toEqual([]);
    });

    test.each([
      ['an upper-case id', { id: 'A'.repeat(64) }],
      ['a short pubkey', { pubkey: 'ab' }],
      ['a fractional created_at', { created_at: 1.5 }],
      ['a negative created_at', { created_at: -1 }],
      ['a kind beyond 65535', { kind: 65_536 }],
      ['tags that are not lists', { tags: ['d'] }],
      ['an empty tag', { tags: [[]] }],
      ['a number in a tag', { tags: [['d', 1]] }],
      ['content that is no text', { content: null }],
      ['no sig', { sig: undefined }],
    ])('refuses an event with %s', async (_what, change) => {
      const { client, relay } = await setup();
      const [type, , accepted, message] = await client.ask('EVENT', { ...sign(), ...change });
      expect([type, accepted]).toEqual(['OK', false]);
      expect(message).toMatch(/^invalid: /);
      expect(relay.events()).toEqual([]);
    });

    test('leaves out what does not belong to an event', async () => {
      const { client, relay } = await setup();
      const event = sign();
      await client.ask('EVENT', { ...event, extra: true });
      expect(relay.events()).toEqual([event]);
    });

    test('answers what is no command with NOTICE and goes on', async () => {
      const { client } = await setup();
      for (const text of ['junk', '{}', '"text"', '[]', '["EVENT"]', '["REQ", 1, {}]', '["REQ", "", {}]']) {
        client.sendText(text);
        expect((await client.next())[0]).toBe('NOTICE');
      }
      expect((await client.ask('EVENT', sign()))[2]).toBe(true);
    });

    test('refuses stamps beyond its limits', async () => {
      const { client } = await setup();
      const { createdAtUpperLimit, createdAtLowerLimit } = defaultRelayLimits;
      for (const [created_at, message] of [
        [START + createdAtUpperLimit, ''],
        [START + createdAtUpperLimit + 1, 'invalid: created_at too late'],
        [START - createdAtLowerLimit, ''],
        [START - createdAtLowerLimit - 1, 'invalid: created_at too early'],
      ] as const) {
        expect((await client.ask('EVENT', sign({ created_at })))[3]).toBe(message);
      }
    });

    test('refuses an event of one byte too many, and closes on a frame of one byte too many', async () => {
      const sized = (bytes: number): string => {
        const overhead = JSON.stringify(sign()).length;
        return 'x'.repeat(bytes - overhead);
      };
      const { client } = await setup({ limits: { maxEventBytes: 2_000, maxFrameBytes: 3_000 } });
      expect((await client.ask('EVENT', sign({ content: sized(2_000) })))[2]).toBe(true);
      expect((await client.ask('EVENT', sign({ content: sized(2_001) })))[3]).toMatch(
        /^invalid: event too large/,
      );
      client.sendText(`"${'é'.repeat(1_499)}"`);
      expect((await client.next())[0]).toBe('NOTICE');
      client.sendText(`"${'é'.repeat(1_499)} "`);
      await client.closed;
      await expect(client.next()).rejects.toThrow('closed');
    });

    test('lets a REQ beyond the quota of its connection wait, and all that comes behind it', async () => {
      const on = await setup({ limits: { reqsPerMinute: 2 } });
      const { client, relay } = on;
      const event = sign();
      for (const id of ['1', '2', '3']) client.send('REQ', id, { kinds: [9] });
      client.send('EVENT', event);
      expect([await client.next(), await client.next()]).toEqual([
        ['EOSE', '1'],
        ['EOSE', '2'],
      ]);
      await clock.advance(29_999);
      const another = await on.connect();
      expect(await another.ask('EVENT', sign({ by: bob }))).toMatchObject({ 2: true });
      expect(relay.events().map(({ pubkey }) => pubkey)).toEqual([bobPubkey]);
      await clock.advance(1);
      expect([await client.next(), await client.next()]).toEqual([
        ['EOSE', '3'],
        ['OK', event.id, true, ''],
      ]);
    });

    test('limits the rate of writes per author and recovers', async () => {
      const { client } = await setup({ limits: { writeRate: { burst: 2, perMinute: 6 } } });
      const write = async (content: string, by = alice): Promise<unknown> =>
        (await client.ask('EVENT', sign({ content, by })))[3];
      expect([await write('1'), await write('2'), await write('3')]).toEqual([
        '',
        '',
        'rate-limited: slow down',
      ]);
      expect(await write('of somebody else', bob)).toBe('');
      clock.set(START * 1_000 + 9_999);
      expect(await write('4')).toMatch(/^rate-limited: /);
      clock.set(START * 1_000 + 10_001);
      expect(await write('4')).toBe('');
    });
  });

  describe('order', () => {
    test('keeps the newest of an address and of a replaceable kind', async () => {
      const { client, relay } = await setup({ flavour: 'strfry' });
      for (const kind of [0, 3, 10_002, 30_078]) {
        relay.wipe();
        const old = sign({ kind, tags: [['d', 'x']] });
        const fresh = sign({ kind, tags: [['d', 'x']], created_at: START + 1 });
        await client.ask('EVENT', old);
        expect((await client.ask('EVENT', fresh))[2]).toBe(true);
        expect(await client.ask('EVENT', old)).toEqual([
          'OK',
          old.id,
          false,
          'ERROR: replaced: have newer event',
        ]);
        expect(relay.events()).toEqual([fresh]);
      }
    });

    test('keeps addresses apart by kind, author and d-tag, a missing one being the empty one', async () => {
      const { client, relay } = await setup();
      const events = [
        value('a'),
        value('b', { tags: [['d', 'other']] }),
        value('c', { by: bob }),
        sign({ kind: 30_079 }),
      ];
      for (const event of events) await client.ask('EVENT', event);
      expect(relay.events()).toHaveLength(4);
      await client.ask('EVENT', sign({ kind: 30_079, tags: [['d', '']], created_at: START + 1 }));
      expect(relay.events()).toHaveLength(4);
    });

    test.each<[RelayFlavour, 'lowest' | 'first' | 'last', boolean, RegExp]>([
      ['strfry', 'lowest', false, /^ERROR: replaced: have newer event$/],
      ['nostr-rs-relay', 'first', true, /^duplicate:/],
      ['nostream', 'lowest', true, /^duplicate:/],
      ['khatru', 'lowest', true, /^$/],
      ['chorus', 'last', false, /^error:/],
      ['citrine', 'first', false, /^invalid: newest event already in database$/],
    ])(
      '%s keeps the %s of a tie and answers an older write in its way',
      async (flavour, rule, accepted, message) => {
        const { client, relay } = await setup({ flavour });
        const [low, high] = tiedValues();
        for (const order of [[low, high] as const, [high, low] as const]) {
          relay.wipe();
          for (const event of order) await client.ask('EVENT', event);
          expect(relay.events()).toEqual([rule === 'lowest' ? low : rule === 'first' ? order[0] : order[1]]);
        }
        const older = value('older', { created_at: START - 1 });
        expect(await client.ask('EVENT', older)).toEqual([
          'OK',
          older.id,
          accepted,
          expect.stringMatching(message),
        ]);
        expect(relay.events()).not.toContainEqual(older);
      },
    );

    test('only khatru sends a stale event to live subscribers', async () => {
      for (const flavour of ['khatru', 'strfry'] as const) {
        const { client, relay } = await setup({ flavour });
        await client.ask('EVENT', value('new'));
        client.send('REQ', 's', { limit: 0 });
        await client.drain();
        const stale = value('old', { created_at: START - 1 });
        client.send('EVENT', stale);
        const events = (await client.drain()).filter(([type]) => type === 'EVENT');
        expect(events).toEqual(flavour === 'khatru' ? [['EVENT', 's', stale]] : []);
        expect(relay.events()).toHaveLength(1);
      }
    });

    test('sends ephemeral events live and does not store them', async () => {
      const { client, relay } = await setup();
      await client.ask('REQ', 's', {});
      const event = sign({ kind: 20_001 });
      client.send('EVENT', event);
      expect(await client.drain()).toEqual([
        ['OK', event.id, true, ''],
        ['EVENT', 's', event],
      ]);
      expect(relay.events()).toEqual([]);
    });
  });

  describe('subscriptions', () => {
    const wanted = value('wanted', {
      tags: [
        ['d', 'a'],
        ['t', 'x'],
        ['t', 'y'],
      ],
    });
    const others = [
      sign({ content: 'kind 1', created_at: START - 10 }),
      value('by bob', {
        by: bob,
        created_at: START - 20,
        tags: [
          ['d', 'a'],
          ['t', 'z'],
        ],
      }),
    ];

    test.each<[string, object]>([
      ['ids', { ids: [wanted.id] }],
      ['authors and kinds', { authors: [alicePubkey], kinds: [30_078] }],
      ['since', { since: START }],
      ['until', { since: START - 5, until: START }],
      ['a tag', { '#t': ['y', 'unknown'] }],
      ['two tags', { '#d': ['a'], '#t': ['x'] }],
      ['limit', { limit: 1 }],
    ])('matches stored and live events by %s', async (_what, filter) => {
      const { client, connect: connectAnother, relay } = await setup();
      const writer = await connectAnother();
      relay.restore([...others, wanted]);
      client.send('REQ', 's', filter);
      expect(await client.drain()).toEqual([
        ['EVENT', 's', wanted],
        ['EOSE', 's'],
      ]);
      if ('limit' in filter) return;
      relay.wipe();
      for (const event of [...others, wanted]) await writer.ask('EVENT', event);
      expect(await client.drain()).toEqual([['EVENT', 's', wanted]]);
    });

    test.each<[string, object, boolean]>([
      ['an id', { ids: [] }, false],
      ['a kind', { kinds: [] }, false],
      ['a tag', { '#d': [] }, false],
      ['nothing', {}, true],
    ])('a filter with an empty list for %s matches accordingly', async (_what, filter, matches) => {
      const { client, relay } = await setup();
      relay.restore([wanted]);
      client.send('REQ', 's', filter);
      expect((await client.drain()).length).toBe(matches ? 2 : 1);
    });

    test('serves newest first, ties by lowest id, each once, and no more than its limit', async () => {
      const { client, relay } = await setup({ limits: { maxLimit: 3 } });
      const events = [0, 0, 0, 1, 2].map((age, index) =>
        sign({ content: String(index), created_at: START - age }),
      );
      relay.restore(events);
      client.send('REQ', 's', {}, { limit: 10 });
      const served = (await client.drain()).slice(0, -1).map((frame) => frame[2]);
      expect(served).toEqual(events.slice(0, 3).sort((a, b) => (a.id < b.id ? -1 : 1)));
    });

    test('closes a REQ whose filter it cannot read', async () => {
      const { client } = await setup();
      const bad = [
        null,
        'x',
        [],
        { ids: ['ab'] },
        { authors: 'x' },
        { kinds: ['1'] },
        { since: -1 },
        { '#d': [1] },
        { d: [] },
      ];
      for (const filter of bad) {
        expect(await client.ask('REQ', 's', filter)).toEqual([
          'CLOSED',
          's',
          expect.stringMatching(/^invalid: /),
        ]);
      }
      expect(await client.ask('REQ', 's')).toEqual(['CLOSED', 's', 'invalid: no filter']);
    });

    test('a REQ replaces the one of the same id, CLOSE ends it', async () => {
      const { client, relay } = await setup();
      await client.ask('REQ', 's', { kinds: [1] });
      await client.ask('REQ', 's', { kinds: [2] });
      expect(relay.subscriptions()).toBe(1);
      relay.inject(sign({ kind: 1 }));
      relay.inject(sign({ kind: 2 }));
      expect((await client.drain()).map((frame) => frame[0])).toEqual(['EVENT']);
      client.send('CLOSE', 's');
      await client.drain();
      relay.inject(sign({ kind: 2, content: 'after' }));
      expect(await client.drain()).toEqual([]);
      expect(relay.subscriptions()).toBe(0);
    });

    test.each<[RelayFlavour, readonly string[]]>([
      ['khatru', ['CLOSED']],
      ['nostream', ['NOTICE']],
      ['strfry', ['NOTICE', 'EOSE']],
    ])('%s turns down surplus subscriptions and filters', async (flavour, answers) => {
      const { client, relay } = await setup({ flavour, limits: { maxSubscriptions: 2, maxFilters: 2 } });
      await client.ask('REQ', '1', {});
      await client.ask('REQ', '2', {});
      client.send('REQ', '3', {});
      expect((await client.drain()).map(([type]) => type)).toEqual(answers);
      expect(relay.subscriptions()).toBe(2);
      expect(await client.ask('REQ', '2', { kinds: [1] })).toEqual(['EOSE', '2']);
      expect(await client.ask('REQ', '2', {}, {}, {})).toEqual([
        'CLOSED',
        '2',
        expect.stringMatching(/^(error|ERROR): too many filters$/),
      ]);
      expect(relay.subscriptions()).toBe(1);
    });
  });

  describe('deletion (NIP-09) and expiration (NIP-40)', () => {
    test('deletes by id only what its author wrote, and does not take it again', async () => {
      const { client, relay } = await setup();
      const [mine, theirs] = [sign(), sign({ by: bob })];
      for (const event of [mine, theirs]) await client.ask('EVENT', event);
      const request = sign({ kind: 5, tags: [mine, theirs].map(({ id }) => ['e', id]) });
      expect((await client.ask('EVENT', request))[2]).toBe(true);
      expect(
        relay
          .events()
          .map(({ id }) => id)
          .sort(),
      ).toEqual([theirs.id, request.id].sort());
      expect(await client.ask('EVENT', mine)).toEqual([
        'OK',
        mine.id,
        false,
        expect.stringMatching(/^deleted: /),
      ]);
    });

    test('deletes by address up to the stamp of the request, only what its author wrote', async () => {
      const { client, relay } = await setup();
      const theirs = value('of bob', { by: bob });
      await client.ask('EVENT', value('old'));
      await client.ask('EVENT', theirs);
      const addresses = [alicePubkey, bobPubkey].map((pubkey) => ['a', `30078:${pubkey}:app/settings/v1`]);
      const request = sign({ kind: 5, tags: addresses, created_at: START + 1 });
      await client.ask('EVENT', request);
      expect(relay.events()).toEqual([request, theirs]);
      expect((await client.ask('EVENT', value('tied', { created_at: START + 1 })))[3]).toMatch(/^deleted: /);
      expect((await client.ask('EVENT', value('later', { created_at: START + 2 })))[2]).toBe(true);
    });

    test('does not delete a deletion request', async () => {
      const { client, relay } = await setup();
      const first = sign({ kind: 5, tags: [['e', 'f'.repeat(64)]] });
      await client.ask('EVENT', first);
      await client.ask('EVENT', sign({ kind: 5, tags: [['e', first.id]] }));
      expect(relay.events()).toContainEqual(first);
    });

    test('refuses what has expired, and stops serving and sending what expires', async () => {
      const { client, relay } = await setup();
      const expiring = (at: number): string[][] => [
        ['d', 'x'],
        ['expiration', String(at)],
      ];
      expect((await client.ask('EVENT', value('', { tags: expiring(START) })))[3]).toMatch(
        /^invalid: .*expired/,
      );
      const event = value('short', { tags: expiring(START + 10), created_at: START + 5 });
      expect((await client.ask('EVENT', event))[2]).toBe(true);
      clock.set((START + 9) * 1_000);
      expect(await client.ask('REQ', 's', {})).toEqual(['EVENT', 's', event]);
      clock.set((START + 10) * 1_000);
      relay.inject(event);
      client.send('REQ', 's', {});
      expect(await client.drain()).toEqual([
        ['EOSE', 's'],
        ['EOSE', 's'],
      ]);
      // What has expired no longer stands in the way of an older event.
      expect((await client.ask('EVENT', value('older', { tags: [['d', 'x']] })))[2]).toBe(true);
    });
  });

  describe('AUTH (NIP-42)', () => {
    function auth(
      url: string,
      challenge: unknown,
      more: Parameters<typeof sign>[0] = {},
    ): ReturnType<typeof sign> {
      return sign({
        kind: 22_242,
        tags: [
          ['relay', url],
          ['challenge', String(challenge)],
        ],
        ...more,
      });
    }

    test('asks for AUTH to write, and then takes writes, kind 30078 from its author only', async () => {
      const { client, url } = await setup({ auth: 'write' });
      const [type, challenge] = await client.next();
      expect([type, typeof challenge]).toEqual(['AUTH', 'string']);
      const event = value('x');
      expect((await client.ask('EVENT', event))[3]).toMatch(/^auth-required: /);
      const proof = auth(url, challenge);
      expect(await client.ask('AUTH', proof)).toEqual(['OK', proof.id, true, '']);
      expect((await client.ask('EVENT', event))[2]).toBe(true);
      expect((await client.ask('EVENT', sign({ by: bob })))[2]).toBe(true);
      expect((await client.ask('EVENT', value('x', { by: bob })))[3]).toMatch(/^restricted: /);
      // Reading is free.
      expect((await client.ask('REQ', 's', { kinds: [30_078] }))[0]).toBe('EVENT');
    });

    test('asks for AUTH to read, and serves kind 30078 to its author only', async () => {
      const { client, url, relay } = await setup({ auth: 'read' });
      const [mine, theirs] = [value('mine'), value('theirs', { by: bob })];
      relay.restore([mine, theirs]);
      const [, challenge] = await client.next();
      expect((await client.ask('REQ', 's', {}))[2]).toMatch(/^auth-required: /);
      await client.ask('AUTH', auth(url, challenge));
      for (const filter of [{ kinds: [30_078] }, { kinds: [30_078], authors: [alicePubkey, bobPubkey] }]) {
        expect(await client.ask('REQ', 's', filter)).toEqual([
          'CLOSED',
          's',
          expect.stringMatching(/^restricted: /),
        ]);
      }
      client.send('REQ', 's', {});
      client.send('REQ', 't', { kinds: [30_078], authors: [alicePubkey] });
      expect(await client.drain()).toEqual([
        ['EVENT', 's', mine],
        ['EOSE', 's'],
        ['EVENT', 't', mine],
        ['EOSE', 't'],
      ]);
      relay.inject(value('live of bob', { by: bob, created_at: START + 1 }));
      expect(await client.drain()).toEqual([]);
      // One connection may authenticate several keys.
      await client.ask('AUTH', auth(url, challenge, { by: bob }));
      expect((await client.ask('REQ', 'u', { kinds: [30_078], authors: [bobPubkey] }))[0]).toBe('EVENT');
    });

    test.each<[RelayFlavour, string, string]>([
      ['strfry', 'ERROR: ', 'CLOSED'],
      ['nostream', 'error: ', 'NOTICE'],
      ['khatru', '', 'CLOSED'],
    ])(
      '%s puts %j before its reasons in OK, CLOSED and NOTICE, and turns strangers down in a %s',
      async (flavour, before, type) => {
        const { client, url } = await setup({ flavour, auth: 'both' });
        const [, challenge] = await client.next();
        const event = sign({ content: 'x' });
        const proof = auth(url, 'guessed');
        const reasonIs = (word: string): unknown => expect.stringMatching(new RegExp(`^${before}${word}: `));
        const refusals = [
          await client.ask('REQ', 's', { kinds: [1] }),
          await client.ask('EVENT', event),
          await client.ask('AUTH', proof),
          await client.ask('REQ', '', {}),
          await client.ask('REQ', 's', { ids: 'x' }),
          await client.ask('REQ', 's'),
        ];
        expect(refusals).toEqual([
          [type, ...(type === 'CLOSED' ? ['s'] : []), reasonIs('auth-required')],
          ['OK', event.id, false, reasonIs('auth-required')],
          ['OK', proof.id, false, reasonIs('invalid')],
          ['NOTICE', reasonIs('invalid')],
          ['CLOSED', 's', reasonIs('invalid')],
          ['CLOSED', 's', reasonIs('invalid')],
        ]);
        expect(await client.ask('AUTH', auth(url, challenge))).toMatchObject({ 2: true, 3: '' });
        expect(await client.ask('EVENT', event)).toMatchObject({ 2: true, 3: '' });
      },
    );

    test('believes no AUTH of the wrong kind, relay, challenge, time or signature', async () => {
      const { client, url } = await setup({ auth: 'both' });
      const [, challenge] = await client.next();
      const bad = [
        auth(url, challenge, { kind: 1 }),
        auth('wss://elsewhere.test', challenge),
        auth('not a URL', challenge),
        auth(url, 'guessed'),
        auth(url, challenge, { created_at: START - 601 }),
        auth(url, challenge, { created_at: START + 601 }),
        { ...auth(url, challenge), sig: sign().sig },
        { ...auth(url, challenge), pubkey: bobPubkey },
      ];
      for (const event of bad) {
        expect(await client.ask('AUTH', event)).toEqual([
          'OK',
          event.id,
          false,
          expect.stringMatching(/^invalid: /),
        ]);
      }
      expect((await client.ask('EVENT', sign()))[3]).toMatch(/^auth-required: /);
      expect((await client.ask('AUTH', auth(`${url}/`, challenge)))[2]).toBe(true);
    });

    test('gives each connection its own challenge, and only the newest counts', async () => {
      const { client, connect: connectAnother, relay, url } = await setup({ auth: 'both' });
      const [, first] = await client.next();
      const [, ofAnother] = await (await connectAnother()).next();
      relay.challengeAll();
      const [, newest] = await client.next();
      expect(new Set([first, ofAnother, newest]).size).toBe(3);
      for (const void_ of [first, ofAnother])
        expect((await client.ask('AUTH', auth(url, void_)))[2]).toBe(false);
      expect((await client.ask('AUTH', auth(url, newest)))[2]).toBe(true);
    });

    test('takes kind 22242 in AUTH only', async () => {
      const { client, relay } = await setup();
      expect((await client.ask('EVENT', auth('wss://x.test', 'y')))[2]).toBe(false);
      expect(relay.events()).toEqual([]);
    });
  });

  describe('misbehaving', () => {
    test('refuses connections until told to behave', async () => {
      const { relay, connect: connectAnother } = await setup();
      relay.misbehave({ refuseConnections: true });
      await expect(connectAnother()).rejects.toThrow('Cannot connect');
      relay.behave();
      await connectAnother();
      expect(relay.connections()).toBe(2);
    });

    test('is silent: no answer, no pong, and hears nothing', async () => {
      const { client, relay } = await setup();
      await client.ping();
      relay.misbehave({ silent: true });
      const event = sign();
      const pong = client.ping().then(() => 'pong');
      client.send('EVENT', event);
      const witness = await (await transports['in memory']({})).connect();
      expect(await Promise.race([pong, client.next(), witness.drain()])).toEqual([]);
      expect(relay.events()).toEqual([]);
    });

    test('refuses events with any reason, all or some', async () => {
      const { client, relay } = await setup();
      relay.misbehave({ refuse: 'blocked: go away' });
      expect((await client.ask('EVENT', sign()))[3]).toBe('blocked: go away');
      relay.misbehave({ refuse: ({ kind }) => (kind === 7 ? 'pow: too easy' : undefined) });
      expect((await client.ask('EVENT', sign({ kind: 7 })))[3]).toBe('pow: too easy');
      expect((await client.ask('EVENT', sign()))[2]).toBe(true);
    });

    test('acknowledges and forgets', async () => {
      const { client, relay } = await setup();
      await client.ask('REQ', 's', {});
      relay.misbehave({ forget: true });
      const event = sign();
      client.send('EVENT', event);
      expect(await client.drain()).toEqual([['OK', event.id, true, '']]);
      expect(relay.events()).toEqual([]);
    });

    test('faults add up: neither OK nor EOSE, and both again', async () => {
      const { client, relay } = await setup();
      relay.misbehave({ dropOk: true });
      relay.misbehave({ noEose: true });
      client.send('EVENT', sign());
      client.send('REQ', 's', { limit: 0 });
      expect(await client.drain()).toEqual([]);
      expect(relay.events()).toHaveLength(1);
      relay.behave();
      expect(await client.ask('REQ', 's', { limit: 0 })).toEqual(['EOSE', 's']);
    });

    test('withholds, or serves an old state', async () => {
      const { client, relay } = await setup();
      const [old, fresh] = [value('old'), value('fresh', { created_at: START + 1 })];
      for (const served of [[], [old]]) {
        relay.misbehave({ serve: served });
        client.send('REQ', 's', { kinds: [30_078] });
        expect((await client.drain()).slice(0, -1).map((frame) => frame[2])).toEqual(served);
        relay.inject(fresh);
        expect(await client.drain()).toEqual([]);
      }
      relay.behave();
      expect(await client.ask('REQ', 's', {})).toEqual(['EVENT', 's', fresh]);
    });

    test('rolls back, and loses everything', async () => {
      const { client, relay } = await setup();
      const [old, fresh] = [value('old'), value('fresh', { created_at: START + 1 })];
      await client.ask('EVENT', old);
      const backup = relay.events();
      await client.ask('EVENT', fresh);
      relay.restore(backup);
      expect(relay.events()).toEqual([old]);
      expect((await client.ask('EVENT', fresh))[2]).toBe(true);
      relay.wipe();
      expect(relay.events()).toEqual([]);
      expect((await client.ask('EVENT', old))[2]).toBe(true);
    });

    test('breaks ties by another rule', async () => {
      const { client, relay } = await setup();
      relay.misbehave({ tie: 'last' });
      const [low, high] = tiedValues();
      for (const event of [low, high]) await client.ask('EVENT', event);
      expect(relay.events()).toEqual([high]);
    });

    test('disconnects before handling, before answering, and after answering', async () => {
      const { connect: connectAnother, relay } = await setup();
      for (const [action, stored, answered] of [
        ['disconnect', 0, 0],
        ['disconnect-unanswered', 1, 0],
        ['disconnect-answered', 1, 1],
      ] as const) {
        relay.wipe();
        const client = await connectAnother();
        relay.misbehave({ receive: ([type]) => (type === 'EVENT' ? action : undefined) });
        client.send('EVENT', sign());
        await client.closed;
        expect(relay.events()).toHaveLength(stored);
        const answers = [await client.next().catch(() => undefined)].filter(Boolean);
        expect(answers).toHaveLength(answered);
      }
    });

    test('ignores frames that a hook picks, seeing who sent them', async () => {
      const { client, relay, url } = await setup();
      const seen: unknown[] = [];
      await client.ask('REQ', 's', {});
      relay.misbehave({
        receive: (frame, connection) => {
          seen.push([frame[0], connection.id, connection.subscriptions()]);
          return frame[0] === 'REQ' ? 'ignore' : undefined;
        },
      });
      client.send('REQ', 't', {});
      expect(await client.drain()).toEqual([]);
      expect(seen[0]).toEqual(['REQ', 1, ['s']]);
      expect(url).toMatch(/^wss?:/);
    });

    test('delays answers and keeps their order when the delay shrinks', async () => {
      const { client, relay } = await setup();
      relay.misbehave({ delayMs: 1_000 });
      const [first, second] = [sign({ content: '1' }), sign({ content: '2' })];
      client.send('EVENT', first);
      client.send('MARKER');
      await handled(relay, 2);
      relay.misbehave({ delayMs: 10 });
      client.send('EVENT', second);
      await handled(relay, 3);
      expect(clock.pending).toBe(3);
      await clock.advance(1_000);
      expect([(await client.next())[1], (await client.next())[0], (await client.next())[1]]).toEqual([
        first.id,
        'NOTICE',
        second.id,
      ]);
    });

    test('rewrites what goes out: a forged copy first, junk, OK for another id, twice and not boolean', async () => {
      const { client, relay } = await setup();
      const event = sign();
      const forged = { ...event, content: 'forged' };
      relay.misbehave({
        rewrite: (frame) => {
          if (frame[0] === 'EVENT') return [['EVENT', frame[1], forged], frame];
          if (frame[0] === 'EOSE') return ['junk', '['.repeat(10_000), frame];
          if (frame[0] === 'OK')
            return [['OK', 'f'.repeat(64), true, ''], ['OK', frame[1], 'true', ''], frame, frame];
          return [frame];
        },
      });
      client.send('EVENT', event);
      client.send('REQ', 's', {});
      expect(await client.drain()).toEqual([
        ['OK', 'f'.repeat(64), true, ''],
        ['OK', event.id, 'true', ''],
        ['OK', event.id, true, ''],
        ['OK', event.id, true, ''],
        ['EVENT', 's', forged],
        ['EVENT', 's', event],
        ['RAW', 'junk'],
        ['RAW', '['.repeat(10_000)],
        ['EOSE', 's'],
      ]);
    });

    test('floods every connection until told to behave', async () => {
      const { client, relay } = await setup();
      await client.ask('REQ', 's', {});
      const event = sign();
      relay.misbehave({
        flood: {
          everyMs: 10,
          frames: ({ subscriptions }) => [
            ['AUTH', 'x'],
            ...subscriptions().map((id) => ['EVENT', id, event]),
          ],
        },
      });
      await clock.advance(20);
      const flooded = [
        ['AUTH', 'x'],
        ['EVENT', 's', event],
      ];
      expect(await client.drain()).toEqual([...flooded, ...flooded]);
      relay.behave();
      expect(clock.pending).toBe(0);
    });

    test('sends any frame to everybody, disconnects everybody', async () => {
      const { client, connect: connectAnother, relay } = await setup();
      const another = await connectAnother();
      relay.sendAll(['CLOSED', 's', 'error: shutting down']);
      relay.sendAll('x'.repeat(300_000));
      for (const one of [client, another]) {
        expect(await one.next()).toEqual(['CLOSED', 's', 'error: shutting down']);
        expect(await one.next()).toEqual(['RAW', 'x'.repeat(300_000)]);
      }
      relay.disconnectAll();
      await Promise.all([client.closed, another.closed]);
      expect(relay.connections()).toBe(0);
    });
  });

  test('keeps a bounded log of frames', async () => {
    const { client, relay } = await setup({ frameLogSize: 3 });
    const event = sign();
    await client.ask('EVENT', event);
    client.sendText('junk');
    await client.next();
    expect(relay.frames).toEqual([
      { direction: 'out', connection: 1, frame: ['OK', event.id, true, ''], at: START * 1_000 },
      { direction: 'in', connection: 1, frame: 'junk', at: START * 1_000 },
      { direction: 'out', connection: 1, frame: ['NOTICE', expect.any(String)], at: START * 1_000 },
    ]);
  });

  test('a client that closes takes its subscriptions with it', async () => {
    const { client, connect: connectAnother, relay } = await setup();
    await client.ask('REQ', 's', {});
    const witness = await connectAnother();
    client.close();
    await client.closed;
    await witness.drain();
    expect([relay.connections(), relay.subscriptions()]).toEqual([1, 0]);
  });
});

/** Waits until the relay has heard `count` frames. */
async function handled(relay: Relay, count: number): Promise<void> {
  while (relay.frames.filter(({ direction }) => direction === 'in').length < count) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
