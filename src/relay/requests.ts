/** What is asked of one relay: REQs that end with their EOSE, and REQs that stay over all reconnects. */

import type { Clock } from '../clock.ts';
import type { EventFault } from '../protocol/event.ts';
import {
  EOSE_TIMEOUT_MS,
  LIVE_EOSE_TIMEOUT_MS,
  maxUselessEvents,
  STABLE_CONNECTION_MS,
  STRAIN,
} from '../protocol/limits.ts';
import type { ClientMessage, Filter } from '../protocol/message.ts';
import type { AuthExchange } from './auth.ts';
import { backoffMs, type RandomBytes } from './backoff.ts';
import type { Health } from './health.ts';

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

export interface Ask {
  readonly filters: readonly Filter[];
  /** How many events an honest relay has for it. */
  readonly size: number;
  readonly handlers: RequestHandlers;
  /** A one-shot ends, once; one that stays has none. */
  readonly onEnd?: (end: RequestEnd) => void;
  /** At every EOSE of one that stays. */
  readonly onComplete?: () => void;
}

export interface Requests {
  /** Returns the function that ends it. A one-shot waits for a connection that is being made, not for a later one. */
  add(ask: Ask): () => void;
  opened(): void;
  /** These return whether the relay was asked for that. */
  event(id: string, event: unknown): boolean;
  complete(id: string): boolean;
  closed(id: string, reason: string): boolean;
  /** A NOTICE that AUTH is wanted, without a word about what: all of them may be meant. */
  awaitAuth(): void;
  authAccepted(): void;
  authRefused(): void;
  /** The socket is gone. */
  dropped(): void;
  close(): void;
}

interface Subscription extends Ask {
  id: string | undefined;
  /** In ms; 0: not yet. */
  sentAt: number;
  /** EOSE has come. */
  isComplete: boolean;
  /** Events that came for the request. */
  events: number;
  /** How many came since the last one that was of use. */
  useless: number;
  attempts: number;
  waitsForAuth: boolean;
  cancelTimer: () => void;
}

const nothing = (): void => undefined;

export function createRequests(ports: {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly health: Health;
  readonly auth: AuthExchange;
  readonly isOpen: () => boolean;
  readonly isConnecting: () => boolean;
  /** Returns whether it could be sent. */
  readonly write: (message: ClientMessage) => boolean;
  /** The relay made work that was not asked for. */
  readonly onBurden: (work: number) => void;
}): Requests {
  const { clock, health, auth } = ports;
  const subscriptions = new Set<Subscription>();
  const byId = new Map<string, Subscription>();
  let nextId = 0;
  const waiting = (): Subscription[] => [...subscriptions].filter((one) => one.waitsForAuth);

  function add(ask: Ask): () => void {
    const subscription: Subscription = {
      ...ask,
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
    if (ports.isOpen()) send(subscription);
    else if (ask.onEnd !== undefined && !ports.isConnecting()) end(subscription, 'unreached');
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
    const written = ports.write(['REQ', subscription.id, ...subscription.filters]);
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
    ports.write(['CLOSE', subscription.id]);
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
    health.complained(reason);
    if (subscription.onEnd !== undefined) return end(subscription, 'incomplete');
    unsend(subscription);
    subscription.cancelTimer();
    // The pauses do not start again at EOSE: a relay may misuse the REQ after its EOSE as well.
    if (clock.now() - subscription.sentAt > STABLE_CONNECTION_MS) subscription.attempts = 0;
    subscription.cancelTimer = clock.after(
      1_000 + backoffMs(subscription.attempts++, ports.randomBytes),
      () => {
        if (ports.isOpen() && subscriptions.has(subscription)) send(subscription);
      },
    );
  }

  function subscriptionOf(id: string): Subscription | undefined {
    const subscription = byId.get(id);
    // A frame for a subscription that we have just closed is no fault of the relay.
    const wasOurs = /^\d{1,15}$/.test(id) && Number(id) < nextId;
    if (subscription === undefined && !wasOurs) health.violation('subscription');
    return subscription;
  }

  function waitForAuth(subscription: Subscription): void {
    subscription.waitsForAuth = true;
    auth.require();
  }

  function event(id: string, event: unknown): boolean {
    const subscription = subscriptionOf(id);
    if (subscription === undefined) return false;
    const verdict = subscription.handlers.onEvent(event);
    const isAsked = ++subscription.events <= subscription.size;
    if (verdict === 'useful') {
      health.seen();
      subscription.useless = 0;
      if (!isAsked) ports.onBurden(STRAIN.verified);
      return true;
    }
    if (verdict !== 'useless') health.violation(verdict);
    if (verdict === 'signature') ports.onBurden(STRAIN.forged);
    if (++subscription.useless > maxUselessEvents(subscription.size) && subscription.id !== undefined) {
      health.violation('flood');
      resend(subscription, 'too many events for one subscription');
    }
    return isAsked;
  }

  function complete(id: string): boolean {
    const subscription = subscriptionOf(id);
    if (subscription === undefined || subscription.isComplete) return false;
    health.seen(subscription.sentAt);
    subscription.isComplete = true;
    if (auth.isOpen()) {
      // A relay may show nothing to a stranger. Its EOSE counts after AUTH was accepted and the question was asked again.
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

  function closed(id: string, reason: string): boolean {
    const subscription = subscriptionOf(id);
    if (subscription === undefined) return false;
    byId.delete(id);
    subscription.id = undefined;
    // Closed for lack of AUTH although AUTH was accepted: asking again at once would be a loop.
    if (!auth.isWanted(reason) || auth.state() === 'accepted') resend(subscription, reason);
    else {
      health.complained(reason);
      waitForAuth(subscription);
    }
    return true;
  }

  return {
    add,
    opened: () => {
      for (const subscription of subscriptions) send(subscription);
    },
    event,
    complete,
    closed,
    awaitAuth: () => {
      for (const subscription of byId.values()) subscription.waitsForAuth = true;
    },
    authAccepted: () => {
      for (const subscription of waiting()) send(subscription);
    },
    authRefused: () => {
      // One that is still open may yet bring something.
      for (const subscription of waiting())
        if (subscription.id === undefined) resend(subscription, 'AUTH not possible');
    },
    dropped: () => {
      byId.clear();
      for (const subscription of [...subscriptions]) {
        subscription.cancelTimer();
        subscription.id = undefined;
        subscription.waitsForAuth = false;
        if (subscription.onEnd !== undefined)
          end(subscription, subscription.sentAt === 0 ? 'unreached' : 'incomplete');
      }
    },
    close: () => {
      for (const subscription of [...subscriptions]) end(subscription, 'incomplete');
    },
  };
}
