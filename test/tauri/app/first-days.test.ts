/** What a user meets in the first days: the start, a code to copy or scan, a wrong key, no network, and an end with changes waiting. */

import decodeQR from 'qr/decode.js';
import { startRelay, type RunningRelay } from 'nostr-sync/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findWindow, press } from './desktop.ts';
import { Device, openPair, PASSPHRASE, WAIT } from './device.ts';

let relay: RunningRelay;
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(() => relay.close());

const isShown = (device: Device, selector: string): Promise<boolean> =>
  device.at.run(
    'return document.querySelector(arguments[0]).checkVisibility({ visibilityProperty: true })',
    selector,
  );

/** What a camera makes of the screen. */
async function scan(device: Device): Promise<string> {
  await device.at.run(`
    scrollTo(0, document.documentElement.scrollHeight);
    for (let frame = 0; frame < 20; frame++) await new Promise(requestAnimationFrame);`);
  const png = await device.at.screenshot();
  const { width, height, data } = await device.at.run<{ width: number; height: number; data: string }>(
    `const { x, y, width, height } = document.querySelector('#code-picture').getBoundingClientRect();
     const bytes = Uint8Array.from(atob(arguments[0]), (char) => char.charCodeAt(0));
     const picture = await createImageBitmap(new Blob([bytes], { type: 'image/png' }), x, y, width, height);
     const canvas = Object.assign(document.createElement('canvas'), { width: picture.width, height: picture.height });
     const drawing = canvas.getContext('2d');
     drawing.drawImage(picture, 0, 0);
     const pixels = drawing.getImageData(0, 0, picture.width, picture.height);
     const texts = Array.from({ length: pixels.height }, (_, row) =>
       String.fromCharCode(...pixels.data.subarray(4 * row * pixels.width, 4 * (row + 1) * pixels.width)));
     return { width: pixels.width, height: pixels.height, data: btoa(texts.join('')) };`,
    png.toString('base64'),
  );
  return decodeQR({ width, height, data: Buffer.from(data, 'base64') });
}

/** Rows of cards, on the screen that is shown, in which nothing is: more at the end than at the sides. */
function emptyStrips(device: Device): Promise<string[]> {
  return device.at.run(`
    return [...document.querySelectorAll('.card')].filter((card) => card.checkVisibility()).flatMap((card) => {
      const { paddingBottom, borderBottomWidth } = getComputedStyle(card);
      const ends = [...card.querySelectorAll('*')]
        .filter((one) => one.checkVisibility({ visibilityProperty: true }))
        .filter((one) => one.matches('input, textarea, button, svg, li') || [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
        .map((one) => one.getBoundingClientRect().bottom);
      const end = card.getBoundingClientRect().bottom - parseFloat(paddingBottom) - parseFloat(borderBottomWidth);
      const empty = end - Math.max(...ends);
      return empty > 1 ? [card.id + (card.getAttribute('aria-labelledby') ?? '') + ': ' + empty + ' px'] : [];
    });`);
}

test('at the first start linking is offered first, and a new passphrase is asked for twice, with its minimum', async () => {
  const desk = new Device([]);
  await desk.open();
  const choices = (): Promise<string[]> =>
    desk.at.run(`return [...document.querySelectorAll('#choice button')].map((one) => one.textContent)`);
  expect(await choices()).toEqual(['Yes, link this one to it', 'No, this is the first']);
  expect(await emptyStrips(desk)).toEqual([]);
  await desk.at.click('#choose-link');
  expect(await isShown(desk, '#choice')).toBe(false);
  expect(await emptyStrips(desk)).toEqual([]);
  await desk.at.click('#link .back');
  expect(await isShown(desk, '#choice')).toBe(true);

  await desk.at.click('#choose-create');
  expect(await desk.at.text('#create')).toContain('at least 8 characters');
  expect(await emptyStrips(desk)).toEqual([]);
  const error = (): Promise<string> => desk.at.text('#create .error');
  for (const [passphrase, again, why] of [
    ['seven77', 'seven77', 'The passphrase needs at least 8 characters.'],
    [PASSPHRASE, `${PASSPHRASE}r`, 'The two passphrases differ.'],
  ] as const) {
    await desk.at.run('document.querySelector("#create").reset()');
    await desk.at.type('#create [name=passphrase]', passphrase);
    await desk.at.type('#create [name=again]', again);
    await desk.at.click('#create button');
    await expect.poll(error, WAIT).toBe(why);
  }
  expect(await desk.screen()).toBe('welcome');
  await desk.at.run('document.querySelector("#create").reset()');
  await desk.submit('create', { passphrase: PASSPHRASE, again: PASSPHRASE });

  // With no relay nothing is synced: it says so, where to add one, what that is, and which there are.
  await expect.poll(() => desk.status(), WAIT).toMatch(/^No relay yet/);
  expect(await desk.at.text('section[aria-labelledby=relays-title]')).toMatch(/see nothing but ciphertext/);
  expect(await emptyStrips(desk)).toEqual([]);
  await desk.at.click('#remedy');
  expect(await desk.at.run('return document.activeElement.name')).toBe('url');
  await desk.at.click('#suggested button');
  // Filled in, and not taken yet.
  expect(await desk.at.run('return document.querySelector("#add-relay input").value')).toBe('wss://nos.lol');
  await desk.at.run('document.querySelector("#add-relay").reset()');
  await desk.at.type('#add-relay input', relay.url);
  await desk.at.click('#add-relay button');
  await expect.poll(() => desk.status(), WAIT).toBe('Up to date');
  expect(await isShown(desk, '#suggested')).toBe(false);
  expect(await emptyStrips(desk)).toEqual([]);
  await desk.at.click('#lock');
  await expect.poll(() => desk.screen(), WAIT).toBe('locked');
  expect(await emptyStrips(desk)).toEqual([]);
});

test.each(['light', 'dark'])('the code is copied by a button, and scanned in the theme %s', async (theme) => {
  const { laptop, code } = await openPair(relay.url);
  await laptop.setTheme(theme);
  await laptop.at.click('#copy-code');
  await expect.poll(() => laptop.at.text('#copy-code'), WAIT).toBe('Copied');
  await (await findWindow(laptop.at.pid, 'Desk')).focus();
  await laptop.at.run('document.querySelector("#note").focus()');
  await press('ctrl+v');
  await expect.poll(() => laptop.note(), WAIT).toBe(code);

  await laptop.at.click('#show-code');
  await expect.poll(() => isShown(laptop, '#code-picture'), WAIT).toBe(true);
  expect(await emptyStrips(laptop)).toEqual([]);
  const scanned = await scan(laptop);
  expect(scanned.toLowerCase()).toBe(code);
  // As the camera gives it, it links a device.
  const tablet = new Device([relay.url]);
  await tablet.open();
  await tablet.link(scanned);
  await expect.poll(() => tablet.theme(), WAIT).toBe(theme);
});

test('a key that was the wrong one is put aside: unlocked or locked, with a way back, and no value is mixed', async () => {
  const [laptop, phone] = [new Device([relay.url]), new Device([relay.url])];
  await Promise.all([laptop.open(), phone.open()]);
  const code = await laptop.create();
  await laptop.write('of the right key');
  const wrong = await phone.create();
  await phone.write('of the wrong key');
  await phone.setTheme('dark');
  for (const device of [laptop, phone]) await expect.poll(() => device.status(), WAIT).toBe('Up to date');

  await phone.at.click('#app .forget');
  await phone.at.click('#forgetting [value=keep]');
  expect(await phone.screen()).toBe('app');
  await phone.at.click('#app .forget');
  await phone.at.click('#forgetting [value=forget]');
  await expect.poll(() => phone.screen(), WAIT).toBe('welcome');
  await phone.link(code);
  await expect.poll(() => phone.note(), WAIT).toBe('of the right key');
  await expect.poll(() => phone.theme(), WAIT).toBe('system');
  expect(await laptop.note()).toBe('of the right key');

  // Whose passphrase is forgotten gets further as well; and a key that was not wrong after all is taken again.
  await phone.at.click('#lock');
  await expect.poll(() => phone.screen(), WAIT).toBe('locked');
  await phone.at.click('#locked .forget');
  await phone.at.click('#forgetting [value=forget]');
  await expect.poll(() => phone.screen(), WAIT).toBe('welcome');
  await phone.link(wrong);
  await expect.poll(() => phone.note(), WAIT).toBe('of the wrong key');
  await expect.poll(() => phone.theme(), WAIT).toBe('dark');
  const keys = [...phone.files().keys()].filter((name) => name.endsWith('.ncryptsec'));
  expect(keys).toHaveLength(3);
});

test('offline, a button tries again at once', async () => {
  const desk = new Device([relay.url]);
  await desk.open();
  await desk.create();
  await expect.poll(() => desk.status(), WAIT).toBe('Up to date');
  expect(await isShown(desk, '#remedy')).toBe(false);
  const { port, relay: stored } = relay;
  // The system says that there is no network: the next attempt is a minute away.
  expect(await desk.invoke('wake', { isOnline: false })).toBeNull();
  await relay.close();
  await expect.poll(() => desk.status(), WAIT).toMatch(/^Offline/);
  relay = await startRelay({ port, relay: stored });
  await desk.at.click('#remedy');
  await expect.poll(() => desk.status(), WAIT).toBe('Up to date');
  expect(await isShown(desk, '#remedy')).toBe(false);
});

test('closed while changes wait it says so, and closed without one it ends without a word', async () => {
  const desk = new Device([relay.url]);
  await desk.open();
  await desk.create();
  await expect.poll(() => desk.status(), WAIT).toBe('Up to date');
  const { port, relay: stored } = relay;
  await relay.close();
  await expect.poll(() => desk.status(), WAIT).toMatch(/^Offline/);
  await desk.write('a');
  await desk.setTheme('dark');
  await expect.poll(() => desk.status(), WAIT).toBe('Offline. 2 changes waiting');
  const text = (): Promise<string> => desk.at.text('#quitting-text');
  await desk.closeWindows();
  await expect.poll(text, WAIT).toMatch(/^2 changes are on no relay yet. They are saved here/);
  await desk.answer('stay');
  await expect.poll(text, WAIT).toBe('');
  // By keys: Escape is no yes.
  await (await findWindow(desk.at.pid, 'Desk')).focus();
  await press('ctrl+q');
  await expect.poll(text, WAIT).not.toBe('');
  await press('Escape');
  await expect.poll(text, WAIT).toBe('');
  expect(await desk.screen()).toBe('app');
  relay = await startRelay({ port, relay: stored });
  await desk.at.click('#remedy');
  await expect.poll(() => desk.status(), WAIT).toBe('Up to date');
  // What was typed the moment before is saved, too.
  await desk.write('b');
  await desk.close();
  await desk.open();
  await desk.unlock();
  await expect.poll(() => desk.note(), WAIT).toBe('ab');
});

test('who closes it once more instead of an answer means it', async () => {
  const desk = new Device([]);
  await desk.open();
  await desk.create();
  await desk.setTheme('dark');
  await expect.poll(() => desk.activity(), WAIT).toContainEqual(expect.stringMatching(/Saved settings/));
  await desk.closeWindows();
  await expect.poll(() => desk.at.text('#quitting-text'), WAIT).not.toBe('');
  await desk.close();
});

test('what is for developers is in a window of its own, by Ctrl+Shift+D', async () => {
  const desk = new Device([relay.url]);
  await desk.open();
  await desk.create();
  const texts = await desk.at.run<string>('return document.querySelector("#app").innerText');
  expect(texts).not.toMatch(/second window|about|activity|developer/i);
  await (await findWindow(desk.at.pid, 'Desk')).focus();
  await desk.toNewWindow(() => press('ctrl+shift+d'), 'developer');
  await expect.poll(() => desk.at.text('#activity'), WAIT).toContain('Made a key for this device');
  await desk.toNewWindow(() => desk.at.click('#about'), 'about');
  await desk.goTo('developer');
  await desk.toNewWindow(() => desk.at.click('#second'), 'app');
  await desk.setTheme('dark');
  await desk.goTo('developer');
  await expect.poll(() => desk.at.text('#activity'), WAIT).toContain('Saved settings on this device');
});
