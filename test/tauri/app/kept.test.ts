/** Handles of `state` in real windows: what they keep on the device, and edits that wait when their window goes. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { startRelay, type RunningRelay } from 'nostr-sync/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Device, WAIT } from './device.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** No edit of it is saved before something makes it go. */
const DEFINITIONS = `
  import { defineCategory } from 'nostr-sync';
  export const look = defineCategory({
    name: 'look', default: { theme: 'light', size: 12, place: 'left' }, local: ['place'], debounceMs: 600_000, maxWaitMs: 600_000,
  });
`;

let folder: string;
let categories: string;
let page: string;

async function bundle(contents: string, format: object): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: ROOT },
    ...{ bundle: true, write: false, minify: true, conditions: ['browser', 'import'], target: 'es2023' },
    ...format,
  });
  return outputFiles[0]!.text;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'desk-categories-'));
  categories = join(folder, 'categories.js');
  const iife = { format: 'iife', platform: 'neutral' };
  writeFileSync(categories, await bundle(DEFINITIONS, { ...iife, globalName: 'nostrSyncCategories' }));
  page = await bundle(
    `import { state } from 'nostr-sync/tauri';
     ${DEFINITIONS}
     globalThis.look = state(look);
     globalThis.look.subscribe(() => undefined);`,
    { ...iife, mainFields: ['module', 'main'] },
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

let relay: RunningRelay;
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(() => relay.close());

interface Look {
  readonly theme: string;
  readonly size: number;
  readonly place: string;
}

/** Puts a handle into the page that is there. */
async function showLook({ at }: Device): Promise<void> {
  await at.run(page);
  await at.run('await window.look.ready');
}
const lookOf = ({ at }: Device): Promise<Look> => at.run('return window.look.get()');
const standing = ({ at }: Device): Promise<string> => at.run('return window.look.meta.get().status');
/** Begins an edit, which waits. */
const edit = ({ at }: Device, fields: Partial<Look>): Promise<void> =>
  at.run('window.edit = window.look.update(arguments[0]); void 0', fields);

async function pair(): Promise<{ readonly laptop: Device; readonly phone: Device }> {
  const laptop = new Device([relay.url], { categories });
  const phone = new Device([relay.url], { categories });
  await Promise.all([laptop.open(), phone.open()]);
  await phone.link(await laptop.create());
  await showLook(phone);
  return { laptop, phone };
}

test('an edit that waits is not lost when its window is closed, nor when that ends the app', async () => {
  const { laptop, phone } = await pair();
  await laptop.openWindow('second');
  await showLook(laptop);
  await expect.poll(() => standing(laptop), WAIT).toBe('synced');
  await edit(laptop, { theme: 'dark' });
  expect(await standing(laptop)).toBe('pending');
  await laptop.goTo('main');
  await laptop.at.run(`return window.__TAURI_INTERNALS__.invoke('plugin:window|close', { label: 'second' })`);
  await expect.poll(() => lookOf(phone), WAIT).toMatchObject({ theme: 'dark', size: 12 });

  await showLook(laptop);
  await expect.poll(() => lookOf(laptop), WAIT).toMatchObject({ theme: 'dark' });
  await edit(laptop, { size: 20 });
  await laptop.close();
  await expect.poll(() => lookOf(phone), WAIT).toMatchObject({ theme: 'dark', size: 20 });
});

test('an edit that is made, or waits, while the app is locked outlives kill -9', async () => {
  const { laptop, phone } = await pair();
  await showLook(laptop);
  await expect.poll(() => standing(laptop), WAIT).toBe('synced');
  await edit(laptop, { size: 20 });
  await laptop.at.click('#lock');
  await expect.poll(() => standing(laptop), WAIT).toBe('locked');
  expect(await laptop.at.run('return window.edit')).toEqual({ stage: 'sealed' });
  await edit(laptop, { theme: 'dark' });
  await laptop.at.run('await window.look.flush()');
  expect(await laptop.at.run('return window.edit')).toEqual({ stage: 'sealed' });
  await laptop.kill();
  await laptop.open();
  await laptop.unlock();
  await showLook(laptop);
  await expect.poll(() => lookOf(laptop), WAIT).toMatchObject({ theme: 'dark', size: 20 });
  await expect.poll(() => lookOf(phone), WAIT).toMatchObject({ theme: 'dark', size: 20 });
});

test('a local field is the same in all windows, and stays on the device', async () => {
  const { laptop, phone } = await pair();
  await showLook(laptop);
  await laptop.openWindow('second');
  await showLook(laptop);
  await edit(laptop, { place: 'right', size: 20 });
  await laptop.at.run('await window.look.flush()');
  await laptop.goTo('main');
  await expect.poll(() => lookOf(laptop), WAIT).toMatchObject({ place: 'right', size: 20 });
  await expect.poll(() => lookOf(phone), WAIT).toMatchObject({ size: 20 });
  expect(await lookOf(phone)).toMatchObject({ place: 'left' });
  expect(await phone.invoke('fetch', { category: 'look' })).toMatchObject({ payload: { size: 20 } });
});
