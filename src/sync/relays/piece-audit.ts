/**
 * Reading back pieces: finds out which of those one relay has that it has said OK to, and saves that. A relay that reconciles says so for
 * little; what it does not say to have is asked for.
 */

import type { Address, RelayUrl, Seconds } from '../../protocol/address.ts';
import { pieceDTag } from '../../protocol/chunks.ts';
import type { NostrEvent } from '../../protocol/event.ts';
import { isTombstone } from '../../protocol/header.ts';
import type { Step } from '../heads/owed.ts';
import type { Replica } from '../heads/replica.ts';
import type { Audit } from './audit.ts';
import type { Collected } from './collect.ts';
import type { StoredPieces } from './piece-reconciling.ts';

export interface PieceAudit {
  /** Asks the relay for these pieces of a category, by their names. */
  collect(dTag: Address, names: readonly string[]): Promise<void>;
  /** Asks the relay for those that it has only said OK to. */
  readBack(dTag: Address): Promise<void>;
  /** Another device has collected a piece of this head: it is signed again, above `stamp`. */
  bury(dTag: Address, name: string, head: NostrEvent, stamp: Seconds): Promise<void>;
}

export function createPieceAudit(
  relay: RelayUrl,
  ports: {
    readonly replica: Pick<Replica, 'peek' | 'apply' | 'piece'>;
    /** Asks the relay for pieces, by their d-tags. */
    readonly collect: (dTags: readonly Address[]) => Promise<Collected>;
    /** Which of these pieces the relay has as they are here, as far as it says that without sending them. */
    readonly piecesHad: (pieces: StoredPieces) => Promise<ReadonlySet<Address>>;
    readonly stepOf: (dTag: Address) => Step;
    readonly audit: Pick<Audit, 'put' | 'askAgainMs'>;
  },
): PieceAudit {
  const { replica, audit } = ports;
  /** Names of pieces that are being read back: a store that is slow to save what came is no reason to ask again. */
  const asking = new Set<string>();

  async function bury(dTag: Address, name: string, { id }: NostrEvent, stamp: Seconds): Promise<void> {
    await replica.apply(dTag, { type: 'buried', relay, id, name, stamp });
  }

  async function collect(dTag: Address, names: readonly string[]): Promise<void> {
    const head = replica.peek(dTag)?.head?.event;
    const addresses = names.map((name) => pieceDTag(dTag, name));
    const { isComplete, events } = await ports.collect(addresses);
    // All of them in one save.
    const saving = names.map(async (name) => {
      const event = events.get(pieceDTag(dTag, name));
      if (event === undefined && !isComplete) return;
      const delivery = event && 'confirmed';
      if (event !== undefined && isTombstone(event) && head !== undefined)
        await bury(dTag, name, head, event.created_at);
      else await replica.apply(dTag, { type: 'piece', relay, name, delivery });
    });
    await Promise.all(saving);
    if (!isComplete && ports.stepOf(dTag) === 'read-back') audit.put(dTag, audit.askAgainMs());
  }

  async function confirm(dTag: Address, names: readonly string[]): Promise<void> {
    const stored = names.map(
      (name) => [pieceDTag(dTag, name), async () => replica.piece(dTag, name)] as const,
    );
    const had = await ports.piecesHad(new Map(stored));
    const isHad = (name: string): boolean => had.has(pieceDTag(dTag, name));
    const saving = names
      .filter(isHad)
      .map(async (name) => replica.apply(dTag, { type: 'piece', relay, name, delivery: 'confirmed' }));
    const others = names.filter((name) => !isHad(name));
    if (others.length > 0) await collect(dTag, others);
    await Promise.all(saving);
  }

  return {
    collect,
    readBack: async (dTag) => {
      const pieces = replica.peek(dTag)?.head?.pieces ?? [];
      const sent = pieces.filter(({ deliveries }) => deliveries.get(relay) === 'acknowledged');
      const names = sent.map(({ name }) => name).filter((name) => !asking.has(name));
      if (names.length === 0) return;
      for (const name of names) asking.add(name);
      await confirm(dTag, names);
      for (const name of names) asking.delete(name);
    },
    bury,
  };
}
