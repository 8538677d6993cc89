/**
 * One relay: a socket that is kept open, requests and events over it, AUTH, and the relay's health record.
 *
 *     waiting ──timer, wake──▶ connecting ──open──▶ open
 *        ▲                        │ closed            │ closed, silent, timed out
 *        └───────── backoff ──────┴───────────────────┘          any ──close──▶ closed
 *
 * Nothing that a relay sends can throw out of here, and nothing it sends changes anything but its own record,
 * unless a handler that verified it says so.
 */

import { toIso, type Clock } from '../clock.ts';
import { classifyAnswer, prefixOf, type Answer } from '../protocol/answer.ts';
import type { EventFault, NostrEvent } from '../protocol/event.ts';
import {
  CONNECT_TIMEOUT_MS,
  EOSE_TIMEOUT_MS,
  LARGE_EVENT_BYTES,
  LIVE_EOSE_TIMEOUT_MS,
  LONG_BACKOFF,
  MAX_FRAME_BYTES,
  MAX_HANG_UPS,
  MAX_QUEUED_BYTES,
  MAX_STRAIN_PER_MINUTE,
  maxUselessEvents,
  OFFLINE_RETRY_MS,
  OK_TIMEOUT_MS,
  PING_INTERVAL_MS,
  PONG_TIMEOUT_MS,
  STABLE_CONNECTION_MS,
  STRAIN,
  SUSPECT_TIMEOUT_MS,
} from '../protocol/limits.ts';
import {
  forPeople,
  parseRelayMessage,
  type ClientMessage,
  type Filter,
  type RelayMessage,
} from '../protocol/message.ts';
import { createAuthExchange, type AuthState, type SignAuth } from './auth.ts';
import { backoffMs, type RandomBytes } from './backoff.ts';
import { createLimitsLearner, type EventLimits, type KnownLimits } from './event-limits.ts';
import type { OpenSocket, Socket } from './socket.ts';

/** What a relay did wrong: an event that failed a check, or a frame that nobody asked for. */
export type Violation = EventFault | 'frame' | 'subscription' | 'flood' | 'answer';

/** The seed's `RelayInfo`, grown by health. */
export interface RelayInfo extends EventLimits {
  /** Canonical URL. */
  readonly url: string;
  readonly connected: boolean;
  /** When this relay last sent something valid, ISO 8601; `null` before that. */
  readonly lastSeen: string | null;
  /** `'waiting'`: not connected, the next attempt is scheduled. */
  readonly state: 'waiting' | 'connecting' | 'open' | 'closed';
  /** Round trip of the last answered request in ms. */
  readonly latencyMs: number | null;
  /** Whether the relay asked for AUTH (NIP-42), and whether it accepted ours on this connection. */
  readonly auth: AuthState;
  /** What the relay or the network last said against us. For people. */
  readonly lastError: string | null;
  /** Frames of this relay that failed a check, by kind of fault. */
  readonly violations: Readonly<Partial<Record<Violation, number>>>;
}

/**
 * How a one-shot request ended. Only `'complete'` says anything about what the relay holds; `'unreached'`: there was no
 * connection to send it on.
 */
export type RequestEnd = 'complete' | 'incomplete' | 'unreached';

export interface RequestHandlers {
  /** An event, unchecked. Returns the fault it has, or whether it was of use: useless ones are bounded. */
  onEvent(event: unknown): EventFault | 'useful' | 'useless';
  /** The request goes out (again). */
  onSent?(): void;
}

export interface RelayConnection {
  readonly url: string;
  info(): RelayInfo;
  /** One REQ until EOSE. Waits for a connection that is being made, not for a later one. Always calls `onEnd`, once. */
  request(
    filters: readonly Filter[],
    size: number,
    handlers: RequestHandlers,
    onEnd: (end: RequestEnd) => void,
  ): () => void;
  /** A REQ that stays, over all reconnects. `onComplete` at every EOSE. Returns the function that ends it. */
  subscribe(
    filters: readonly Filter[],
    size: number,
    handlers: RequestHandlers,
    onComplete: () => void,
  ): () => void;
  /** Sends an event on the open connection. Always settles; no answer is `retry`. */
  publish(event: NostrEvent): Promise<Answer>;
  /** Connects at once if waiting; if open, the relay must prove within 5 s that it is there. */
  wake(): void;
  /** The network is gone: drops the socket. */
  lose(): void;
  /** A signer was set: asks again for what waited for AUTH. */
  retryAuth(): void;
  /** Drops the socket, until `wake`: what connects then is a stranger to the relay. */
  pause(): void;
  /** Idempotent. Every request ends, not `'complete'`. */
  close(): void;
}

export interface ConnectionPorts {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly openSocket: OpenSocket;
  readonly isOnline: () => boolean;
  readonly signAuth: SignAuth;
  /** What the relay is known to take; learned here. */
  readonly limits: KnownLimits;
  /** `connected`, `auth` or the kind of trouble changed. */
  readonly onChange: (relay: RelayConnection) => void;
}

interface Subscription {
  readonly filters: readonly Filter[];
  readonly handlers: RequestHandlers;
  /** How many events an honest relay has for it. */
  readonly size: number;
  /** A one-shot ends; one that stays is told of every EOSE. */
  readonly onEnd: ((end: RequestEnd) => void) | undefined;
  readonly onComplete: (() => void) | undefined;
  id: string | undefined;
  /** 0: not yet. */
  sentAt: number;
  /** EOSE has come. */
  isComplete: boolean;
  /** Events that came for it. */
  events: number;
  /** Of these since the last that was of use. */
  useless: number;
  attempts: number;
  waitsForAuth: boolean;
  cancelTimer: () => void;
}

interface PendingAnswer {
  readonly event: NostrEvent;
  readonly bytes: number;
  readonly settle: (answer: Answer) => void;
  readonly sentAt: number;
  waitsForAuth: boolean;
}

const nothing = (): void => undefined;
const encoder = new TextEncoder();

function waiting<T extends { readonly waitsForAuth: boolean }>(all: Iterable<T>): T[] {
  return [...all].filter((one) => one.waitsForAuth);
}

/** `url` is canonical, `spelling` the user's. */
export function createConnection(
  url: string,
  ports: ConnectionPorts,
  spelling: string = url,
): RelayConnection {
  const { clock, randomBytes } = ports;
  let state: RelayInfo['state'] = 'waiting';
  let socket: Socket | undefined;
  /** Handlers of an older socket compare this with the value they were made with. */
  let generation = 0;
  let failures = 0;
  let cancelTimer = nothing;
  let cancelStable = nothing;
  let cancelPing = nothing;

  let lastHeard = 0;
  let lastSeen: number | undefined;
  let latencyMs: number | null = null;
  let lastError: string | null = null;
  const violations: Partial<Record<Violation, number>> = {};
  /** Of this minute: what the relay has made us do beyond what it was asked for. */
  let strain = { since: 0, sum: 0 };

  const subscriptions = new Set<Subscription>();
  const byId = new Map<string, Subscription>();
  let nextId = 0;
  const answers = new Map<string, PendingAnswer>();
  const limits = createLimitsLearner(url, ports.limits);

  const auth = createAuthExchange({
    clock,
    url: spelling,
    signAuth: ports.signAuth,
    send: (event) => write(['AUTH', event]),
    onAccepted: () => {
      for (const subscription of waiting(subscriptions)) send(subscription);
      for (const answer of waiting(answers.values())) {
        answer.waitsForAuth = false;
        write(['EVENT', answer.event]);
      }
      ports.onChange(connection);
    },
    onRefused: () => {
      for (const answer of waiting(answers.values()))
        answer.settle({ type: 'auth-required', reason: 'AUTH not possible' });
      // One that is still open may yet bring something.
      for (const subscription of waiting(subscriptions))
        if (subscription.id === undefined) resend(subscription, 'AUTH not possible');
    },
  });

  const connection: RelayConnection = {
    url,
    info: () => ({
      url,
      connected: state === 'open',
      lastSeen: lastSeen === undefined ? null : toIso(lastSeen),
      state,
      latencyMs,
      auth: auth.state(),
      lastError,
      ...ports.limits.get(url),
      violations: { ...violations },
    }),
    request: (filters, size, handlers, onEnd) => add(filters, size, handlers, onEnd, undefined),
    subscribe: (filters, size, handlers, onComplete) => add(filters, size, handlers, undefined, onComplete),
    publish,
    wake: () => {
      if (state === 'waiting') connect();
      else if (state === 'open' && lastHeard !== -Infinity) prove(SUSPECT_TIMEOUT_MS);
    },
    lose: () => {
      if (socket !== undefined) fail('offline');
    },
    retryAuth: auth.retry,
    pause: () => {
      if (state === 'closed') return;
      disconnect('paused');
      failures = 0;
      state = 'waiting';
      ports.onChange(connection);
    },
    close: () => {
      if (state === 'closed') return;
      disconnect('closed');
      cancelTimer();
      state = 'closed';
      for (const subscription of [...subscriptions]) end(subscription, 'incomplete');
      ports.onChange(connection);
    },
  };

  // Connecting

  function connect(): void {
    cancelTimer();
    state = 'connecting';
    const mine = ++generation;
    const current = (): boolean => mine === generation;
    cancelTimer = clock.after(CONNECT_TIMEOUT_MS, () => fail('connect timed out'));
    socket = ports.openSocket(url, {
      onOpen: () => current() && opened(),
      onMessage: (text) => current() && receive(text),
      onPong: () => current() && heard(),
      onClose: (reason) => {
        if (!current()) return;
        hungUp();
        fail(reason);
      },
    });
    ports.onChange(connection);
  }

  function opened(): void {
    cancelTimer();
    state = 'open';
    heard();
    cancelStable = clock.after(STABLE_CONNECTION_MS, () => {
      failures = 0;
    });
    armPing();
    for (const subscription of subscriptions) send(subscription);
    ports.onChange(connection);
  }

  /** Everything that belonged to the socket goes with it. */
  function disconnect(reason: string): void {
    generation++;
    socket?.close();
    socket = undefined;
    for (const cancel of [cancelTimer, cancelStable, cancelPing]) cancel();
    auth.reset();
    byId.clear();
    for (const answer of [...answers.values()]) answer.settle({ type: 'retry', reason });
    for (const subscription of [...subscriptions]) {
      subscription.cancelTimer();
      subscription.id = undefined;
      subscription.waitsForAuth = false;
      if (subscription.onEnd !== undefined)
        end(subscription, subscription.sentAt === 0 ? 'unreached' : 'incomplete');
    }
  }

  function fail(reason: string): void {
    lastError = forPeople(reason);
    state = 'waiting';
    disconnect(reason);
    const delayMs = backoffMs(failures++, randomBytes);
    cancelTimer = clock.after(ports.isOnline() ? delayMs : OFFLINE_RETRY_MS, connect);
    ports.onChange(connection);
  }

  /** Some relays have no other answer to an event that is too large. */
  function hungUp(): void {
    const largest = [...answers.values()].sort((a, b) => b.bytes - a.bytes)[0];
    if (largest !== undefined && limits.hungUp(largest.bytes))
      largest.settle({ type: 'too-large', reason: `hung up ${MAX_HANG_UPS} times on events of this size` });
  }

  // Finding a dead peer

  function heard(): void {
    lastHeard = clock.now();
  }

  function armPing(): void {
    const dueAt = clock.now() + PING_INTERVAL_MS;
    cancelPing = clock.after(PING_INTERVAL_MS, () => {
      const now = clock.now();
      // A timer that comes much too late has slept; what the clock says about silence is then worth nothing.
      const slept = now > dueAt + PING_INTERVAL_MS;
      if (slept) prove(SUSPECT_TIMEOUT_MS);
      else if (now - lastHeard >= PING_INTERVAL_MS || now < lastHeard) prove(PONG_TIMEOUT_MS);
      else armPing();
    });
  }

  function prove(withinMs: number): void {
    cancelPing();
    const mine = generation;
    lastHeard = -Infinity;
    if (socket?.ping !== undefined) socket.ping();
    // Any answer will do, also a CLOSED: an id that no event has, asked for once.
    else connection.request([{ ids: ['0'.repeat(64)], limit: 1 }], 0, { onEvent: () => 'useless' }, nothing);
    cancelPing = clock.after(withinMs, () => {
      if (mine !== generation) return;
      if (lastHeard === -Infinity) fail('no sign of life');
      else armPing();
    });
  }

  // Sending

  function write(message: ClientMessage): boolean {
    return writeText(JSON.stringify(message));
  }

  function writeText(text: string): boolean {
    if (state !== 'open' || socket === undefined || socket.bufferedAmount() > MAX_QUEUED_BYTES) return false;
    socket.send(text);
    return true;
  }

  function publish(event: NostrEvent): Promise<Answer> {
    return new Promise((resolve) => {
      if (answers.has(event.id)) return resolve({ type: 'retry', reason: 'already on its way' });
      const text = JSON.stringify(event);
      const bytes = encoder.encode(text).length;
      if (limits.refuses(bytes))
        return resolve({ type: 'too-large', reason: 'the relay takes no events of this size' });
      if (!writeText(`["EVENT",${text}]`))
        return resolve({ type: 'retry', reason: state === 'open' ? 'congested' : 'not connected' });
      const cancel = clock.after(OK_TIMEOUT_MS, () => settle({ type: 'retry', reason: 'no answer in time' }));
      const settle = (answer: Answer): void => {
        cancel();
        answers.delete(event.id);
        resolve(answer);
      };
      answers.set(event.id, { event, bytes, settle, sentAt: clock.now(), waitsForAuth: false });
    });
  }

  // Requests

  function add(
    filters: readonly Filter[],
    size: number,
    handlers: RequestHandlers,
    onEnd: Subscription['onEnd'],
    onComplete: Subscription['onComplete'],
  ): () => void {
    const subscription: Subscription = {
      filters,
      handlers,
      onEnd,
      onComplete,
      size,
      id: undefined,
      sentAt: 0,
      isComplete: false,
      events: 0,
      useless: 0,
      attempts: 0,
      waitsForAuth: false,
      cancelTimer: nothing,
    };
    subscriptions.add(subscription);
    if (state === 'open') send(subscription);
    else if (onEnd !== undefined && state !== 'connecting') end(subscription, 'unreached');
    return () => end(subscription, undefined);
  }

  function send(subscription: Subscription): void {
    unsend(subscription);
    subscription.id = String(nextId++);
    subscription.events = 0;
    subscription.useless = 0;
    subscription.isComplete = false;
    subscription.waitsForAuth = false;
    subscription.sentAt = clock.now();
    byId.set(subscription.id, subscription);
    subscription.handlers.onSent?.();
    const written = write(['REQ', subscription.id, ...subscription.filters]);
    subscription.cancelTimer();
    if (!written) return resend(subscription, 'congested');
    const isLive = subscription.onEnd === undefined;
    subscription.cancelTimer = clock.after(isLive ? LIVE_EOSE_TIMEOUT_MS : EOSE_TIMEOUT_MS, () =>
      resend(subscription, 'no EOSE in time'),
    );
  }

  /** Ends the REQ on the wire, not the subscription. */
  function unsend(subscription: Subscription): void {
    if (subscription.id === undefined) return;
    byId.delete(subscription.id);
    write(['CLOSE', subscription.id]);
    subscription.id = undefined;
  }

  function end(subscription: Subscription, how: RequestEnd | undefined): void {
    if (!subscriptions.delete(subscription)) return;
    subscription.cancelTimer();
    unsend(subscription);
    if (how !== undefined) subscription.onEnd?.(how);
  }

  /** A REQ that the relay closed or misused: over for a one-shot, asked again later for one that stays. */
  function resend(subscription: Subscription, reason: string): void {
    lastError = reason;
    if (subscription.onEnd !== undefined) return end(subscription, 'incomplete');
    unsend(subscription);
    subscription.cancelTimer();
    // Not at its EOSE: a relay that misuses the REQ behind it waits longer each time as well.
    if (clock.now() - subscription.sentAt > STABLE_CONNECTION_MS) subscription.attempts = 0;
    subscription.cancelTimer = clock.after(1_000 + backoffMs(subscription.attempts++, randomBytes), () => {
      if (state === 'open' && subscriptions.has(subscription)) send(subscription);
    });
  }

  // Receiving

  function violation(kind: Violation): void {
    violations[kind] = (violations[kind] ?? 0) + 1;
  }

  /** Counts work that nobody asked for; too much of it in a minute is a verdict: the relay is left alone for long. */
  function burden(work: number): void {
    const now = clock.now();
    if (Math.abs(now - strain.since) > 60_000) strain = { since: now, sum: 0 };
    strain.sum += work;
    if (strain.sum <= MAX_STRAIN_PER_MINUTE || state !== 'open') return;
    strain.sum = 0;
    violation('flood');
    failures = Math.max(failures, LONG_BACKOFF);
    fail('too many violations');
  }

  function receive(text: string): void {
    heard();
    if (text.length > MAX_FRAME_BYTES) {
      violation('frame');
      return fail('frame too large');
    }
    const message = parseRelayMessage(text);
    if (message === undefined) violation('frame');
    if (message === undefined || !take(message)) burden(1 + text.length / STRAIN.chars);
  }

  /** Whether that was asked for. */
  function take(message: RelayMessage): boolean {
    switch (message.type) {
      case 'EVENT': {
        const subscription = subscriptionOf(message.subscription);
        return subscription !== undefined && receiveEvent(subscription, message.event);
      }
      case 'EOSE': {
        const subscription = subscriptionOf(message.subscription);
        if (subscription === undefined || subscription.isComplete) return false;
        seen(subscription.sentAt);
        subscription.isComplete = true;
        if (auth.isOpen()) {
          // A stranger may be shown nothing: it counts once AUTH was accepted, and it was asked again.
          if (subscription.onEnd === undefined) subscription.cancelTimer();
          else unsend(subscription);
          waitForAuth(subscription);
          return true;
        }
        subscription.cancelTimer();
        if (subscription.onEnd !== undefined) end(subscription, 'complete');
        else subscription.onComplete?.();
        return true;
      }
      case 'CLOSED': {
        const subscription = subscriptionOf(message.subscription);
        if (subscription === undefined) return false;
        byId.delete(message.subscription);
        subscription.id = undefined;
        // Closed for lack of AUTH although AUTH was accepted: asking again at once would be a loop.
        if (!wantsAuth(message.reason) || auth.state() === 'accepted') resend(subscription, message.reason);
        else {
          lastError = message.reason;
          waitForAuth(subscription);
        }
        return true;
      }
      case 'OK':
        return receiveOk(message.id, message.accepted, message.reason);
      case 'AUTH':
        auth.challenged(message.challenge);
        return false;
      case 'NOTICE':
        if (wantsAuth(message.reason)) noticed(message.reason);
        return false;
    }
  }

  function subscriptionOf(id: string): Subscription | undefined {
    const subscription = byId.get(id);
    // What still comes for a subscription that we have just closed is nobody's fault.
    const wasOurs = /^\d{1,15}$/.test(id) && Number(id) < nextId;
    if (subscription === undefined && !wasOurs) violation('subscription');
    return subscription;
  }

  function seen(sentAt: number): void {
    lastSeen = clock.now();
    latencyMs = Math.max(0, lastSeen - sentAt);
  }

  function receiveEvent(subscription: Subscription, event: unknown): boolean {
    const verdict = subscription.handlers.onEvent(event);
    const isAsked = ++subscription.events <= subscription.size;
    if (verdict === 'useful') {
      lastSeen = clock.now();
      subscription.useless = 0;
      if (!isAsked) burden(STRAIN.verified);
      return true;
    }
    if (verdict !== 'useless') violation(verdict);
    if (verdict === 'signature') burden(STRAIN.forged);
    if (++subscription.useless > maxUselessEvents(subscription.size) && subscription.id !== undefined) {
      violation('flood');
      resend(subscription, 'too many events for one subscription');
    }
    return isAsked;
  }

  function receiveOk(id: string, accepted: boolean, reason: string): boolean {
    if (auth.answered(id, accepted)) {
      if (!accepted) lastError = reason;
      return true;
    }
    const pending = answers.get(id);
    if (pending === undefined) {
      violation('answer');
      return false;
    }
    const { bytes } = pending;
    const answer = classifyAnswer(accepted, reason, bytes >= LARGE_EVENT_BYTES);
    if (answer.type === 'too-large') limits.tooLarge(bytes);
    if (accepted) limits.taken(bytes);
    seen(pending.sentAt);
    if (!accepted) lastError = reason;
    if (accepted || !wantsAuth(reason)) pending.settle(answer);
    // Refused again with AUTH accepted: the relay will not have it from us.
    else if (auth.state() === 'accepted') pending.settle({ type: 'retry', reason });
    else waitForAuth(pending);
    return true;
  }

  // AUTH

  function wantsAuth(reason: string): boolean {
    const prefix = prefixOf(reason);
    return prefix === 'auth-required' || (prefix === 'restricted' && auth.isOpen());
  }

  function waitForAuth(...those: { waitsForAuth: boolean }[]): void {
    for (const one of those) one.waitsForAuth = true;
    auth.require();
    ports.onChange(connection);
  }

  /** It does not say what it is about: all that is under way goes out again. */
  function noticed(reason: string): void {
    if (auth.state() === 'accepted') return;
    lastError = reason;
    waitForAuth(...byId.values(), ...answers.values());
  }

  return connection;
}
