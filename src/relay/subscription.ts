/** One REQ of one relay: when it goes out, what its answers mean, and when it is over or asked again. */

import type { Clock } from '../clock.ts';
import { EOSE_TIMEOUT_MS, LIVE_EOSE_TIMEOUT_MS, STABLE_CONNECTION_MS } from '../protocol/limits.ts';
import type { ClientMessage } from '../protocol/message.ts';
import type { AuthExchange } from './auth.ts';
import { backoffMs, type RandomBytes } from './backoff.ts';
import { createEventCount, type EventCount } from './event-count.ts';
import type { Health } from './health.ts';
import type { Ask, RequestEnd } from './requests.ts';

/** It outlives its REQ: one that stays is sent again, each time under another id. */
export interface Subscription {
  send(): void;
  /** Ends it, also on the wire. Idempotent. */
  end(how: RequestEnd | undefined): void;
  /** These return whether the relay was asked for that. */
  event(event: unknown): boolean;
  complete(): boolean;
  closed(reason: string): boolean;
  /** If it is on the wire: the relay may want AUTH for it. */
  awaitAuth(): void;
  authAccepted(): void;
  authRefused(): void;
  /** The socket is gone. */
  dropped(): void;
}

export interface SubscriptionPorts {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly health: Health;
  readonly auth: AuthExchange;
  readonly isOpen: () => boolean;
  /** Returns whether it could be sent. */
  readonly write: (message: ClientMessage) => boolean;
  /** The relay made work that was not asked for. */
  readonly onBurden: (work: number) => void;
  /** A new id, under which frames now come here. */
  readonly number: () => string;
  /** The id is used no more. */
  readonly forget: (id: string) => void;
  readonly onOver: () => void;
}

/** One closure: the id on the wire, the deadline and the waiting for AUTH change together, with every input. */
export function createSubscription(ask: Ask, ports: SubscriptionPorts): Subscription {
  const { clock, health, auth } = ports;
  const isLive = ask.onEnd === undefined;
  /** Of the REQ on the wire. */
  let id: string | undefined;
  /** In ms; 0: not yet. */
  let sentAt = 0;
  /** EOSE has come. */
  let isComplete = false;
  const newCount = (): EventCount => createEventCount(ask.size, health, ports.onBurden);
  let count = newCount();
  let attempts = 0;
  let waitsForAuth = false;
  /** Sent before AUTH was accepted, and not answered by then: the answer may be what the relay says to a stranger. */
  let isOfStranger = false;
  let isOver = false;
  let cancelTimer = (): void => undefined;

  function send(isAgain = false): void {
    unsend();
    const filters = typeof ask.filters === 'function' ? ask.filters(isAgain) : ask.filters;
    cancelTimer();
    if (filters.length === 0) return;
    id = ports.number();
    count = newCount();
    isComplete = false;
    waitsForAuth = false;
    isOfStranger = false;
    sentAt = clock.now();
    ask.handlers.onSent?.();
    const written = ports.write(['REQ', id, ...filters]);
    if (!written) return resend('congested');
    cancelTimer = clock.after(isLive ? LIVE_EOSE_TIMEOUT_MS : EOSE_TIMEOUT_MS, () =>
      resend('no EOSE in time'),
    );
  }

  /** Frames for the REQ mean nothing from now on. Returns the id that it had. */
  function release(): string | undefined {
    const was = id;
    if (was !== undefined) {
      ports.forget(was);
      ask.handlers.onGone?.();
    }
    id = undefined;
    return was;
  }

  /** Ends the REQ on the wire, not the subscription. */
  function unsend(): void {
    const was = release();
    if (was !== undefined) ports.write(['CLOSE', was]);
  }

  function end(how: RequestEnd | undefined): void {
    if (isOver) return;
    isOver = true;
    ports.onOver();
    cancelTimer();
    unsend();
    if (how !== undefined) ask.onEnd?.(how);
  }

  /** A REQ that the relay closed or misused: over for a one-shot, asked again later for one that stays. */
  function resend(reason: string): void {
    health.complained(reason);
    if (!isLive) return end('incomplete');
    unsend();
    cancelTimer();
    // The pauses do not start again at EOSE: a relay may misuse the REQ after its EOSE as well.
    if (clock.now() - sentAt > STABLE_CONNECTION_MS) attempts = 0;
    cancelTimer = clock.after(1_000 + backoffMs(attempts++, ports.randomBytes), () => {
      if (ports.isOpen() && !isOver) send(true);
    });
  }

  function waitForAuth(): void {
    waitsForAuth = true;
    auth.require();
  }

  return {
    send: () => send(),
    end,
    event: (event) => {
      const verdict = ask.handlers.onEvent(event);
      const isAsked = count.take(verdict);
      // The work that it made may have cost the relay its connection.
      if (count.isFlood() && id !== undefined) {
        health.violation('flood');
        resend('too many events for one subscription');
      }
      return isAsked;
    },
    complete: () => {
      if (isComplete) return false;
      health.seen(sentAt);
      if (isOfStranger) {
        send();
        return true;
      }
      isComplete = true;
      if (auth.isOpen()) {
        // A relay may show nothing to a stranger. Its EOSE counts after AUTH was accepted and the question was asked again.
        if (isLive) cancelTimer();
        else unsend();
        waitForAuth();
        return true;
      }
      cancelTimer();
      if (isLive) ask.onComplete?.();
      else end('complete');
      return true;
    },
    closed: (reason) => {
      release();
      if (isOfStranger && auth.isWanted(reason)) send();
      // Closed for lack of AUTH although AUTH was accepted: asking again at once would be a loop.
      else if (!auth.isWanted(reason) || auth.state() === 'accepted') resend(reason);
      else {
        health.complained(reason);
        waitForAuth();
      }
      return true;
    },
    awaitAuth: () => {
      if (id !== undefined) waitsForAuth = true;
    },
    authAccepted: () => {
      if (waitsForAuth) send();
      else isOfStranger = id !== undefined && !isComplete;
    },
    authRefused: () => {
      // One that is still open may yet bring something.
      if (waitsForAuth && id === undefined) resend('AUTH not possible');
    },
    dropped: () => {
      cancelTimer();
      release();
      waitsForAuth = false;
      if (!isLive) end(sentAt === 0 ? 'unreached' : 'incomplete');
    },
  };
}
