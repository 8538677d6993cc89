/** Reconciliation with one relay (NIP-77): what it brings, and all the ways in which a relay does not have it. */

import { describe, expect, test } from 'vitest';
import type { RelayConnection } from '../../src/relay/connection.ts';
import type { Difference, Reconciler } from '../../src/relay/reconciling.ts';
import type { RelayFaults, RelayOptions } from '../../src/testing/relay-options.ts';
import type { Relay } from '../../src/testing/relay.ts';
import type { TestClock } from '../../src/testing/clock.ts';
import { PUBKEY, received, written } from '../sync/devices.ts';
import { authSigner, request, virtual } from './harness.ts';

const FILTER = { authors: [PUBKEY], kinds: [30078] };
const NOTHING = { ids: ['0'.repeat(64)] };
const EVENTS = ['a', 'b', 'c'].map((category) => written({ category, created_at: 1_767_225_600 }));

interface Setup {
  readonly clock: TestClock;
  readonly relay: Relay;
  readonly relayConnection: RelayConnection;
  readonly reconciler: Reconciler;
  readonly known: () => boolean | undefined;
  /** What comes of it, within so much time. */
  reconcile(ms?: number): Promise<Difference | undefined>;
  probe(ms?: number): Promise<boolean | undefined>;
}

/** The relay has the first two; this side the last two. */
async function setup(
  options: RelayOptions & Parameters<typeof virtual>[0] = {},
  faults: RelayFaults = {},
): Promise<Setup> {
  let known: boolean | undefined;
  const reconciling = { get: () => known, set: (is: boolean) => void (known = is) };
  const made = virtual({ ...options, reconciling: () => reconciling });
  const { clock, relay, relayConnection } = made;
  await clock.advance(0);
  relay.restore(EVENTS.slice(0, 2));
  relay.misbehave(faults);
  const reconciler = relayConnection.reconciler!;
  return {
    ...{ clock, relay, relayConnection, reconciler },
    known: () => known,
    reconcile: async (ms = 20_000) => {
      const difference = reconciler.reconcile(FILTER, EVENTS.slice(1));
      await clock.advance(ms);
      return difference;
    },
    probe: async (ms = 20_000) => {
      reconciler.probe(NOTHING);
      await clock.advance(ms);
      return known;
    },
  };
}

describe('a relay that reconciles', () => {
  test('says what only it has, and what only this side has', async () => {
    const { reconcile, relay } = await setup();
    expect(await reconcile(0)).toMatchObject({
      have: new Set([EVENTS[2]!.id]),
      need: new Set([EVENTS[0]!.id]),
    });
    expect(received(relay, 'NEG-CLOSE')).toEqual([['NEG-CLOSE', 'n0']]);
  });

  test('is found out by a question about nothing, and asked by that once', async () => {
    const { probe, reconciler, relay, clock } = await setup();
    expect(reconciler.isKnown()).toBe(false);
    expect(await probe(0)).toBe(true);
    expect(reconciler.isKnown()).toBe(true);
    reconciler.probe(NOTHING);
    await clock.advance(0);
    expect(received(relay, 'NEG-OPEN')).toHaveLength(1);
  });

  test('is not asked while a challenge of it is open', async () => {
    const { reconcile, relay, clock, probe } = await setup();
    await probe(0);
    relay.challengeAll();
    await clock.advance(0);
    expect(await reconcile(0)).toBeUndefined();
    expect(received(relay, 'NEG-OPEN')).toHaveLength(1);
  });

  test('is asked after AUTH', async () => {
    const { signAuth } = authSigner();
    const { relayConnection, clock, reconcile } = await setup({ auth: 'both', signAuth });
    const end = request(relayConnection);
    await clock.advance(0);
    expect(await end).toBe('complete');
    expect(await reconcile(0)).toBeDefined();
  });

  test('that wants AUTH for it may reconcile another time', async () => {
    const { reconcile, probe } = await setup(
      {},
      refusing((id) => ['NEG-ERR', id, 'auth-required: who']),
    );
    expect(await probe()).toBeUndefined();
    expect(await reconcile()).toBeUndefined();
    expect(await probe()).toBeUndefined();
  });
});

const refusing = (answer: (id: unknown) => readonly unknown[] | undefined): RelayFaults => ({
  rewrite: (frame) => {
    if (frame[0] !== 'NEG-MSG') return [frame];
    const instead = answer(frame[1]);
    return instead === undefined ? [] : [instead];
  },
});

const REFUSALS: [name: string, options: RelayOptions, faults: RelayFaults][] = [
  ['a NOTICE that it is switched off', { negentropy: 'notice' }, {}],
  ['silence', { negentropy: 'silent' }, {}],
  ['NEG-ERR', {}, refusing((id) => ['NEG-ERR', id, 'blocked: no'])],
  ['CLOSED', {}, refusing((id) => ['CLOSED', id, 'error: unknown message'])],
  ['a NOTICE that it cannot be parsed', {}, refusing(() => ['NOTICE', 'could not parse command'])],
  ['what is no message', {}, refusing((id) => ['NEG-MSG', id, 'hello'])],
  ['no text', {}, refusing((id) => ['NEG-MSG', id, 7])],
  ['questions without an end', {}, refusing((id) => ['NEG-MSG', id, `61000001${'00'.repeat(16)}`])],
];

describe('a relay that does not reconcile', () => {
  test.each(REFUSALS)('and answers by %s is known after one probe', async (_, options, faults) => {
    const { probe, reconciler, reconcile } = await setup(options, faults);
    expect(await probe()).toBe(false);
    expect(await reconcile()).toBeUndefined();
    expect(reconciler.isKnown()).toBe(false);
  });

  test.each(REFUSALS)('and answers by %s is not waited for longer than 5 s', async (_, options, faults) => {
    const { reconciler, clock } = await setup(options, faults);
    let isOver = false;
    void reconciler.reconcile(FILTER, EVENTS).then(() => (isOver = true));
    await clock.advance(5_000);
    expect(isOver).toBe(true);
  });

  test('but did once may have failed by chance: the second time in a row counts, on another connection', async () => {
    const { probe, reconcile, relay, clock, known } = await setup();
    await probe(0);
    relay.misbehave(refusing(() => undefined));
    expect(await reconcile()).toBeUndefined();
    expect(known()).toBe(true);
    expect(await reconcile(0)).toBeUndefined();
    expect(received(relay, 'NEG-OPEN')).toHaveLength(2);
    relay.disconnectAll();
    await clock.advance(10_000);
    expect(await reconcile()).toBeUndefined();
    expect(known()).toBe(false);
  });

  test('and hangs up each time is found out', async () => {
    const { probe, relay, clock, known } = await setup();
    relay.misbehave({ receive: (frame) => (frame[0] === 'NEG-OPEN' ? 'disconnect' : undefined) });
    await probe(10_000);
    expect(known()).toBeUndefined();
    await clock.advance(10_000);
    await probe(10_000);
    expect(known()).toBe(false);
  });

  test('because it serves less than it says to have is believed once more, and no more', async () => {
    const { probe, reconciler, known, relay, clock } = await setup();
    await probe(0);
    reconciler.judge(false);
    expect(reconciler.isKnown()).toBe(false);
    expect(known()).toBe(true);
    relay.disconnectAll();
    await clock.advance(10_000);
    expect(reconciler.isKnown()).toBe(true);
    reconciler.judge(false);
    expect(known()).toBe(false);
  });
});

test('what is no answer to a question of ours is a violation; what comes late is none', async () => {
  const { relay, relayConnection, clock, reconcile } = await setup();
  await reconcile(0);
  relay.sendAll(['NEG-MSG', 'n0', '61']);
  relay.sendAll(['NEG-ERR', 'n0', 'closed: late']);
  relay.sendAll(['NEG-MSG', 'n7', '61']);
  relay.sendAll(['NEG-ERR', 'else', 'closed:']);
  await clock.advance(0);
  expect(relayConnection.info().violations).toEqual({ subscription: 2 });
});

test('a line that drops ends what is under way, and no timer is left', async () => {
  const { reconciler, relay, relayConnection, clock } = await setup({ negentropy: 'silent' });
  const difference = reconciler.reconcile(FILTER, EVENTS);
  await clock.advance(100);
  relay.disconnectAll();
  await clock.advance(0);
  expect(await difference).toBeUndefined();
  relayConnection.close();
  await clock.advance(0);
  expect(clock.pending).toBe(0);
});

test('so many at a time; the others wait for their turn, and not for a line that is gone', async () => {
  const { reconciler, relay, clock } = await setup({ negentropy: 'silent' });
  let over = 0;
  for (let n = 0; n < 6; n++) void reconciler.reconcile(FILTER, EVENTS).then(() => over++);
  await clock.advance(0);
  expect(received(relay, 'NEG-OPEN')).toHaveLength(4);
  relay.disconnectAll();
  await clock.advance(0);
  expect(over).toBe(6);
});

test('what had to wait is asked in its turn', async () => {
  const { reconciler, relay, clock } = await setup();
  const all = Promise.all(Array.from({ length: 9 }, () => reconciler.reconcile(FILTER, EVENTS)));
  await clock.advance(0);
  expect((await all).every((one) => one?.need.size === 0)).toBe(true);
  expect(received(relay, 'NEG-OPEN')).toHaveLength(9);
});
