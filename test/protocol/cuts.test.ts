/** How values are cut, over many values, edits and keys: what no single text shows. */

import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { cut } from '../../src/protocol/chunks.ts';
import { MAX_PARTS, MAX_PAYLOAD_BYTES, SIZES } from '../../src/protocol/limits.ts';
import { editedValue, numbersOf, VALUES } from '../../bench/support/values.mjs';

describe('the cuts', () => {
  const MAX_BYTES = 30_720;
  const keyOf = (seed: number): Uint8Array => createHash('sha256').update(String(seed)).digest();
  const hashOf = (piece: Uint8Array): string => createHash('sha256').update(piece).digest('base64');

  test('meet again: of 1 KB in 200 KB a tenth at most is new, and in 99 of 100 edits two pieces at most', () => {
    const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
    const random = numbersOf(16);
    const all: { kind: string; made: number; share: number }[] = [];
    for (const kind of Object.keys(VALUES) as (keyof typeof VALUES)[]) {
      for (let seed = 0; seed < 20; seed++) {
        const value = VALUES[kind](200_000, random);
        const known = new Set(cut(bytesOf(value), keyOf(seed), MAX_BYTES).map(hashOf));
        for (let i = 0; i < 17; i++) {
          const bytes = bytesOf(editedValue(kind, value, random));
          const made = cut(bytes, keyOf(seed), MAX_BYTES).filter((piece) => !known.has(hashOf(piece)));
          const size = made.reduce((sum, piece) => sum + piece.length, 0);
          all.push({ kind, made: made.length, share: size / bytes.length });
        }
      }
    }
    expect(all.length).toBeGreaterThan(1_000);
    expect(all.filter(({ made }) => made > 2).length).toBeLessThanOrEqual(all.length / 100);
    for (const kind of Object.keys(VALUES)) {
      const shares = all.filter((edit) => edit.kind === kind).map(({ share }) => share);
      expect(shares.reduce((sum, share) => sum + share, 0) / shares.length).toBeLessThan(0.1);
    }
  }, 120_000);

  test('make some thirty pieces of the largest value', () => {
    const counts = Object.values(VALUES).flatMap((make) => {
      const text = Buffer.from(JSON.stringify(make(MAX_PAYLOAD_BYTES, numbersOf(1))));
      return Array.from({ length: 20 }, (_, seed) => cut(text, keyOf(seed), MAX_BYTES).length);
    });
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    expect(mean).toBeGreaterThan(28);
    expect(mean).toBeLessThan(36);
  });

  test('make no more pieces than a manifest may name, of the text with the most cuts that there can be', () => {
    for (const { maxPieceBytes } of SIZES) {
      // Two cuts are further from each other than a cut looks for something less.
      const period = Math.floor((maxPieceBytes - 64) * 0.2) + 1;
      const text = Buffer.alloc(MAX_PAYLOAD_BYTES, randomBytes(period));
      const { length } = cut(text, keyOf(1), maxPieceBytes);
      expect(length).toBeGreaterThan(MAX_PAYLOAD_BYTES / period - 3);
      expect(length).toBeLessThanOrEqual(MAX_PARTS);
    }
  });

  test('fall elsewhere under another key: the sizes of the pieces tell nobody which text it is', () => {
    const text = Buffer.from(JSON.stringify(VALUES.prose(200_000, numbersOf(1))));
    const [one, other] = [1, 2].map((seed) => cut(text, keyOf(seed), MAX_BYTES).map(({ length }) => length));
    expect(one!.filter((length) => other!.includes(length)).length).toBeLessThan(2);
  });

  test('make pieces of a size that fits, whatever the text is, and join to it', () => {
    const texts = [
      ...Object.values(VALUES).map((make) => Buffer.from(JSON.stringify(make(400_000, numbersOf(1))))),
      randomBytes(409_600),
      Buffer.alloc(409_600),
      Buffer.from('abc'.repeat(136_000)),
      Buffer.from(randomBytes(3_000).toString('base64').repeat(100)),
      Buffer.from('a'),
    ];
    for (const text of texts)
      for (const maxBytes of [MAX_BYTES, 21_504, 9_216]) {
        const pieces = cut(text, keyOf(1), maxBytes);
        expect(pieces.every((piece) => piece.length < maxBytes)).toBe(true);
        expect(Buffer.concat(pieces).equals(text)).toBe(true);
        // None is shorter than a fifth of the largest, but for one that is the whole text.
        expect(pieces.length).toBeLessThanOrEqual(Math.max(1, text.length / (0.19 * maxBytes)));
      }
  });
});
