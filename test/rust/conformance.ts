/**
 * What the crate's tests run in QuickJS in place of the engine: the conformance suites against the ports in Rust, and the ports' results
 * against those of Node, which `bundle.mjs` has put in. A check is a call by its name.
 */

import '../../src/embedded/globals.ts';
import { createAnswers } from '../../src/embedded/answers.ts';
import { createEventVerifier as createNativeVerifier } from '../../src/embedded/verifier.ts';
import { native } from '../../src/embedded/native.ts';
import { compression, primitives, randomBytes } from '../../src/embedded/primitives.ts';
import { sha256 as nativeSha256 } from '../../src/embedded/sha256.ts';
import { createSigner } from '../../src/embedded/signer.ts';
import { createStore } from '../../src/embedded/store.ts';
import { toWire } from '../../src/wire.ts';
import { isNostrSyncError, isBytes } from '../../src/errors.ts';
import { canonicalRelayUrl } from '../../src/relay/url.ts';
import { assertEqual } from '../../src/testing/store-check.ts';
import { signerConformance } from '../../src/testing/signer-conformance.ts';
import { storeConformance } from '../../src/testing/store-conformance.ts';
import type { Expected } from './expected.ts';

/** What Node says, put in when this is bundled. */
declare const EXPECTED: Expected;

export const describeFailure = (error: unknown): string => JSON.stringify(toWire(error));

const fromHex = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

function canonicalOrCode(spelling: string, isInsecure: boolean): string {
  try {
    return canonicalRelayUrl(spelling, isInsecure);
  } catch (error) {
    return isNostrSyncError(error) ? error.code : 'something else';
  }
}

async function rejects(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => false,
    () => true,
  );
}

type Check = () => void | Promise<void>;

const PORTS: Readonly<Record<string, Check>> = {
  'hashes are those of Node': () => {
    for (const { text, sha256, utf8 } of EXPECTED.texts) {
      assertEqual(primitives.sha256Hex(text), sha256);
      assertEqual(toHex(nativeSha256(fromHex(utf8))), sha256);
    }
  },
  'HMAC and ChaCha20 are those of Node': () => {
    for (const { key, nonce, data, hmac, chacha20 } of EXPECTED.ciphers) {
      const [k, n, d] = [key, nonce, data].map(fromHex);
      const half = d!.length >> 1;
      assertEqual(toHex(primitives.hmacSha256(k!, d!.subarray(0, half), d!.subarray(half))), hmac);
      assertEqual(toHex(primitives.chacha20(k!, n!, d!)), chacha20);
      const text = primitives.base64Encode(d!);
      assertEqual(toHex(primitives.base64Decode(text)), data);
    }
  },
  'base64 has one form': () => {
    for (const text of [
      'A',
      'AB=',
      'AB==',
      'AA==\n',
      'AA',
      'A===',
      'AAA',
      'AA=A',
      '-_-_',
      'AAB=',
      'é',
      'AAAAA===',
    ]) {
      let isRefused = false;
      try {
        primitives.base64Decode(text);
      } catch {
        isRefused = true;
      }
      assertEqual(`${text} ${isRefused}`, `${text} true`);
    }
  },
  'UTF-8 is that of Node': () => {
    for (const { text, utf8 } of EXPECTED.texts) {
      assertEqual(toHex(new TextEncoder().encode(text)), utf8);
      assertEqual(
        new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(fromHex(utf8)),
        text.replaceAll(/\p{Cs}/gu, '\ufffd'),
      );
    }
    for (const wrong of ['ff', 'c0af', 'eda080', 'f4908080', 'e2']) {
      let isRefused = false;
      try {
        new TextDecoder('utf-8', { fatal: true }).decode(fromHex(wrong));
      } catch {
        isRefused = true;
      }
      assertEqual(`${wrong} ${isRefused}`, `${wrong} true`);
    }
  },
  'deflate streams of Node are read, and ours come back': async () => {
    for (const { data, deflated } of EXPECTED.streams) {
      const bytes = fromHex(data);
      assertEqual(toHex(await compression.inflate(fromHex(deflated), bytes.length)), data);
      assertEqual(toHex(await compression.inflate(await compression.deflate(bytes), bytes.length)), data);
      if (bytes.length > 0)
        assertEqual(await rejects(compression.inflate(fromHex(deflated), bytes.length - 1)), true);
      assertEqual(await rejects(compression.inflate(fromHex(deflated).subarray(0, -1), 1e6)), true);
    }
  },
  'signatures are valid where Node says so': () => {
    const verifier = createNativeVerifier();
    for (const { event, isValid } of EXPECTED.events) {
      assertEqual(verifier.hash(event as never), (event as { id: string }).id);
      assertEqual(verifier.verifySignature(event as never), isValid);
    }
  },
  'BIP-340 has our answer to its own vectors': () => {
    for (const { publicKey, message, signature, isValid } of EXPECTED.bip340)
      assertEqual(`${signature} ${native.verify(signature, message, publicKey)}`, `${signature} ${isValid}`);
  },
  'relay URLs have one form, the same as in Node': () => {
    for (const { spelling, canonical, insecure } of EXPECTED.urls) {
      assertEqual(`${spelling} ${canonicalOrCode(spelling, false)}`, `${spelling} ${canonical}`);
      assertEqual(`${spelling} ${canonicalOrCode(spelling, true)}`, `${spelling} ${insecure}`);
    }
  },
  'random bytes are as many as asked for, and never the same': () => {
    for (const length of [0, 1, 32, 65_536]) assertEqual(randomBytes(length).length, length);
    assertEqual(isBytes(randomBytes(4)), true);
    assertEqual(toHex(randomBytes(32)) === toHex(randomBytes(32)), false);
  },
  'what the engine takes for granted is there': () => {
    const controller = new AbortController();
    let heard = 0;
    const listener = (): void => void (heard += 1);
    controller.signal.addEventListener('abort', listener);
    controller.signal.addEventListener('abort', () => (heard += 10));
    controller.signal.removeEventListener('abort', listener);
    controller.signal.throwIfAborted();
    controller.abort('why');
    controller.abort('again');
    assertEqual(`${controller.signal.aborted} ${controller.signal.reason} ${heard}`, 'true why 10');
    const value = { a: [1, { b: null }], ['__proto__']: 1, u: undefined };
    const copy = structuredClone(value);
    assertEqual(JSON.stringify(copy), JSON.stringify(value));
    assertEqual(copy === value || copy.a === value.a || !('u' in copy), false);
  },
};

/** Shape of `Running`, as far as these checks need it. */
export function start(settings: string): object {
  const answers = createAnswers();
  const { signer } = JSON.parse(settings) as { readonly signer?: { readonly pubkey: string } };
  const open = async (): Promise<ReturnType<typeof createStore>> => createStore(answers);
  const checks = new Map<string, () => void | Promise<void>>([
    ...storeConformance.map(
      ({ name, run }) => [`store: ${name}`, () => run({ open, reopen: open })] as const,
    ),
    ...signerConformance.map(
      ({ name, run }) =>
        [`signer: ${name}`, () => run(createSigner(answers, signer?.pubkey ?? '', true))] as const,
    ),
    ...Object.entries(PORTS).map(([name, run]) => [`port: ${name}`, run] as const),
  ]);

  async function carryOut(method: string, args: string): Promise<unknown> {
    if (method === 'close') return null;
    if (method === 'names') return [...checks.keys()];
    await checks.get((JSON.parse(args) as { readonly name: string }).name)!();
    return null;
  }

  return {
    call: (id: number, _origin: string, method: string, args: string): void => {
      carryOut(method, args).then(
        (value) => native.answer(id, null, JSON.stringify(value)),
        (error: unknown) => native.answer(id, JSON.stringify(toWire(error)), null),
      );
    },
    signer: (id: number): void => native.answer(id, null, 'null'),
    cancel: (): void => undefined,
    wake: (): void => undefined,
    reply: answers.reply,
  };
}
