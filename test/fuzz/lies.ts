/** What a buggy device of the user could have signed about values in pieces, and what others could. None of it is a value. */

import { createHash, createHmac } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { encrypt as encryptWith } from '../../src/crypto/nip44.ts';
import { CHUNKED, DEFLATED, parseManifest, type Manifest } from '../../src/protocol/chunks.ts';
import { serializeEvent, type EventTemplate, type SignedEvent } from '../../src/protocol/event.ts';
import { formatOf } from '../../src/protocol/header.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import type { Random } from '../support/random.ts';
import { KEY, OTHER_KEY, PUBKEY } from '../sync/devices.ts';
import { junkText, mutateText, mutateValue, strangeText, strangeValue } from './mutate.ts';

const BOMB = deflateRawSync(Buffer.alloc(20_000_000, 0x20)).toString('base64');
/** JSON that one piece would hold if pieces were not bounded. */
const LARGE = JSON.stringify('x'.repeat(300_000));
const LIE_ATTEMPTS = 100;

const pack = (text: string): string => deflateRawSync(text).toString('base64');

/** What a manifest tells, one part of it changed. */
function changed(random: Random, told: Manifest, other: Manifest): unknown {
  const { size, sha256, parts } = told;
  const at = random.below(parts.length);
  return random.pick<() => unknown>([
    () => ({ ...told, size: random.pick([size - 1, size + 1, 0, -size, size + 0.5, 2 ** 53, 409_600]) }),
    () => ({ ...told, sha256: random.pick([sha256.toUpperCase(), other.sha256, '0'.repeat(64)]) }),
    () => ({ ...told, key: random.pick([other.key, 'f'.repeat(64)]) }),
    () => ({ ...told, parts: parts.toSpliced(at, 1) }),
    () => ({ ...told, parts: parts.toSpliced(at, 0, parts[at]!) }),
    () => ({ ...told, parts: parts.toReversed() }),
    () => ({ ...told, parts: Array(129).fill(parts[at]) }),
    () => ({ ...told, parts: parts.with(at, other.parts[0]!) }),
    () => ({ ...told, parts: (parts as unknown[]).with(at, strangeValue(random)) }),
    () => ({ ...other, key: told.key }),
    () => JSON.parse(`{"__proto__":${JSON.stringify(told)}}`) as unknown,
    () => mutateValue(random, told),
  ])();
}

/** What pieces are encrypted under. */
function pieceKeyOf(key: string): Uint8Array {
  return createHmac('sha256', 'nostr-sync/piece/1').update(Buffer.from(key, 'hex')).digest();
}

/** The manifest of a value of one piece. */
function manifestOf(json: string, key: string): Manifest {
  const name = createHmac('sha256', Buffer.from(key, 'hex')).update(json).digest('hex').slice(0, 32);
  const sha256 = createHash('sha256').update(json).digest('hex');
  return { size: json.length, sha256, key, parts: [name] };
}

/**
 * Tells one lie about one of the `genuine` events at each call: a head, a piece, or a head with its piece. Its stamp is
 * older than what it is about, unless `isLate`.
 */
export async function createLiar(
  random: Random,
  genuine: readonly SignedEvent[],
  isLate: boolean,
): Promise<() => Promise<SignedEvent[]>> {
  const signerOf = (key: string): ReturnType<typeof createSecretKeySigner> =>
    createSecretKeySigner(nodePrimitives, (length) => random.bytes(length), key);
  const [user, stranger] = [signerOf(KEY), signerOf(OTHER_KEY)];
  const sign = async (
    template: Omit<EventTemplate, 'kind'>,
    kind = 30_078,
    by = user,
  ): Promise<SignedEvent> =>
    JSON.parse(JSON.stringify(await by.signEvent({ kind, ...template }))) as SignedEvent;
  const encrypt = (text: string): Promise<string> => user.nip44.encrypt(PUBKEY, text || ' ');

  const heads = genuine.filter((event) => formatOf(event) === CHUNKED);
  const told = new Map<SignedEvent, Manifest>();
  for (const head of heads) told.set(head, parseManifest(await user.nip44.decrypt(PUBKEY, head.content)));
  const truths = new Set([...told.values()].map((manifest) => JSON.stringify(manifest)));
  const isTrue = (text: string): boolean => {
    try {
      return truths.has(JSON.stringify(parseManifest(text)));
    } catch {
      return false;
    }
  };
  function falseText(about: Manifest): string {
    for (let left = LIE_ATTEMPTS; left > 0; left--) {
      const text = random.chance(0.1)
        ? mutateText(random, JSON.stringify(about))
        : JSON.stringify(changed(random, about, told.get(random.pick(heads))!));
      if (!isTrue(text)) return text;
    }
    return 'null';
  }

  return () => {
    const [about, another] = [random.pick(heads), random.pick(genuine)];
    const manifest = told.get(about)!;
    const dTag = about.tags[0]![1]!;
    const created_at = about.created_at + random.pick(isLate ? [-9, 0, 1, 300] : [-9, -1]);
    const head = async (text: string, format = CHUNKED): Promise<SignedEvent> =>
      sign({
        created_at,
        content: await encrypt(text),
        tags: [
          ['d', dTag],
          ['format', format],
        ],
      });
    const piece = async (name: string, text: string, tags: string[][] = []): Promise<SignedEvent> =>
      sign({ created_at, content: seal(text), tags: [['d', dTag.replace(/v1$/, `c/${name}`)], ...tags] });
    const seal = (text: string): string =>
      encryptWith(nodePrimitives, text || ' ', pieceKeyOf(manifest.key), random.bytes(32));
    const whole = async (json: string, fits = manifestOf(json, manifest.key)): Promise<SignedEvent[]> => [
      await head(JSON.stringify(fits)),
      await piece(fits.parts[0]!, pack(json)),
    ];
    /** What another event says, as if it were said of this category. */
    const foreign = { created_at, content: another.content, tags: [['d', dTag], ...another.tags.slice(1)] };
    const swapped = { ...another, ...foreign };
    return random.pick<() => Promise<SignedEvent[]>>([
      async () => [await head(falseText(manifest))],
      async () => [await head(falseText(manifest))],
      async () => [await head(falseText(manifest))],
      async () => [await head(random.pick([junkText, strangeText])(random))],
      // Manifests that their piece fits, but not the rules.
      () => whole('"misnamed"', { ...manifestOf('"misnamed"', manifest.key), parts: ['0'.repeat(32)] }),
      () => whole(LARGE),
      () => whole('no JSON'),
      () => whole('['.repeat(999)),
      // Pieces of genuine manifests that are not.
      async () => [
        await piece(
          random.pick(manifest.parts),
          random.pick([BOMB, pack('other'), junkText(random)]),
          random.pick([[], [], [['deleted', '']]]),
        ),
      ],
      async () => [await head(random.pick([JSON.stringify(BOMB), pack('1'), '"!"']), DEFLATED)],
      async () => [await head('1', 'chunked/2')],
      async () => [await sign({ ...foreign, content: junkText(random) })],
      // What only their d-tags, author, kind and signature tell from genuine ones.
      async () => [await sign({ ...foreign, tags: [['d', dTag], ...another.tags] })],
      async () => [await sign({ ...foreign, tags: [...another.tags, ['d', dTag]] })],
      async () => [await sign(foreign, 30_079)],
      async () => [await sign(foreign, undefined, stranger)],
      async () => [{ ...swapped, id: nodePrimitives.sha256Hex(serializeEvent(swapped)) }],
    ])();
  };
}
