/** Values in pieces, laid out and read back. */

import { randomBytes } from 'node:crypto';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import type { Primitives } from '../../src/crypto/primitives.ts';
import {
  CHUNKED,
  join,
  layOut,
  openPiece,
  parseManifest,
  sealPiece,
  type Layout,
  type Manifest,
} from '../../src/protocol/chunks.ts';
import type { Compression } from '../../src/protocol/compression.ts';
import { zlibCompression } from '../support/zlib-compression.ts';

interface LayoutPorts {
  readonly compression: Compression;
  readonly primitives: Primitives;
  readonly randomBytes: (length: number) => Uint8Array;
}
type Limits = Parameters<typeof layOut>[1];

export const PORTS: LayoutPorts = {
  compression: zlibCompression,
  primitives: nodePrimitives,
  randomBytes: (length) => randomBytes(length),
};
export const NORMAL: Limits = { maxTextBytes: 40_960, maxPieceBytes: 30_720 };
export const SMALL: Limits = { maxTextBytes: 40_960, maxPieceBytes: 9_216 };

export type InPieces = Extract<Layout, { readonly format: typeof CHUNKED }>;

export async function inPieces(
  json: string,
  limits: Limits = NORMAL,
  base?: Manifest,
  random: (length: number) => Uint8Array = randomBytes,
  primitives: Primitives = nodePrimitives,
): Promise<InPieces> {
  const ports = { ...PORTS, base: async () => base, randomBytes: random, primitives };
  const layout = await layOut(json, limits, ports);
  if (layout.format !== CHUNKED) throw new Error(`expected pieces, got ${layout.format}`);
  return layout;
}

/** What a reader makes of it, through text alone. */
export async function readBack(layout: InPieces, ports: LayoutPorts = PORTS): Promise<string> {
  const manifest = parseManifest(layout.text);
  const pieces = new Map<string, Uint8Array>();
  for (const [name, piece] of layout.pieces) {
    const content = await sealPiece(piece, manifest, ports);
    pieces.set(name, await openPiece(content, name, manifest, ports));
  }
  return join(manifest, pieces, ports.primitives);
}
