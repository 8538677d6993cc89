/** A Nostr relay without I/O, as strict as a real one, which misbehaves when it is told to. */

import { bytesToHex } from '@noble/hashes/utils.js';
import { systemClock } from '../clock.ts';
import { noblePrimitives } from '../crypto/noble-primitives.ts';
import { createEventVerifier } from '../protocol/event-verifier.ts';
import type { SignedEvent } from '../protocol/event.ts';
import type { OpenSocket } from '../relay/socket.ts';
import { createMemoryTransport } from './memory-transport.ts';
import { createClient, type Client } from './relay-client.ts';
import { createCommands } from './relay-commands.ts';
import { createIncoming } from './relay-incoming.ts';
import { relayInformation } from './relay-information.ts';
import { createFrameLog, type LoggedFrame } from './relay-log.ts';
import {
  defaultRelayLimits,
  relayFlavours,
  type OutgoingFrame,
  type RelayFaults,
  type RelayOptions,
} from './relay-options.ts';
import { createOutgoing } from './relay-outgoing.ts';
import { createPolicy, type RelayRules } from './relay-policy.ts';
import type { RelayLink, RelayPeer, RelayPort } from './relay-port.ts';
import { createEventStorage } from './relay-storage.ts';

export interface Relay extends RelayPort {
  /** Connects in memory, by any URL; the URL is the one that AUTH must name. */
  readonly openSocket: OpenSocket;
  /** How many clients are connected. */
  connections(): number;
  /** How many subscriptions are open on all connections. */
  subscriptions(): number;
  /** The latest frames, oldest first, as they came in and went out. */
  readonly frames: readonly LoggedFrame[];
  /** Those that are set. */
  faults(): RelayFaults;
  /** Adds faults to those that are set. */
  misbehave(faults: RelayFaults): void;
  /** Ends all faults. */
  behave(): void;
  /** What is stored and not expired, newest first. */
  events(): SignedEvent[];
  /** Loses everything, deletions included; connections and subscriptions stay. */
  wipe(): void;
  /** Goes back to exactly these events, as from a backup. Nothing is sent live. */
  restore(events: readonly SignedEvent[]): void;
  /** Stores an event unchecked, still under the order of NIP-01, and sends it to live subscribers in any case. */
  inject(event: SignedEvent): void;
  /** Sends a frame to every connection, as it is. */
  sendAll(frame: OutgoingFrame): void;
  /** Sends every connection a new AUTH challenge; the former ones are void. */
  challengeAll(): void;
  /** Closes every connection. */
  disconnectAll(reason?: string): void;
  /** The NIP-11 document. */
  information(): Record<string, unknown>;
}

/** A relay in memory, as strict as a real one. `openSocket` of it is one for `createNostrSync`. */
export function createRelay(options: RelayOptions = {}): Relay {
  const rules = rulesOf(options);
  const { clock, flavour, limits, auth } = rules;
  const randomBytes = options.randomBytes ?? ((length) => crypto.getRandomValues(new Uint8Array(length)));
  const latencyMs = options.latencyMs ?? 0;

  const clients = new Set<Client>();
  let clientCount = 0;
  let faults: RelayFaults = {};
  const currentFaults = (): RelayFaults => faults;
  const storage = createEventStorage();
  const log = createFrameLog(options.frameLogSize ?? 1_000, clock);
  const outgoing = createOutgoing(clock, clients, currentFaults, log);
  const policy = createPolicy(rules, storage, currentFaults);
  const commands = createCommands(rules, policy, storage, clients, currentFaults, outgoing.send);
  const receive = createIncoming(clock, limits.maxFrameBytes, currentFaults, log, commands, outgoing);

  const now = (): number => Math.floor(clock.now() / 1_000);

  function challenge(client: Client): void {
    client.challenge = bytesToHex(randomBytes(16));
    outgoing.send(client, 'AUTH', client.challenge);
  }

  function accept(url: string, peer: RelayPeer): RelayLink | undefined {
    if (faults.refuseConnections === true) return undefined;
    const client = createClient(++clientCount, url, peer, limits, clock);
    clients.add(client);
    if (auth !== 'none') challenge(client);
    return {
      receive: (text) => receive(client, text),
      ping: () => client.state === 'open' && faults.silent !== true,
      close: () => {
        client.state = 'closed';
        clients.delete(client);
      },
    };
  }

  return {
    clock,
    latencyMs,
    openSocket: createMemoryTransport({ accept, clock, latencyMs }),
    connections: () => clients.size,
    subscriptions: () => [...clients].reduce((sum, client) => sum + client.subscriptions.size, 0),
    frames: log.frames,
    faults: currentFaults,
    misbehave(more) {
      faults = { ...faults, ...more };
      outgoing.flood();
    },
    behave() {
      faults = {};
      outgoing.flood();
    },
    events: () => storage.list(now()),
    wipe: () => storage.restore([]),
    restore: (events) => storage.restore(events),
    inject(event) {
      storage.put(event, faults.tie ?? flavour.tie, now());
      commands.broadcast(event);
    },
    sendAll(frame) {
      for (const client of [...clients]) outgoing.transmit(client, frame);
    },
    challengeAll() {
      for (const client of [...clients]) challenge(client);
    },
    disconnectAll(reason = 'relay disconnects everybody') {
      for (const client of [...clients]) outgoing.disconnect(client, reason);
    },
    information: () => relayInformation(options.name, rules),
    accept,
  };
}

function rulesOf(options: RelayOptions): RelayRules {
  const flavour = relayFlavours[options.flavour ?? 'strfry'];
  return {
    clock: options.clock ?? systemClock,
    verifier: options.verifier ?? createEventVerifier(noblePrimitives),
    flavour,
    limits: { ...defaultRelayLimits, ...flavour.limits, ...options.limits },
    auth: options.auth ?? 'none',
    strangers: options.strangers ?? 'auth-required',
    negentropy: options.negentropy ?? flavour.negentropy,
  };
}
