/** `examples/playground` in real browsers: each switch is thrown, and what a person must see then is there. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { buildPlayground } from '../../examples/playground/build.mjs';
import { openPage, serveFolder, type OpenPage, type StaticSite } from '../support/page.ts';
import { scan } from './qr.ts';

const WAIT = { timeout: 30_000, interval: 50 };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; require-trusted-types-for 'script'";

type Device = 'laptop' | 'phone';
type RelayName = 'north' | 'south';

let folder: string;
let site: StaticSite;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nostr-sync-playground-'));
  await buildPlayground(folder);
  site = await serveFolder(folder, { 'content-security-policy': POLICY });
});
afterAll(async () => {
  await site.close();
  rmSync(folder, { recursive: true });
});

/** In the page. */
const coloursOfPicture = (): string[] => [
  getComputedStyle(document.querySelector('.pairing path')!).fill,
  getComputedStyle(document.querySelector('.pairing .qr')!).backgroundColor,
];

/** What a camera reads from the picture: on a wide screen and a narrow one, light and dark. */
async function readInEachLight(page: Page): Promise<string[]> {
  // The policy of this page lets nobody look at pixels.
  const reader = await page.context().browser()!.newPage();
  const seen: string[] = [];
  for (const width of [1280, 390])
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      seen.push(await scan(page, '.pairing .qr', reader));
      // Our decoder reads light on dark as well; not every camera does.
      expect(await page.evaluate(coloursOfPicture)).toEqual(['rgb(0, 0, 0)', 'rgb(255, 255, 255)']);
    }
  await reader.close();
  return seen;
}

describe.each(['chromium', 'firefox'] as const)('in %s', (browser) => {
  let open: OpenPage;
  beforeAll(async () => {
    open = await openPage(browser, site.url);
    await vi.waitUntil(async () => (await settings('phone')).note === 'Buy milk', WAIT);
  });
  afterAll(() => open.close());

  const settings = (device: Device): Promise<Readonly<Record<string, string>>> =>
    open.tab.evaluate(
      (id) =>
        Object.fromEntries(new FormData(document.querySelector<HTMLFormElement>(`#${id} form`)!)) as Record<
          string,
          string
        >,
      device,
    );
  const set = (device: Device, field: string, value: string): Promise<void> =>
    open.tab.evaluate(
      ([id, name, to]) => {
        const input = document.querySelector<HTMLInputElement>(`#${id} [name=${name}]`)!;
        input.value = to!;
        input.dispatchEvent(new Event('input', { bubbles: true }));
      },
      [device, field, value],
    );
  const flip = (card: Device | RelayName, name: string): Promise<void> =>
    open.tab.evaluate(
      ([id, value]) => document.querySelector<HTMLElement>(`#${id} input[value=${value}]`)!.click(),
      [card, name],
    );
  const textOf = (selector: string): Promise<string> =>
    open.tab.evaluate((of) => document.querySelector(of)!.textContent, selector);
  const badge = (card: Device | RelayName): Promise<string> => textOf(`#${card} .badge`);
  const held = (relay: RelayName): Promise<string> => textOf(`#${relay} .events`);
  /** What the inspector says of a device. */
  async function inspector(device: Device, tab: string): Promise<() => Promise<string>> {
    await open.tab.evaluate(
      ([name, which]) => {
        const radio = document.querySelector<HTMLInputElement>(`input[value=${name}]`)!;
        if (!radio.checked) radio.click();
        document.querySelector('nostr-sync-inspector')!.shadowRoot!.getElementById(which!)!.click();
      },
      [device, tab],
    );
    return () =>
      open.tab.evaluate(
        () =>
          document
            .querySelector('nostr-sync-inspector')!
            .shadowRoot!.querySelector('[role=tabpanel]:not([hidden])')!.textContent,
      );
  }
  const clickInside = (label: string): Promise<void> =>
    open.tab.evaluate((name) => {
      const { shadowRoot } = document.querySelector('nostr-sync-inspector')!;
      shadowRoot!.querySelector<HTMLElement>(name)!.click();
    }, label);
  const bothHave = async (expected: Readonly<Record<string, string>>): Promise<void> => {
    for (const device of ['laptop', 'phone'] as const)
      await expect.poll(() => settings(device), WAIT).toMatchObject(expected);
  };
  /** An edit of a device that is online. Resolves once a relay has it. */
  const edit = async (device: Device, field: string, value: string): Promise<void> => {
    const before = await held('south');
    await set(device, field, value);
    await expect.poll(() => held('south'), WAIT).not.toBe(before);
  };
  const inSync = async (): Promise<void> => {
    for (const device of ['laptop', 'phone'] as const)
      await expect.poll(() => badge(device), WAIT).toBe('In sync');
  };

  test('from the start both devices have the same, and both relays hold what they cannot read', async () => {
    await bothHave({ theme: 'light', accent: 'sea', note: 'Buy milk' });
    await inSync();
    for (const relay of ['north', 'south'] as const) {
      await expect.poll(() => held(relay), WAIT).toMatch(/^playground\/settings\/v1by laptop, /);
      expect(await held(relay)).not.toContain('milk');
      expect(await badge(relay)).toBe('2 devices');
    }
    await set('phone', 'size', '19');
    await bothHave({ size: '19', note: 'Buy milk' });
    await expect.poll(() => held('south'), WAIT).toContain('by phone');
  });

  test('offline: edits wait and are told; online again, both edits are on both', async () => {
    await flip('laptop', 'offline');
    await expect.poll(() => badge('north'), WAIT).toBe('1 device');
    await set('laptop', 'note', 'Buy bread');
    await expect.poll(() => badge('laptop'), WAIT).toBe('Offline, 1 change waits');
    const values = await inspector('laptop', 'values');
    await expect.poll(values, WAIT).toContain('saved');
    await edit('phone', 'theme', 'dark');
    expect(await settings('phone')).toMatchObject({ theme: 'dark', note: 'Buy milk' });
    expect(await settings('laptop')).toMatchObject({ theme: 'light', note: 'Buy bread' });
    await flip('laptop', 'offline');
    await bothHave({ theme: 'dark', note: 'Buy bread', size: '19' });
    await inSync();
    await expect.poll(values, WAIT).toContain('replicated');
  });

  test('a field that both changed while apart: one is shown on both, the inspector has both and restores the other', async () => {
    // Writes of one second are stamped ahead of the clock: the newer one is to be the phone's.
    const stamp = (): Promise<number> =>
      open.tab.evaluate(() => Date.parse(document.querySelector('#north time')!.getAttribute('datetime')!));
    await expect.poll(async () => Date.now() - (await stamp()), WAIT).toBeGreaterThan(1_000);
    await flip('laptop', 'offline');
    await set('laptop', 'accent', 'moss');
    await expect.poll(() => badge('laptop'), WAIT).toBe('Offline, 1 change waits');
    // And it counts as waiting before it is stamped.
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    await edit('phone', 'accent', 'plum');
    await flip('laptop', 'offline');
    await bothHave({ accent: 'plum' });
    await expect
      .poll(() => textOf('#laptop .news'), WAIT)
      .toBe('Merged. Both had changed accent: the newer one is shown.');
    const conflicts = await inspector('laptop', 'conflicts');
    await expect.poll(conflicts, WAIT).toMatch(/^settingsmerged, base exactclashes: 1/);
    expect(await conflicts()).not.toMatch(/moss|plum|accent/);
    await clickInside('[aria-label="Show: settings"]');
    await expect
      .poll(conflicts, WAIT)
      .toMatch(/base.*Buy bread.*mine.*"moss".*theirs.*"plum".*result.*"plum"/s);
    await clickInside('[aria-label="Restore: mine"]');
    await bothHave({ accent: 'moss' });
    await inSync();
  });

  test('slow: with one slow relay the other is fast enough; with two it takes its time, and comes', async () => {
    await flip('north', 'slow');
    const before = Date.now();
    await set('laptop', 'size', '14');
    await expect.poll(() => settings('phone'), WAIT).toMatchObject({ size: '14' });
    expect(Date.now() - before).toBeLessThan(2_000);
    await flip('south', 'slow');
    const started = Date.now();
    await set('laptop', 'size', '15');
    await expect.poll(() => badge('laptop'), WAIT).toBe('Sending, 1 change waits');
    await expect.poll(() => settings('phone'), WAIT).toMatchObject({ size: '15' });
    expect(Date.now() - started).toBeGreaterThanOrEqual(1_900);
    const relays = await inspector('laptop', 'relays');
    await expect.poll(relays, WAIT).toMatch(/latency[2-9],?\d{3} ms/);
    await flip('north', 'slow');
    await flip('south', 'slow');
    await inSync();
  });

  test('killed: nothing is shown and nothing runs; what was saved before goes out after the start', async () => {
    await flip('laptop', 'offline');
    await set('laptop', 'note', 'Saved, never sent');
    await expect.poll(() => badge('laptop'), WAIT).toBe('Offline, 1 change waits');
    await flip('laptop', 'killed');
    expect(await badge('laptop')).toBe('Killed');
    expect(await textOf('#laptop .over')).toBe('Not running');
    expect(
      await open.tab.evaluate(() => document.querySelector<HTMLInputElement>('#laptop [name=note]')!.value),
    ).toBe('');
    await flip('laptop', 'offline');
    await expect.poll(() => badge('north'), WAIT).toBe('1 device');
    expect(await settings('phone')).toMatchObject({ note: 'Buy bread' });
    await flip('laptop', 'killed');
    await bothHave({ note: 'Saved, never sent', theme: 'dark' });
    await inSync();
  });

  test('locked: nothing of the person is on the screen, inspector included; unlocked, it has what came meanwhile', async () => {
    const values = await inspector('laptop', 'values');
    await expect.poll(values, WAIT).toContain('settings');
    if (!(await values()).includes('former values')) await clickInside('[aria-expanded]');
    await expect.poll(values, WAIT).toContain('Show');
    await clickInside('[aria-label="Show: current"]');
    await expect.poll(values, WAIT).toContain('Saved, never sent');
    await flip('laptop', 'locked');
    expect(await textOf('#laptop .over')).toBe('Locked');
    await expect.poll(values, WAIT).not.toContain('Saved, never sent');
    const card = await open.tab.evaluate(() =>
      [...document.querySelectorAll<HTMLInputElement>('#laptop input, #laptop select')]
        .map(({ value }) => value)
        .join(),
    );
    expect(card).not.toContain('Saved, never sent');
    await edit('phone', 'note', 'Written while locked');
    await flip('laptop', 'locked');
    await bothHave({ note: 'Written while locked' });
  });

  test('a clock that is ahead wins for once, and does not lock out the other device', async () => {
    await flip('laptop', 'ahead');
    await set('laptop', 'theme', 'light');
    await bothHave({ theme: 'light' });
    await set('phone', 'theme', 'dark');
    await bothHave({ theme: 'dark' });
    await flip('laptop', 'ahead');
    await set('laptop', 'note', 'The clock is right again');
    await bothHave({ theme: 'dark', note: 'The clock is right again' });
    await inSync();
  });

  test('a relay that was wiped has the value again', async () => {
    await open.tab.evaluate(() => {
      document.querySelector<HTMLElement>('#north button')!.click();
      document.querySelector<HTMLElement>('#south button')!.click();
    });
    await expect.poll(async () => [await held('north'), await held('south')], WAIT).toEqual(['', '']);
    await expect.poll(() => badge('laptop'), WAIT).toBe('No relay');
    for (const relay of ['north', 'south'] as const)
      await expect.poll(() => held(relay), WAIT).toContain('playground/settings/v1');
    await inSync();
    await bothHave({ theme: 'dark', note: 'The clock is right again' });
  });

  test('a relay that lies is found out; what it shows is thrown away, and counts for nothing until it is honest', async () => {
    const relays = await inspector('phone', 'relays');
    expect(await relays()).toMatch(/north.*violationsnone.*south.*violationsnone/s);
    await flip('north', 'lies');
    await set('laptop', 'note', 'In spite of the liar');
    await bothHave({ note: 'In spite of the liar' });
    await expect.poll(relays, WAIT).toMatch(/north.*violationsid \d+.*south.*violationsnone/s);
    const values = await inspector('laptop', 'values');
    await expect.poll(values, WAIT).toContain('delivered');
    await flip('north', 'lies');
    await expect.poll(values, { ...WAIT, timeout: 100_000 }).toContain('replicated');
  });

  test('a new phone joins the laptop by the link in a picture, which is in no address any more, and both have all', async () => {
    const inPairing = (selector: string): Promise<string> =>
      open.tab.evaluate((of) => {
        const element = document.querySelector<HTMLElement>(`.pairing ${of}`)!;
        return element.hidden ? '' : element.textContent.trim();
      }, selector);
    const press = (selector: string): Promise<void> =>
      open.tab.evaluate((of) => document.querySelector<HTMLElement>(`.pairing ${of}`)!.click(), selector);
    const news = (): Promise<string> => inPairing('.news');
    await bothHave({ note: 'In spite of the liar' });
    await press('.fresh');
    await expect.poll(() => settings('phone'), WAIT).toMatchObject({ theme: 'light', note: '' });
    await set('laptop', 'note', 'Of the laptop');
    await expect.poll(() => badge('laptop'), WAIT).toBe('In sync');
    expect(await settings('phone')).toMatchObject({ note: '' });
    await set('phone', 'size', '17');
    await expect.poll(() => badge('phone'), WAIT).toBe('In sync');

    await press('.invite');
    await expect.poll(() => inPairing('a'), WAIT).toBe('Open it on the phone');
    const { address, link, widthPx } = await open.tab.evaluate(() => ({
      address: location.href,
      link: document.querySelector<HTMLAnchorElement>('.pairing a')!.href,
      widthPx: document.querySelector('.pairing .qr svg')!.getBoundingClientRect().width,
    }));
    expect(link.startsWith(`${address}#nostrpair://`)).toBe(true);
    expect(widthPx).toBeGreaterThan(200);
    if (open.page === undefined) await press('a');
    else {
      const seen = await readInEachLight(open.page);
      expect(seen).toEqual(Array.from(seen, () => link));
      // As a camera does: it opens what it has read.
      await open.page.evaluate((read) => location.assign(read!), seen[0]);
    }
    await expect.poll(news, WAIT).toMatch(/^The phone shows \d{6}\./);
    expect(await open.tab.evaluate(() => [location.href, history.state as unknown])).toEqual([address, null]);
    // The picture is gone with it.
    expect(await open.tab.evaluate(() => document.querySelector('.pairing')!.innerHTML)).not.toMatch(
      /nostrpair|<path/,
    );
    await expect.poll(() => inPairing('form button'), WAIT).toBe('Confirm');
    const [digits] = /\d{6}/.exec(await news())!;
    await open.tab.evaluate((typed) => {
      document.querySelector<HTMLInputElement>('.pairing input')!.value = typed!;
      document.querySelector<HTMLElement>('.pairing form button')!.click();
    }, digits);
    await expect.poll(() => inPairing('.accept'), WAIT).toBe('Join laptop?');
    expect(await settings('phone')).toMatchObject({ note: '' });
    await press('.accept');
    await expect.poll(news, WAIT).toBe('The phone has joined, with what it had itself.');
    await bothHave({ note: 'Of the laptop', theme: 'dark' });
    await set('phone', 'note', 'Of the phone');
    await bothHave({ note: 'Of the phone' });
    await inSync();
  });

  test('nothing but three files was asked for; no policy was broken; no screen is too wide', async () => {
    expect(
      [...new Set(site.asked.map(({ path }) => path))].filter((path) => path !== '/favicon.ico').sort(),
    ).toEqual(['/', '/app.js', '/style.css']);
    if (open.page === undefined) return;
    for (const width of [390, 1280]) {
      await open.page.setViewportSize({ width, height: 900 });
      expect(await open.page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    }
  });
});

test('npm run playground serves it on this computer alone', async () => {
  const program = join(import.meta.dirname, '../../examples/playground/serve.mjs');
  const child = spawn(process.execPath, [program, '--no-open'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const [address] = /^http:\/\/127\.0\.0\.1:\d+\//.exec(line)!;
    expect(await (await fetch(address)).text()).toContain('<nostr-sync-inspector>');
    expect((await fetch(`${address}app.js`)).headers.get('content-type')).toBe('text/javascript');
    expect((await fetch(`${address}..%2fpackage.json`)).status).toBe(404);
  } finally {
    child.kill();
  }
});
