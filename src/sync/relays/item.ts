/** What goes to a relay: the head of a category, or one piece of it. */

import type { Address } from '../../protocol/address.ts';
import { pieceDTag } from '../../protocol/chunks.ts';

interface AnyItem {
  /** Of the category. */
  readonly dTag: Address;
  /** Items with the same key are one. Nothing is read out of it. */
  readonly key: string;
}

export interface HeadItem extends AnyItem {
  readonly piece: undefined;
}

export interface PieceItem extends AnyItem {
  /** Its name. */
  readonly piece: string;
}

export type Item = HeadItem | PieceItem;

export function headItem(dTag: Address): HeadItem {
  return { dTag, piece: undefined, key: dTag };
}

export function pieceItem(dTag: Address, name: string): PieceItem {
  return { dTag, piece: name, key: pieceDTag(dTag, name) };
}
