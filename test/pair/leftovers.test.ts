/**
 * Histories of pairings by chance: relays that fail and come back, devices that join, users who type, say yes, cancel or go away. At the
 * end of its time nothing is left of any: no timer, socket, subscription, secret or listener, and no promise that never settles.
 */

import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import type { Invitation } from '../../src/pair/invitation.ts';
import type { Joining } from '../../src/pair/joining.ts';
import { PAIRING_CODE_MS } from '../../src/protocol/limits.ts';
import type { RelayFaults } from '../../src/testing/relay-options.ts';
import { createRandom, numberFrom, type Random } from '../support/random.ts';
import { errorCode, world, type World } from './harness.ts';

/** More of them, and others: HISTORIES=200 SEED=1. */
const HISTORIES = numberFrom('HISTORIES', 12);
const SEED = numberFrom('SEED', 41_300);
const STEPS = 30;
const DISK_FULL = 'disk full';

const FAULTS: readonly RelayFaults[] = [
  { forget: true },
  { silent: true },
  { delayMs: 2_500 },
  { dropOk: true },
  { refuseConnections: true },
  { refuse: 'blocked: kind 24134 is not allowed' },
  { refuse: 'invalid: ephemeral event expired' },
  { receive: ([type]) => (type === 'EVENT' ? 'disconnect-answered' : undefined) },
];

/** What was promised to apps, and how each promise has ended: as it should, or by an error with this code. */
function createLedger() {
  const ends: (string | undefined)[] = [];
  return {
    ends,
    promised: <T>(promise: Promise<T>, asItShould = 'done'): Promise<T> => {
      const at = ends.push(undefined) - 1;
      promise.then(
        () => (ends[at] = asItShould),
        (error: unknown) => (ends[at] = errorCode(error) ?? (error as Error).message),
      );
      return promise;
    },
  };
}

function changeRelays(here: World, random: Random): void {
  const relay = here.relays[random.pick(here.urls)]!;
  if (random.chance(0.4)) relay.behave();
  else if (random.chance(0.3)) relay.disconnectAll();
  else relay.misbehave(random.pick(FAULTS));
}

/** How a device keeps the key: at once, after a while, or not at all. */
function keeping(here: World, random: Random): () => Promise<void> {
  const [ms, isFull] = [random.pick([0, 6_000, 90_000]), random.chance(0.2)];
  return async () => {
    if (ms > 0) await new Promise<void>((resolve) => void here.clock.after(ms, resolve));
    if (isFull) throw new Error(DISK_FULL);
  };
}

/** Returns how all that was promised has ended. */
async function live(random: Random): Promise<readonly string[]> {
  const here = world(
    ...Array.from({ length: 1 + random.below(3) }, () => ({
      auth: random.pick(['none', 'none', 'none', 'write', 'both'] as const),
      latencyMs: random.pick([0, 30, 400]),
    })),
  );
  const { ends, promised } = createLedger();
  const stops: AbortController[] = [];
  const newSignal = (): AbortSignal => {
    stops.push(new AbortController());
    return stops.at(-1)!.signal;
  };
  if (random.chance(0.3)) changeRelays(here, random);
  let invitation: Invitation | undefined;
  const joinings: Joining[] = [];
  const digits: string[] = ['000000'];
  const carrier = random.pick(['qr', 'code'] as const);
  void promised(here.invite({ carrier, signal: newSignal() })).then(
    (made) => {
      invitation = made;
      void promised(made.done, 'joined').catch(() => undefined);
    },
    () => undefined,
  );

  const acts: Readonly<Record<string, () => void>> = {
    join: () => {
      if (joinings.length === 3) return;
      const text = invitation?.[random.pick(['code', 'uri'] as const)] ?? '7KQ4-M2XW-9RXR';
      const joining = here.join(text, { signal: newSignal(), deviceId: `phone-${joinings.length}` });
      joinings.push(joining);
      promised(joining.digits).then(
        (shown) => digits.push(shown),
        () => undefined,
      );
      void promised(joining.inviter).catch(() => undefined);
    },
    type: () => {
      const typed = random.chance(0.9) ? digits.at(-1)! : random.pick(digits);
      if (invitation !== undefined && digits.length > 1)
        void promised(invitation.confirm(typed)).catch(() => undefined);
    },
    accept: () => {
      if (joinings.length > 0)
        void promised(random.pick(joinings).accept(keeping(here, random))).catch(() => undefined);
    },
    fail: () => changeRelays(here, random),
    cancel: () => {
      if (random.chance(0.8)) return;
      if (random.chance(0.5)) random.pick(stops).abort();
      else random.pick([invitation, ...joinings])?.cancel();
    },
  };
  // Something or other does not happen at all: nobody types, nobody says yes, all relays are well.
  const left = random.pick(Object.keys(acts));
  const often = ['join', 'type', 'type', 'accept', 'fail', 'cancel'].filter((act) => act !== left);
  for (let step = 0; step < STEPS; step++) {
    await here.clock.advance(random.pick([0, 100, 100, 1_000, 4_000]));
    acts[random.pick(often)]!();
  }
  // The end finds relays as they are, gone, or deaf.
  const last = random.pick<RelayFaults>([{}, {}, { silent: true }, { forget: true }]);
  for (const relay of Object.values(here.relays)) relay.misbehave(last);
  // The longest that anything of it lives, and a key that is kept slowly.
  await here.clock.advance(PAIRING_CODE_MS + 90_000);
  await here.expectNothingLeft();
  expect(stops.flatMap(({ signal }) => getEventListeners(signal, 'abort'))).toEqual([]);
  expect(ends).not.toContain(undefined);
  return ends as readonly string[];
}

test(
  `in ${HISTORIES} histories nothing is left of a pairing after its time`,
  { timeout: 6_000 * HISTORIES },
  async () => {
    const reached = new Map<string, number>();
    for (let seed = SEED; seed < SEED + HISTORIES; seed++) {
      const ends = await live(createRandom(seed)).catch((cause: unknown) => {
        throw new Error(`history ${seed}`, { cause });
      });
      for (const end of ends) reached.set(end, (reached.get(end) ?? 0) + 1);
    }
    // The histories go everywhere, and nowhere else.
    const failed = ['EXPIRED', 'CANCELLED', 'DIGITS', 'NO_RELAY'].map((end) => `PAIRING_${end}`);
    const wanted = ['done', 'joined', DISK_FULL, ...failed];
    expect([...reached.keys()].sort()).toEqual(wanted.sort());
  },
);
