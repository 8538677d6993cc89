/**
 * Our verifier, nostr-tools and the Rust SDK on EVENTS (20,000; 100,000 in a full run) genuine events with something changed, by
 * SEED. What we take, both others take. What we refuse and another takes is one of the classes below, each for a reason.
 */

import { Event as RustEvent, loadWasmSync } from '@rust-nostr/nostr-sdk';
import { validateEvent, verifyEvent } from 'nostr-tools/pure';
import { beforeAll, expect, test } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { createEventVerifier } from '../../src/protocol/event-verifier.ts';
import { parseEvent, type SignedEvent } from '../../src/protocol/event.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import { createRandom, numberFrom, type Random } from '../support/random.ts';
import { KEY } from '../sync/devices.ts';
import { mutateText, mutateValue, strangeText } from './mutate.ts';

const EVENTS = numberFrom('EVENTS', 20_000);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);

const verifier = createEventVerifier(nodePrimitives);
beforeAll(() => loadWasmSync());

function ours(value: unknown): boolean {
  const event = parseEvent(value);
  return event !== undefined && verifier.hash(event) === event.id && verifier.verifySignature(event);
}

function nostrTools(value: unknown): boolean {
  try {
    return validateEvent(value) && verifyEvent(value as Parameters<typeof verifyEvent>[0]);
  } catch {
    return false;
  }
}

function rust(text: string): boolean {
  try {
    const event = RustEvent.fromJson(text);
    try {
      // Each check on its own: the `verify` of this version is under an advisory (RUSTSEC-2026-0224).
      return event.verifyId() && event.verifySignature();
    } finally {
      event.free();
    }
  } catch {
    return false;
  }
}

/** Why we take what another refuses; `undefined` where there is no reason. */
function excuseOf(value: unknown, text: string): string | undefined {
  const canonical = JSON.stringify(parseEvent(value));
  // Fields that NIP-01 does not know are dropped, `1e0` is 1, and of two fields of one name the last counts.
  if (nostrTools(JSON.parse(canonical)) && rust(canonical))
    return 'the same event, spelled as JSON.stringify would';
  // Only the user's own key can have signed it.
  if (/\\u[dD][89a-fA-F]/.test(text))
    return 'half a surrogate pair, which JSON can spell and Rust does not read';
  return undefined;
}

/** Why we refuse what another takes; `undefined` where there is no reason. */
function reasonOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'not an object';
  const { id, pubkey, sig, kind, created_at, tags, content } = value as Record<string, any>;
  if ([id, pubkey, sig].some((hex) => typeof hex === 'string' && /[A-F]/.test(hex)))
    return 'upper-case hex: NIP-01 asks for lower case, and an id must have one spelling';
  if (!Number.isSafeInteger(created_at) || created_at < 0 || created_at > 253_402_300_799)
    return 'created_at outside the years 1970 to 9999';
  if (!Number.isInteger(kind) || kind < 0 || kind > 65_535) return 'kind outside 0 to 65,535';
  if (typeof content === 'string' && content.length > 131_072) return 'content over our limit';
  if (Array.isArray(tags)) {
    if (tags.length > 64) return 'more than 64 tags';
    if (tags.some((tag) => Array.isArray(tag) && tag.length > 64)) return 'more than 64 values in a tag';
    if (tags.some((tag) => Array.isArray(tag) && tag.some((text) => text?.length > 4_096)))
      return 'a tag value over 4,096 characters';
    if (tags.some((tag) => Array.isArray(tag) && tag.length === 0)) return 'an empty tag';
  }
  return undefined;
}

async function genuineEvents(random: Random): Promise<SignedEvent[]> {
  const signer = createSecretKeySigner(nodePrimitives, (length) => random.bytes(length), KEY);
  const texts = ['', 'text', '"\\\b\f\n\r\t\u0000\u001f\u007f\u2028 é 🦩', 'ﬀ', 'x'.repeat(1_000)];
  return Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      signer.signEvent({
        kind: random.pick([0, 1, 5, 22_242, 30_078, 65_535]),
        created_at: 1_767_225_600 + n,
        tags: [['d', `app/${n}/v1`], ['device_id', random.pick(texts)], ['alone'], ['a', 'b', 'c']],
        content: random.pick(texts),
      }),
    ),
  );
}

/** Signs what was changed, so that only its shape can be wrong. */
type Resign = (event: SignedEvent) => Promise<SignedEvent>;

async function change(random: Random, event: SignedEvent, resign: Resign): Promise<string> {
  const drawn = random.next();
  if (drawn < 0.05) return JSON.stringify(event);
  if (drawn < 0.35) return mutateText(random, JSON.stringify(event));
  const changed = mutateValue(random, event) as SignedEvent;
  const isEvent = typeof changed === 'object' && changed !== null && !Array.isArray(changed);
  if (drawn < 0.5 || !isEvent) return JSON.stringify(changed);
  try {
    if (drawn < 0.6) return JSON.stringify(await resign(changed));
    if (drawn < 0.7) return JSON.stringify(await resign({ ...event, [strangeText(random)]: 1 }));
    const { pubkey, created_at, kind, tags, content } = changed;
    const id = nodePrimitives.sha256Hex(JSON.stringify([0, pubkey, created_at, kind, tags, content]));
    return JSON.stringify({ ...changed, id });
  } catch {
    return JSON.stringify(changed);
  }
}

test(
  `${EVENTS} changed events, SEED=${SEED}: three verifiers, one verdict, or a reason`,
  { timeout: 120_000 + EVENTS * 10 },
  async () => {
    const random = createRandom(SEED);
    const genuine = await genuineEvents(random);
    const signer = createSecretKeySigner(nodePrimitives, (length) => random.bytes(length), KEY);
    const resign: Resign = async (event) => ({
      ...event,
      ...(await signer.signEvent(event)),
    });
    const counts = { taken: 0, refused: 0, unparsable: 0 };
    const differences = new Map<string, number>();
    for (let n = 0; n < EVENTS; n++) {
      const text = await change(random, random.pick(genuine), resign);
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        counts.unparsable++;
        expect(rust(text), text).toBe(false);
        continue;
      }
      const [we, they, crab] = [ours(value), nostrTools(value), rust(text)];
      counts[we ? 'taken' : 'refused']++;
      if (we === they && we === crab) continue;
      const who = `${we ? 'ours' : ''} ${they ? 'nostr-tools' : ''} ${crab ? 'rust' : ''}`.trim();
      const reason = we ? excuseOf(value, text) : reasonOf(value);
      expect(reason, `taken by ${who} alone: ${text.slice(0, 2_000)}`).toBeDefined();
      const difference = `${who}: ${reason}`;
      differences.set(difference, (differences.get(difference) ?? 0) + 1);
    }
    const found = [...differences].sort().map(([what, count]) => `\n  ${count} taken by ${what}`);
    console.info(`differential: SEED=${SEED} ${JSON.stringify(counts)}${found.join('')}`);
    for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
  },
);
