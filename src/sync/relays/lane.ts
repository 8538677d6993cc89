/**
 * All that goes to one relay, and all that is asked of it: wires the parts of its lane. What is owed next is decided by
 * `heads/owed.ts` and done by `next-steps.ts`. Heads and pieces go out through one queue (`head-sending.ts`, `piece-sending.ts`),
 * and `audit.ts` asks for what proves that they are there.
 */

import type { Clock } from '../../clock.ts';
import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { LOOK_AGAIN_MS } from '../../protocol/limits.ts';
import type { RandomBytes } from '../../relay/backoff.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { RequestEnd } from '../../relay/requests.ts';
import { isOwed, type Step } from '../heads/owed.ts';
import type { HeadRecord } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import { createAudit, type Audit } from './audit.ts';
import { createHeadSending } from './head-sending.ts';
import type { Collected } from './collect.ts';
import type { Inbox } from './inbox.ts';
import type { Item } from './item.ts';
import { createPieceAudit } from './piece-audit.ts';
import { createPieceOffers } from './piece-offers.ts';
import { createPieceSending } from './piece-sending.ts';
import type { StoredPieces } from './piece-reconciling.ts';
import { createProof } from './proof.ts';
import { createQueue } from './queue.ts';
import type { Release } from './release.ts';
import { createNextSteps } from './next-steps.ts';

export interface LanePorts {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly replica: Replica;
  /** When the head of a category may go out. */
  readonly release: (dTag: Address) => Release;
  readonly ask: (relay: RelayConnection, dTags: readonly Address[]) => Promise<RequestEnd>;
  readonly readBack: (relay: RelayConnection, dTags: readonly Address[]) => Promise<RequestEnd>;
  readonly collect: (relay: RelayConnection, dTags: readonly Address[]) => Promise<Collected>;
  readonly piecesHad: Inbox['piecesHad'];
  /** A relay's answer to the head of a category, for the calls that wait for it. */
  readonly onAnswer: (dTag: Address, relay: RelayUrl, event: VerifiedEvent, answer: Answer) => void;
  /** The relay has taken this head, and that is saved. */
  readonly onTaken: (relay: RelayConnection, dTag: Address, head: VerifiedEvent) => void;
}

export interface Lane {
  readonly relay: RelayConnection;
  /** Works out what the relay is owed of this category, and schedules that. */
  update(dTag: Address): void;
  isOpen(): boolean;
  open(): void;
  shut(): void;
  /** The relay showed this of a category, or nothing. */
  shown(dTag: Address, id: EventId | undefined): void;
  /** See `Audit.lost`. */
  lost(): void;
  /** All that is delayed is done now. */
  hurry(): void;
}

export function createLane(relay: RelayConnection, ports: LanePorts): Lane {
  const { replica } = ports;
  const update = (dTag: Address): void => steps.take(dTag);
  const isPending = (dTag: Address): boolean => isOwed(replica.peek(dTag), relay.url);
  const queue = createQueue(relay, {
    ...ports,
    isWanted: ({ dTag }) => isPending(dTag),
    send: (item) => void (item.piece === undefined ? heads.send(item) : sendPiece(item)),
  });
  const common = {
    ...{ ...ports, queue, update, isPending, released, settled, refused },
    ask: (dTags: readonly Address[]) => ports.ask(relay, dTags),
    collect: (dTags: readonly Address[]) => ports.collect(relay, dTags),
    piecesHad: (pieces: StoredPieces) => ports.piecesHad(relay, pieces),
  };
  const stepOf = (dTag: Address): Step => steps.of(dTag);
  const audit: Audit = createAudit({
    ...{ ...common, stepOf },
    ask: (dTags) => ports.readBack(relay, dTags),
    onAsked: (dTag) => steps.wasAsked(dTag),
    readBackPieces: (dTag) => pieceAudit.readBack(dTag),
  });
  const pieceAudit = createPieceAudit(relay.url, { ...common, stepOf, audit });
  const proof = createProof(relay.url, { ...common, audit });
  const sendPiece = createPieceSending(relay.url, { ...common, proof, audit: pieceAudit });
  const heads = createHeadSending(relay.url, {
    ...{ ...common, proof, audit },
    onTaken: (dTag, head) => ports.onTaken(relay, dTag, head),
  });
  const steps = createNextSteps(relay.url, {
    ...{ ...common, proof, audit },
    pieces: createPieceOffers(relay.url, queue),
  });

  function released(item: Item): HeadRecord | undefined {
    const release = ports.release(item.dTag);
    if (release.type === 'no-head') update(item.dTag);
    if (release.type === 'later') queue.schedule(item, release.waitMs);
    return release.type === 'now' ? release.record : undefined;
  }

  /** The next may go out, and this one again if it is owed again since. */
  function settled(item: Item, version: string): void {
    queue.vacate(item, version);
    if (!queue.isScheduled(item) && isPending(item.dTag)) update(item.dTag);
    queue.pump();
  }

  /** By category, the head that the relay refused last. */
  const refusals = new Map<Address, EventId>();

  /**
   * For good, as it stands: the relay may have something newer, for instance a removal by which this was deleted. One that shows the
   * head all the same, and refuses its pieces, would be asked and sent them again without end.
   */
  async function refused(dTag: Address, id: EventId): Promise<void> {
    const isAgain = refusals.get(dTag) === id;
    refusals.set(dTag, id);
    await replica.apply(dTag, { type: 'answered', relay: relay.url, id, delivery: 'refused' });
    audit.put(dTag, isAgain ? LOOK_AGAIN_MS : 0);
  }

  return {
    relay,
    update,
    isOpen: queue.isOpen,
    open: () => {
      queue.open();
      for (const dTag of replica.dTags()) {
        update(dTag);
        // It may have something newer, and whether it was ever asked is not in the record.
        if (stepOf(dTag) === 'look-again') audit.put(dTag, 0);
      }
      audit.start();
    },
    shut: () => {
      queue.shut();
      proof.clear();
      audit.stop();
    },
    shown: (dTag, id) => {
      proof.note(dTag, id);
      heads.shown(dTag, id);
    },
    lost: audit.lost,
    hurry: () => {
      queue.hurry();
      audit.hurry();
    },
  };
}
