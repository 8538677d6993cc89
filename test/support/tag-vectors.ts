/** `test/vectors/tags.json`: what every reader and writer of our tags must agree on. */

import { readFileSync } from 'node:fs';

/** What tags say; `null` in the place of what they do not. */
interface HeaderVector {
  readonly address: string;
  readonly deviceId: string | null;
  readonly expiration: number | null;
  readonly isRemoval: boolean;
  readonly format: string | null;
  /** The version of the data, and the oldest that may write over it. */
  readonly schema: readonly [number, number] | null;
  readonly vector: readonly (readonly [string, number])[] | null;
  readonly voids: readonly (readonly [string, number])[];
}

export interface TagVector {
  readonly name: string;
  readonly tags: readonly (readonly string[])[];
  /** `null`: there is no address. */
  readonly header: HeaderVector | null;
}

interface AgainVector {
  readonly name: string;
  readonly tags: TagVector['tags'];
  readonly voids: HeaderVector['voids'];
  readonly renewed: TagVector['tags'];
  readonly ended: TagVector['tags'];
}

interface DeletionVector {
  readonly name: string;
  /** `null`: none of ours. */
  readonly names: {
    readonly ids: readonly string[];
    readonly addresses?: readonly string[];
    readonly expiration?: number;
  } | null;
  readonly tags: TagVector['tags'];
}

const vectors = JSON.parse(readFileSync(new URL('../vectors/tags.json', import.meta.url), 'utf8')) as {
  readonly pubkey: string;
  readonly created_at: number;
  readonly again: readonly AgainVector[];
  readonly deletions: readonly DeletionVector[];
} & Readonly<Record<'written' | 'pieceTombstones' | 'read', readonly TagVector[]>>;

/** Of every event in them. */
export const PUBKEY: string = vectors.pubkey;
export const CREATED_AT: number = vectors.created_at;

/** Both ways. */
export const WRITTEN: readonly TagVector[] = vectors.written;
/** What has another order than other events. */
export const PIECE_TOMBSTONES: readonly TagVector[] = vectors.pieceTombstones;
/** Also what no device of ours writes. */
export const READ: readonly TagVector[] = [...vectors.written, ...vectors.pieceTombstones, ...vectors.read];
export const AGAIN: readonly AgainVector[] = vectors.again;
export const DELETIONS: readonly DeletionVector[] = vectors.deletions;

export function asMap(
  entries: readonly (readonly [string, number])[] | null,
): ReadonlyMap<string, number> | undefined {
  return entries === null ? undefined : new Map(entries);
}

/** For `test.each`. */
export function byName<T extends { readonly name: string }>(all: readonly T[]): [string, T][] {
  return all.map((one) => [one.name, one]);
}
