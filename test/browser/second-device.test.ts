/** "Add a device" in two browsers: a laptop, and a phone that opens the picture of the QR code. From nothing to the same settings. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildPage } from '../../examples/second-device/build.mjs';
import type { Profile } from '../support/browser.ts';
import { serveFolder, type StaticSite } from '../support/page.ts';
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
  await page.setViewportSize(size);
  await page.goto(url);
  return { profile, page, logged };
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
