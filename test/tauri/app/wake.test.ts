/** A device comes back, from sleep, from another window, from no network, and has what it missed, without a click. */

import { startRelay, type RunningRelay } from 'nostr-sync/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { findWindow, type AppWindow } from './desktop.ts';
import { openPair, WAIT, type Device } from './device.ts';

let relay: RunningRelay;
/** The phone's way to the relay. */
let network: TcpProxy;
let laptop: Device;
let phone: Device;
let window: AppWindow;

beforeEach(async () => {
  relay = await startRelay();
  network = await startTcpProxy(relay.port);
  ({ laptop, phone } = await openPair(relay.url, `ws://127.0.0.1:${network.port}`));
  window = await findWindow(phone.at.pid, 'Desk');
  await window.focus();
  await expect.poll(() => hasFocus(), WAIT).toBe(true);
});
afterEach(async () => {
  await network.close();
  await relay.close();
});

const hasFocus = (): Promise<boolean> => phone.at.run('return document.hasFocus()');
const visibility = (): Promise<string> => phone.at.run('return document.visibilityState');

/** The phone's connection dies without a word, and the laptop writes. */
async function missOut(): Promise<void> {
  network.forget();
  await laptop.write('while you were away');
  await expect.poll(() => laptop.status(), WAIT).toBe('Up to date');
}

async function catchesUp(): Promise<void> {
  await expect.poll(() => phone.note(), WAIT).toBe('while you were away');
}

test('back from sleep, in which the relay hung up', async () => {
  phone.at.freeze();
  network.reset();
  await missOut();
  phone.at.thaw();
  await catchesUp();
});

// A silence is suspicious after 30 s, and a connection given up 10 s later: that alone would be too late for WAIT.

test('back from sleep, in which the connection died without a word', async () => {
  await (await findWindow(laptop.at.pid, 'Desk')).focus();
  await expect.poll(() => hasFocus(), WAIT).toBe(false);
  phone.at.freeze();
  await missOut();
  phone.at.thaw();
  await window.focus();
  await catchesUp();
});

test('the window gets the focus', async () => {
  await (await findWindow(laptop.at.pid, 'Desk')).focus();
  await expect.poll(() => hasFocus(), WAIT).toBe(false);
  await missOut();
  expect(await phone.note()).toBe('');
  await window.focus();
  await catchesUp();
});

test('another window of the app gets the focus, one without permissions, while the first is hidden', async () => {
  await phone.openWindow('about');
  const about = await findWindow(phone.at.pid, 'About Desk');
  await phone.goTo('main');
  await window.hide();
  await expect.poll(visibility, WAIT).toBe('hidden');
  await missOut();
  expect(await phone.note()).toBe('');
  await about.focus();
  await catchesUp();
  expect(await visibility()).toBe('hidden');
});

test('the window is shown again', async () => {
  await window.hide();
  await expect.poll(visibility, WAIT).toBe('hidden');
  await missOut();
  expect(await phone.note()).toBe('');
  await window.show();
  await catchesUp();
});

test('the network is back', async () => {
  await missOut();
  expect(await phone.note()).toBe('');
  // As WebKit tells its pages.
  await phone.at.run(`for (const type of ['offline', 'online']) window.dispatchEvent(new Event(type));`);
  await catchesUp();
});
