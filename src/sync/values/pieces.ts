/** The pieces of a large value become events of their own. */

import type { Primitives } from '../../crypto/primitives.ts';
import type { Address, Seconds } from '../../protocol/address.ts';
import { CHUNKED, pieceDTag, sealPiece, type Layout } from '../../protocol/chunks.ts';
import type { Compression } from '../../protocol/compression.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { tagsOf } from '../../protocol/header.ts';
import { KIND_APP_DATA } from '../../protocol/limits.ts';
import type { RandomBytes } from '../../relay/backoff.ts';
import { piecesOf } from '../heads/record.ts';
import type { Replica } from '../heads/replica.ts';
import type { Asking } from './asking.ts';
import type { Hand } from './signing.ts';

/**
 * Signs those pieces of a value that the one before it does not share, under the stamp of the value. `ciphertexts`: by name, of those that
 * were encrypted for an earlier stamp.
 */
export async function makePieces(
  ports: {
    readonly replica: Pick<Replica, 'get'>;
    readonly hand: Hand;
    readonly primitives: Primitives;
    readonly compression: Compression;
    readonly randomBytes: RandomBytes;
  },
  dTag: Address,
  layout: Layout,
  stamp: Seconds,
  ciphertexts: Map<string, string> = new Map(),
  asking: Asking = {},
): Promise<{ made?: ReadonlyMap<string, VerifiedEvent>; names?: readonly string[] }> {
  if (layout.format !== CHUNKED) return {};
  const { replica, hand } = ports;
  const record = replica.get(dTag);
  const known = new Set(piecesOf(record).map(({ name }) => name));
  const made = new Map<string, VerifiedEvent>();
  const names = [...new Set(layout.manifest.parts)];
  for (const name of names) {
    if (known.has(name)) continue;
    const content =
      ciphertexts.get(name) ?? (await sealPiece(layout.pieces.get(name)!, layout.manifest, ports));
    ciphertexts.set(name, content);
    layout.pieces.delete(name);
    const tags = tagsOf({ address: pieceDTag(dTag, name) });
    made.set(name, await hand.sign({ kind: KIND_APP_DATA, created_at: stamp, tags, content }, asking));
  }
  return { made, names };
}
