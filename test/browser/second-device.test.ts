/** "Add a device" in two browsers: a laptop, and a phone that opens the picture of the QR code. From nothing to the same settings. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { publicKeyOf, SECRET_KEY_SEED_BYTES, secretKeyFromSeed } from '../../src/crypto/schnorr.ts';
import { toRecoveryPhrase } from '../../src/keys/recovery.ts';
import { buildPage } from '../../examples/second-device/build.mjs';
import type { Profile } from '../support/browser.ts';
import { serveFolder, type StaticSite } from '../support/page.ts';
import { tracesOf } from '../support/traces.ts';
import { scan } from './qr.ts';
import { opened, relay, site, WAIT } from './tabs.ts';

/** What a person waits for, without the typing. */
const LIMIT_MS = 10_000;

let folder: string;
let served: StaticSite;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nostr-sync-second-device-'));
  await buildPage(folder);
  served = await serveFolder(folder);
});
afterAll(async () => {
  await served?.close();
  rmSync(folder, { recursive: true });
});

interface Person {
  readonly profile: Profile;
  readonly page: Page;
  /** What the page has logged. */
  readonly logged: string[];
  /** What it has sent to relays, and they to it. */
  readonly frames: string[];
}

/** In a page: all that its code draws is noted, for the test knows no other way which key it has made. */
function keepRandomBytes(): void {
  const drawn: number[][] = [];
  const draw = crypto.getRandomValues.bind(crypto);
  crypto.getRandomValues = (array) => {
    draw(array);
    const { buffer, byteOffset, byteLength } = array as unknown as Uint8Array;
    drawn.push([...new Uint8Array(buffer, byteOffset, byteLength)]);
    return array;
  };
  Object.assign(window, { drawn });
}

/** The sync key that the page has made, hex: it signs what it publishes. */
async function keyOf({ page, frames }: Person): Promise<string> {
  const drawn = await page.evaluate(() => (window as unknown as { drawn: number[][] }).drawn);
  const keys = drawn
    .filter(({ length }) => length === SECRET_KEY_SEED_BYTES)
    .map((seed) => secretKeyFromSeed(Uint8Array.from(seed)));
  const key = keys.find((one) => frames.some((frame) => frame.includes(`"authors":["${publicKeyOf(one)}"]`)));
  return Buffer.from(key!).toString('hex');
}

/** Every file of a profile, by its name. */
function filesOf(profile: Profile): ReadonlyMap<string, string> {
  const entries = readdirSync(profile.folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  return new Map(paths.map((path) => [path, readFileSync(path, 'latin1')]));
}

async function start(
  size: { readonly width: number; readonly height: number },
  url: string,
): Promise<Person> {
  const profile = await opened(site.profile());
  const page = await profile.context.newPage();
  const logged: string[] = [];
  page.on('console', (message) => logged.push(message.text()));
  page.on('pageerror', (error) => logged.push(String(error)));
  const frames: string[] = [];
  page.on('websocket', (socket) => {
    const note = ({ payload }: { payload: string | Buffer }): unknown => frames.push(String(payload));
    socket.on('framesent', note).on('framereceived', note);
  });
  await page.addInitScript(keepRandomBytes);
  await page.setViewportSize(size);
  await page.goto(url);
  return { profile, page, logged, frames };
}

const LAPTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const home = (): string => `${served.url}?relay=${encodeURIComponent(relay.url)}`;

async function laptopWithSettings(): Promise<Person> {
  const laptop = await start(LAPTOP, home());
  await expect.poll(() => laptop.page.textContent('#status'), WAIT).toBe('Connected');
  await laptop.page.selectOption('[name=theme]', 'dark');
  await laptop.page.fill('[name=note]', 'of the laptop');
  await laptop.page.locator('[name=note]').blur();
  return laptop;
}

/** The digits go over, and the yes. Returns when both have the same. */
async function finish(laptop: Person, phone: Person): Promise<void> {
  await phone.page.waitForSelector('#shown-digits:not([hidden])');
  const digits = await phone.page.textContent('#shown-digits');
  await laptop.page.waitForSelector('#digits-row:not([hidden])');
  await laptop.page.fill('#digits', digits!);
  await laptop.page.press('#digits', 'Enter');
  await phone.page.waitForSelector('#accept:not([hidden])');
  expect(await phone.page.textContent('#joining-text')).toMatch(/^Computer \([0-9a-f]{8}\) shares/);
  await phone.page.click('#accept');
  await expect.poll(() => phone.page.inputValue('[name=note]'), WAIT).toBe('of the laptop');
  await expect.poll(() => laptop.page.textContent('#invitation-text'), WAIT).toBe('Phone has joined.');
}

const settings = ({ page }: Person): Promise<unknown> =>
  page.evaluate(() => [
    document.documentElement.dataset['theme'],
    ...new FormData(document.querySelector<HTMLFormElement>('#settings')!).values(),
  ]);

test('a phone that opens the picture has the settings of the laptop within ten seconds of the click', async () => {
  const laptop = await laptopWithSettings();
  // A tab is open there, as on a phone: the time of starting a browser is not ours.
  const phone = await start(PHONE, 'about:blank');
  const clickedAt = performance.now();
  await laptop.page.click('#add');
  await laptop.page.waitForSelector('#qr svg');
  const link = await scan(laptop.page, '#qr');
  expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?relay=.*#nostrpair:\/\/[0-9a-f]{64}\?secret=/);
  await phone.page.goto(link);
  await finish(laptop, phone);
  const tookMs = performance.now() - clickedAt;
  expect(await settings(phone)).toEqual(await settings(laptop));
  expect(tookMs).toBeLessThan(LIMIT_MS);
  console.log(`from the click to the same settings: ${Math.round(tookMs)} ms`);

  // The one way and the other.
  await laptop.page.click('#invitation-close');
  await phone.page.fill('[name=note]', 'of the phone');
  await phone.page.locator('[name=note]').blur();
  await expect.poll(() => laptop.page.inputValue('[name=note]'), WAIT).toBe('of the phone');

  // The invitation is in no address, request, log line or store.
  const secret = /secret=([0-9a-f]{64})/.exec(link)![1]!;
  const kept = await phone.page.evaluate(async () => {
    const { entries } = (window as unknown as { navigation: { entries(): { url: string }[] } }).navigation;
    const urls = entries.call((window as unknown as { navigation: object }).navigation).map(({ url }) => url);
    const storage = JSON.stringify([{ ...localStorage }, { ...sessionStorage }]);
    return JSON.stringify([urls, location.href, document.referrer, storage, history.state]);
  });
  expect(kept).toContain('relay=');
  for (const text of [
    kept,
    served.asked.map(({ sent }) => sent).join('\n'),
    ...laptop.logged,
    ...phone.logged,
  ]) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain('nostrpair');
  }
  // Back to where it was before: not to the invitation.
  await phone.page.reload();
  await expect.poll(() => phone.page.inputValue('[name=note]'), WAIT).toBe('of the phone');
  expect(await phone.page.isVisible('#joining')).toBe(false);
});

test('a device without a camera joins by the typed code, and what it had is in its history', async () => {
  const laptop = await laptopWithSettings();
  const phone = await start(PHONE, home());
  await expect.poll(() => phone.page.textContent('#status'), WAIT).toBe('Connected');
  await phone.page.fill('[name=note]', 'of the phone');
  await phone.page.locator('[name=note]').blur();
  await laptop.page.click('#add');
  await laptop.page.waitForSelector('#qr svg');
  await phone.page.click('#join');
  await phone.page.fill(
    '#text',
    (await laptop.page.textContent('#code'))!.toLowerCase().replaceAll('-', ' '),
  );
  await phone.page.click('#use');
  await finish(laptop, phone);
  await expect
    .poll(() => phone.page.textContent('#news'), WAIT)
    .toMatch(/^Your other device had other settings/);
  expect(await settings(phone)).toEqual(await settings(laptop));
});

test('wrong digits end it on both devices, and nothing was shared', async () => {
  const laptop = await laptopWithSettings();
  const phone = await start(PHONE, 'about:blank');
  await laptop.page.click('#add');
  await laptop.page.waitForSelector('#qr svg');
  await phone.page.goto(await scan(laptop.page, '#qr'));
  await phone.page.waitForSelector('#shown-digits:not([hidden])');
  const digits = (await phone.page.textContent('#shown-digits'))!;
  await laptop.page.waitForSelector('#digits-row:not([hidden])');
  await laptop.page.fill('#digits', digits.startsWith('0') ? '111111' : '000000');
  await laptop.page.click('#confirm');
  await expect.poll(() => laptop.page.textContent('#invitation-text'), WAIT).toMatch(/digits are not those/);
  await expect.poll(() => phone.page.textContent('#joining-text'), WAIT).toMatch(/digits/);
  expect(await phone.page.inputValue('[name=note]')).toBe('');
});

test('key, words, session secret and code are in no file of either browser, no request, no frame and no log line', async () => {
  const laptop = await laptopWithSettings();
  const phone = await start(PHONE, 'about:blank');
  await laptop.page.click('#add');
  await laptop.page.waitForSelector('#qr svg');
  const link = await scan(laptop.page, '#qr');
  const code = (await laptop.page.textContent('#code'))!;
  await phone.page.goto(link);
  await expect.poll(() => phone.page.textContent('#shown-digits'), WAIT).toMatch(/^\d{3} \d{3}$/);
  const former = await keyOf(phone);
  await finish(laptop, phone);
  const key = await keyOf(laptop);
  const secret = /secret=([0-9a-f]{64})/.exec(link)![1]!;
  // Once more: the browser opens what it kept.
  await phone.page.reload();
  await expect.poll(() => phone.page.inputValue('[name=note]'), WAIT).toBe('of the laptop');
  const seen: Record<string, string> = { requests: served.asked.map(({ sent }) => sent).join('\n') };
  for (const [name, { profile, logged, frames }] of Object.entries({ laptop, phone })) {
    expect(frames.length).toBeGreaterThan(10);
    seen[`logged, ${name}`] = logged.join('\n');
    seen[`frames, ${name}`] = frames.join('\n');
    await profile.close();
    for (const [path, text] of filesOf(profile)) seen[path] = text;
  }
  // What the invitation is made of is in the browser's list of visited pages, whatever a page does: in those files, that link alone.
  const isListOfPages = (path: string): boolean => /[/](History|Sessions[/].*|ukm_db)$/.test(path);
  const invitation = link.split('#')[1]!;
  const words = [key, former].map((hex) => toRecoveryPhrase(Buffer.from(hex, 'hex')));
  const traces = tracesOf({ keys: [key, former, secret], texts: [...words, code, code.replaceAll('-', '')] });
  const bytes = [key, former, secret].map((hex) => Buffer.from(hex, 'hex').toString('latin1'));
  for (const [where, text] of Object.entries(seen)) {
    const looked = isListOfPages(where) ? text.replaceAll(invitation, '') : text;
    expect(traces.exec(looked)?.[0], where).toBeUndefined();
    for (const one of bytes) expect(looked.includes(one), where).toBe(false);
  }
  // It looks where things are: the address of the page is in the files of both.
  for (const { profile } of [laptop, phone])
    expect([...filesOf(profile).values()].some((text) => text.includes(new URL(served.url).host))).toBe(true);
});
