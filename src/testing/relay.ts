/** A Nostr relay without I/O, as strict as a real one, which misbehaves when it is told to. */

import { systemClock } from '../clock.ts';
import { noblePrimitives } from '../crypto/noble-primitives.ts';
import { createEventVerifier } from '../protocol/event-verifier.ts';
import type { NostrEvent } from '../protocol/event.ts';
import type { OpenSocket } from '../relay/socket.ts';
import { createMemoryTransport } from './memory-transport.ts';
import {
  createQuota,
  createRateLimit,
  isLongerThan,
  parseEvent,
  refuseAuth,
  refuseEvent,
} from './relay-admission.ts';
import { matchesFilter, parseFilter, selectEvents, type RelayFilter } from './relay-filter.ts';
import {
  defaultRelayLimits,
  relayFlavours,
  type OutgoingFrame,
  type RelayConnection,
  type RelayFaults,
  type RelayLimits,
  type RelayOptions,
} from './relay-options.ts';
import type { RelayLink, RelayPeer, RelayPort } from './relay-port.ts';
import { createEventStorage, isEphemeral, isExpired } from './relay-storage.ts';

/** The kind that a relay with AUTH for reading serves to its author only (NIP-78). */
const PRIVATE_KIND = 30_078;
const MAX_SUBSCRIPTION_ID_LENGTH = 64;

export interface LoggedFrame {
  readonly direction: 'in' | 'out';
  /** Id of the connection. */
  readonly connection: number;
  /** Parsed JSON, or the text if it is none. */
  readonly frame: unknown;
  /** Unix time in ms. */
  readonly at: number;
}

export interface Relay extends RelayPort {
  /** Connects in memory, by any URL; the URL is the one that AUTH must name. */
  readonly openSocket: OpenSocket;
  /** How many clients are connected. */
  connections(): number;
  /** How many subscriptions are open on all connections. */
  subscriptions(): number;
  /** The latest frames, oldest first, as they came in and went out. */
  readonly frames: readonly LoggedFrame[];
  faults(): RelayFaults;
  /** Adds faults to those that are set. */
  misbehave(faults: RelayFaults): void;
  /** Ends all faults. */
  behave(): void;
  /** What is stored and not expired, newest first. */
  events(): NostrEvent[];
  /** Loses everything, deletions included; connections and subscriptions stay. */
  wipe(): void;
  /** Goes back to exactly these events, as from a backup. Nothing is sent live. */
  restore(events: readonly NostrEvent[]): void;
  /** Stores an event unchecked, still under the order of NIP-01, and sends it to live subscribers in any case. */
  inject(event: NostrEvent): void;
  /** Sends a frame to every connection, as it is. */
  sendAll(frame: OutgoingFrame): void;
  /** Sends every connection a new AUTH challenge; the former ones are void. */
  challengeAll(): void;
  disconnectAll(reason?: string): void;
  /** The NIP-11 document. */
  information(): Record<string, unknown>;
}

interface Connection {
  readonly view: RelayConnection;
  readonly peer: RelayPeer;
  readonly subscriptions: Map<string, readonly RelayFilter[]>;
  readonly pubkeys: Set<string>;
  /** What `delayMs` holds back, in order. */
  readonly held: (() => void)[];
  /** Takes the turn of one more REQ: how long that has to wait, in ms. */
  readonly reqWaitMs: () => number;
  /** Frames that came in while a REQ waited for its turn, in order; `undefined` while none does. */
  backlog: string[] | undefined;
  challenge: string | undefined;
  /** `deaf`: still handled, but no longer answered, because it is about to be closed. */
  state: 'open' | 'deaf' | 'closed';
}

interface Verdict {
  readonly accepted: boolean;
  readonly message: string;
  /** Whether live subscribers get the event. */
  readonly live: boolean;
}

export function createRelay(options: RelayOptions = {}): Relay {
  const clock = options.clock ?? systemClock;
  const verifier = options.verifier ?? createEventVerifier(noblePrimitives);
  const randomBytes = options.randomBytes ?? ((length) => crypto.getRandomValues(new Uint8Array(length)));
  const flavour = relayFlavours[options.flavour ?? 'strfry'];
  const limits: RelayLimits = { ...defaultRelayLimits, ...flavour.limits, ...options.limits };
  const auth = options.auth ?? 'none';
  const strangers = options.strangers ?? 'auth-required';
  const authToRead = auth === 'read' || auth === 'both';
  const authToWrite = auth === 'write' || auth === 'both';
  const frameLogSize = options.frameLogSize ?? 1_000;
  const latencyMs = options.latencyMs ?? 0;

  const storage = createEventStorage();
  const mayWriteNow = createRateLimit(limits.writeRate, clock);
  const connections = new Set<Connection>();
  const frames: LoggedFrame[] = [];
  const texts = new WeakMap<object, string>();
  let connectionCount = 0;
  let faults: RelayFaults = {};
  let stopFlood = (): void => {};

  const now = (): number => Math.floor(clock.now() / 1_000);

  function log(direction: 'in' | 'out', connection: Connection, frame: unknown): void {
    if (frameLogSize === 0) return;
    frames.push({ direction, connection: connection.view.id, frame, at: clock.now() });
    if (frames.length > frameLogSize) frames.shift();
  }

  function afterDelay(connection: Connection, task: () => void): void {
    const delayMs = faults.delayMs ?? 0;
    if (delayMs === 0 && connection.held.length === 0) return task();
    connection.held.push(task);
    // Each timer releases the oldest, so that no frame overtakes another when `delayMs` shrinks.
    clock.after(delayMs, () => connection.held.shift()?.());
  }

  /** The text of a frame; an event that goes out again and again is made into text once. */
  function textOf(frame: OutgoingFrame): string {
    if (typeof frame === 'string') return frame;
    const [type, id, event] = frame;
    if (type !== 'EVENT' || frame.length !== 3 || typeof event !== 'object' || event === null)
      return JSON.stringify(frame);
    let text = texts.get(event);
    if (text === undefined) {
      text = JSON.stringify(event);
      texts.set(event, text);
    }
    return `["EVENT",${JSON.stringify(id)},${text}]`;
  }

  function transmit(connection: Connection, frame: OutgoingFrame): void {
    if (connection.state !== 'open' || faults.silent === true) return;
    afterDelay(connection, () => {
      if (connection.state !== 'open') return;
      log('out', connection, frame);
      connection.peer.send(textOf(frame));
    });
  }

  function send(connection: Connection, ...frame: readonly unknown[]): void {
    if (frame[0] === 'OK' && faults.dropOk === true) return;
    if (frame[0] === 'EOSE' && faults.noEose === true) return;
    for (const outgoing of faults.rewrite?.(frame, connection.view) ?? [frame])
      transmit(connection, outgoing);
  }

  function disconnect(connection: Connection, reason: string): void {
    if (connection.state === 'closed') return;
    connection.state = 'closed';
    connections.delete(connection);
    connection.peer.close(reason);
  }

  function challenge(connection: Connection): void {
    connection.challenge = Array.from(randomBytes(16), (byte) => byte.toString(16).padStart(2, '0')).join('');
    send(connection, 'AUTH', connection.challenge);
  }

  function mayRead(connection: Connection, event: NostrEvent): boolean {
    return !authToRead || event.kind !== PRIVATE_KIND || connection.pubkeys.has(event.pubkey);
  }

  function broadcast(event: NostrEvent): void {
    if (faults.serve !== undefined || isExpired(event, now())) return;
    for (const connection of [...connections]) {
      if (!mayRead(connection, event)) continue;
      for (const [id, filters] of [...connection.subscriptions]) {
        if (filters.some((filter) => matchesFilter(filter, event))) send(connection, 'EVENT', id, event);
      }
    }
  }

  function judge(connection: Connection, event: NostrEvent): Verdict {
    const refused = (message: string): Verdict => ({ accepted: false, message, live: false });
    const fault = typeof faults.refuse === 'function' ? faults.refuse(event) : faults.refuse;
    if (fault !== undefined) return refused(fault);
    if (authToWrite && strangers !== 'silent' && connection.pubkeys.size === 0)
      return refused(`${strangers}: authenticate to write`);
    if (
      authToWrite &&
      strangers !== 'silent' &&
      event.kind === PRIVATE_KIND &&
      !connection.pubkeys.has(event.pubkey)
    ) {
      return refused('restricted: only its author may write this kind');
    }
    const reason = refuseEvent(event, { limits, verifier, now: now() });
    if (reason !== undefined) return refused(reason);
    if (!mayWriteNow(event.pubkey)) return refused('rate-limited: slow down');
    if (faults.forget === true) return { accepted: true, message: '', live: false };
    if (isEphemeral(event.kind)) return { accepted: true, message: '', live: true };
    const outcome = storage.put(event, faults.tie ?? flavour.tie, now());
    switch (outcome) {
      case 'stored':
        return { accepted: true, message: '', live: true };
      case 'duplicate':
        return { accepted: true, message: 'duplicate: already have this event', live: false };
      case 'stale':
        return { ...flavour.stale, live: flavour.broadcastsStale };
      case 'deleted':
        return refused('deleted: its author asked for its deletion');
    }
  }

  function handleEvent(connection: Connection, value: unknown): void {
    const event = parseEvent(value);
    if (typeof event === 'string') return rejectMalformed(connection, value, event);
    const { accepted, message, live } = judge(connection, event);
    send(connection, 'OK', event.id, accepted, message);
    if (live) broadcast(event);
  }

  function handleAuth(connection: Connection, value: unknown): void {
    const event = parseEvent(value);
    if (typeof event === 'string') return rejectMalformed(connection, value, event);
    const context = { verifier, now: now(), url: connection.view.url, challenge: connection.challenge };
    const reason = refuseAuth(event, context);
    if (reason === undefined) connection.pubkeys.add(event.pubkey);
    send(connection, 'OK', event.id, reason === undefined, reason ?? '');
  }

  function rejectMalformed(connection: Connection, value: unknown, reason: string): void {
    const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
    if (typeof id === 'string') send(connection, 'OK', id, false, `invalid: ${reason}`);
    else send(connection, 'NOTICE', `invalid: ${reason}`);
  }

  function refuseReq(connection: Connection, filters: readonly RelayFilter[]): string | undefined {
    if (!authToRead) return undefined;
    if (connection.pubkeys.size === 0)
      return strangers === 'silent' ? undefined : `${flavour.closedPrefix}${strangers}: authenticate to read`;
    const isOwn = (pubkey: string): boolean => connection.pubkeys.has(pubkey);
    const asksForOthers = filters.some(
      ({ kinds, authors }) => kinds?.has(PRIVATE_KIND) === true && !(authors && [...authors].every(isOwn)),
    );
    return asksForOthers ? 'restricted: this kind is served to its author only' : undefined;
  }

  function handleReq(connection: Connection, id: unknown, values: readonly unknown[]): void {
    if (typeof id !== 'string' || id === '' || id.length > MAX_SUBSCRIPTION_ID_LENGTH) {
      return send(connection, 'NOTICE', 'invalid: bad subscription id');
    }
    const isSurplus =
      !connection.subscriptions.has(id) && connection.subscriptions.size >= limits.maxSubscriptions;
    // Whatever becomes of the new REQ, it takes the place of the old one (NIP-01).
    connection.subscriptions.delete(id);
    if (values.length === 0) return send(connection, 'CLOSED', id, 'invalid: no filter');
    if (values.length > limits.maxFilters) return send(connection, 'CLOSED', id, 'error: too many filters');
    const filters: RelayFilter[] = [];
    for (const value of values) {
      const filter = parseFilter(value);
      if (typeof filter === 'string') return send(connection, 'CLOSED', id, `invalid: ${filter}`);
      filters.push(filter);
    }
    const reason = refuseReq(connection, filters);
    if (reason !== undefined) return send(connection, 'CLOSED', id, reason);
    if (isSurplus && flavour.surplusReq === 'closed') {
      return send(connection, 'CLOSED', id, 'error: too many subscriptions');
    }
    if (isSurplus) send(connection, 'NOTICE', 'ERROR: too many concurrent REQs');
    if (isSurplus && flavour.surplusReq === 'notice') return;
    if (!isSurplus) connection.subscriptions.set(id, filters);

    const served = faults.serve ?? storage.list(now()).filter((event) => mayRead(connection, event));
    for (const event of selectEvents(served, filters, limits.maxLimit)) send(connection, 'EVENT', id, event);
    send(connection, 'EOSE', id);
  }

  function handle(connection: Connection, frame: readonly unknown[]): void {
    const [type, first, ...rest] = frame;
    if (type === 'EVENT') handleEvent(connection, first);
    else if (type === 'REQ') handleReq(connection, first, rest);
    else if (type === 'CLOSE' && typeof first === 'string') connection.subscriptions.delete(first);
    else if (type === 'AUTH') handleAuth(connection, first);
    else send(connection, 'NOTICE', 'error: unknown command');
  }

  function receive(connection: Connection, text: string): void {
    if (connection.state !== 'open' || faults.silent === true) return;
    if (connection.backlog !== undefined) return void connection.backlog.push(text);
    const waitMs = text.startsWith('["REQ"') ? connection.reqWaitMs() : 0;
    if (waitMs === 0) return read(connection, text);
    connection.backlog = [];
    clock.after(waitMs, () => {
      const texts = connection.backlog ?? [];
      connection.backlog = undefined;
      if (connection.state !== 'open') return;
      read(connection, text);
      for (const one of texts) receive(connection, one);
    });
  }

  function read(connection: Connection, text: string): void {
    if (isLongerThan(text, limits.maxFrameBytes)) return disconnect(connection, 'frame too large');
    const frame = parseJson(text);
    log('in', connection, frame ?? text);
    if (!Array.isArray(frame)) return send(connection, 'NOTICE', 'error: expected a JSON array');
    switch (faults.receive?.(frame, connection.view)) {
      case undefined:
        return handle(connection, frame);
      case 'ignore':
        return;
      case 'disconnect':
        return disconnect(connection, 'fault');
      case 'disconnect-unanswered':
        connection.state = 'deaf';
        handle(connection, frame);
        return disconnect(connection, 'fault');
      case 'disconnect-answered':
        handle(connection, frame);
        return afterDelay(connection, () => disconnect(connection, 'fault'));
    }
  }

  function flood(): void {
    const { flood: wanted } = faults;
    stopFlood();
    if (wanted === undefined) return;
    stopFlood = clock.after(wanted.everyMs, () => {
      for (const connection of [...connections]) {
        for (const frame of wanted.frames(connection.view)) transmit(connection, frame);
      }
      flood();
    });
  }

  function accept(url: string, peer: RelayPeer): RelayLink | undefined {
    if (faults.refuseConnections === true) return undefined;
    const subscriptions = new Map<string, readonly RelayFilter[]>();
    const pubkeys = new Set<string>();
    const view: RelayConnection = {
      id: ++connectionCount,
      url,
      subscriptions: () => [...subscriptions.keys()],
      pubkeys: () => [...pubkeys],
    };
    const connection: Connection = {
      view,
      peer,
      subscriptions,
      pubkeys,
      held: [],
      reqWaitMs: createQuota(limits.reqsPerMinute, clock),
      backlog: undefined,
      challenge: undefined,
      state: 'open',
    };
    connections.add(connection);
    if (auth !== 'none') challenge(connection);
    return {
      receive: (text) => receive(connection, text),
      ping: () => connection.state === 'open' && faults.silent !== true,
      close: () => {
        connection.state = 'closed';
        connections.delete(connection);
      },
    };
  }

  return {
    clock,
    latencyMs,
    openSocket: createMemoryTransport({ accept, clock, latencyMs }),
    connections: () => connections.size,
    subscriptions: () => [...connections].reduce((sum, connection) => sum + connection.subscriptions.size, 0),
    frames,
    faults: () => faults,
    misbehave(more) {
      faults = { ...faults, ...more };
      flood();
    },
    behave() {
      faults = {};
      flood();
    },
    events: () => storage.list(now()),
    wipe: () => storage.restore([]),
    restore: (events) => storage.restore(events),
    inject(event) {
      storage.put(event, faults.tie ?? flavour.tie, now());
      broadcast(event);
    },
    sendAll(frame) {
      for (const connection of [...connections]) transmit(connection, frame);
    },
    challengeAll() {
      for (const connection of [...connections]) challenge(connection);
    },
    disconnectAll(reason = 'relay disconnects everybody') {
      for (const connection of [...connections]) disconnect(connection, reason);
    },
    information: () => ({
      name: options.name ?? 'nostr-sync test relay',
      description: 'An embedded relay for tests.',
      software: 'nostr-sync/testing',
      supported_nips: [1, 9, 11, 40, 42, 78],
      limitation: {
        max_message_length: limits.maxFrameBytes,
        max_subscriptions: limits.maxSubscriptions,
        max_limit: limits.maxLimit,
        max_subid_length: MAX_SUBSCRIPTION_ID_LENGTH,
        auth_required: authToRead && authToWrite,
        payment_required: false,
        restricted_writes: authToWrite,
        created_at_lower_limit: limits.createdAtLowerLimit,
        created_at_upper_limit: limits.createdAtUpperLimit,
      },
    }),
    accept,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
