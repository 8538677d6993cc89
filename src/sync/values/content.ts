/** What an event stands for: the JSON text of a value ↔ one event, or a manifest and its pieces. */

import type { Clock } from '../../clock.ts';
import type { Primitives } from '../../crypto/primitives.ts';
import { NostrSyncError } from '../../errors.ts';
import type { Address } from '../../protocol/address.ts';
import {
  CHUNKED,
  DEFLATED,
  inflateText,
  join,
  layOut,
  parseManifest,
  type Layout,
  type Manifest,
} from '../../protocol/chunks.ts';
import type { Compression } from '../../protocol/compression.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { formatOf } from '../../protocol/header.ts';
import { EVENT_OVERHEAD_CHARS, MAX_RECENT_CHARS, RECENT_CHARS_EACH } from '../../protocol/limits.ts';
import { decodePayload } from '../../protocol/payload.ts';
import type { RandomBytes } from '../../relay/backoff.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import type { Network } from '../relays/network.ts';
import { readableOf } from '../heads/record.ts';
import { isInPieces, isWhole } from '../heads/version.ts';
import type { Replica } from '../heads/replica.ts';
import { createAssembly } from './assembly.ts';
import { takePiece } from './piece-search.ts';
import { createRecent } from '../../recent.ts';
import type { Hand } from './signing.ts';

/** What is here of a value in pieces. */
export interface Stock {
  readonly pieces: ReadonlyMap<string, VerifiedEvent>;
  readonly total: number;
}

export interface Content {
  /**
   * How the next value of a category is to travel. Keeps the chunk key of the value that it follows, and so its pieces; after a reset
   * it must not, since relays hold these under stamps that are to come.
   */
  layOut(dTag: Address, json: string, isReset: boolean): Promise<Layout>;
  /**
   * The JSON text of an event. Rejects with `INCOMPLETE` while pieces are missing (and goes on trying), `SIGNER_NOT_SET`,
   * `STORE_FAILED`; with anything else if it can never be read.
   */
  textOf(event: VerifiedEvent, dTag: Address): Promise<string>;
  /** What that text says. Kept from then on: a signer that gave something else than the value is asked again. */
  payloadOf(event: VerifiedEvent, dTag: Address): Promise<unknown>;
  /**
   * Of a value in pieces, those that are genuine by its manifest, of how many in all: from `offered`, else from the store. Asks no relay,
   * and rejects as `textOf` does.
   */
  piecesOf(event: VerifiedEvent, dTag: Address, offered?: ReadonlyMap<string, VerifiedEvent>): Promise<Stock>;
  /** All pieces of an event that is not the head, from the store and the relays. Rejects with `INCOMPLETE` if some are missing. */
  gather(event: VerifiedEvent, dTag: Address): Promise<ReadonlyMap<string, VerifiedEvent>>;
  /** What is missing may be there. */
  signerChanged(): void;
  relaysChanged(relay?: RelayConnection): void;
  /** Drops every decrypted text. */
  forget(): void;
  close(): void;
}

export function createContent(ports: {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly compression: Compression;
  readonly primitives: Primitives;
  readonly replica: Replica;
  readonly network: () => Network;
  readonly hand: Hand;
  readonly canRead: () => boolean;
}): Content {
  const { compression, replica, hand } = ports;
  /** By event id. */
  const texts = createRecent<string>(
    () => MAX_RECENT_CHARS + replica.count() * RECENT_CHARS_EACH,
    (text) => text.length + EVENT_OVERHEAD_CHARS,
  );
  /** Plaintexts of manifests, by event id. */
  const manifests = createRecent<string>(
    () => MAX_RECENT_CHARS / 8,
    (text) => text.length,
  );
  const assembly = createAssembly({
    ...ports,
    manifestOf,
    onAssembled: (event, text) => remember(texts, event.id, text),
  });

  function remember(texts: ReturnType<typeof createRecent<string>>, id: string, text: string): void {
    if (!ports.canRead()) throw new NostrSyncError('SIGNER_NOT_SET', 'Cannot read: the signer was cleared');
    texts.set(id, text);
  }

  async function manifestOf(event: NostrEvent): Promise<Manifest> {
    const known = manifests.get(event.id);
    if (known !== undefined) return parseManifest(known);
    const text = await hand.decrypt(event.content);
    const manifest = parseManifest(text);
    remember(manifests, event.id, text);
    return manifest;
  }

  /** The manifest of what the next value follows. What cannot be read any more is not built upon. */
  async function baseOf(dTag: Address): Promise<Manifest | undefined> {
    const event = readableOf(replica.get(dTag));
    return event && isInPieces(event) ? manifestOf(event).catch(() => undefined) : undefined;
  }

  async function textInPieces(event: VerifiedEvent, dTag: Address): Promise<string> {
    const record = replica.get(dTag);
    if (record?.head?.event.id === event.id && !isWhole(record.head)) return assembly.textOf(event, dTag);
    const manifest = await manifestOf(event);
    const bytes = new Map<string, Uint8Array>();
    for (const name of new Set(manifest.parts)) {
      if (await takePiece(await replica.piece(dTag, name), name, manifest, bytes, ports)) continue;
      if (replica.get(dTag)?.head?.event.id !== event.id) throw new Error('a piece is lost');
      // The relays may have what the store has lost.
      await replica.apply(dTag, { type: 'torn', id: event.id });
      return assembly.textOf(event, dTag);
    }
    return join(manifest, bytes, ports.primitives);
  }

  async function textOf(event: VerifiedEvent, dTag: Address): Promise<string> {
    const known = texts.get(event.id);
    const record = replica.get(dTag);
    // Pieces that could not be saved must not be shown either: what is shown is kept.
    const isKept = record?.head?.event.id !== event.id || isWhole(record?.head);
    if (known !== undefined && isKept) return known;
    const format = formatOf(event);
    switch (format) {
      case undefined:
        return hand.decrypt(event.content);
      case DEFLATED:
        return inflateText(await hand.decrypt(event.content), compression);
      case CHUNKED:
        return textInPieces(event, dTag);
      default:
        throw new Error(`its format ${JSON.stringify(format.slice(0, 40))} is not known to this version`);
    }
  }

  function forget(): void {
    texts.clear();
    manifests.clear();
  }

  return {
    layOut: (dTag, json, isReset) => {
      const base = async (): ReturnType<typeof baseOf> => (isReset ? undefined : baseOf(dTag));
      return layOut(json, hand.sizes(), { ...ports, base });
    },
    textOf,
    piecesOf: async (event, dTag, offered = new Map()) => {
      const keptAs = async (name: string): ReturnType<Replica['piece']> => replica.piece(dTag, name);
      return stockOf(await manifestOf(event), offered, keptAs, ports);
    },
    gather: assembly.piecesOf,
    payloadOf: async (event, dTag) => {
      const text = await textOf(event, dTag);
      const payload = decodePayload(text);
      remember(texts, event.id, text);
      return payload;
    },
    signerChanged: assembly.retry,
    relaysChanged: (relay) => {
      if (relay?.info().connected === true) assembly.retry();
    },
    forget,
    close: () => {
      forget();
      assembly.close();
    },
  };
}

/** Of the pieces that a manifest names, those that are genuine. */
async function stockOf(
  manifest: Manifest,
  offered: ReadonlyMap<string, VerifiedEvent>,
  keptAs: (name: string) => ReturnType<Replica['piece']>,
  ports: Parameters<typeof takePiece>[4],
): Promise<Stock> {
  const names = [...new Set(manifest.parts)];
  const pieces = new Map<string, VerifiedEvent>();
  for (const name of names) {
    for (const piece of [offered.get(name), await keptAs(name)]) {
      // The bytes are let go at once: together they are as large as the value.
      if (!(await takePiece(piece, name, manifest, new Map(), ports))) continue;
      pieces.set(name, piece!);
      break;
    }
  }
  return { pieces, total: names.length };
}
