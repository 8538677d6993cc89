/** A program in Rust without a window, and Node, on one key and one relay. */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, readdirSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { build } from 'esbuild';
import {
  createNostrSync,
  memoryStore,
  secretKeySigner,
  systemClock,
  type Clock,
  type FetchResult,
  type NostrSync,
} from 'nostr-sync';
import { startRelay } from 'nostr-sync/testing';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startLineProcess, type LineProcess } from '../support/line-process.ts';
import { startRustDevice, type RustDevice } from './rust-device.ts';

let relay: LineProcess;
let url: string;

beforeAll(async () => {
  const command = join(import.meta.dirname, '../../dist/cli/main.js');
  relay = startLineProcess([process.execPath, command, 'relay', '--port', '0', '--json']);
  ({ url } = JSON.parse((await relay.line())!) as { readonly url: string });
});
afterAll(() => relay.kill());

const newKey = (): string => randomBytes(32).toString('hex');

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nostr-sync-rust-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function rust(key: string, options: Partial<Parameters<typeof startRustDevice>[0]> = {}): RustDevice {
  const device = startRustDevice({ key, category: 'notes', relays: [url], ...options });
  onTestFinished(() => device.process.kill());
  return device;
}

async function node(key: string, at = url, clock: Clock = systemClock): Promise<NostrSync> {
  const sync = createNostrSync({
    namespace: 'headless',
    relays: [at],
    store: memoryStore(),
    maxPayloadSize: 400_000,
    clock,
  });
  onTestFinished(() => sync.close());
  await sync.setSigner(secretKeySigner(key));
  return sync;
}

const isOf =
  (payload: unknown) =>
  (told: { readonly payload?: unknown }): boolean =>
    JSON.stringify(told.payload) === JSON.stringify(payload);

test('it merges as a script says, with a device that has no rules', { timeout: 90_000 }, async () => {
  const script = join(newFolder(), 'categories.js');
  const contents = `
    import { defineCategory } from 'nostr-sync';
    export const notes = defineCategory({ name: 'notes', default: { theme: 'light', font: 12 } });`;
  await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    ...{ bundle: true, format: 'iife', globalName: 'nostrSyncCategories', outfile: script },
    logLevel: 'error',
  });
  const own = await startRelay();
  onTestFinished(() => own.close());
  const key = newKey();
  const device = rust(key, { relays: [own.url], env: { NOSTR_SYNC_CATEGORIES: script } });
  let aheadMs = 0;
  const sync = await node(key, own.url, { ...systemClock, now: () => systemClock.now() + aheadMs });
  await sync.publish('notes', { theme: 'light', font: 12 }, { waitFor: 'replicated' });
  await device.next('value');
  own.relay.misbehave({ refuseConnections: true });
  own.relay.disconnectAll();
  await device.next('relay', ({ connected }) => connected === false);
  await device.publish({ theme: 'dark', font: 12 });
  // Newer than the other one, beyond doubt: a relay refuses the older one of two, and a device without rules then gives it up.
  aheadMs = 5_000;
  await sync.update('notes', (now) => ({ ...(now as object), font: 14 }), { waitFor: 'saved' });
  own.relay.behave();
  const both = { theme: 'dark', font: 14 };
  await expect.poll(async () => (await sync.fetch('notes'))?.payload, { timeout: 30_000 }).toEqual(both);
  await device.next('value', isOf(both));
});

const PAYLOADS = [
  { theme: 'dark', nested: [1, { b: null, a: 'ü🦩' }], ['__proto__']: 1 },
  -1.5e-7,
  null,
  [],
  '',
  // In pieces: what deflate makes nothing of, and what it does.
  randomBytes(140_000).toString('hex'),
  'large '.repeat(60_000),
];

test('what it publishes is pushed to Node, and what Node publishes to it', { timeout: 90_000 }, async () => {
  const key = newKey();
  const [device, sync] = [rust(key), await node(key)];
  const onNode: FetchResult[] = [];
  sync.subscribe(['notes'], (result) => void onNode.push(result));
  await device.next('relay', ({ connected }) => connected === true);
  for (const payload of PAYLOADS) {
    expect(await device.publish(payload)).toMatchObject({ event: 'published', stage: 'delivered' });
    await expect.poll(() => onNode.at(-1)?.payload, { timeout: 20_000 }).toEqual(payload);
    const back = { from: 'node', payload };
    await sync.publish('notes', back);
    expect((await device.next('value', isOf(back))).deviceId).not.toBe(onNode.at(-1)?.deviceId);
  }
  await device.publish(undefined);
  await expect.poll(() => onNode.at(-1)?.deleted, { timeout: 20_000 }).toBe(true);
  await sync.publish('notes', 'before the end');
  await device.next('value', isOf('before the end'));
  await sync.remove('notes');
  await device.next('value', ({ deleted }) => deleted === true);
  // What it has published itself it is never told.
  expect(
    device.told.filter(({ event, payload }) => event === 'value' && isOf(PAYLOADS[0])({ payload })),
  ).toEqual([]);
  expect(device.told.filter(({ event }) => event === 'error' || event === 'failed')).toEqual([]);
});

test('it is given what was published while it was not there, and goes at the end of its input', async () => {
  const key = newKey();
  const sync = await node(key);
  await sync.publish('notes', { large: 'x'.repeat(100_000) });
  const folder = newFolder();
  const first = rust(key, { folder });
  await first.next('value', isOf({ large: 'x'.repeat(100_000) }));
  await first.publish('of the first run');
  first.process.signal('SIGINT');
  await first.next('closed');
  await first.process.ended;
  // No relay is needed for what it had.
  const second = rust(key, { folder, relays: [] });
  await second.next('value', isOf('of the first run'));
  expect(await sync.fetch('notes')).toMatchObject({ payload: 'of the first run' });
});

test('two of them on one key hear each other', async () => {
  const key = newKey();
  const [left, right] = [rust(key), rust(key)];
  await Promise.all(
    [left, right].map((device) => device.next('relay', ({ connected }) => connected === true)),
  );
  for (let n = 0; n < 20; n++) {
    const [writer, reader] = n % 2 === 0 ? [left, right] : [right, left];
    await writer.publish({ n });
    await reader.next('value', isOf({ n }));
  }
});

test('wss: with a certificate that the system trusts, and with no other', { timeout: 60_000 }, async () => {
  const folder = newFolder();
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const of = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost';
  const extensions = '-addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost';
  const command = `req -x509 ${of} ${extensions} -keyout ${keyFile} -out ${certFile}`;
  execFileSync('openssl', command.split(' '), { stdio: 'pipe' });
  const target = Number(new URL(url).port);
  const server = createServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) }, (outside) => {
    const inside = connect(target, '127.0.0.1');
    outside.pipe(inside).pipe(outside);
    inside.on('error', () => outside.destroy());
    outside.on('error', () => inside.destroy());
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const secure = `wss://localhost:${(server.address() as AddressInfo).port}`;
  const key = newKey();
  const trusting = rust(key, { relays: [secure], env: { SSL_CERT_FILE: certFile } });
  expect((await trusting.next('relay', ({ connected }) => connected === true)).url).toBe(secure);
  expect(await trusting.publish('by TLS')).toMatchObject({ stage: 'delivered' });
  expect(await (await node(key)).fetch('notes')).toMatchObject({ payload: 'by TLS' });
  const doubting = rust(key, { relays: [secure] });
  expect(await doubting.publish('never there')).toMatchObject({ stage: 'saved' });
  expect(doubting.told.filter(({ connected }) => connected === true)).toEqual([]);
});

test('neither its key nor what it says is in its folder', async () => {
  const [key, folder] = [newKey(), newFolder()];
  const device = rust(key, { folder });
  await device.publish({ secret: 'a word that stands nowhere else', large: 'word '.repeat(40_000) });
  device.process.signal('SIGINT');
  await device.process.ended;
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(files.length).toBeGreaterThan(0);
  for (const { parentPath, name } of files) {
    const bytes = readFileSync(join(parentPath, name));
    for (const secret of [key, Buffer.from(key, 'hex'), 'a word that stands nowhere else', 'word word'])
      expect(bytes.includes(secret)).toBe(false);
  }
});
