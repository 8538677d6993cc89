/** A connection to an embedded relay, in virtual time or over loopback, and what its subscriptions were given. */

import { hexToBytes } from '@noble/hashes/utils.js';
import { finalizeEvent } from 'nostr-tools/pure';
import { afterEach } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import type { EventTemplate, NostrEvent } from '../../src/protocol/event.ts';
import { PING_INTERVAL_MS } from '../../src/protocol/limits.ts';
import type { Filter } from '../../src/protocol/message.ts';
import { createConnection, type ConnectionPorts, type RelayConnection } from '../../src/relay/connection.ts';
import { UNKNOWN_LIMITS } from '../../src/relay/event-limits.ts';
import type { RequestEnd } from '../../src/relay/requests.ts';
import type { OpenSocket } from '../../src/relay/socket.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import type { RelayOptions } from '../../src/testing/relay-options.ts';
import { createRelay, type Relay } from '../../src/testing/relay.ts';
import { aRelay, anAddress } from '../names.ts';
import { KEY, PUBKEY } from '../sync/devices.ts';

export const URL_OF_RELAY = 'wss://relay.example';
const FILTERS: readonly Filter[] = [
  { authors: [PUBKEY], kinds: [30078], '#d': [anAddress('default/settings/v1')] },
];

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** Signs whatever it is given, and counts. */
export function authSigner(): { signAuth: ConnectionPorts['signAuth']; readonly signed: NostrEvent[] } {
  const signed: NostrEvent[] = [];
  return {
    signed,
    signAuth: async ({ kind, created_at, tags, content }: EventTemplate) => {
      const event = finalizeEvent(
        { kind, created_at, tags: tags.map((tag) => [...tag]), content },
        hexToBytes(KEY),
      );
      signed.push(JSON.parse(JSON.stringify(event)) as NostrEvent);
      return signed.at(-1);
    },
  };
}

export interface Got {
  readonly events: unknown[];
  completions: number;
  stop(): void;
}

/** Subscribes and takes every event as useful. */
export function subscribe(connection: RelayConnection): Got {
  const got: Got = { events: [], completions: 0, stop: () => undefined };
  const onEvent = (event: unknown): 'useful' => (got.events.push(event), 'useful');
  got.stop = connection.subscribe(FILTERS, 1, { onEvent }, () => got.completions++);
  return got;
}

export function request(
  connection: RelayConnection,
  verdict: 'useful' | 'useless' | 'signature' = 'useful',
): Promise<RequestEnd> {
  return new Promise((resolve) => connection.request(FILTERS, 1, { onEvent: () => verdict }, resolve));
}

/** Connects at once. `chance` is the fraction that every random number comes out as. */
export function connection(ports: {
  readonly openSocket: OpenSocket;
  readonly clock: Clock;
  readonly url?: string;
  readonly spelling?: string;
  readonly chance?: () => number;
  readonly signAuth?: ConnectionPorts['signAuth'];
  readonly onChange?: ConnectionPorts['onChange'];
  readonly isOnline?: () => boolean;
  readonly reconciling?: ConnectionPorts['reconciling'];
}): RelayConnection {
  let limits = UNKNOWN_LIMITS;
  const made = createConnection(
    aRelay(ports.url ?? URL_OF_RELAY),
    {
      clock: ports.clock,
      openSocket: ports.openSocket,
      isOnline: ports.isOnline ?? (() => true),
      beat: () => PING_INTERVAL_MS,
      limits: { get: () => limits, set: (_url, learned) => void (limits = learned) },
      randomBytes: (length) => new Uint8Array(length).fill(Math.floor((ports.chance?.() ?? 0.5) * 256)),
      signAuth: ports.signAuth ?? (async () => undefined),
      onChange: ports.onChange ?? (() => undefined),
      onWrongTime: () => undefined,
      ...(ports.reconciling && { reconciling: ports.reconciling }),
    },
    ports.spelling,
  );
  cleanups.push(() => made.close());
  made.wake();
  return made;
}

/** One relay and one connection to it in virtual time. */
export function virtual(
  options: RelayOptions &
    Pick<
      Parameters<typeof connection>[0],
      'chance' | 'signAuth' | 'onChange' | 'spelling' | 'reconciling'
    > = {},
): { clock: TestClock; relay: Relay; relayConnection: RelayConnection } {
  const clock = createTestClock();
  const relay = createRelay({ clock, ...options });
  return { clock, relay, relayConnection: connection({ ...options, clock, openSocket: relay.openSocket }) };
}
