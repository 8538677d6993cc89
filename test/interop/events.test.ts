/** Event ids and signatures against two implementations that nobody here wrote: the same verdict on every event. */

import { Event as RustEvent, Keys, loadWasmSync, UnsignedEvent } from '@rust-nostr/nostr-sdk';
import { bytesToHex } from '@noble/hashes/utils.js';
import { finalizeEvent, verifyEvent } from 'nostr-tools/pure';
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { noblePrimitives } from '../../src/crypto/noble-primitives.ts';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { sign } from '../../src/crypto/schnorr.ts';
import { createEventVerifier } from '../../src/protocol/event-verifier.ts';
import type { EventTemplate, SignedEvent } from '../../src/protocol/event.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import { anId } from '../names.ts';

const secretKey = bytesOf('author', 32);
const verifier = createEventVerifier(nodePrimitives);

beforeAll(() => loadWasmSync());

/** The same bytes in every run, unlike those of any other label. */
function bytesOf(label: string, length: number): Uint8Array {
  return createHash('shake256', { outputLength: length }).update(label).digest();
}

/** Every character of the first planes that JSON may escape, and some that it must not. */
const characters = [
  ...Array.from({ length: 0x100 }, (_, code) => String.fromCharCode(code)),
  ...['\u2028', '\u2029', '\ufeff', '\ufffd', '\uffff', '🦩', '\u{10ffff}'],
];

function templateOf(index: number): EventTemplate {
  const text = Array.from(
    bytesOf(`content ${index}`, index),
    (byte) => characters[byte % characters.length],
  ).join('');
  return {
    kind: index % 3 === 0 ? 1 : 30_078,
    created_at: 1_767_225_600 + index,
    tags: [['d', `app/${index}/v1`], ['device_id', text.slice(0, 20)], ['empty', ''], ['alone']],
    content: `${characters.join('').slice(index)}${text}`,
  };
}

const signer = createSecretKeySigner(nodePrimitives, (length) => bytesOf('chance', length), secretKey);

const makers: readonly (readonly [string, (template: EventTemplate) => Promise<SignedEvent>])[] = [
  ['our signer', (template) => signer.signEvent(template)],
  [
    'nostr-tools',
    async ({ kind, created_at, tags, content }) => {
      const event = finalizeEvent(
        { kind, created_at, tags: tags.map((tag) => [...tag]), content },
        secretKey,
      );
      // Through JSON, which drops the symbol that would make nostr-tools skip its own check.
      return JSON.parse(JSON.stringify(event)) as SignedEvent;
    },
  ],
  [
    'Rust',
    async (template) => {
      const unsigned = UnsignedEvent.fromJson(
        JSON.stringify({ pubkey: await signer.getPublicKey(), ...template }),
      );
      return JSON.parse(unsigned.signWithKeys(Keys.parse(bytesToHex(secretKey))).asJson()) as SignedEvent;
    },
  ],
];

const oursAccepts = (event: SignedEvent): boolean =>
  verifier.hash(event) === event.id && verifier.verifySignature(event);

const nostrToolsAccepts = (event: SignedEvent): boolean => {
  const { tags, ...rest } = event;
  return verifyEvent({ ...rest, tags: tags.map((tag) => [...tag]) });
};

const rustAccepts = (event: SignedEvent): boolean => {
  let parsed: RustEvent;
  try {
    parsed = RustEvent.fromJson(JSON.stringify(event));
  } catch {
    return false;
  }
  // Each check on its own: the `verify` of this version is under an advisory (RUSTSEC-2026-0224).
  return parsed.verifyId() && parsed.verifySignature();
};

const verdicts = (event: SignedEvent): Record<string, boolean> => ({
  ours: oursAccepts(event),
  nostrTools: nostrToolsAccepts(event),
  rust: rustAccepts(event),
});

describe.each(makers)('events of %s', (_name, make) => {
  test('have the same id, and are genuine, to all three', { timeout: 60_000 }, async () => {
    for (let index = 0; index < 60; index += 1) {
      const event = await make(templateOf(index));
      expect(
        noblePrimitives.sha256Hex(
          JSON.stringify([0, event.pubkey, event.created_at, event.kind, event.tags, event.content]),
        ),
      ).toBe(event.id);
      expect(verdicts(event)).toEqual({ ours: true, nostrTools: true, rust: true });
    }
  });
});

/** Another digit in place of the one at `index`. */
function changeDigit(hex: string, index: number): string {
  const digit = (Number.parseInt(hex.charAt(index), 16) ^ 1).toString(16);
  return hex.slice(0, index) + digit + hex.slice(index + 1);
}

const rehash = (event: SignedEvent): SignedEvent => ({ ...event, id: anId(verifier.hash(event)) });

const forgeries: readonly (readonly [string, (event: SignedEvent, index: number) => SignedEvent])[] = [
  ['a digit of the id', (event, index) => ({ ...event, id: anId(changeDigit(event.id, index % 64)) })],
  [
    'a digit of the signature',
    (event, index) => ({ ...event, sig: changeDigit(event.sig, (index * 5) % 128) }),
  ],
  ['a digit of the author', (event, index) => ({ ...event, pubkey: changeDigit(event.pubkey, index % 64) })],
  [
    'a digit of the author, rehashed',
    (event, index) => rehash({ ...event, pubkey: changeDigit(event.pubkey, index % 64) }),
  ],
  ['the content', (event) => ({ ...event, content: `${event.content} ` })],
  ['the content, rehashed', (event) => rehash({ ...event, content: `${event.content} ` })],
  ['the kind', (event) => ({ ...event, kind: event.kind + 1 })],
  ['the time', (event) => ({ ...event, created_at: event.created_at + 1 })],
  ['the time, rehashed', (event) => rehash({ ...event, created_at: event.created_at + 1 })],
  ['a tag less', (event) => ({ ...event, tags: event.tags.slice(1) })],
  ['tags in another order', (event) => ({ ...event, tags: [...event.tags].reverse() })],
  [
    'the halves of the signature',
    (event) => ({ ...event, sig: event.sig.slice(64) + event.sig.slice(0, 64) }),
  ],
  ['s to 0', (event) => ({ ...event, sig: event.sig.slice(0, 64) + '0'.repeat(64) })],
  ['s to the largest number', (event) => ({ ...event, sig: event.sig.slice(0, 64) + 'f'.repeat(64) })],
  ['r to the largest number', (event) => ({ ...event, sig: 'f'.repeat(64) + event.sig.slice(64) })],
  ['the signature to one that is too short', (event) => ({ ...event, sig: event.sig.slice(2) })],
  ['the id to one that is too long', (event) => ({ ...event, id: anId(`${event.id}00`) })],
];

describe('events that somebody changed', () => {
  test.each(forgeries)('%s: refused by all three', { timeout: 60_000 }, async (_what, forge) => {
    for (let index = 0; index < 12; index += 1) {
      const genuine = await signer.signEvent(templateOf(index));
      expect(verdicts(forge(genuine, index))).toEqual({ ours: false, nostrTools: false, rust: false });
    }
  });
});

test('the verifier never throws and looks at the id as an id', async () => {
  const genuine = await signer.signEvent(templateOf(1));
  expect(verifier.verifySignature(genuine)).toBe(true);
  for (const id of ['', genuine.id.toUpperCase(), `${genuine.id}\n`, undefined, [genuine.id]]) {
    expect(verifier.verifySignature({ ...genuine, id: id as string })).toBe(false);
  }
  // BIP-340 signs messages of any length; an id is 32 bytes.
  const id = 'ab'.repeat(33);
  const sig = sign(id, secretKey, new Uint8Array(32));
  expect(verifier.verifySignature({ ...genuine, id, sig })).toBe(false);
});
