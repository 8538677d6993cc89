/**
 * Gets the pieces of a value together that this device does not have: from the store, then from the relays, and from any combination
 * of them. Until all are there the value is `INCOMPLETE`, and it goes on trying.
 */

import type { Clock } from '../../clock.ts';
import type { Primitives } from '../../crypto/primitives.ts';
import { isNostrSyncError, NostrSyncError } from '../../errors.ts';
import { categoryOf, type Address, type RelayUrl } from '../../protocol/address.ts';
import { join, type Manifest } from '../../protocol/chunks.ts';
import type { Compression } from '../../protocol/compression.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { doublingMs } from '../../relay/backoff.ts';
import type { Network } from '../relays/network.ts';
import type { Replica } from '../heads/replica.ts';
import { searchRelays, takePiece } from './piece-search.ts';

export interface Assembly {
  /** The JSON text of a head in pieces. Rejects with `INCOMPLETE` while some are missing, and tries again later. */
  textOf(event: VerifiedEvent, dTag: Address): Promise<string>;
  /** All pieces of an event that is not the head, by name. Rejects with `INCOMPLETE` if some are missing, and is not tried again. */
  piecesOf(event: VerifiedEvent, dTag: Address): Promise<ReadonlyMap<string, VerifiedEvent>>;
  /** A relay was opened or a signer set: what is missing may be there. */
  retry(): void;
  close(): void;
}

/** A head whose pieces are not all here. */
interface Unfinished {
  readonly event: VerifiedEvent;
  underWay: Promise<string> | undefined;
  failures: number;
  cancelRetry: () => void;
}

export function createAssembly(ports: {
  readonly clock: Clock;
  readonly compression: Compression;
  readonly primitives: Primitives;
  readonly replica: Replica;
  readonly network: () => Network;
  readonly canRead: () => boolean;
  readonly manifestOf: (event: NostrEvent) => Promise<Manifest>;
  /** All pieces are here: the text, before they are saved. Throws if it must not be known any more. */
  readonly onAssembled: (event: VerifiedEvent, text: string) => void;
}): Assembly {
  const { clock, replica } = ports;
  /** By d-tag. */
  const unfinished = new Map<Address, Unfinished>();
  /** The pieces of the last head that another took the place of before they were saved: most are of that one as well. */
  let left: { readonly dTag: Address; readonly made: ReadonlyMap<string, VerifiedEvent> } | undefined;
  let isClosed = false;

  async function attempt(value: Unfinished, dTag: Address): Promise<string> {
    value.cancelRetry();
    const isCurrent = (): boolean => unfinished.get(dTag) === value && !isClosed;
    try {
      const text = await gather(value.event, dTag);
      if (isCurrent()) unfinished.delete(dTag);
      return text;
    } catch (error) {
      value.underWay = undefined;
      if (isNostrSyncError(error, 'INCOMPLETE') && isCurrent()) {
        value.cancelRetry = clock.after(doublingMs(value.failures++), () => again(value, dTag));
      }
      throw error;
    }
  }

  function again(value: Unfinished, dTag: Address): void {
    if (value.underWay !== undefined || replica.get(dTag)?.head?.event.id !== value.event.id) return;
    if (ports.canRead()) value.underWay = attempt(value, dTag);
    value.underWay?.catch(() => undefined);
  }

  async function search(
    event: VerifiedEvent,
    dTag: Address,
  ): Promise<{
    readonly manifest: Manifest;
    readonly bytes: Map<string, Uint8Array>;
    readonly made: ReadonlyMap<string, VerifiedEvent>;
    readonly lacking: ReadonlyMap<RelayUrl, ReadonlySet<string>>;
  }> {
    const manifest = await ports.manifestOf(event);
    const names = [...new Set(manifest.parts)];
    const bytes = new Map<string, Uint8Array>();
    const made = new Map<string, VerifiedEvent>();
    const lacking = new Map<RelayUrl, Set<string>>();
    const offer = async (name: string, piece: VerifiedEvent | undefined): Promise<void> => {
      if (!made.has(name) && (await takePiece(piece, name, manifest, bytes, ports))) made.set(name, piece!);
    };
    // Unchanged pieces of the value before are here.
    for (const name of names) {
      await offer(name, await replica.piece(dTag, name));
      if (left?.dTag === dTag) await offer(name, left.made.get(name));
    }
    const missing = (): string[] => names.filter((name) => !bytes.has(name));
    await searchRelays(ports, dTag, { missing, isOver: () => isClosed, offer, lacking });
    if (bytes.size < names.length) {
      const category = categoryOf(dTag);
      throw new NostrSyncError(
        'INCOMPLETE',
        `Cannot read a value of ${JSON.stringify(category)} yet: ${bytes.size} of its ${names.length} pieces are here`,
        { details: { category, eventId: event.id, have: bytes.size, total: names.length } },
      );
    }
    return { manifest, bytes, made, lacking };
  }

  async function gather(event: VerifiedEvent, dTag: Address): Promise<string> {
    const { manifest, bytes, made, lacking } = await search(event, dTag);
    const text = join(manifest, bytes, ports.primitives);
    // As large as the value, and the save below needs room for the pieces once more.
    bytes.clear();
    ports.onAssembled(event, text);
    await replica.apply(dTag, { type: 'assembled', id: event.id, made, lacking });
    if (isClosed) return text;
    if (replica.get(dTag)?.head?.event.id !== event.id) left = { dTag, made };
    else if (left?.dTag === dTag) left = undefined;
    return text;
  }

  return {
    textOf: (event, dTag) => {
      let value = unfinished.get(dTag);
      if (value?.event.id !== event.id) {
        value?.cancelRetry();
        value = { event, underWay: undefined, failures: 0, cancelRetry: () => undefined };
        unfinished.set(dTag, value);
      }
      value.underWay ??= attempt(value, dTag);
      return value.underWay;
    },
    piecesOf: async (event, dTag) => (await search(event, dTag)).made,
    retry: () => {
      for (const [dTag, value] of unfinished) again(value, dTag);
    },
    close: () => {
      isClosed = true;
      left = undefined;
      for (const { cancelRetry } of unfinished.values()) cancelRetry();
    },
  };
}
