/** The app in a tray goes on without a window; and of two on the same data, the second one shows the first one's window. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startRelay, type RunningRelay } from 'nostr-sync/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BINARY } from './build.mjs';
import { Device, WAIT } from './device.ts';
import { startBus, startTray, type Tray } from './tray.ts';

let relay: RunningRelay;
let tray: Tray;
beforeEach(async () => {
  [relay, tray] = await Promise.all([startRelay(), startTray()]);
});
afterEach(async () => {
  await tray.close();
  await relay.close();
});

/** A device in the tray, and one of the same user that is in none. */
async function openBoth(): Promise<{ laptop: Device; phone: Device }> {
  const [laptop, phone] = [new Device([relay.url], { bus: tray.address }), new Device([relay.url])];
  await Promise.all([laptop.open(), phone.open()]);
  await phone.link(await laptop.create());
  for (const device of [laptop, phone]) await expect.poll(() => device.status(), WAIT).toBe('Up to date');
  return { laptop, phone };
}

async function closeAllWindows(device: Device): Promise<void> {
  await device.closeWindows();
  await expect.poll(() => device.at.handles(), WAIT).toHaveLength(0);
}

/** Starts the app once more, on the same data. Resolves with its exit code. */
async function startAgain(device: Device): Promise<number> {
  const again = spawn(BINARY, { env: { ...process.env, ...device.env }, stdio: 'ignore' });
  const [code] = (await once(again, 'exit')) as [number];
  return code;
}

const hasOnDisk = (device: Device, text: string): boolean =>
  [...device.files().values()].some((content) => content.includes(text));

test('with all windows closed it goes on receiving, and the window that opens shows the newest value at once', async () => {
  const { laptop, phone } = await openBoth();
  await closeAllWindows(laptop);
  await phone.write('written while it had no window');
  await phone.setTheme('dark');
  await expect.poll(() => relay.relay.events(), WAIT).toHaveLength(2);
  for (const { id } of relay.relay.events()) await expect.poll(() => hasOnDisk(laptop, id), WAIT).toBe(true);
  // It has them: there is nothing any more that it could ask.
  await relay.close();
  await laptop.toNewWindow(() => tray.choose('Open Desk'), 'app');
  await expect.poll(() => laptop.note(), WAIT).toBe('written while it had no window');
  await expect.poll(() => laptop.theme(), WAIT).toBe('dark');
});

test('it is quit by the menu of its icon, at once if nothing waits', async () => {
  const laptop = new Device([relay.url], { bus: tray.address });
  await laptop.open();
  await laptop.create();
  await expect.poll(() => laptop.status(), WAIT).toBe('Up to date');
  await tray.choose('Quit');
  await laptop.ends();
});

test('quit while changes wait, it opens its window and asks; what waited goes out after the next start', async () => {
  const { laptop, phone } = await openBoth();
  const { port, relay: stored } = relay;
  await relay.close();
  await expect.poll(() => laptop.status(), WAIT).toMatch(/^Offline/);
  await laptop.write('nobody has this yet');
  await expect.poll(() => laptop.status(), WAIT).toBe('Offline. 1 change waiting');
  // In the tray it goes on: nothing is to be asked.
  await closeAllWindows(laptop);
  await laptop.toNewWindow(() => tray.choose('Quit'), 'app');
  const text = (): Promise<string> => laptop.at.text('#quitting-text');
  await expect.poll(text, WAIT).toMatch(/^One change is on no relay yet/);
  await laptop.answer('stay');
  await expect.poll(text, WAIT).toBe('');
  await tray.choose('Quit');
  await expect.poll(text, WAIT).toMatch(/^One change is on no relay yet/);
  await laptop.answer('quit');
  await laptop.ends();
  relay = await startRelay({ port, relay: stored });
  await laptop.open();
  await expect.poll(() => phone.note(), WAIT).toBe('nobody has this yet');
});

test('a second Desk on the same data shows the window of the first and ends; one on other data is another device', async () => {
  const { laptop } = await openBoth();
  await closeAllWindows(laptop);
  await laptop.toNewWindow(async () => expect(await startAgain(laptop)).toBe(0), 'app');
  expect(await startAgain(laptop)).toBe(0);
  expect(await laptop.at.handles()).toHaveLength(1);
  const tablet = new Device([relay.url], { bus: tray.address });
  await tablet.open();
  expect(await tablet.screen()).toBe('welcome');
});

test('on a desktop without a tray it starts, and ends with its last window', async () => {
  const bus = await startBus();
  const laptop = new Device([relay.url], { bus: bus.address });
  await laptop.open();
  await laptop.create();
  await laptop.openWindow('developer');
  await laptop.at.run(`return window.__TAURI_INTERNALS__.invoke('open_window', { label: 'second' })`);
  await laptop.goTo('second');
  await expect.poll(() => laptop.status(), WAIT).toBe('Up to date');
  await laptop.at.run(`return window.__TAURI_INTERNALS__.invoke('plugin:window|close', { label: 'main' })`);
  await expect.poll(() => laptop.at.handles(), WAIT).toHaveLength(2);
  // The window for developers goes with the last one of the user.
  await laptop.at.run(`setTimeout(() => window.__TAURI_INTERNALS__.invoke('plugin:window|close'))`);
  await laptop.ends();
  await bus.close();
});
