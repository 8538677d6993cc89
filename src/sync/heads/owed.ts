/**
 * What one relay is owed or asked next of one category: record x what is known of the relay → one step. Pure. The relay's
 * lane takes the step (`relays/next-steps.ts`); `count.ts` counts by it what is owed, here or by the tab that leads.
 */

import type { EventId, Ms, RelayUrl } from '../../protocol/address.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { HOLD_MS } from '../../protocol/limits.ts';
import { deliveryOf, isHeld, isOwnHead, type HeadRecord } from './record.ts';
import { isNewPiece, isWhole, type Piece } from './version.ts';

/** What is known of a relay beside the record. */
export interface RelayKnowledge {
  /** Canonical URL. */
  readonly relay: RelayUrl;
  /** Whether it was asked what it has of the category, or something of the category is on its way to it. */
  readonly isAsked: boolean;
  /** The head that it has said lately to have: `id` is `undefined` if it said that it has none. */
  readonly lately: { readonly id: EventId | undefined } | undefined;
}

export type Step =
  /** There is no head, or the relay has shown it. */
  | 'nothing'
  /** Pieces of the head are not here: only other devices can send it. */
  | 'not-whole'
  /** The head of another device, owed to a relay that was added since: it may well have it, so it is asked. */
  | 'ask-first'
  /** It had the pieces that the head shares with a former one: it is asked if it still has them. */
  | 'prove-pieces'
  /** The pieces that it lacks go out, then the head. */
  | 'send-pieces'
  | 'send-head'
  /** It said OK: soon it is asked to show the head. */
  | 'read-back'
  /** Another relay showed the head: this one is asked once the head has had time to spread. */
  | 'look-after-spread'
  /** It refused the head, and may come to have something newer: now and then it is asked. */
  | 'look-again';

export function owed(record: HeadRecord<NostrEvent> | undefined, known: RelayKnowledge): Step {
  if (record?.head === undefined) return 'nothing';
  if (isOwed(record, known.relay)) return owedStep(record, known);
  switch (deliveryOf(record, known.relay)) {
    case 'pending':
      return 'not-whole';
    case 'acknowledged':
      return 'read-back';
    case 'unseen':
      return 'look-after-spread';
    case 'refused':
      return 'look-again';
    case 'confirmed':
      return 'nothing';
  }
}

function owedStep(record: HeadRecord<NostrEvent>, { relay, isAsked, lately }: RelayKnowledge): Step {
  if (!isAsked && !isOwnHead(record) && !record.deliveries.has(relay)) return 'ask-first';
  if (!isProven(record, relay, lately)) return 'prove-pieces';
  return missingPiecesOf(record, relay).length > 0 ? 'send-pieces' : 'send-head';
}

/** Whether a relay is to be sent the head. What is not whole here can be sent by others alone. */
export function isOwed(record: HeadRecord<NostrEvent> | undefined, relay: RelayUrl): boolean {
  return record !== undefined && isWhole(record.head) && deliveryOf(record, relay) === 'pending';
}

/** The pieces of the head that a relay has not taken. */
export function missingPiecesOf({ head }: HeadRecord<NostrEvent>, relay: RelayUrl): readonly Piece[] {
  return (head?.pieces ?? []).filter(({ deliveries }) => !deliveries.has(relay));
}

/**
 * Whether a relay still has the pieces that the head shares with a former one. Another device collects what its own newer
 * head does not need, but nothing before that head has long been everywhere.
 */
export function isProven(
  { head, proven }: HeadRecord<NostrEvent>,
  relay: RelayUrl,
  lately: RelayKnowledge['lately'],
): boolean {
  const pieces = head?.pieces ?? [];
  const isShared = pieces.some((piece) => !isNewPiece(piece, head!.event) && piece.deliveries.has(relay));
  return !isShared || (lately !== undefined && lately.id === proven.get(relay));
}

/** Whether a step is to be taken again later, once the relay has answered, completely or not. */
export function isOpenAfterAnswer(step: Step, isComplete: boolean): boolean {
  // Of what it refuses it may come to have something newer, for instance a removal that it had forgotten.
  if (step === 'look-again') return true;
  return !isComplete && (step === 'read-back' || step === 'look-after-spread');
}

/** For how many ms the head, a first write, must still wait; `'over'`: relays are asked no more what it must be above. */
export function holdOf(record: HeadRecord<NostrEvent>, nowMs: Ms): Ms | 'none' | 'over' {
  if (!isHeld(record)) return 'none';
  const leftMs = record.own!.heldUntil! - nowMs;
  // The tab that asked is gone, or the clock was set.
  return leftMs <= 0 || leftMs > HOLD_MS ? 'over' : leftMs;
}
