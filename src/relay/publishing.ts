/** Events on their way to one relay, each until its OK. */

import type { Clock } from '../clock.ts';
import type { Ms } from '../protocol/address.ts';
import { classifyAnswer, type Answer } from '../protocol/answer.ts';
import type { SignedEvent } from '../protocol/event.ts';
import { LARGE_EVENT_BYTES, MAX_HANG_UPS, OK_TIMEOUT_MS } from '../protocol/limits.ts';
import type { AuthExchange } from './auth.ts';
import type { LimitsLearner } from './event-limits.ts';
import type { Health } from './health.ts';

export interface Publishing {
  /** Always settles; no answer is `retry`. */
  publish(event: SignedEvent): Promise<Answer>;
  /** An OK came. Returns whether it was waited for. */
  answered(id: string, accepted: boolean, reason: string): boolean;
  /** A NOTICE that AUTH is wanted, without a word about what: all of them may be meant. */
  awaitAuth(): void;
  authAccepted(): void;
  authRefused(): void;
  /** The relay hung up: some do so if an event is too large, and give no other answer. */
  hungUp(): void;
  /** The socket is gone. */
  dropped(reason: string): void;
}

interface PendingAnswer {
  readonly event: SignedEvent;
  /** Of its JSON. */
  readonly bytes: number;
  readonly settle: (answer: Answer) => void;
  /** In ms. */
  readonly sentAt: Ms;
  waitsForAuth: boolean;
  /** Sent before AUTH was accepted, and not answered by then: a refusal for lack of AUTH may be about that. */
  isOfStranger: boolean;
}

const encoder = new TextEncoder();

export function createPublishing(ports: {
  readonly clock: Clock;
  readonly limits: LimitsLearner;
  readonly health: Health;
  readonly auth: AuthExchange;
  readonly isOpen: () => boolean;
  /** Returns whether it could be sent. */
  readonly write: (frame: string) => boolean;
}): Publishing {
  const { clock, limits, health, auth } = ports;
  const pending = new Map<string, PendingAnswer>();
  const waiting = (): PendingAnswer[] => [...pending.values()].filter((one) => one.waitsForAuth);

  function publish(event: SignedEvent): Promise<Answer> {
    return new Promise((resolve) => {
      if (pending.has(event.id)) return resolve({ type: 'retry', reason: 'already on its way' });
      const text = JSON.stringify(event);
      const bytes = encoder.encode(text).length;
      if (limits.refuses(bytes))
        return resolve({ type: 'too-large', reason: 'the relay takes no events of this size' });
      if (!ports.write(`["EVENT",${text}]`))
        return resolve({ type: 'retry', reason: ports.isOpen() ? 'congested' : 'not connected' });
      const cancel = clock.after(OK_TIMEOUT_MS, () => settle({ type: 'retry', reason: 'no answer in time' }));
      const settle = (answer: Answer): void => {
        cancel();
        pending.delete(event.id);
        resolve(answer);
      };
      pending.set(event.id, {
        event,
        bytes,
        settle,
        sentAt: clock.now(),
        waitsForAuth: false,
        isOfStranger: false,
      });
    });
  }

  function again(one: PendingAnswer): void {
    one.waitsForAuth = false;
    one.isOfStranger = false;
    ports.write(JSON.stringify(['EVENT', one.event]));
  }

  function answered(id: string, accepted: boolean, reason: string): boolean {
    const one = pending.get(id);
    if (one === undefined) {
      health.violation('answer');
      return false;
    }
    const answer = classifyAnswer(accepted, reason, one.bytes >= LARGE_EVENT_BYTES);
    if (answer.type === 'too-large') limits.tooLarge(one.bytes);
    if (accepted) limits.taken(one.bytes);
    health.seen(one.sentAt);
    if (!accepted) health.complained(reason);
    if (accepted || !auth.isWanted(reason)) one.settle(answer);
    else if (one.isOfStranger) again(one);
    // Refused again although AUTH was accepted: the relay does not take it from this user.
    else if (auth.state() === 'accepted') one.settle({ type: 'retry', reason });
    else {
      one.waitsForAuth = true;
      auth.require();
    }
    return true;
  }

  return {
    publish,
    answered,
    awaitAuth: () => {
      for (const one of pending.values()) one.waitsForAuth = true;
    },
    authAccepted: () => {
      for (const one of pending.values()) {
        if (one.waitsForAuth) again(one);
        else one.isOfStranger = true;
      }
    },
    authRefused: () => {
      for (const one of waiting()) one.settle({ type: 'auth-required', reason: 'AUTH not possible' });
    },
    hungUp: () => {
      const largest = [...pending.values()].sort((a, b) => b.bytes - a.bytes)[0];
      if (largest !== undefined && limits.hungUp(largest.bytes))
        largest.settle({ type: 'too-large', reason: `hung up ${MAX_HANG_UPS} times on events of this size` });
    },
    dropped: (reason) => {
      for (const one of [...pending.values()]) one.settle({ type: 'retry', reason });
    },
  };
}
