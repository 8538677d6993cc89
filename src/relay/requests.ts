/** What is asked of one relay: REQs that end with their EOSE, and REQs that stay over all reconnects. */

import type { EventFault } from '../protocol/event.ts';
import type { Filter } from '../protocol/message.ts';
import { createSubscription, type Subscription, type SubscriptionPorts } from './subscription.ts';

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
  /** What comes from now on does not come here, until the request goes out again: the relay or this side has ended it. */
  onGone?(): void;
}

export interface Ask {
  /**
   * Decided at each sending: without any, none goes out. `isAgain`: the relay has ended or misused the one before, on the same connection.
   */
  readonly filters: readonly Filter[] | ((isAgain: boolean) => readonly Filter[]);
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

export function createRequests(
  ports: Omit<SubscriptionPorts, 'number' | 'forget' | 'onOver'> & { readonly isConnecting: () => boolean },
): Requests {
  const subscriptions = new Set<Subscription>();
  /** Those that are on the wire. */
  const byId = new Map<string, Subscription>();
  let nextId = 0;

  function add(ask: Ask): () => void {
    const subscription = createSubscription(ask, {
      ...ports,
      number: () => {
        const id = String(nextId++);
        byId.set(id, subscription);
        return id;
      },
      forget: (id) => byId.delete(id),
      onOver: () => subscriptions.delete(subscription),
    });
    subscriptions.add(subscription);
    if (ports.isOpen()) subscription.send();
    else if (ask.onEnd !== undefined && !ports.isConnecting()) subscription.end('unreached');
    return () => subscription.end(undefined);
  }

  function subscriptionOf(id: string): Subscription | undefined {
    const subscription = byId.get(id);
    // A frame for a subscription that we have just closed is no fault of the relay.
    const wasOurs = /^\d{1,15}$/.test(id) && Number(id) < nextId;
    if (subscription === undefined && !wasOurs) ports.health.violation('subscription');
    return subscription;
  }

  /** Over those that are there now: some end on the way. */
  const each = (act: (subscription: Subscription) => void): void => [...subscriptions].forEach(act);

  return {
    add,
    opened: () => {
      for (const subscription of subscriptions) subscription.send();
    },
    event: (id, event) => subscriptionOf(id)?.event(event) ?? false,
    complete: (id) => subscriptionOf(id)?.complete() ?? false,
    closed: (id, reason) => subscriptionOf(id)?.closed(reason) ?? false,
    awaitAuth: () => each((one) => one.awaitAuth()),
    authAccepted: () => each((one) => one.authAccepted()),
    authRefused: () => each((one) => one.authRefused()),
    dropped: () => each((one) => one.dropped()),
    close: () => each((one) => one.end('incomplete')),
  };
}
