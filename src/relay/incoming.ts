/** What a relay's frames mean: each goes to the part that waits for it. */

import { MAX_FRAME_BYTES, STRAIN_CHARS } from '../protocol/limits.ts';
import { parseRelayMessage, type RelayMessage } from '../protocol/message.ts';
import type { AuthExchange } from './auth.ts';
import type { Health } from './health.ts';
import type { Publishing } from './publishing.ts';
import type { Reconciler } from './reconciling.ts';
import type { Requests } from './requests.ts';

interface IncomingPorts {
  readonly health: Health;
  readonly auth: AuthExchange;
  readonly requests: Requests;
  readonly publishing: Publishing;
  /** Without it nothing is reconciled. */
  readonly reconciler: Reconciler | undefined;
  readonly onBurden: (work: number) => void;
  readonly fail: (reason: string) => void;
}

/** Returns what takes a frame. Nothing that a relay sends can throw out of it. */
export function createIncoming({
  health,
  auth,
  requests,
  publishing,
  reconciler,
  onBurden,
  fail,
}: IncomingPorts): (text: string) => void {
  /** Returns whether the relay was asked for the message. */
  function take(message: RelayMessage): boolean {
    switch (message.type) {
      case 'EVENT':
        return requests.event(message.subscription, message.event);
      case 'EOSE':
        return requests.complete(message.subscription);
      case 'CLOSED':
        return reconciler?.isOurs(message.subscription) === true
          ? reconciler.refused(message.subscription, message.reason)
          : requests.closed(message.subscription, message.reason);
      case 'NEG-MSG':
      case 'NEG-ERR':
        return reconciled(message);
      case 'OK':
        return answered(message.id, message.accepted, message.reason);
      case 'AUTH':
        auth.challenged(message.challenge);
        return false;
      case 'NOTICE':
        reconciler?.noticed(message.reason);
        if (auth.isWanted(message.reason) && auth.state() !== 'accepted') noticed(message.reason);
        return false;
    }
  }

  function reconciled(message: Extract<RelayMessage, { type: 'NEG-MSG' | 'NEG-ERR' }>): boolean {
    const id = message.subscription;
    if (reconciler?.isOurs(id) !== true) {
      health.violation('subscription');
      return false;
    }
    return message.type === 'NEG-MSG'
      ? reconciler.message(id, message.message)
      : reconciler.refused(id, message.reason);
  }

  function answered(id: string, accepted: boolean, reason: string): boolean {
    if (!auth.answered(id, accepted, reason)) return publishing.answered(id, accepted, reason);
    if (!accepted) health.complained(reason);
    return true;
  }

  /** The relay wants AUTH and does not say for what: all that is under way goes out again. */
  function noticed(reason: string): void {
    health.complained(reason);
    requests.awaitAuth();
    publishing.awaitAuth();
    auth.require();
  }

  return (text) => {
    if (text.length > MAX_FRAME_BYTES) {
      health.violation('frame');
      return fail('frame too large');
    }
    const message = parseRelayMessage(text);
    if (message === undefined) health.violation('frame');
    if (message === undefined || !take(message)) onBurden(1 + text.length / STRAIN_CHARS);
  };
}
