/** Hostile relays: whatever one does has no effect but on its own record, and the honest relay beside it is enough. */

import { describe, expect, test, vi } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import type { NostrEvent } from '../../src/node.ts';
import { createEventVerifier } from '../../src/protocol/event-verifier.ts';
import { MAX_RIVALS } from '../../src/protocol/limits.ts';
import type { Relay } from '../../src/testing/relay.ts';
import type { RelayFaults } from '../../src/testing/relay-options.ts';
import { device, health, KEY, OTHER_KEY, relay, stored, world, written, type Device } from './devices.ts';

const now = (): number => Math.floor(Date.now() / 1000);
const genuine = written({ payload: 'genuine', created_at: now() - 100 });

/** A flipped last digit. */
const corrupt = (hex: string): string => hex.replace(/.$/, (c) => (c === '0' ? '1' : '0'));

/** Serves these in answer to every REQ, whatever was asked, before what is stored. */
function serving(events: readonly unknown[]): RelayFaults {
  return {
    rewrite: (frame) =>
      frame[0] === 'EOSE' ? [...events.map((event) => ['EVENT', frame[1], event]), frame] : [frame],
  };
}

const forgeries: [string, string, unknown[]][] = [
  [
    'with the id and signature of the genuine one',
    'id',
    [{ ...genuine, content: written({ payload: 'forged' }).content }],
  ],
  ['with the genuine id and a bad signature', 'signature', [{ ...genuine, sig: corrupt(genuine.sig) }]],
  ['with a bad id', 'id', [{ ...genuine, id: corrupt(genuine.id) }]],
  ['moved from another category', 'd-tag', [written({ category: 'other', payload: 'forged' })]],
  [
    'moved by changing its d-tag',
    'id',
    [{ ...written({ category: 'other' }), tags: [['d', 'default/settings/v1']] }],
  ],
  [
    'with two d-tags',
    'd-tag',
    [
      written({
        dTags: [
          ['d', 'default/other/v1'],
          ['d', 'default/settings/v1'],
        ],
        payload: 'forged',
      }),
    ],
  ],
  ['without a d-tag', 'd-tag', [written({ dTags: [], payload: 'forged' })]],
  ['by another author', 'author', [written({ key: OTHER_KEY, payload: 'forged' })]],
  [
    'by another author far in the future',
    'author',
    [written({ key: OTHER_KEY, created_at: now() + 500_000_000 })],
  ],
  ['by another author in our name', 'id', [{ ...written({ key: OTHER_KEY }), pubkey: genuine.pubkey }]],
  ['of another kind', 'kind', [written({ kind: 30079, payload: 'forged' })]],
  [
    'of no shape',
    'shape',
    [null, 7, [], { id: 7 }, { ...genuine, tags: 'd' }, { ...genuine, created_at: 1e300 }],
  ],
];

describe('an event', () => {
  test.each(forgeries)(
    '%s is a violation (%s), and the genuine one from another relay is taken',
    async (_, fault, events) => {
      const [honest, hostile] = [await relay(), await relay()];
      hostile.relay.misbehave(serving(events));
      const laptop = device([hostile.url, honest.url]);
      laptop.subscribe(['settings'], () => undefined);
      // First the forgery alone: nothing must remember its id.
      await vi.waitFor(async () =>
        expect((await health(laptop, hostile.url)).violations).toMatchObject({ [fault]: expect.any(Number) }),
      );
      expect(await laptop.fetch('settings')).toBeNull();
      honest.relay.inject(genuine);
      expect(await laptop.fetch('settings')).toMatchObject({ payload: 'genuine', eventId: genuine.id });
      await vi.waitFor(() => expect(laptop.updated).toMatchObject([{ payload: 'genuine' }]));
      expect((await health(laptop, honest.url)).violations).toEqual({});
      expect(Object.keys((await health(laptop, hostile.url)).violations)).toEqual([fault]);
      const next = await laptop.publish('settings', 'mine');
      expect(Date.parse(next.updatedAt)).toBeLessThanOrEqual(Date.now());
      expect(laptop.errors).toEqual([]);
    },
  );

  test('that is genuine is taken from the very relay that forged it before', async () => {
    const hostile = await relay();
    hostile.relay.misbehave(serving([{ ...genuine, sig: corrupt(genuine.sig) }, genuine]));
    const laptop = device([hostile.url]);
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 'genuine' });
    expect((await health(laptop, hostile.url)).violations).toEqual({ signature: 1 });
  });

  test('that is old changes nothing, replayed or by a rollback, live or asked for, in this process or the next', async () => {
    const one = await relay();
    const laptop = device([one.url]);
    laptop.subscribe(['settings'], () => undefined);
    one.relay.inject(genuine);
    await vi.waitFor(() => expect(laptop.updated).toHaveLength(1));
    const newer = written({ payload: 'newer', created_at: now() - 50 });
    one.relay.inject(newer);
    await vi.waitFor(() => expect(laptop.updated).toHaveLength(2));
    one.relay.inject(genuine);
    one.relay.restore([genuine]);
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 'newer' });
    expect(await laptop.poll(['settings'])).toMatchObject([{ payload: 'newer' }]);
    expect(laptop.updated.map(({ payload }) => payload)).toEqual(['genuine', 'newer']);
    // Read-repair: the relay is brought forward instead.
    await vi.waitFor(() => expect(stored(one).map(({ id }) => id)).toEqual([newer.id]));
  });
});

describe('a relay that', () => {
  /** Signatures that a device verifies by what a relay replays at it for `forMs`, and how often it connects anew. */
  async function replaying(
    frames: (subscription: string) => readonly (readonly unknown[])[],
    forMs: number,
  ): Promise<{ verified: number; connects: number; laptop: Device; url: string }> {
    const { clock, urls, relays, device: make } = world({}, {});
    const [hostile, honest] = relays as [Relay, Relay];
    let verified = 0;
    let connects = 0;
    const verifier = createEventVerifier(nodePrimitives);
    const laptop = make({
      verifier: { ...verifier, verifySignature: (event) => (verified++, verifier.verifySignature(event)) },
      // Half of each pause: by chance it might not connect again within a minute.
      randomBytes: (length) => new Uint8Array(length).fill(128),
    });
    laptop.on(
      'relay-status',
      ({ url, connected }) => void (connects += Number(connected && url === urls[0])),
    );
    laptop.subscribe(['settings'], () => undefined);
    honest.inject(written({ payload: 'newest', created_at: Math.floor(clock.now() / 1000) - 10 }));
    await clock.advance(2_000);
    verified = 0;
    connects = 0;
    hostile.misbehave({
      refuse: 'blocked: no',
      flood: {
        everyMs: 50,
        // An EOSE after each round: that is no new beginning.
        frames: ({ subscriptions }) => subscriptions().flatMap((id) => [...frames(id), ['EOSE', id]]),
      },
    });
    await clock.advance(forMs);
    honest.inject(
      written({ category: 'settings', payload: 'newer', created_at: Math.floor(clock.now() / 1000) }),
    );
    await clock.advance(1_000);
    expect(laptop.updated.map(({ payload }) => payload)).toEqual(['newest', 'newer']);
    return { verified, connects, laptop, url: urls[0]! };
  }

  test('replays a hundred genuine old versions for ever costs no signature, and is asked less and less', async () => {
    // More than any cache of what was verified lately would hold.
    const old = Array.from({ length: 100 }, (_, i) =>
      written({ payload: `${i} ${'x'.repeat(20_000)}`, created_at: 1_700_000_000 + i }),
    );
    let next = 0;
    const { verified, connects, laptop, url } = await replaying(
      // Less at a time than one answer may bring.
      (id) => Array.from({ length: 30 }, () => ['EVENT', id, old[next++ % 100]]),
      60_000,
    );
    // The newer one from the other relay.
    expect(verified).toBe(1);
    const { violations } = await health(laptop, url);
    expect(violations.flood).toBeGreaterThan(3);
    expect(violations.flood).toBeLessThan(20);
    // Its REQs are closed; it may still take what this device writes.
    expect(connects).toBe(0);
  });

  test('replays what no head has seen costs one signature for each, and nothing more beyond those that are kept', async () => {
    const unseen = Array.from({ length: MAX_RIVALS + 1 }, (_, i) =>
      written({ payload: i, created_at: 1_700_000_000 + i, tags: [['device_id', `device-${i}`]] }),
    );
    const { verified } = await replaying((id) => unseen.map((event) => ['EVENT', id, event]), 60_000);
    // And the newer one from the other relay.
    expect(verified).toBe(MAX_RIVALS + 2);
  });

  test('sends bad signatures without end is hung up on for long after a hundred of them', async () => {
    const forged = written({ created_at: 2_000_000_000, payload: 'forged' });
    const { verified, connects, laptop, url } = await replaying(
      (id) => Array.from({ length: 100 }, () => ['EVENT', id, { ...forged, sig: corrupt(forged.sig) }]),
      60_000,
    );
    expect(connects).toBeGreaterThan(0);
    expect(connects).toBeLessThan(5);
    expect(verified).toBeLessThan(500);
    expect((await health(laptop, url)).violations.signature).toBeGreaterThanOrEqual(100);
  });

  const floods: [string, object, RelayFaults][] = [
    [
      'never stops before EOSE',
      { flood: expect.any(Number) },
      serving(Array.from({ length: 500 }, () => genuine)),
    ],
    [
      'sends endless forgeries',
      { flood: expect.any(Number) },
      serving(Array.from({ length: 500 }, () => ({ ...genuine, sig: corrupt(genuine.sig) }))),
    ],
    [
      'sends junk',
      { frame: expect.any(Number) },
      { rewrite: (frame) => ['}{', '', '[]', '[1,2]', '"EVENT"', frame] },
    ],
    [
      'sends JSON 100,000 levels deep',
      { shape: expect.any(Number) },
      {
        rewrite: (frame) => [
          frame[0] === 'EOSE'
            ? `["EVENT","${String(frame[1])}",${'['.repeat(100_000)}${']'.repeat(100_000)}]`
            : frame,
        ],
      },
    ],
    [
      'answers to subscriptions that nobody opened',
      { subscription: expect.any(Number) },
      {
        rewrite: (frame) => [['EVENT', 'other', genuine], ['EOSE', 'x'], ['CLOSED', '', ''], frame],
      },
    ],
    [
      'sends binary floods of AUTH and NOTICE',
      {},
      {
        rewrite: (frame) => [
          ...Array.from({ length: 500 }, (_, i) => ['AUTH', String(i)]),
          ['NOTICE', 'x'.repeat(100_000)],
          frame,
        ],
      },
    ],
  ];

  test.each(floods)('%s is counted, and the other relay serves on', async (_, violations, faults) => {
    const [honest, hostile] = [await relay(), await relay()];
    hostile.relay.misbehave(faults);
    const laptop = device([hostile.url, honest.url]);
    laptop.subscribe(['settings', 'other'], () => undefined);
    await laptop.publish('settings', 'mine');
    honest.relay.inject(written({ category: 'other', payload: 'theirs' }));
    await vi.waitFor(() => expect(laptop.updated.map(({ payload }) => payload)).toContain('theirs'));
    expect((await laptop.syncAll(['settings', 'other'])).map(({ payload }) => payload)).toEqual([
      'mine',
      'theirs',
    ]);
    await vi.waitFor(async () =>
      expect((await health(laptop, hostile.url)).violations).toMatchObject(violations),
    );
    expect((await health(laptop, honest.url)).violations).toEqual({});
    expect(laptop.errors).toEqual([]);
  });

  test('sends oversize frames is hung up on', async () => {
    const [honest, hostile] = [await relay(), await relay()];
    hostile.relay.misbehave({ rewrite: (frame) => [['NOTICE', 'x'.repeat(300_000)], frame] });
    const laptop = device([hostile.url, honest.url]);
    laptop.subscribe(['settings'], () => undefined);
    expect((await laptop.publish('settings', 'mine')).stage).toBe('delivered');
    await vi.waitFor(async () =>
      expect((await health(laptop, hostile.url)).lastError).toMatch(/payload|large|1006|1009/i),
    );
    expect(stored(honest)).toHaveLength(1);
  });

  test.each([
    ['what others have by the settle time', true, [1_500, 0, 0]],
    ['what nobody has by the EOSE deadline, and then by the settle time', false, [10_000, 1_500, 1_500]],
  ])('never sends EOSE delays %s, once', async (_what, isThere, expected) => {
    const { clock, relays, device: make, settle } = world({}, {});
    if (isThere) relays[1]!.inject(written({ payload: 1 }));
    relays[0]!.misbehave({ noEose: true });
    const laptop = make();
    await clock.advance(0);
    const durations: number[] = [];
    for (let i = 0; i < 3; i++) {
      const start = clock.now();
      const read = settle(laptop.fetch('settings'));
      if (isThere) expect(await read).toMatchObject({ payload: 1, source: 'relay' });
      else
        await expect(read).rejects.toMatchObject({
          code: 'NO_RELAYS_REACHABLE',
          details: { answered: ['wss://relay-1.example'], silent: ['wss://relay-0.example'] },
        });
      durations.push(clock.now() - start);
    }
    expect(durations).toEqual(expected);
  });

  test('answers OK for everybody’s writes is not believed', async () => {
    const { clock, relays, device: make, settle } = world({});
    const other: NostrEvent = written({ key: KEY, category: 'other' });
    relays[0]!.misbehave({
      rewrite: (frame) => [frame[0] === 'OK' ? ['OK', other.id, true, ''] : frame],
      serve: [],
    });
    const laptop = make();
    expect((await settle(laptop.publish('settings', 1))).stage).toBe('saved');
    await clock.advance(30_000);
    expect((await laptop.getStatus()).outboxDepth).toBe(1);
    relays[0]!.behave();
    await settle(laptop.flush());
    expect(stored(relays[0]!)).toHaveLength(1);
  });
});
