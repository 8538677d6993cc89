/**
 * Values larger than one event: docs/PROTOCOL.md section 6. JSON text ↔ what one event carries (bare or deflated), or a
 * manifest and the pieces that it names.
 *
 * The content of the text decides on the cuts (by a rolling hash), and each piece is deflated on its own. So an edit moves only the
 * cuts next to it, and all other pieces stay the same bytes. If the text were deflated first, everything behind the edit
 * would change.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { base64Decode, base64Encode } from '../crypto/base64.ts';
import { decrypt, encrypt } from '../crypto/nip44.ts';
import type { Primitives } from '../crypto/primitives.ts';
import type { Address } from './address.ts';
import type { Compression } from './compression.ts';
import { isHex32 } from './event.ts';
import { MAX_PARTS, MAX_PAYLOAD_BYTES, MAX_PIECE_BYTES } from './limits.ts';

/** The `format` tags. An event without one holds bare JSON, as the original plugin (0.1.0-alpha.3) writes it. */
export const DEFLATED = 'deflate/1';
export const CHUNKED = 'chunked/1';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What a manifest says. */
export interface Manifest {
  /** Of the JSON text, in bytes of UTF-8. */
  readonly size: number;
  /** Of the JSON text, in hex. */
  readonly sha256: string;
  /** Of which the names, the cuts and the encryption of the pieces are made: 32 bytes in hex, random per category. */
  readonly key: string;
  /** The names of the pieces in their order. One may stand here more than once. */
  readonly parts: readonly string[];
}

export type Layout =
  /** One event. `text` is what is encrypted. */
  | { readonly format: undefined | typeof DEFLATED; readonly text: string }
  | {
      readonly format: typeof CHUNKED;
      /** The manifest. */
      readonly text: string;
      readonly manifest: Manifest;
      /** By name, what `sealPiece` takes. The caller deletes what it has sealed: together they are as large as the value. */
      readonly pieces: Map<string, Uint8Array>;
    };

// Addresses

/**
 * The d-tag of a piece, from the d-tag of its category. That one is no beginning of it: a khatru on badger takes what begins with the d-tag
 * of a new event for older ones of the same address, and deletes it.
 */
export function pieceDTag(dTag: Address, name: string): Address {
  return dTag.replace(/v1$/, `c/${name}`) as Address;
}

/** The address and the name that `pieceDTag` made this of; `undefined` if it did not. */
export function pieceOf(dTag: string): { readonly of: Address; readonly name: string } | undefined {
  const [, of = '', name = ''] = /^(.*\/)c\/([0-9a-f]{32})$/s.exec(dTag) ?? [];
  return name === '' ? undefined : { of: `${of}v1` as Address, name };
}

export function isPieceName(name: unknown): name is string {
  return typeof name === 'string' && /^[0-9a-f]{32}$/.test(name);
}

function nameOf(primitives: Primitives, key: Uint8Array, piece: Uint8Array): string {
  return bytesToHex(primitives.hmacSha256(key, piece).subarray(0, 16));
}

// Cutting

/** The table of the rolling hash. It comes from the key: otherwise the sizes of the pieces would give away a known text. */
function gearOf(key: Uint8Array): Uint32Array {
  const noise = Array.from({ length: 32 }, (_, i) => sha256(concatBytes(key, Uint8Array.of(i))));
  const view = new DataView(concatBytes(...noise).buffer);
  return Uint32Array.from({ length: 256 }, (_, i) => view.getUint32(4 * i));
}

/** Deflate makes incompressible bytes a little longer. */
const DEFLATE_MARGIN = 64;

/** How far around a cut its hash is the least, as a part of the largest piece: pieces are twice as long on average. */
const REACH = 0.2;

/**
 * Content-defined cuts: behind each byte whose hash is the least of those around it. The beginning of the piece before does not
 * count, so an edit moves only the cuts next to it. What is then still too large is cut behind its least hash, which moves no
 * other cut either. No piece deflates to more than `maxBytes`.
 */
export function cut(bytes: Uint8Array, key: Uint8Array, maxBytes: number): Uint8Array[] {
  const gear = gearOf(key);
  const most = maxBytes - DEFLATE_MARGIN;
  const reach = Math.floor(most * REACH);
  const pieces: Uint8Array[] = [];

  /** Of equals the first. The hashes are made again each time: kept, they would take four times the memory of the value. */
  function leastIn(start: number, end: number): number {
    let at = start;
    let least = Infinity;
    let hash = 0;
    // A byte is forgotten after 32 others.
    for (let i = Math.max(0, start - 31); i < end; i++) {
      hash = ((hash << 1) + gear[bytes[i]!]!) >>> 0;
      if (i >= start && hash < least) [at, least] = [i, hash];
    }
    return at;
  }

  function add(start: number, end: number): void {
    // Copies: a view would keep the whole value for as long as the last of them.
    if (end - start <= most) return void pieces.push(bytes.slice(start, end));
    const margin = Math.floor((end - start) / 4);
    const middle = leastIn(start + margin, end - margin) + 1;
    add(start, middle);
    add(middle, end);
  }

  let start = 0;
  // What is least within reach is the least of its block, too.
  for (let block = reach; block < bytes.length - reach; block += reach + 1) {
    const at = leastIn(block, Math.min(block + reach + 1, bytes.length - reach));
    if (leastIn(at - reach, at + reach + 1) !== at) continue;
    add(start, at + 1);
    start = at + 1;
  }
  add(start, bytes.length);
  return pieces;
}

// Writing

/**
 * How a JSON text travels: bare up to `maxTextBytes`; else deflated, in pieces that deflate to `maxPieceBytes` at most.
 * `base`, the manifest of the version before, keeps the names of the pieces and so the pieces.
 */
export async function layOut(
  json: string,
  limits: { readonly maxTextBytes: number; readonly maxPieceBytes: number },
  ports: {
    readonly base: () => Promise<Manifest | undefined>;
    readonly randomBytes: (length: number) => Uint8Array;
    readonly compression: Compression;
    readonly primitives: Primitives;
  },
): Promise<Layout> {
  const bytes = encoder.encode(json);
  if (bytes.length <= limits.maxTextBytes) return { format: undefined, text: json };
  const deflated = await ports.compression.deflate(bytes);
  // A JSON string: the original plugin, which knows no formats, must be able to parse it. Its quotes cost two characters.
  if (deflated.length <= limits.maxPieceBytes - 3)
    return { format: DEFLATED, text: `"${base64Encode(deflated)}"` };
  const base = await ports.base();
  const secret = base === undefined ? ports.randomBytes(32) : hexToBytes(base.key);
  const pieces = cut(bytes, secret, limits.maxPieceBytes).map(
    (piece) => [nameOf(ports.primitives, secret, piece), piece] as const,
  );
  const manifest: Manifest = {
    size: bytes.length,
    sha256: ports.primitives.sha256Hex(json),
    key: bytesToHex(secret),
    parts: pieces.map(([name]) => name),
  };
  return { format: CHUNKED, text: JSON.stringify(manifest), manifest, pieces: new Map(pieces) };
}

const PIECE_LABEL = encoder.encode('nostr-sync/piece/1');
const NONCE_BYTES = 32;

/**
 * The NIP-44 conversation key of the pieces. The chunk key is what is hashed here, and what hashes in `nameOf`: no bytes
 * that a piece could have make this key its name.
 */
function pieceKeyOf({ key }: Manifest, primitives: Primitives): Uint8Array {
  return primitives.hmacSha256(PIECE_LABEL, hexToBytes(key));
}

/** The content of a piece's event. Encrypted here and not by the signer: a person is asked once for a value, not for each piece. */
export async function sealPiece(
  piece: Uint8Array,
  manifest: Manifest,
  ports: {
    readonly compression: Compression;
    readonly primitives: Primitives;
    readonly randomBytes: (length: number) => Uint8Array;
  },
): Promise<string> {
  const text = base64Encode(await ports.compression.deflate(piece));
  const key = pieceKeyOf(manifest, ports.primitives);
  return encrypt(ports.primitives, text, key, ports.randomBytes(NONCE_BYTES));
}

// Reading. Whatever is wrong throws a plain `Error` that quotes nothing.

/** The JSON of a `deflate/1` event. */
export async function inflateText(text: string, compression: Compression): Promise<string> {
  if (!/^".*"$/.test(text)) throw new Error('not a deflated value');
  return decoder.decode(await compression.inflate(base64Decode(text.slice(1, -1)), MAX_PAYLOAD_BYTES));
}

export function parseManifest(text: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('not a manifest');
  }
  const { size, sha256: hash, key, parts } = (value ?? {}) as Partial<Record<keyof Manifest, unknown>>;
  const fits =
    Number.isSafeInteger(size) &&
    (size as number) > 0 &&
    (size as number) <= MAX_PAYLOAD_BYTES &&
    isHex32(hash) &&
    isHex32(key) &&
    Array.isArray(parts) &&
    parts.length > 0 &&
    parts.length <= MAX_PARTS &&
    parts.every(isPieceName);
  if (!fits) throw new Error('not a manifest');
  return { size: size as number, sha256: hash, key, parts };
}

/** The bytes of a piece from the content of its event. Throws unless they are what its name stands for. */
export async function openPiece(
  content: string,
  name: string,
  manifest: Manifest,
  { compression, primitives }: { readonly compression: Compression; readonly primitives: Primitives },
): Promise<Uint8Array> {
  const text = decrypt(primitives, content, pieceKeyOf(manifest, primitives));
  const bytes = await compression.inflate(base64Decode(text), Math.min(manifest.size, MAX_PIECE_BYTES));
  if (nameOf(primitives, hexToBytes(manifest.key), bytes) !== name)
    throw new Error('a piece that is not what its name says');
  return bytes;
}

/** The JSON text, from all pieces by name. Throws unless it has the size and the hash that the manifest says. */
export function join(
  manifest: Manifest,
  pieces: ReadonlyMap<string, Uint8Array>,
  primitives: Primitives,
): string {
  const bytes = new Uint8Array(manifest.size);
  let at = 0;
  for (const name of manifest.parts) {
    const piece = pieces.get(name)!;
    if (at + piece.length > bytes.length) throw new Error('more than the manifest says');
    bytes.set(piece, at);
    at += piece.length;
  }
  const text = decoder.decode(bytes);
  if (at !== bytes.length || primitives.sha256Hex(text) !== manifest.sha256)
    throw new Error('not what the manifest says');
  return text;
}
