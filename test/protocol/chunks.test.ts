import fc from 'fast-check';
import { v2 } from 'nostr-tools/nip44';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { noblePrimitives } from '../../src/crypto/noble-primitives.ts';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { categoryOf, toDTag } from '../../src/protocol/address.ts';
import {
  CHUNKED,
  cut,
  inflateText,
  join,
  layOut,
  openPiece,
  parseManifest,
  pieceDTag,
  sealPiece,
  type Layout,
  type Manifest,
} from '../../src/protocol/chunks.ts';
import { MAX_PARTS } from '../../src/protocol/limits.ts';
import { encryptedLength } from '../../src/protocol/payload.ts';
import { numbersOf, VALUES } from '../../bench/support/values.mjs';
import { valueOf } from '../sync/values.ts';
import { zlibCompression } from '../support/zlib-compression.ts';

const PORTS = { compression: zlibCompression, primitives: nodePrimitives, randomBytes };
const NORMAL = { maxTextBytes: 40_960, maxPieceBytes: 30_720 };
const SMALL = { maxTextBytes: 40_960, maxPieceBytes: 9_216 };

type InPieces = Extract<Layout, { readonly format: typeof CHUNKED }>;

async function inPieces(
  json: string,
  limits = NORMAL,
  base?: Manifest,
  random: (length: number) => Uint8Array = randomBytes,
  primitives = nodePrimitives,
): Promise<InPieces> {
  const ports = { ...PORTS, base: async () => base, randomBytes: random, primitives };
  const layout = await layOut(json, limits, ports);
  if (layout.format !== CHUNKED) throw new Error(`expected pieces, got ${layout.format}`);
  return layout;
}

/** What a reader makes of it, through text alone. */
async function readBack(layout: InPieces, ports = PORTS): Promise<string> {
  const manifest = parseManifest(layout.text);
  const pieces = new Map<string, Uint8Array>();
  for (const [name, piece] of layout.pieces) {
    const content = await sealPiece(piece, manifest, ports);
    pieces.set(name, await openPiece(content, name, manifest, ports));
  }
  return join(manifest, pieces, ports.primitives);
}

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

  test('is encrypted under the key of the manifest: by any NIP-44, with the rule of docs/PROTOCOL.md', async () => {
    const json = JSON.stringify(valueOf(100_000, 3, true));
    const { manifest, pieces } = await inPieces(json);
    const chunkKey = Buffer.from(manifest.key, 'hex');
    const pieceKey = createHmac('sha256', 'nostr-sync/piece/1').update(chunkKey).digest();
    let text = '';
    for (const name of manifest.parts) {
      const content = await sealPiece(pieces.get(name)!, manifest, PORTS);
      const bytes = inflateRawSync(Buffer.from(v2.decrypt(content, pieceKey), 'base64'));
      expect(createHmac('sha256', chunkKey).update(bytes).digest('hex').slice(0, 32)).toBe(name);
      text += bytes.toString();
      await expect(openPiece(content, name, { ...manifest, key: '0'.repeat(64) }, PORTS)).rejects.toThrow(
        /MAC/,
      );
    }
    expect(text).toBe(json);
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

  test('of the same text again and again has one piece many times, and comes back', async () => {
    const block = randomBytes(60_000).toString('base64');
    const json = JSON.stringify([block, block, block, block]);
    const layout = await inPieces(json);
    expect(layout.pieces.size).toBeLessThan(layout.manifest.parts.length);
    expect(await readBack(layout)).toBe(json);
  });

  test('keeps its pieces under the key of the version before, and none without it', async () => {
    const before = JSON.stringify(valueOf(400_000, 1, true));
    const first = await inPieces(before);
    const after = `${before.slice(0, 200_000)}${'a'.repeat(1_000)}${before.slice(200_000)}`;
    const second = await inPieces(after, NORMAL, first.manifest);
    expect([...second.pieces.keys()].filter((name) => !first.pieces.has(name)).length).toBeLessThan(5);
    const other = await inPieces(after);
    expect([...other.pieces.keys()].filter((name) => first.pieces.has(name))).toEqual([]);
  });

  test('is not made of bytes that are not what the names say, nor of other than the manifest says', async () => {
    const json = JSON.stringify(valueOf(100_000, 1, true));
    const { manifest, pieces } = await inPieces(json);
    const [[name, piece], [otherName]] = [...pieces] as [[string, Uint8Array], [string, Uint8Array]];
    const text = await sealPiece(piece, manifest, PORTS);
    await expect(openPiece(text, otherName, manifest, PORTS)).rejects.toThrow(/not what its name says/);
    await expect(openPiece('AAAA', name, manifest, PORTS)).rejects.toThrow();
    await expect(openPiece('not base64', name, manifest, PORTS)).rejects.toThrow();
    expect(() => join({ ...manifest, size: manifest.size - 1 }, pieces, nodePrimitives)).toThrow(
      /more than the manifest says/,
    );
    expect(() => join({ ...manifest, size: manifest.size + 1 }, pieces, nodePrimitives)).toThrow(
      /not what the manifest says/,
    );
    expect(() => join({ ...manifest, sha256: '0'.repeat(64) }, pieces, nodePrimitives)).toThrow(
      /not what the manifest says/,
    );
  });

  test('is not made of a piece that inflates to more than a piece may have, or than the whole', async () => {
    const json = JSON.stringify(valueOf(400_000, 1, true));
    // Too large for a piece, and not for what can be encrypted. Where a value is cut depends on a random key: so cut until there is one.
    const isLarger = ({ length }: Uint8Array): boolean =>
      length > NORMAL.maxPieceBytes && length < 1.4 * NORMAL.maxPieceBytes;
    const cutLarger = async (): ReturnType<typeof inPieces> =>
      inPieces(json, { ...NORMAL, maxPieceBytes: 2 * NORMAL.maxPieceBytes });
    let larger = await cutLarger();
    for (let left = 50; left > 0 && ![...larger.pieces.values()].some(isLarger); left--)
      larger = await cutLarger();
    const [name, piece] = [...larger.pieces].find(([, bytes]) => isLarger(bytes))!;
    const text = await sealPiece(piece, larger.manifest, PORTS);
    await expect(openPiece(text, name, larger.manifest, PORTS)).rejects.toThrow();
    const { manifest, pieces } = await inPieces(json);
    const [[own, fitting]] = [...pieces] as [[string, Uint8Array]];
    const fits = await sealPiece(fitting, manifest, PORTS);
    expect(await openPiece(fits, own, manifest, PORTS)).toEqual(fitting);
    const smaller = { ...manifest, size: fitting.length - 1 };
    await expect(openPiece(fits, own, smaller, PORTS)).rejects.toThrow();
  });
});

describe('a value in one event', () => {
  const ports = { ...PORTS, base: async () => undefined, randomBytes };

  test('is bare up to the limit, deflated to a JSON string beyond it', async () => {
    const bare = await layOut(JSON.stringify('x'.repeat(40_958)), NORMAL, ports);
    expect(bare).toEqual({ format: undefined, text: JSON.stringify('x'.repeat(40_958)) });
    const json = JSON.stringify('x'.repeat(40_959));
    const deflated = await layOut(json, NORMAL, ports);
    expect(deflated.format).toBe('deflate/1');
    expect(JSON.parse(deflated.text)).toEqual(expect.any(String));
    expect(await inflateText(deflated.text, zlibCompression)).toBe(json);
  });

  test('is never longer than one event may be', async () => {
    for (let bytes = 40_961; bytes < 60_000; bytes += 397) {
      const layout = await layOut(JSON.stringify(valueOf(bytes, bytes)), NORMAL, ports);
      expect(layout.text.length).toBeLessThanOrEqual(40_960);
    }
  });

  test.each(['', '""', '"!"', 'null', '{"a":1}', '"AAAA"'])('is not made of %j', async (text) => {
    await expect(inflateText(text, zlibCompression)).rejects.toThrow();
  });
});

test('the d-tag of a piece is that of its category and its name, so that no category has it', () => {
  const dTag = pieceDTag(toDTag('sage', 'ui-settings'), 'a'.repeat(32));
  expect(dTag).toBe(`sage/ui-settings/v1/c/${'a'.repeat(32)}`);
  expect(() => toDTag('sage', categoryOf(dTag))).toThrow('no "/"');
});

describe('the cuts', () => {
  const MAX_BYTES = 30_720;
  const keyOf = (seed: number): Uint8Array => createHash('sha256').update(String(seed)).digest();

  test('are these: devices of another version must cut in the same places, or they share no piece', () => {
    // Words in an order that a hash gives, so that no two places are alike.
    const words = Array.from({ length: 3_000 }, (_, i) => createHash('md5').update(String(i)).digest('hex'));
    const text = Buffer.from(words.join(' '));
    const lengthsOf = (maxBytes: number, of: Uint8Array = text): number[] =>
      cut(of, keyOf(7), maxBytes).map(({ length }) => length);
    expect(lengthsOf(MAX_BYTES)).toEqual([26981, 9141, 16902, 14465, 9044, 7598, 14868]);
    expect(lengthsOf(9_216)).toEqual([
      5161, 2296, 3687, 3190, 3028, 2281, 3213, 4125, 4613, 4528, 5169, 8705, 3028, 2348, 1975, 1834, 3956,
      4352, 4606, 2599, 1839, 3015, 2382, 2201, 2158, 1977, 2834, 3936, 3963,
    ]);
    // Nothing is less than anything else in it: cut in the middle, again and again.
    expect(lengthsOf(9_216, Buffer.alloc(50_000))).toEqual([
      3126, 2344, 7031, 2344, 7031, 7032, 5274, 3955, 2966, 8897,
    ]);
    expect(lengthsOf(MAX_BYTES, text.subarray(0, MAX_BYTES - 64))).toEqual([MAX_BYTES - 64]);
    expect(lengthsOf(MAX_BYTES, text.subarray(0, MAX_BYTES - 63))).toEqual([11144, 19513]);
    expect(lengthsOf(MAX_BYTES, new Uint8Array())).toEqual([0]);
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
