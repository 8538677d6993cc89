/** Values in pieces and in one event, of all sizes and texts: what takes seconds. */

import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { noblePrimitives } from '../../src/crypto/noble-primitives.ts';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { layOut, sealPiece } from '../../src/protocol/chunks.ts';
import { MAX_PARTS } from '../../src/protocol/limits.ts';
import { encryptedLength } from '../../src/protocol/payload.ts';
import { valueOf } from '../sync/values.ts';
import { inPieces, NORMAL, PORTS, readBack, SMALL } from './layouts.ts';

describe('a value in pieces', () => {
  test.each([
    ['normal pieces', NORMAL, 40_960],
    ['small pieces', SMALL, 12_288],
  ])('comes back from %s, none larger than it may be', async (_, limits, maxTextBytes) => {
    for (const bytes of [60_000, 65_536, 200_000, 409_600]) {
      const json = JSON.stringify(valueOf(bytes - 60, bytes, true));
      const layout = await inPieces(json, limits);
      expect(await readBack(layout)).toBe(json);
      expect(layout.manifest.parts.length).toBeLessThanOrEqual(MAX_PARTS);
      for (const piece of layout.pieces.values())
        expect((await sealPiece(piece, layout.manifest, PORTS)).length).toBeLessThanOrEqual(
          encryptedLength('x'.repeat(maxTextBytes)),
        );
    }
  });

  test('comes back whatever its text is', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 500 }),
        async (words, times) => {
          const noise = randomBytes(45_000).toString('base64');
          const json = JSON.stringify([noise, ...Array.from({ length: times }, () => words)]);
          if (Buffer.byteLength(json) > 409_600) return;
          expect(await readBack(await inPieces(json))).toBe(json);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('has the same names and hash by either primitives, and is read by the other', async () => {
    const json = JSON.stringify(['ä🦩', valueOf(400_000, 1, true)]);
    const random = (length: number): Uint8Array => new Uint8Array(length).fill(7);
    const [byNode, byNoble] = [
      await inPieces(json, NORMAL, undefined, random, nodePrimitives),
      await inPieces(json, NORMAL, undefined, random, noblePrimitives),
    ];
    expect(byNode).toEqual(byNoble);
    expect(await readBack(byNode, { ...PORTS, primitives: noblePrimitives })).toBe(json);
    expect(await readBack(byNoble)).toBe(json);
  });
});

test('a value in one event is never longer than that may be', async () => {
  for (let bytes = 40_961; bytes < 60_000; bytes += 397) {
    const layout = await layOut(JSON.stringify(valueOf(bytes, bytes)), NORMAL, {
      ...PORTS,
      base: async () => undefined,
    });
    expect(layout.text.length).toBeLessThanOrEqual(40_960);
  }
});
