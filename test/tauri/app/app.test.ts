/** The example app, built, in real windows: devices are processes with data folders of their own, the relay is on loopback. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesToHex } from '@noble/hashes/utils.js';
import { nsecEncode } from 'nostr-tools/nip19';
import { decrypt } from 'nostr-tools/nip49';
import { getPublicKey } from 'nostr-tools/pure';
import { startRelay, type RunningRelay } from 'nostr-sync/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Device, openPair, PASSPHRASE, WAIT } from './device.ts';

const IMAGES = join(import.meta.dirname, '../../../docs/images');

let relay: RunningRelay;
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(() => relay.close());

const pair = () => openPair(relay.url);

async function restartRelay(): Promise<void> {
  const { port, relay: stored } = relay;
  relay = await startRelay({ port, relay: stored });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Written into the repository where `UPDATE_SCREENSHOTS` is set; taken and looked at in any case. */
async function screenshot(device: Device, name: string): Promise<void> {
  // What is on the screen is painted a moment after it is in the page.
  await device.at.run(`
    window.scrollTo(0, 0);
    document.activeElement?.blur();
    for (let frame = 0; frame < 20; frame++) await new Promise(requestAnimationFrame);`);
  const image = await device.at.screenshot();
  expect(image.subarray(1, 4).toString()).toBe('PNG');
  expect(image.length).toBeGreaterThan(5_000);
  if (process.env.UPDATE_SCREENSHOTS === undefined) return;
  mkdirSync(IMAGES, { recursive: true });
  writeFileSync(join(IMAGES, `${name}.png`), image);
}

test('what one device changes is on the screen of the other, without a click', async () => {
  const { laptop, phone } = await pair();
  await laptop.setTheme('dark');
  await expect.poll(() => phone.theme(), WAIT).toBe('dark');
  await phone.write('Milk, bread, and the blue folder');
  await expect.poll(() => laptop.note(), WAIT).toBe('Milk, bread, and the blue folder');
  // Rust listens as well.
  await expect
    .poll(() => phone.activity(), WAIT)
    .toContainEqual(expect.stringMatching(/Received settings from/));
  await expect.poll(() => laptop.status(), WAIT).toBe('Up to date');
  await screenshot(laptop, 'desk-dark');
  await laptop.setTheme('light');
  await expect.poll(() => phone.theme(), WAIT).toBe('light');
  await expect.poll(() => phone.status(), WAIT).toBe('Up to date');
  await screenshot(phone, 'desk-light');

  // The burst is used up by now: writes of one category go out one a second, and each is timed on its own.
  await phone.at.run(`
    window.seen = {};
    new MutationObserver(() => { window.seen[document.documentElement.style.getPropertyValue('--text')] ??= Date.now(); })
      .observe(document.documentElement, { attributes: true });`);
  const took: number[] = [];
  for (let size = 12; size <= 24; size++) {
    const start = await laptop.at.run<number>(
      `const range = document.querySelector('#font-size');
       range.value = arguments[0];
       const now = Date.now();
       range.dispatchEvent(new Event('input', { bubbles: true }));
       return now;`,
      size,
    );
    const seen = (): Promise<number | null> =>
      phone.at.run('return window.seen[arguments[0]] ?? null', `${size}px`);
    await expect.poll(seen, WAIT).not.toBeNull();
    took.push((await seen())! - start);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
  }
  console.log(
    `from a change on A to the screen of B: median ${median(took)} ms, worst ${Math.max(...took)} ms, n = ${took.length}`,
  );
});

test('offline it says so; what was edited survives kill -9 and goes out after the restart, even locked', async () => {
  const { laptop, phone } = await pair();
  await relay.close();
  await expect.poll(() => phone.status(), WAIT).toBe('Offline. All changes were sent');
  await phone.write('written in a tunnel');
  await expect.poll(() => phone.status(), WAIT).toBe('Offline. 1 change waiting');
  await screenshot(phone, 'desk-offline');
  await phone.kill();
  await restartRelay();
  await phone.open();
  expect(await phone.screen()).toBe('locked');
  await expect.poll(() => laptop.note(), WAIT).toBe('written in a tunnel');
  await phone.unlock();
  await expect.poll(() => phone.note(), WAIT).toBe('written in a tunnel');
});

test('locked, nothing can be published; a wrong passphrase unlocks nothing', async () => {
  const laptop = new Device([relay.url]);
  await laptop.open();
  await laptop.create();
  expect(await laptop.invoke('publish', { category: 'note', payload: { text: 'a' } })).toMatchObject({
    category: 'note',
  });
  await laptop.at.click('#lock');
  await expect.poll(() => laptop.screen(), WAIT).toBe('locked');
  for (const [command, args] of [
    ['publish', { category: 'note', payload: { text: 'b' } }],
    ['fetch', { category: 'note' }],
    ['remove', { category: 'note' }],
  ] as const)
    expect(await laptop.invoke(command, args)).toEqual({ refused: 'SIGNER_NOT_SET' });
  expect(await laptop.invoke('get_pubkey')).toBeNull();
  // What was unlocked is not on the page any more.
  expect(await laptop.note()).toBe('');
  await laptop.at.type('#unlock input', 'wrong');
  await laptop.at.click('#unlock button');
  await expect.poll(() => laptop.at.text('#unlock .error'), WAIT).toBe('The passphrase does not fit.');
  expect(await laptop.screen()).toBe('locked');
});

test('with no relay it works, says so, and keeps what was changed', async () => {
  const laptop = new Device([]);
  await laptop.open();
  await laptop.create();
  await expect.poll(() => laptop.status(), WAIT).toMatch(/^No relay yet/);
  await laptop.setTheme('dark');
  await expect.poll(() => laptop.activity(), WAIT).toContainEqual(expect.stringMatching(/Saved settings/));
  await laptop.closeWindows();
  await expect.poll(() => laptop.at.text('#quitting-text'), WAIT).toContain('One change');
  await laptop.answer('quit');
  await laptop.ends();
  await laptop.open();
  await laptop.unlock();
  await expect.poll(() => laptop.theme(), WAIT).toBe('dark');
  await laptop.at.type('#add-relay input', relay.url);
  await laptop.at.click('#add-relay button');
  await expect.poll(() => laptop.status(), WAIT).toBe('Up to date');
  expect(relay.relay.events()).toHaveLength(1);
});

test('two windows share one engine, which goes on when one of them is closed', async () => {
  const { laptop, phone } = await pair();
  expect(relay.relay.connections()).toBe(2);
  await laptop.openWindow('second');
  await expect.poll(() => laptop.status(), WAIT).toBe('Up to date');
  expect(relay.relay.connections()).toBe(2);
  await laptop.setTheme('dark');
  await expect.poll(() => phone.theme(), WAIT).toBe('dark');
  await laptop.goTo('main');
  await expect.poll(() => laptop.theme(), WAIT).toBe('dark');

  await laptop.goTo('second');
  const trip = await laptop.at.run<number>(`
    const call = () => window.__TAURI_INTERNALS__.invoke('plugin:nostr-sync|get_status');
    for (let i = 0; i < 20; i++) await call();
    const start = performance.now();
    for (let i = 0; i < 300; i++) await call();
    return (performance.now() - start) / 300;`);
  console.log(`round trip of a call from a second window: ${trip.toFixed(2)} ms, mean of 300`);

  await laptop.at.run(`return window.__TAURI_INTERNALS__.invoke('plugin:window|close', { label: 'main' })`);
  await expect.poll(() => laptop.at.handles(), WAIT).toHaveLength(1);
  await phone.setTheme('light');
  await expect.poll(() => laptop.theme(), WAIT).toBe('light');
  await laptop.setTheme('system');
  await expect.poll(() => phone.theme(), WAIT).toBe('system');
  expect(relay.relay.connections()).toBe(2);
});

test('reloads of a window in mid-publish lose no call and no write', async () => {
  const { laptop, phone } = await pair();
  await laptop.openWindow('second');
  const all: string[] = [];
  for (let round = 0; round < 5; round++) {
    const categories = Array.from({ length: 8 }, (_, i) => `round-${round}-${i}`);
    all.push(...categories, `own-${round}`);
    await laptop.goTo('second');
    await laptop.at.run(
      `window.answers = arguments[0].map((category) =>
         window.__TAURI_INTERNALS__.invoke('plugin:nostr-sync|publish', { category, payload: category }));`,
      categories,
    );
    await laptop.goTo('main');
    // A call of its own, and its end in the same turn of its event loop or a little later.
    await laptop.at.run(
      `const category = arguments[0];
       void window.__TAURI_INTERNALS__.invoke('plugin:nostr-sync|publish', { category, payload: category });
       setTimeout(() => location.reload(), arguments[1]);`,
      `own-${round}`,
      round * 7,
    );
    await laptop.goTo('second');
    const answers = await laptop.at.run<{ category: string }[]>('return Promise.all(window.answers)');
    expect(answers.map(({ category }) => category)).toEqual(categories);
    await expect.poll(() => laptop.status(), WAIT).toBe('Up to date');
  }
  await laptop.invoke('flush');
  const results = async (): Promise<unknown[]> =>
    ((await phone.invoke('sync_all', { categories: all })) as { payload: unknown }[]).map(
      ({ payload }) => payload,
    );
  await expect.poll(results, WAIT).toEqual(all);
});

test('what a window writes as its page is reloaded is written', async () => {
  const { laptop } = await pair();
  await laptop.openWindow('second');
  for (const category of ['last-words', 'last-words-again', 'and-again']) {
    await laptop.goTo('second');
    await laptop.at.run(
      `const args = { category: arguments[0], payload: 'said', options: { waitFor: 'saved' } };
       addEventListener('pagehide', () => {
         void window.__TAURI_INTERNALS__.invoke('plugin:nostr-sync|publish', args);
       });
       setTimeout(() => location.reload());`,
      category,
    );
    await laptop.goTo('main');
    await expect.poll(() => laptop.invoke('fetch', { category }), WAIT).toMatchObject({ payload: 'said' });
  }
});

test('a window that reloads while its write is under way does not write it anew', async () => {
  const { laptop, phone } = await pair();
  await laptop.openWindow('second');
  const written = (): number =>
    new Set(
      relay.relay.frames.flatMap(({ direction, frame }) => {
        const [type, event] = frame as [string, { id: string }];
        return direction === 'in' && type === 'EVENT' ? [event.id] : [];
      }),
    ).size;
  const before = written();
  // A call waits five seconds for a relay's answer.
  relay.relay.misbehave({ dropOk: true });
  await laptop.at.run(
    `const args = { category: 'reloaded', payload: 'older', callId: 'as the bindings give it' };
     void window.__TAURI_INTERNALS__.invoke('plugin:nostr-sync|publish', args);`,
  );
  await expect.poll(written, WAIT).toBe(before + 1);
  expect(await phone.invoke('fetch', { category: 'reloaded' })).toMatchObject({ payload: 'older' });
  const options = { waitFor: 'saved' };
  await phone.invoke('publish', { category: 'reloaded', payload: 'newer', options });
  await expect.poll(written, WAIT).toBe(before + 2);
  // Tauri sends what was not answered once more: tauri-apps/tauri#14154.
  await laptop.at.run('window.isOld = true; setTimeout(() => location.reload())');
  await expect.poll(() => laptop.at.run('return window.isOld ?? false'), WAIT).toBe(false);
  relay.relay.behave();
  expect(await laptop.invoke('fetch', { category: 'reloaded' })).toMatchObject({ payload: 'newer' });
  await laptop.invoke('flush');
  expect(written()).toBe(before + 2);
});

test('a window that goes to another page in mid-publish loses nothing', async () => {
  const { laptop, phone } = await pair();
  await laptop.openWindow('second');
  const categories = Array.from({ length: 8 }, (_, i) => `leaving-${i}`);
  await laptop.at.run(
    `window.answers = arguments[0].map((category) =>
       window.__TAURI_INTERNALS__.invoke('plugin:nostr-sync|publish', { category, payload: category }));`,
    categories,
  );
  await laptop.goTo('main');
  await laptop.at.run(`setTimeout(() => location.assign('about.html'))`);
  await expect.poll(() => laptop.screen(), WAIT).toBe('about');
  await laptop.goTo('second');
  const answers = await laptop.at.run<{ category: string }[]>('return Promise.all(window.answers)');
  expect(answers.map(({ category }) => category)).toEqual(categories);
  await laptop.setTheme('dark');
  await expect.poll(() => phone.theme(), WAIT).toBe('dark');
  await laptop.invoke('flush');
  expect(await phone.invoke('sync_all', { categories })).toMatchObject(
    categories.map((payload) => ({ payload })),
  );
  expect(relay.relay.connections()).toBe(2);
});

test('what Rust publishes reaches the other device and every window, and Rust hears of what that one does', async () => {
  const { laptop, phone } = await pair();
  await phone.setTheme('dark');
  await expect.poll(() => laptop.theme(), WAIT).toBe('dark');
  expect(await laptop.activity()).toContainEqual(expect.stringMatching(/Received settings from device/));
  await laptop.at.click('#reset');
  await expect.poll(() => phone.theme(), WAIT).toBe('system');
  await expect.poll(() => laptop.theme(), WAIT).toBe('system');
});

test('a window without the permission is refused, whatever it asks', async () => {
  const laptop = new Device([relay.url]);
  await laptop.open();
  await laptop.create();
  await laptop.openWindow('about');
  await expect.poll(() => laptop.at.text('#refusal'), WAIT).toBe('NOT_PERMITTED');
  for (const [command, args] of [
    ['publish', { category: 'note', payload: 1 }],
    ['fetch', { category: 'note' }],
    ['get_pubkey', {}],
    ['subscribe', { categories: ['note'], channel: '__CHANNEL__:1' }],
    ['listen', { event: 'updated', channel: '__CHANNEL__:1' }],
  ] as const)
    expect(await laptop.invoke(command, args)).toEqual({ refused: expect.stringMatching(/not allowed/) });
  // Nor does it hear of anything.
  const listening = await laptop.at.run<string>(`
    return window.__TAURI_INTERNALS__
      .invoke('plugin:event|listen', { event: 'nostr-sync://updated', target: { kind: 'Any' }, handler: 1 })
      .then(() => 'listens', String);`);
  expect(listening).toMatch(/not allowed/);
});

test('a window can forge an event of the app, and none that a page has asked for', async () => {
  const { laptop, phone } = await pair();
  await laptop.at.run(`
    window.heard = [];
    const { invoke, transformCallback } = window.__TAURI_INTERNALS__;
    const onMessage = ({ message }) => message && window.heard.push(JSON.parse(message).payload);
    const channel = '__CHANNEL__:' + transformCallback(onMessage);
    await invoke('plugin:nostr-sync|subscribe', { categories: ['note'], channel });`);
  await laptop.openWindow('second');
  await laptop.at.run(`
    const { invoke } = window.__TAURI_INTERNALS__;
    const forged = { category: 'note', payload: { text: 'forged' }, eventId: 'f'.repeat(64), deviceId: 'none' };
    for (const name of ['updated', 'value', 'status'])
      await invoke('plugin:event|emit', { event: 'nostr-sync://' + name, payload: forged });`);
  await phone.write('genuine');
  await laptop.goTo('main');
  await expect.poll(() => laptop.note(), WAIT).toBe('genuine');
  await expect.poll(() => laptop.at.run('return window.heard'), WAIT).toEqual([{ text: 'genuine' }]);
});

test('a second process on the same data says so, and the first goes on', async () => {
  const laptop = new Device([relay.url]);
  await laptop.open();
  await laptop.create();
  await expect.poll(() => laptop.status(), WAIT).toBe('Up to date');
  const double = new Device([relay.url], { home: laptop.home });
  await double.open();
  expect(await double.invoke('get_status')).toEqual({ refused: 'STORE_FAILED' });
  await expect.poll(() => double.status(), WAIT).toBe('Another Desk is using this data');
  await laptop.setTheme('dark');
  await expect.poll(() => laptop.activity(), WAIT).toContainEqual(expect.stringMatching(/Saved settings/));
  await laptop.close();
  // It tries again by itself.
  const status = (): Promise<unknown> => double.invoke('get_status');
  await expect.poll(status, WAIT).toMatchObject({ relayCount: 1, connectedRelayCount: 1 });
  await double.unlock();
  await expect.poll(() => double.theme(), WAIT).toBe('dark');
});

test('every JSON value comes through both ways as it is', async () => {
  const { laptop, phone } = await pair();
  await phone.at.run(`
    window.heard = [];
    const { invoke, transformCallback } = window.__TAURI_INTERNALS__;
    const onMessage = ({ message }) => message && window.heard.push(JSON.parse(message).payload);
    const channel = '__CHANNEL__:' + transformCallback(onMessage);
    window.plain = [];
    const plainHandler = transformCallback(({ payload }) => window.plain.push(JSON.stringify(payload.payload)));
    await invoke('plugin:event|listen', { event: 'nostr-sync://updated', target: { kind: 'Any' }, handler: plainHandler });
    await invoke('plugin:nostr-sync|subscribe', { categories: ['json'], channel });`);
  const text = String.raw`{"__proto__":{"x":null},"z":[1e300,5e-324,-0.5,9007199254740991],"a":{"":"\u2028 🦩"},"constructor":true}`;
  const payload: unknown = JSON.parse(text);
  await laptop.at.run(
    `await window.__TAURI_INTERNALS__.invoke('plugin:nostr-sync|publish', { category: 'json', payload: JSON.parse(arguments[0]) })`,
    text,
  );
  // As text: WebDriver would lose the key of the prototype on its own way.
  const heard = async (): Promise<unknown[]> =>
    (await phone.at.run<string[]>('return window.heard.map((value) => JSON.stringify(value))')).map(
      (value) => JSON.parse(value) as unknown,
    );
  await expect.poll(heard, WAIT).toEqual([payload]);
  // Tauri hands over an event as JavaScript source, in which this key sets the prototype (docs/TAURI.md).
  const { ['__proto__']: _, ...others } = payload as Record<string, unknown>;
  await expect.poll(() => phone.at.run('return window.plain'), WAIT).toEqual([JSON.stringify(others)]);
  const fetched = await laptop.at.run<string>(
    `return JSON.stringify((await window.__TAURI_INTERNALS__.invoke('plugin:nostr-sync|fetch', { category: 'json' })).payload)`,
  );
  expect(fetched).toBe(JSON.stringify(payload));
});

test('neither plaintext nor key nor passphrase is in what the relay has, or in any file of the app', async () => {
  const canary = 'canary-5b1f0c';
  const { laptop, phone, code } = await pair();
  await laptop.write(`my ${canary} note`);
  await expect.poll(() => phone.note(), WAIT).toContain(canary);
  await expect.poll(() => laptop.status(), WAIT).toBe('Up to date');
  const secret = decrypt(code, PASSPHRASE);
  const pubkey = getPublicKey(secret);
  const forbidden = [canary, PASSPHRASE, bytesToHex(secret), nsecEncode(secret)].flatMap((text) => [
    Buffer.from(text),
    Buffer.from(text, 'utf16le'),
    Buffer.from(Buffer.from(text).toString('base64').replace(/=+$/, '').slice(0, -2)),
  ]);
  forbidden.push(Buffer.from(secret));
  const seen = Buffer.from(JSON.stringify([relay.relay.frames, relay.relay.events()]));
  expect(seen.includes(pubkey)).toBe(true);
  for (const text of forbidden) expect(seen.includes(text), text.toString()).toBe(false);
  for (const device of [laptop, phone]) {
    await device.close();
    const files = device.files();
    expect([...files.values()].some((content) => content.includes(pubkey))).toBe(true);
    for (const [name, content] of files)
      for (const text of forbidden)
        expect(content.includes(text), `${text.toString()} in ${name}`).toBe(false);
  }
});
