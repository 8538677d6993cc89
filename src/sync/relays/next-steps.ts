/** What is done about what one relay is owed: takes the steps that `heads/owed.ts` decides on. */

import type { Address, RelayUrl } from '../../protocol/address.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { CONFIRM_DELAY_MS, SPREAD_DELAY_MS } from '../../protocol/limits.ts';
import { randomFraction, type RandomBytes } from '../../relay/backoff.ts';
import { isOwed, owed, type Step } from '../heads/owed.ts';
import type { HeadRecord } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import type { Audit } from './audit.ts';
import { headItem } from './item.ts';
import type { PieceOffers } from './piece-offers.ts';
import type { Proof } from './proof.ts';
import type { Queue } from './queue.ts';

export interface NextSteps {
  /** The next step of a category. */
  of(dTag: Address): Step;
  /** Takes it. */
  take(dTag: Address): void;
  /** The relay was asked what it has of a category. */
  wasAsked(dTag: Address): void;
}

export function createNextSteps(
  relay: RelayUrl,
  ports: {
    readonly randomBytes: RandomBytes;
    readonly replica: Replica;
    readonly queue: Queue;
    readonly audit: Audit;
    readonly proof: Proof;
    readonly pieces: PieceOffers;
  },
): NextSteps {
  const { replica, queue, audit, proof, pieces } = ports;
  function stepOf(dTag: Address): Step {
    const record = replica.peek(dTag);
    const id = record?.head?.event.id;
    const isAsked = id !== undefined && (pieces.has(dTag) || queue.isUnderWay(headItem(dTag), id));
    return owed(record, { relay, isAsked, lately: proof.lately(dTag) });
  }

  function take(dTag: Address): void {
    const record = replica.peek(dTag);
    const step = stepOf(dTag);
    if (!isOwed(record, relay)) {
      queue.unschedule(headItem(dTag));
      pieces.unschedule(dTag);
    }
    switch (step) {
      case 'ask-first':
        // Whatever changes meanwhile: a slow relay is not asked again before it has answered.
        if (!audit.isAsking(dTag)) audit.put(dTag, 0);
        return;
      case 'prove-pieces':
      case 'send-pieces':
      case 'send-head':
        audit.remove(dTag);
        return offer(dTag, record!, step);
      case 'read-back':
        return audit.put(dTag, CONFIRM_DELAY_MS);
      case 'look-after-spread':
        return audit.put(dTag, SPREAD_DELAY_MS * (0.5 + randomFraction(ports.randomBytes)));
      case 'nothing':
        audit.remove(dTag);
        return forget(dTag);
      // A look at a relay that refused the head is still wanted: it may have something newer.
      case 'look-again':
      case 'not-whole':
        return forget(dTag);
    }
  }

  function offer(dTag: Address, record: HeadRecord<NostrEvent>, step: Step): void {
    const item = headItem(dTag);
    if (step === 'prove-pieces') {
      pieces.unschedule(dTag);
      // What is scheduled comes back here once it is its turn.
      if (!queue.isScheduled(item)) void proof.renew(dTag);
      return;
    }
    pieces.offer(dTag, record);
    if (step === 'send-head') queue.scheduleOnce(item, record.head!.event.id);
  }

  function forget(dTag: Address): void {
    queue.forget(headItem(dTag));
    pieces.forget(dTag);
  }

  return {
    of: stepOf,
    take,
    wasAsked: (dTag) => {
      if (stepOf(dTag) !== 'ask-first') return;
      const record = replica.peek(dTag)!;
      offer(dTag, record, owed(record, { relay, isAsked: true, lately: proof.lately(dTag) }));
    },
  };
}
