/**
 * What an event stands for: the JSON text of a value ↔ one event, or a manifest and its pieces. Pieces that this device does
 * not have are fetched from the relays, and from any combination of them; until all are there the value is `INCOMPLETE`.
 */

import type { Clock } from '../../clock.ts';
import type { Primitives } from '../../crypto/primitives.ts';
import { isNostrSyncError, NostrSyncError } from '../../errors.ts';
import { categoryOf } from '../../protocol/address.ts';
import {
  CHUNKED,
  DEFLATED,
  inflateText,
  join,
  layOut,
  openPiece,
  parseManifest,
  pieceDTag,
  type Layout,
  type Manifest,
} from '../../protocol/chunks.ts';
import type { Compression } from '../../protocol/compression.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { formatOf, isTombstone } from '../../protocol/header.ts';
import {
  EVENT_OVERHEAD_CHARS,
  MAX_RECENT_CHARS,
  RETRY_BASE_MS,
  RETRY_CAP_MS,
  SETTLE_MS,
} from '../../protocol/limits.ts';
import { decodePayload } from '../../protocol/payload.ts';
import type { RandomBytes } from '../../relay/backoff.ts';
import type { Network } from '../relays/network.ts';
import { createRecent } from './recent.ts';
import { isInPieces, isWhole, readableOf } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import type { Hand } from './signing.ts';

export interface Content {
  /**
   * How the next value of a category is to travel. Keeps the chunk key of the value that it follows, and so its pieces; after a reset
   * it must not, since relays hold these under stamps that are to come.
   */
  layOut(dTag: string, json: string, isReset: boolean): Promise<Layout>;
  /**
   * The JSON text of an event. Rejects with `INCOMPLETE` while pieces are missing (and goes on trying), `SIGNER_NOT_SET`,
   * `STORE_FAILED`; with anything else if it can never be read.
   */
  textOf(event: VerifiedEvent, dTag: string): Promise<string>;
  /** What that text says. Kept from then on: a signer that gave something else than the value is asked again. */
  payloadOf(event: VerifiedEvent, dTag: string): Promise<unknown>;
  /** A relay was opened or a signer set: what is missing may be there. */
  retry(): void;
  /** Drops every decrypted text. */
  forget(): void;
  close(): void;
}

/** A head whose pieces are not all here. */
interface Assembly {
  readonly event: VerifiedEvent;
  underWay: Promise<string> | undefined;
  failures: number;
  cancelRetry: () => void;
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
  const { clock, compression, replica, hand } = ports;
  /** By event id. */
  const texts = createRecent<string>(MAX_RECENT_CHARS, (text) => text.length + EVENT_OVERHEAD_CHARS);
  /** Plaintexts of manifests, by event id. */
  const manifests = createRecent<string>(MAX_RECENT_CHARS / 8, (text) => text.length);
  /** By d-tag. */
  const assemblies = new Map<string, Assembly>();
  let isClosed = false;

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
  async function baseOf(dTag: string): Promise<Manifest | undefined> {
    const event = readableOf(replica.get(dTag));
    return event && isInPieces(event) ? manifestOf(event).catch(() => undefined) : undefined;
  }

  /** Whether the event is this piece; its bytes then go `into` the others. */
  async function take(
    manifest: Manifest,
    name: string,
    piece: VerifiedEvent | undefined,
    into: Map<string, Uint8Array>,
  ): Promise<boolean> {
    if (piece === undefined || isTombstone(piece)) return false;
    try {
      into.set(name, await openPiece(piece.content, name, manifest, ports));
      return true;
    } catch {
      return false;
    }
  }

  async function textInPieces(event: VerifiedEvent, dTag: string): Promise<string> {
    const record = replica.get(dTag);
    if (record?.event?.id === event.id && !isWhole(record)) return assemble(event, dTag);
    const manifest = await manifestOf(event);
    const bytes = new Map<string, Uint8Array>();
    for (const name of new Set(manifest.parts)) {
      if (await take(manifest, name, await replica.piece(dTag, name), bytes)) continue;
      if (replica.get(dTag)?.event?.id !== event.id) throw new Error('a piece is lost');
      // The relays may have what the store has lost.
      await replica.apply(dTag, { type: 'torn', id: event.id });
      return assemble(event, dTag);
    }
    return join(manifest, bytes, ports.primitives);
  }

  // Missing pieces

  function assemble(event: VerifiedEvent, dTag: string): Promise<string> {
    let assembly = assemblies.get(dTag);
    if (assembly?.event.id !== event.id) {
      assembly?.cancelRetry();
      assembly = { event, underWay: undefined, failures: 0, cancelRetry: () => undefined };
      assemblies.set(dTag, assembly);
    }
    assembly.underWay ??= attempt(assembly, dTag);
    return assembly.underWay;
  }

  async function attempt(assembly: Assembly, dTag: string): Promise<string> {
    assembly.cancelRetry();
    const isCurrent = (): boolean => assemblies.get(dTag) === assembly && !isClosed;
    try {
      const text = await gather(assembly.event, dTag);
      if (isCurrent()) assemblies.delete(dTag);
      return text;
    } catch (error) {
      assembly.underWay = undefined;
      if (isNostrSyncError(error, 'INCOMPLETE') && isCurrent()) {
        const delayMs = Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** assembly.failures++);
        assembly.cancelRetry = clock.after(delayMs, () => again(assembly, dTag));
      }
      throw error;
    }
  }

  function again(assembly: Assembly, dTag: string): void {
    if (assembly.underWay !== undefined || replica.get(dTag)?.event?.id !== assembly.event.id) return;
    if (ports.canRead()) assembly.underWay = attempt(assembly, dTag);
    assembly.underWay?.catch(() => undefined);
  }

  async function gather(event: VerifiedEvent, dTag: string): Promise<string> {
    const manifest = await manifestOf(event);
    const names = [...new Set(manifest.parts)];
    const bytes = new Map<string, Uint8Array>();
    const made = new Map<string, VerifiedEvent>();
    const lacking = new Map<string, Set<string>>();
    const offer = async (name: string, piece: VerifiedEvent | undefined): Promise<void> => {
      if (!made.has(name) && (await take(manifest, name, piece, bytes))) made.set(name, piece!);
    };
    // Unchanged pieces of the value before are here.
    for (const name of names) await offer(name, await replica.piece(dTag, name));
    await fromRelays(dTag, () => names.filter((name) => !bytes.has(name)), offer, lacking);
    if (bytes.size < names.length) {
      const category = categoryOf(dTag);
      throw new NostrSyncError(
        'INCOMPLETE',
        `Cannot read the newest value of ${JSON.stringify(category)} yet: ${bytes.size} of its ${names.length} pieces are here`,
        { details: { category, eventId: event.id, have: bytes.size, total: names.length } },
      );
    }
    const text = join(manifest, bytes, ports.primitives);
    // As large as the value, and the save below needs room for the pieces once more.
    bytes.clear();
    remember(texts, event.id, text);
    await replica.apply(dTag, { type: 'assembled', id: event.id, made, lacking });
    return text;
  }

  /** One relay after the other, the likeliest first; one that takes its time gets company. */
  async function fromRelays(
    dTag: string,
    missing: () => string[],
    offer: (name: string, piece: VerifiedEvent | undefined) => Promise<void>,
    lacking: Map<string, Set<string>>,
  ): Promise<void> {
    const network = ports.network();
    const deliveries = replica.get(dTag)?.deliveries;
    const rank = (url: string, latencyMs: number | null): number =>
      (deliveries?.get(url) === 'confirmed' ? 0 : 1e9) + (latencyMs ?? 1e6);
    const relays = network
      .relays()
      .filter(({ connected }) => connected)
      .sort((a, b) => rank(a.url, a.latencyMs) - rank(b.url, b.latencyMs));
    const asked: Promise<void>[] = [];
    for (const { url } of relays) {
      const names = missing();
      if (names.length === 0 || isClosed) return;
      const asking = (async () => {
        const { isComplete, events } = await network.collect(
          url,
          names.map((name) => pieceDTag(dTag, name)),
        );
        const lacks = new Set<string>();
        for (const name of names) {
          const piece = events.get(pieceDTag(dTag, name));
          if (piece === undefined) lacks.add(name);
          else await offer(name, piece);
        }
        if (isComplete) lacking.set(url, lacks);
      })();
      asking.catch(() => undefined);
      asked.push(asking);
      await new Promise<void>((resolve) => {
        const cancel = clock.after(SETTLE_MS, resolve);
        const done = (): void => {
          cancel();
          resolve();
        };
        asking.then(done, done);
      });
    }
    for (const asking of asked) {
      if (missing().length === 0) return;
      await asking;
    }
  }

  async function textOf(event: VerifiedEvent, dTag: string): Promise<string> {
    const known = texts.get(event.id);
    const record = replica.get(dTag);
    // Pieces that could not be saved must not be shown either: what is shown is kept.
    const isKept = record?.event?.id !== event.id || isWhole(record);
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

  return {
    layOut: (dTag, json, isReset) => {
      const base = async (): ReturnType<typeof baseOf> => (isReset ? undefined : baseOf(dTag));
      return layOut(json, hand.sizes(), { ...ports, base });
    },
    textOf,
    payloadOf: async (event, dTag) => {
      const text = await textOf(event, dTag);
      const payload = decodePayload(text);
      remember(texts, event.id, text);
      return payload;
    },
    retry: () => {
      for (const [dTag, assembly] of assemblies) again(assembly, dTag);
    },
    forget: () => {
      texts.clear();
      manifests.clear();
    },
    close: () => {
      isClosed = true;
      for (const { cancelRetry } of assemblies.values()) cancelRetry();
    },
  };
}
