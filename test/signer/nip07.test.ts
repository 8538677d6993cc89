import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import type { EventTemplate, SignedEvent } from '../../src/protocol/event.ts';
import { nip07Signer } from '../../src/signer/nip07.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import type { Signer } from '../../src/signer/signer.ts';
import { signerConformance } from '../../src/testing/signer-conformance.ts';

const template = { kind: 1, created_at: 1, tags: [], content: '' };

/** A provider like real ones: instances of classes, whose methods need their own `this`. */
class Extension {
  readonly #signer: Signer = createSecretKeySigner(nodePrimitives, randomBytes, '07'.repeat(32));
  readonly nip44: ExtensionNip44 = new ExtensionNip44(this.#signer);

  getPublicKey(): Promise<string> {
    return this.#signer.getPublicKey();
  }

  signEvent(template: EventTemplate): Promise<SignedEvent> {
    return this.#signer.signEvent(template);
  }
}

class ExtensionNip44 {
  readonly #signer: Signer;

  constructor(signer: Signer) {
    this.#signer = signer;
  }

  encrypt(peer: string, plaintext: string): Promise<string> {
    return this.#signer.nip44.encrypt(peer, plaintext);
  }

  decrypt(peer: string, ciphertext: string): Promise<string> {
    return this.#signer.nip44.decrypt(peer, ciphertext);
  }
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('a NIP-07 signer conforms', () => {
  test.each(signerConformance)('$name', async ({ run }) => {
    await run(nip07Signer(new Extension()));
  });
});

test('without a provider it uses the window.nostr of each call', async () => {
  const signer = nip07Signer();
  await expect(signer.getPublicKey()).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
  vi.stubGlobal('nostr', new Extension());
  expect(await signer.getPublicKey()).toBe(await new Extension().getPublicKey());
  vi.stubGlobal('nostr', undefined);
  await expect(signer.signEvent(template)).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
});

test('a provider given is used whatever window.nostr is', async () => {
  vi.stubGlobal('nostr', {});
  expect(await nip07Signer(new Extension()).getPublicKey()).toMatch(/^[0-9a-f]{64}$/);
});

test.each([null, 'nostr', 7, false])('%j is no provider', (provider) => {
  expect(() => nip07Signer(provider)).toThrow(TypeError);
});

test.each([
  ['getPublicKey', 'SIGNER_NOT_SET', (signer: Signer) => signer.getPublicKey()],
  ['signEvent', 'SIGNING_FAILED', (signer: Signer) => signer.signEvent(template)],
  ['nip44.encrypt', 'ENCRYPTION_FAILED', (signer: Signer) => signer.nip44.encrypt('', '')],
  ['nip44.decrypt', 'DECRYPTION_FAILED', (signer: Signer) => signer.nip44.decrypt('', '')],
])('a provider without %s: %s', async (_what, code, call) => {
  await expect(call(nip07Signer({}))).rejects.toMatchObject({ code });
  await expect(call(nip07Signer({ nip44: {} }))).rejects.toMatchObject({ code });
});

test("the provider's own failure comes through, also one that it throws at once", async () => {
  const refused = new Error('the person said no');
  const signer = nip07Signer({
    signEvent: () => {
      throw refused;
    },
  });
  await expect(signer.signEvent(template)).rejects.toBe(refused);
});

describe('isRemote', () => {
  const nip44 = { encrypt: async () => '', decrypt: async () => '' };
  const cipher = async (): Promise<string> => '';
  test.each([
    ['that of the provider', true, { nip44, isRemote: true }],
    ['false for an extension, which says nothing', false, { nip44 }],
    ['true for a NIP-46 client of nostr-tools', true, { nip44Encrypt: cipher, nip44Decrypt: cipher }],
    ['what such a client says', false, { nip44Encrypt: cipher, nip44Decrypt: cipher, isRemote: false }],
  ])('is %s', (_, isRemote, provider) => {
    expect(nip07Signer(provider).isRemote).toBe(isRemote);
    vi.stubGlobal('nostr', provider);
    expect(nip07Signer().isRemote).toBe(isRemote);
  });

  test('is that of whatever is window.nostr by then, and false without', () => {
    const signer = nip07Signer();
    expect(signer.isRemote).toBe(false);
    vi.stubGlobal('nostr', { isRemote: true });
    expect(signer.isRemote).toBe(true);
  });
});
