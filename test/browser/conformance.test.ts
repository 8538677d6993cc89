/** The suites and vectors that run on Node, in real Chromium: its IndexedDB, its arithmetic, its base64. */

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { signerConformance, storeConformance } from '../../src/testing/index.ts';
import { bip340Vectors, nip44Vectors } from '../crypto/vectors.ts';
import { startSite, type Site } from '../support/browser.ts';

let site: Site;
let page: Page;

beforeAll(async () => {
  site = await startSite();
  const profile = site.profile();
  await profile.open();
  page = await profile.tab();
});
afterAll(() => site?.close());

test.each(storeConformance.map(({ name }, index) => [name, index] as const))(
  'IndexedDB: %s',
  async (_name, index) => {
    await page.evaluate(async (i) => {
      const { nostrSync, suites } = window.app;
      const name = `conformance-${i}`;
      const open = async (): Promise<ReturnType<typeof nostrSync.indexedDbStore>> =>
        nostrSync.indexedDbStore(name);
      await suites.stores[i]!.run({ open, reopen: open });
    }, index);
  },
);

test.each(signerConformance.map(({ name }, index) => [name, index] as const))(
  'signer: %s',
  async (_name, index) => {
    await page.evaluate(async (i) => {
      const { nostrSync, suites } = window.app;
      await suites.signers[i]!.run(nostrSync.secretKeySigner('7f'.repeat(32)));
    }, index);
  },
);

test('IndexedDB: what one tab writes another reads, and their updates are isolated from each other', async () => {
  const other = await page.context().newPage();
  await other.goto(site.url);
  await other.waitForFunction(() => window.app !== undefined);
  const count = (tab: Page): Promise<void> =>
    tab.evaluate(async () => {
      const store = window.app.nostrSync.indexedDbStore('two-tabs');
      const increment = (): Promise<void> =>
        store.update(['n'], (current) => new Map([['n', String(Number(current.get('n') ?? '0') + 1)]]));
      await Promise.all(Array.from({ length: 50 }, increment));
    });
  await Promise.all([count(page), count(other)]);
  expect(await other.evaluate(() => window.app.nostrSync.indexedDbStore('two-tabs').get('n'))).toBe('100');
  await other.close();
});

test('the NIP-44 vectors', async () => {
  const { valid, invalid } = nip44Vectors;
  const all = [
    valid.get_conversation_key,
    valid.encrypt_decrypt,
    valid.encrypt_decrypt_long_msg,
    invalid.get_conversation_key,
    invalid.decrypt,
  ];
  const checked = await page.evaluate((vectors) => window.app.checkNip44(vectors), nip44Vectors);
  expect(checked).toBe(all.reduce((sum, vectors) => sum + vectors.length, 0));
});

test('the BIP-340 vectors', async () => {
  expect(await page.evaluate((vectors) => window.app.checkBip340(vectors), bip340Vectors)).toBe(19);
});

test('base64 is the platform’s own where it has it', async () => {
  const calls = await page.evaluate(async () => {
    const platform = Uint8Array as unknown as { fromBase64: (...args: unknown[]) => Uint8Array };
    const prototype = Uint8Array.prototype as unknown as { toBase64: (...args: unknown[]) => string };
    const { fromBase64 } = platform;
    const { toBase64 } = prototype;
    const counted = { encode: 0, decode: 0 };
    platform.fromBase64 = (...args) => (counted.decode++, fromBase64.apply(Uint8Array, args));
    prototype.toBase64 = function (...args) {
      counted.encode++;
      return toBase64.apply(this, args);
    };
    try {
      const signer = window.app.nostrSync.secretKeySigner('7f'.repeat(32));
      const pubkey = await signer.getPublicKey();
      await signer.nip44.decrypt(pubkey, await signer.nip44.encrypt(pubkey, 'text'));
    } finally {
      platform.fromBase64 = fromBase64;
      prototype.toBase64 = toBase64;
    }
    return counted;
  });
  expect(calls).toEqual({ encode: 1, decode: 1 });
});
