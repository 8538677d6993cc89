/** Two devices that pair over embedded relays in virtual time, and what is left of it afterwards. */

import { hexToBytes } from '@noble/hashes/utils.js';
import { randomBytes, scryptSync } from 'node:crypto';
import { expect } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import type { NostrSyncError } from '../../src/errors.ts';
import type { Scrypt } from '../../src/pair/code.ts';
import { openInvitation, type Invitation } from '../../src/pair/invitation.ts';
import { openJoining, type Joining } from '../../src/pair/joining.ts';
import type { PairingPorts } from '../../src/pair/mailbox.ts';
import type { InvitationOptions, JoiningOptions } from '../../src/pair/options.ts';
import { createEventVerifier } from '../../src/protocol/event-verifier.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import type { RelayOptions } from '../../src/testing/relay-options.ts';
import { createRelay, type Relay } from '../../src/testing/relay.ts';
import { KEY } from '../sync/devices.ts';

export { KEY, PUBKEY } from '../sync/devices.ts';

export function errorCode(error: unknown): string {
  return (error as NostrSyncError).code;
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<NostrSyncError> {
  return promise.then(
    () => expect.fail('it resolved'),
    (error: unknown) => error as NostrSyncError,
  );
}

/** At once: in virtual time nothing waits for a thread. */
export const scryptAtOnce: Scrypt = async (password, salt, { N, r, p, dkLen }) => {
  return new Uint8Array(scryptSync(password, salt, dkLen, { N, r, p, maxmem: 2 ** 26 + 1 }));
};

export interface World {
  readonly clock: TestClock;
  readonly relays: Readonly<Record<string, Relay>>;
  readonly urls: readonly string[];
  /** Every array of random bytes that was asked for, but nonces and ids. */
  readonly secrets: readonly Uint8Array[];
  readonly ports: PairingPorts;
  invite(options?: Partial<InvitationOptions>): Promise<Invitation>;
  join(text: string, options?: Partial<JoiningOptions>): Joining;
  /** Lets time pass until a promise is settled. */
  during<T>(promise: Promise<T>, limitMs?: number): Promise<T>;
  /** Lets a minute pass, and sees that nothing is left: no timer, socket, subscription or secret. */
  expectNothingLeft(): Promise<void>;
}

/** One relay for each of the options. */
export function world(...options: readonly RelayOptions[]): World {
  const clock = createTestClock();
  const relays = Object.fromEntries(
    (options.length === 0 ? [{}] : options).map((one, i) => [
      `wss://relay${i}.example`,
      createRelay({ clock, ...one }),
    ]),
  );
  const urls = Object.keys(relays);
  const secrets: Uint8Array[] = [];
  /** Those of them that are secrets of sessions, as the holder has them. */
  const sessions: Uint8Array[] = [];
  const ports: PairingPorts = {
    clock,
    openSocket: connectTo(relays),
    randomBytes: (length) => {
      const bytes = new Uint8Array(randomBytes(length));
      secrets.push(bytes);
      return bytes;
    },
    primitives: nodePrimitives,
    verifier: createEventVerifier(nodePrimitives),
    scrypt: scryptAtOnce,
  };

  return {
    ...{ clock, relays, urls, secrets, ports },
    invite: async (more = {}) => {
      const drawn = secrets.length;
      const opening = openInvitation(
        { namespace: 'my-app', name: "Anna's laptop", key: hexToBytes(KEY), relays: urls, ...more },
        ports,
      );
      // Drawn at once, before anything else of this length; none if the options were refused.
      const secret = secrets.slice(drawn).find(({ length }) => length === 32);
      if (secret !== undefined) sessions.push(secret);
      const hex = secret && Buffer.from(secret).toString('hex');
      const invitation = await opening;
      expect(invitation.uri).toContain(`secret=${hex}`);
      return invitation;
    },
    join: (text, more = {}) =>
      openJoining(
        text,
        { namespace: 'my-app', name: "Anna's phone", deviceId: 'phone-1', relays: urls, ...more },
        ports,
      ),
    during: async (promise, limitMs = 20_000) => {
      let isSettled = false;
      const settled = promise.finally(() => (isSettled = true));
      settled.catch(() => undefined);
      for (let ms = 0; !isSettled && ms <= limitMs; ms += 100) await clock.advance(ms === 0 ? 0 : 100);
      if (!isSettled) expect.fail(`not settled after ${limitMs} ms`);
      return settled;
    },
    expectNothingLeft: async () => {
      await clock.advance(60_000);
      expect(clock.pending, 'timers').toBe(0);
      for (const relay of Object.values(relays)) {
        expect(relay.connections(), 'sockets').toBe(0);
        expect(relay.subscriptions(), 'subscriptions').toBe(0);
      }
      expect(
        sessions.every((secret) => secret.every((byte) => byte === 0)),
        'secrets of sessions',
      ).toBe(true);
      // Seeds of keys have 48 bytes. Nonces, and what signing takes, are no secrets afterwards.
      const seeds = secrets.filter(({ length }) => length === 48);
      expect(
        seeds.every((seed) => seed.every((byte) => byte === 0)),
        'seeds of keys',
      ).toBe(true);
    },
  };
}

/** The whole way, the digits as they are shown. */
export async function paired(
  here: World,
  invitation: Invitation,
  text: string = invitation.uri,
): Promise<{ readonly joined: Awaited<ReturnType<Joining['accept']>>; readonly ms: number }> {
  const startedAt = here.clock.now();
  const joining = here.join(text);
  await here.during(invitation.confirm(await here.during(joining.digits)));
  expect(await here.during(joining.inviter)).toMatchObject({ name: "Anna's laptop" });
  const joined = await here.during(joining.accept());
  expect(await here.during(invitation.done)).toEqual({ name: "Anna's phone", deviceId: 'phone-1' });
  return { joined, ms: here.clock.now() - startedAt };
}
