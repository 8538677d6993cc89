/** The app by keys alone, pressed at the X server: what has the focus shows it, and nothing on the page moves meanwhile. */

import { startRelay, type RunningRelay } from 'nostr-sync/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findWindow, press, typeText } from './desktop.ts';
import { Device, PASSPHRASE, WAIT } from './device.ts';
import { moves, watchLayout } from './layout.ts';

let relay: RunningRelay;
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(() => relay.close());

/** Presses Tab until this has the focus. Everything on the way must show that it has it. */
async function tabTo(device: Device, selector: string, key = 'Tab'): Promise<void> {
  for (let stops = 0; stops < 30; stops++) {
    const { name, isThere, outline } = await device.at.run<{
      name: string;
      isThere: boolean;
      outline: number;
    }>(
      `const at = document.activeElement;
       const shown = at.type === 'radio' ? at.nextElementSibling : at;
       const { outlineStyle, outlineWidth } = getComputedStyle(shown);
       return {
         name: at.outerHTML.slice(0, 80),
         isThere: at.matches(arguments[0]),
         outline: outlineStyle === 'none' ? 0 : parseFloat(outlineWidth),
       };`,
      selector,
    );
    if (!name.startsWith('<body')) expect(outline, name).toBeGreaterThanOrEqual(2);
    if (isThere) return;
    await press(key);
  }
  throw new Error(`no way to ${selector} by ${key}`);
}

/** Makes the user's key, or takes it over from another device, in the window that has the focus. */
async function enter(device: Device, form: 'create' | 'link' | 'unlock'): Promise<void> {
  if (form === 'create') {
    await tabTo(device, '#choose-create');
    await press('Return');
  }
  await tabTo(device, `#${form} input`);
  await typeText(PASSPHRASE);
  if (form === 'create') {
    await press('Tab');
    await typeText(PASSPHRASE);
  }
  await press('Return');
  await expect.poll(() => device.screen(), WAIT).toBe('app');
}

test('by keys alone: a key is made, settings, note and relays are changed, the app is locked and unlocked', async () => {
  const desk = new Device([relay.url]);
  await desk.open();
  await watchLayout(desk);
  await (await findWindow(desk.at.pid, 'Desk')).focus();
  await enter(desk, 'create');
  await expect.poll(() => desk.status(), WAIT).toBe('Up to date');

  await tabTo(desk, '#theme input', 'shift+Tab');
  await press('Right', 'Right');
  await expect.poll(() => desk.theme(), WAIT).toBe('dark');
  await tabTo(desk, '#font-size');
  await press('End');
  const size = (): Promise<string> => desk.at.text('#font-size-value');
  await expect.poll(size, WAIT).toBe('24 px');
  await tabTo(desk, '#reset');
  await press('space');
  await expect.poll(() => desk.theme(), WAIT).toBe('system');
  await expect.poll(size, WAIT).toBe('16 px');
  // The button that was pressed still has the focus.
  expect(await desk.at.run('return document.activeElement.id')).toBe('reset');
  await tabTo(desk, '#note');
  await typeText('no mouse');
  await expect.poll(() => desk.activity(), WAIT).toContainEqual(expect.stringMatching(/Saved note/));

  await relay.close();
  await expect.poll(() => desk.status(), WAIT).toMatch(/^Offline/);
  await tabTo(desk, '#add-relay input');
  await typeText('http://x');
  await press('Return');
  await expect.poll(() => desk.at.text('#add-relay .error'), WAIT).not.toBe('');
  // All of that moved nothing.
  expect(await moves(desk)).toEqual([]);

  await tabTo(desk, '#lock', 'shift+Tab');
  await press('space');
  await expect.poll(() => desk.screen(), WAIT).toBe('locked');
  await enter(desk, 'unlock');
  await expect.poll(() => desk.note(), WAIT).toBe('no mouse');
});

test('by keys alone: a relay is added and removed, and the code is copied here and pasted on another device', async () => {
  const [laptop, phone] = [new Device([]), new Device([])];
  await Promise.all([laptop.open(), phone.open()]);
  const [laptopWindow, phoneWindow] = [
    await findWindow(laptop.at.pid, 'Desk'),
    await findWindow(phone.at.pid, 'Desk'),
  ];
  const addRelay = async (device: Device): Promise<void> => {
    await tabTo(device, '#add-relay input');
    await typeText(relay.url);
    await press('Return');
    await expect.poll(() => device.status(), WAIT).toBe('Up to date');
  };

  await laptopWindow.focus();
  await enter(laptop, 'create');
  await expect.poll(() => laptop.status(), WAIT).toMatch(/^No relay yet/);
  await addRelay(laptop);
  await tabTo(laptop, '#theme input', 'shift+Tab');
  await press('Right', 'Right');
  await tabTo(laptop, '#show-code');
  await press('space');
  await expect.poll(() => laptop.at.text('#code'), WAIT).toMatch(/^ncryptsec1/);
  const code = await laptop.at.text('#code');
  await tabTo(laptop, '#code');
  await press('ctrl+c');

  await phoneWindow.focus();
  await tabTo(phone, '#choose-link');
  await press('space');
  await tabTo(phone, '#link textarea');
  await press('ctrl+v');
  const pasted = (): Promise<string> => phone.at.run('return document.querySelector("#link textarea").value');
  await expect.poll(pasted, WAIT).toBe(code);
  await enter(phone, 'link');
  await addRelay(phone);
  await expect.poll(() => phone.theme(), WAIT).toBe('dark');
  await tabTo(phone, '#note');
  await typeText('by keys');
  await expect.poll(() => laptop.note(), WAIT).toBe('by keys');

  await tabTo(phone, '#relays button');
  await press('Return');
  await expect.poll(() => phone.status(), WAIT).toMatch(/^No relay yet/);
});
