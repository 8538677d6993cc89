import { v2 } from 'nostr-tools/nip44';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { base64Decode } from '../../src/crypto/base64.ts';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import {
  cut,
  inflateText,
  isPieceName,
  join,
  layOut,
  openPiece,
  parseManifest,
  pieceDTag,
  pieceOf,
  sealPiece,
} from '../../src/protocol/chunks.ts';
import { MAX_PARTS, MAX_PAYLOAD_BYTES } from '../../src/protocol/limits.ts';
import { anAddress } from '../names.ts';
import { valueOf } from '../sync/values.ts';
import { zlibCompression } from '../support/zlib-compression.ts';
import { inPieces, NORMAL, PORTS, readBack } from './layouts.ts';

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

  test('are these also if they are many, up to the last bytes of the text', () => {
    const maxBytes = 264;
    const reach = 40;
    const text = Buffer.concat(
      Array.from({ length: 1_000 }, (_, i) => createHash('sha256').update(`${i}`).digest()),
    );
    const places = [0, 1, 2, reach, reach + 1].map((more) => reach + 500 * (reach + 1) + more);
    const pieces = [...places, text.length].map((length) =>
      cut(text.subarray(0, length), keyOf(7), maxBytes),
    );
    const lengths = pieces.map((all) => all.map(({ length }) => length).join(' ')).join('\n');
    expect(pieces.map(({ length }) => length)).toEqual([253, 253, 253, 254, 254, 393]);
    expect(createHash('sha256').update(lengths).digest('hex')).toBe(
      'e6fee7f52e85bd3ab86bca37e2a89deae6bf67087ca9e5c4dec187f0f2b80406',
    );
  });
});

describe('a value in one event', () => {
  const ports = { ...PORTS, base: async () => undefined };

  test('is bare up to the limit, deflated to a JSON string beyond it', async () => {
    const bare = await layOut(JSON.stringify('x'.repeat(40_958)), NORMAL, ports);
    expect(bare).toEqual({ format: undefined, text: JSON.stringify('x'.repeat(40_958)) });
    const json = JSON.stringify('x'.repeat(40_959));
    const deflated = await layOut(json, NORMAL, ports);
    expect(deflated.format).toBe('deflate/1');
    expect(JSON.parse(deflated.text)).toEqual(expect.any(String));
    expect(await inflateText(deflated.text, zlibCompression)).toBe(json);
  });

  test.each(['', '""', '"!"', 'null', '{"a":1}', '"AAAA"'])('is not made of %j', async (text) => {
    await expect(inflateText(text, zlibCompression)).rejects.toThrow();
  });
});

describe('what deflates', () => {
  const deflatedTo = (length: number): Promise<string | undefined> => {
    const compression = { ...zlibCompression, deflate: async () => new Uint8Array(length) };
    const ports = { ...PORTS, base: async () => undefined, compression };
    return layOut(JSON.stringify('x'.repeat(40_959)), NORMAL, ports).then(({ format }) => format);
  };

  test('to what one event takes with its quotes is in one event', async () => {
    expect(await deflatedTo(30_717)).toBe('deflate/1');
    expect(await deflatedTo(30_718)).toBe('chunked/1');
  });

  test('is inflated to no more than a value may have', async () => {
    const limits: number[] = [];
    const compression = {
      ...zlibCompression,
      inflate: async (bytes: Uint8Array, limit: number) => (limits.push(limit), bytes),
    };
    expect(await inflateText('"YWJj"', compression)).toBe('abc');
    expect(limits).toEqual([MAX_PAYLOAD_BYTES]);
    for (const text of ['YWJj"', '"YWJj', 'YWJj', ' "YWJj"', '"YWJj" '])
      await expect(inflateText(text, compression)).rejects.toThrow(/^not a deflated value$/);
    // A mark at its beginning is part of it, and what is no text is none.
    expect(await inflateText('"77u/YQ=="', compression)).toBe('\uFEFFa');
    await expect(inflateText('"/w=="', compression)).rejects.toThrow();
  });
});

describe('a manifest', () => {
  const fits = { size: 5, sha256: 'a'.repeat(64), key: 'b'.repeat(64), parts: ['c'.repeat(32)] };
  const parts = (n: number): readonly string[] => Array.from({ length: n }, () => 'c'.repeat(32));

  test.each([
    ['that says all', {}],
    ['of one byte', { size: 1 }],
    ['of the largest value', { size: MAX_PAYLOAD_BYTES }],
    ['of as many pieces as there may be', { parts: parts(MAX_PARTS) }],
  ])('%s is read, and nothing else in it', (_, more) => {
    expect(parseManifest(JSON.stringify({ ...fits, ...more, other: 1 }))).toEqual({ ...fits, ...more });
  });

  test.each([
    ['no bytes', { size: 0 }],
    ['too many bytes', { size: MAX_PAYLOAD_BYTES + 1 }],
    ['half a byte', { size: 1.5 }],
    ['a size that is a text', { size: '5' }],
    ['no hash', { sha256: 'a' }],
    ['no key', { key: 'b'.repeat(63) }],
    ['no pieces', { parts: [] }],
    ['no list of pieces', { parts: 'c'.repeat(32) }],
    ['too many pieces', { parts: parts(MAX_PARTS + 1) }],
    ['a piece that is none', { parts: [...parts(1), 'c'] }],
  ])('with %s is none', (_, more) => {
    expect(() => parseManifest(JSON.stringify({ ...fits, ...more }))).toThrow(/^not a manifest$/);
  });

  test.each(['', 'null', '5', '[]', '{"size":'])('is not %j, and the error quotes nothing', (text) => {
    expect(() => parseManifest(text)).toThrow(/^not a manifest$/);
  });

  test('is what the value is laid out by', async () => {
    const json = JSON.stringify(`ä${'x'.repeat(10)}${randomBytes(40_000).toString('base64')}`);
    const { manifest, text, pieces } = await inPieces(json);
    expect(JSON.parse(text)).toEqual(manifest);
    expect(manifest.size).toBe(Buffer.byteLength(json));
    expect(manifest.sha256).toBe(createHash('sha256').update(json).digest('hex'));
    expect(manifest.parts.every((name) => pieces.has(name))).toBe(true);
    const asked: number[] = [];
    const random = (length: number): Uint8Array => (asked.push(length), randomBytes(length));
    await inPieces(json, NORMAL, undefined, random);
    await inPieces(json, NORMAL, manifest, random);
    expect(asked).toEqual([32]);
    const sealed = await sealPiece([...pieces.values()][0]!, manifest, { ...PORTS, randomBytes: random });
    expect(asked).toEqual([32, 32]);
    expect(base64Decode(sealed)[0]).toBe(2);
  });
});

test('the name of a piece is 16 bytes in hex', () => {
  expect(isPieceName('0123456789abcdef'.repeat(2))).toBe(true);
  for (const name of [
    'a'.repeat(31),
    'a'.repeat(33),
    'A'.repeat(32),
    'g'.repeat(32),
    '',
    undefined,
    ['a'.repeat(32)],
  ])
    expect(isPieceName(name)).toBe(false);
});

describe('a value in pieces', () => {
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
    // Nor is it filled up to the size that a manifest says.
    const filled = nodePrimitives.sha256Hex(`${json}\0`);
    expect(() =>
      join({ ...manifest, size: manifest.size + 1, sha256: filled }, pieces, nodePrimitives),
    ).toThrow(/not what the manifest says/);
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

test('the address of a piece names that of its category, and the piece; no other address does', () => {
  const [of, name] = [anAddress('app\nof c/x/settings/v1'), 'ab'.repeat(16)];
  const dTag = pieceDTag(of, name);
  expect(dTag).toBe(`app\nof c/x/settings/c/${name}`);
  expect(pieceOf(dTag)).toEqual({ of, name });
  const others = [of, `c/${name}`, `${dTag}0`, dTag.slice(0, -1), dTag.toUpperCase(), `${dTag}/v1`, ''];
  expect(others.map((one) => pieceOf(one))).toEqual(others.map(() => undefined));
});
