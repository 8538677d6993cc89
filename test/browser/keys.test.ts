/** Keys in real Chromium: wrapped by a key that no script exports, or by a passkey of Chromium's virtual authenticator. */

import type { CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startSite, type Profile, type Site } from '../support/browser.ts';
import { keyStoreSuite } from '../keys/suite.ts';

const HEX = '7f7ff03d123792d6ac594bfa67bf6d0c0ab55b6b1fdb6249303fe861f1ccba9a';
const AUTHENTICATOR = {
  protocol: 'ctap2',
  ctap2Version: 'ctap2_1',
  transport: 'internal',
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
} as const;

let site: Site;
let profile: Profile;
let page: Page;
let devtools: CDPSession;
let authenticatorId: string | undefined;

/** A passkey belongs to a name: an address by numbers has none. */
async function open(): Promise<void> {
  page = await profile.context.newPage();
  await page.goto(site.url.replace('127.0.0.1', 'localhost'));
  await page.waitForFunction(() => window.app !== undefined);
  devtools = await profile.context.newCDPSession(page);
}

async function plugIn(hasPrf: boolean): Promise<void> {
  await devtools.send('WebAuthn.enable');
  if (authenticatorId !== undefined)
    await devtools.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
  ({ authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: { ...AUTHENTICATOR, hasPrf },
  }));
}

beforeAll(async () => {
  site = await startSite();
  profile = site.profile();
  await profile.open();
  await open();
  await plugIn(true);
});
beforeEach(() => page.evaluate(() => window.app.clearStorage()));
afterAll(() => site?.close());

test.each(keyStoreSuite.map(({ name }, i) => [name, i] as const))('browser: %s', async (_name, i) => {
  await page.evaluate(async (i) => {
    const { nostrSync, keyStoreSuite } = window.app;
    await keyStoreSuite[i]!.run(() => nostrSync.browserKeyStore('my-app'));
  }, i);
});

test.each(keyStoreSuite.map(({ name }, i) => [name, i] as const))('passkey: %s', async (_name, i) => {
  await page.evaluate(async (i) => {
    const { keyStoreSuite, passkeyKeyStore } = window.app;
    await keyStoreSuite[i]!.run(() => passkeyKeyStore({ namespace: 'my-app', name: 'My app' }));
  }, i);
});

test('what the browser keeps is no key in plain text, and no script exports what opens it', async () => {
  const found = await page.evaluate(async (hex) => {
    const bytes = Uint8Array.from(hex.match(/../g)!, (byte) => Number.parseInt(byte, 16));
    await window.app.nostrSync.browserKeyStore('my-app').save(bytes);
    const request = indexedDB.open('nostr-sync-key/my-app');
    await new Promise((resolve) => request.addEventListener('success', resolve));
    const boxes = request.result.transaction('boxes').objectStore('boxes').getAll();
    await new Promise((resolve) => boxes.addEventListener('success', resolve));
    request.result.close();
    const [box] = boxes.result as { wrap: CryptoKey; box: Uint8Array }[];
    const exported = await crypto.subtle
      .exportKey('raw', box!.wrap)
      .catch((error: unknown) => (error as Error).name);
    return { exported, isExtractable: box!.wrap.extractable, box: [...box!.box], bytes: [...bytes] };
  }, HEX);
  expect(found).toMatchObject({ exported: 'InvalidAccessError', isExtractable: false });
  expect(found.box).toHaveLength(48);
  expect(found.box.join()).not.toContain(found.bytes.slice(0, 4).join());
});

test('the browser is asked to keep it', async () => {
  const asked = await page.evaluate(async () => {
    const original = navigator.storage.persist;
    let calls = 0;
    navigator.storage.persist = () => (calls++, original.call(navigator.storage));
    try {
      await window.app.nostrSync.browserKeyStore('my-app').save(new Uint8Array(32).fill(9));
    } finally {
      navigator.storage.persist = original;
    }
    return calls;
  });
  expect(asked).toBe(1);
});

test('it is told whether the browser has promised to keep it, by each key store and by identity', async () => {
  const other = site.profile();
  await other.open();
  const { context } = other;
  const tab = await context.newPage();
  await tab.goto(site.url.replace('127.0.0.1', 'localhost'));
  await tab.waitForFunction(() => window.app !== undefined);
  const { origin } = new URL(tab.url());
  const browser = await context.newCDPSession(tab);
  for (const setting of ['denied', 'granted'] as const) {
    const permission = { name: 'persistent-storage' };
    await browser.send('Browser.setPermission', { origin, permission, setting });
    const told = await tab.evaluate(async () => {
      const { nostrSync, passkeyKeyStore } = window.app;
      const keyStore = nostrSync.browserKeyStore('my-app');
      const { mayBeEvicted } = await nostrSync.identity({ namespace: 'my-app', keyStore });
      return {
        isPersisted: await navigator.storage.persisted(),
        identity: mayBeEvicted,
        browser: await keyStore.mayBeEvicted(),
        passkey: await passkeyKeyStore({ namespace: 'my-app', name: 'My app' }).mayBeEvicted(),
      };
    });
    const isPersisted = setting === 'granted';
    const mayGo = !isPersisted;
    expect(told).toEqual({ isPersisted, identity: mayGo, browser: mayGo, passkey: mayGo });
  }
  await other.close();
});

test('identity is the same after the browser was killed', async () => {
  const identify = (): Promise<{ pubkey: string; isNew: boolean }> =>
    page.evaluate(async () => {
      const { identity, browserKeyStore } = window.app.nostrSync;
      const { pubkey, isNew } = await identity({ namespace: 'my-app', keyStore: browserKeyStore('my-app') });
      return { pubkey, isNew };
    });
  const first = await identify();
  expect(first).toMatchObject({ isNew: true });
  await profile.kill();
  await profile.open();
  await open();
  authenticatorId = undefined;
  await plugIn(true);
  expect(await identify()).toMatchObject({ isNew: false, pubkey: first.pubkey });
});

test('a box that was changed is an error, and not an absence', async () => {
  const codes = await page.evaluate(async () => {
    const store = window.app.nostrSync.browserKeyStore('my-app');
    await store.save(new Uint8Array(32).fill(7));
    const request = indexedDB.open('nostr-sync-key/my-app');
    await new Promise((resolve) => request.addEventListener('success', resolve));
    const put = async (box: unknown): Promise<void> => {
      const transaction = request.result.transaction('boxes', 'readwrite');
      transaction.objectStore('boxes').put(box, 'browser');
      await new Promise((resolve) => transaction.addEventListener('complete', resolve));
    };
    const read = (): Promise<string> =>
      store.load().then(String, (error: unknown) => (error as { code: string }).code);
    const get = request.result.transaction('boxes').objectStore('boxes').get('browser');
    await new Promise((resolve) => get.addEventListener('success', resolve));
    const good = get.result as { box: Uint8Array };
    const found: string[] = [];
    for (const bad of [
      {},
      'text',
      { ...good, wrap: 1 },
      { ...good, box: good.box.map((byte) => byte ^ 1) },
    ]) {
      await put(bad);
      found.push(await read());
    }
    request.result.close();
    return found;
  });
  expect(codes).toEqual(Array.from({ length: 4 }, () => 'KEY_STORE_FAILED'));
});

test('an authenticator without PRF keeps nothing, and neither does one that was lost later', async () => {
  const outcome = (act: 'save' | 'load'): Promise<string> =>
    page.evaluate(async (act) => {
      const store = window.app.passkeyKeyStore({ namespace: 'my-app', name: 'My app' });
      const call = act === 'save' ? store.save(new Uint8Array(32).fill(7)) : store.load();
      return call.then(
        () => 'done',
        (error: unknown) => {
          const { code, message } = error as { code: string; message: string };
          return `${code}: ${message}`;
        },
      );
    }, act);
  await plugIn(false);
  expect(await outcome('save')).toMatch(/^KEY_STORE_FAILED: .*has no PRF/);
  await plugIn(true);
  // Nothing was kept, so nobody is asked.
  expect(await outcome('load')).toBe('done');
  expect(await outcome('save')).toBe('done');
  const { credentials } = await devtools.send('WebAuthn.getCredentials', {
    authenticatorId: authenticatorId!,
  });
  const box = await page.evaluate(() => window.app.dumpStorage());
  expect(credentials.length).toBeGreaterThan(0);
  expect(box).not.toContain(credentials.at(-1)!.privateKey);
  // Another authenticator, with the same extension and other secrets: the box stays closed.
  await devtools.send('WebAuthn.clearCredentials', { authenticatorId: authenticatorId! });
  expect(await outcome('load')).toMatch(/^KEY_STORE_FAILED: /);
});
