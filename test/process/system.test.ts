/** What the system around a device can do: a disk that is full, a clock that is wrong, certificates, threads on one store. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { createNostrSync, fileStore, secretKeySigner } from '../../src/node.ts';
import { relay, stored } from '../sync/devices.ts';
import { KEY, root, startDevice, type Command, type DeviceProcess, type Surroundings } from './processes.ts';

const newFolder = (): Promise<string> => mkdtemp(join(root, 'store-'));
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function started(folder: string, url: string, surroundings?: Surroundings): Promise<DeviceProcess> {
  const device = startDevice(folder, url, surroundings);
  expect(await device.answer()).toEqual({ type: 'started' });
  return device;
}

function publish(value: number, waitFor: 'saved' | 'delivered' | 'replicated', filler = 0): Command {
  return { do: 'publish', category: 'settings', value, waitFor, filler };
}
const FETCH: Command = { do: 'fetch', category: 'settings' };
const FLUSH: Command = { do: 'flush' };

/** What a device that knows nothing is told by the relay. */
async function seenBy(url: string): Promise<unknown> {
  const fresh = createNostrSync({ relays: [url], signer: secretKeySigner(KEY) });
  try {
    return (await fresh.fetch('settings'))?.payload;
  } finally {
    await fresh.close();
  }
}

test('on a disk that is full writes are refused, reading goes on, and what fits again is saved and delivered', async () => {
  const folder = await newFolder();
  const running = await relay();
  // A file system of its own, in a mount namespace of its own: it goes with the process.
  const mounted = [
    '-c',
    'mount -t tmpfs -o size=900k tmpfs "$1" && head -c 500k /dev/zero >"$1/ballast" && shift && exec "$@"',
    'sh',
    folder,
  ];
  const device = await started(join(folder, 'state'), running.url, {
    under: ['unshare', '--map-root-user', '--mount', 'sh', ...mounted],
  });
  expect(await device.ask(publish(1, 'replicated'))).toMatchObject({ type: 'receipt' });
  let [newest, refused] = [1, 0];
  for (let value = 2; value < 20; value++) {
    const answer = await device.ask(publish(value, 'saved', 20_000));
    if (answer?.type === 'receipt') newest = value;
    else {
      expect(answer).toMatchObject({ type: 'failed', code: 'STORE_FAILED' });
      refused++;
      expect(await device.ask(FETCH)).toMatchObject({ result: { payload: { value: newest } } });
    }
  }
  expect(newest).toBeGreaterThan(1);
  expect(refused).toBeGreaterThan(1);
  // Somebody makes room.
  await rm(join('/proc', String(device.pid), 'root', folder, 'ballast'));
  expect(await device.ask(publish(20, 'saved'))).toMatchObject({ type: 'receipt', value: 20 });
  expect(await device.ask(FLUSH)).toEqual({ type: 'flushed' });
  expect(await seenBy(running.url)).toEqual({ value: 20 });
  await device.kill();
});

describe('a clock that is', () => {
  const faked = (offset: string): Surroundings => ({
    under: ['faketime', '-f', offset],
    env: { FAKETIME_DONT_FAKE_MONOTONIC: '1' },
  });

  test('two hours behind: its writes still follow what it has seen', async () => {
    const running = await relay();
    const right = await started(await newFolder(), running.url);
    expect(await right.ask(publish(1, 'replicated'))).toMatchObject({ receipt: { stage: 'replicated' } });
    const behind = await started(await newFolder(), running.url, faked('-2h'));
    expect(await behind.ask(publish(2, 'replicated'))).toMatchObject({ receipt: { stage: 'replicated' } });
    expect(await seenBy(running.url)).toEqual({ value: 2 });
    expect(await right.ask(FETCH)).toMatchObject({ result: { payload: { value: 2 } } });
    expect(await right.ask(publish(3, 'replicated'))).toMatchObject({ receipt: { stage: 'replicated' } });
    expect(await behind.ask(FETCH)).toMatchObject({ result: { payload: { value: 3 } } });
  });

  test('a day ahead: its write is saved, the skew is told, and it is delivered to whoever takes it', async () => {
    const strict = await relay();
    const lenient = await relay({ limits: { createdAtUpperLimit: 1_000_000 } });
    const folder = await newFolder();
    const ahead = await started(folder, strict.url, faked('+1d'));
    expect(await ahead.ask(publish(1, 'delivered'))).toMatchObject({ receipt: { stage: 'saved' } });
    expect(stored(strict)).toEqual([]);
    expect(await ahead.ask({ do: 'status' })).toMatchObject({ errors: ['CLOCK_SKEW'] });
    await ahead.kill();
    // The clock is right again. Where a relay takes what is stamped ahead, the others see it, and write after it.
    const cured = await started(folder, lenient.url);
    expect(await cured.ask(FLUSH)).toEqual({ type: 'flushed' });
    expect(await seenBy(lenient.url)).toEqual({ value: 1 });
    const other = await started(await newFolder(), lenient.url);
    expect(await other.ask(publish(2, 'replicated'))).toMatchObject({ receipt: { stage: 'replicated' } });
    expect(await cured.ask(FETCH)).toMatchObject({ result: { payload: { value: 2 } } });
  });
});

describe('TLS', () => {
  const pem = (name: string): string => join(root, 'tls', `${name}.pem`);
  const openssl = (args: string, env: Readonly<Record<string, string>> = {}): void => {
    execFileSync('openssl', args.split(' '), { stdio: 'pipe', env: { ...process.env, ...env } });
  };

  /** A certificate for `name`, signed by itself or by an authority of ours; `at` as faketime takes it. */
  function certify(file: string, name: string, authority?: string, at = '+0'): void {
    const key = `-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${pem(`${file}-key`)}`;
    const by = authority === undefined ? '' : ` -CA ${pem(authority)} -CAkey ${pem(`${authority}-key`)}`;
    const isAuthority = authority === undefined ? 'TRUE' : 'FALSE';
    const command = `openssl req -x509 ${key} -out ${pem(file)} -days 2 -subj /CN=${name} -addext subjectAltName=DNS:${name} -addext basicConstraints=critical,CA:${isAuthority}${by}`;
    execFileSync('faketime', ['-f', at, ...command.split(' ')], { stdio: 'pipe' });
  }

  /** A server with this certificate that counts whoever gets as far as WebSocket. */
  async function secureServer(certificate: string): Promise<{ url: string; upgrades(): number }> {
    let upgrades = 0;
    const server = createServer({
      cert: readFileSync(pem(certificate)),
      key: readFileSync(pem(`${certificate}-key`)),
    });
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket) => {
      upgrades++;
      socket.on('message', (data) => {
        const [type, first] = JSON.parse((data as Buffer).toString()) as [string, string | { id: string }];
        if (type === 'EVENT') socket.send(JSON.stringify(['OK', (first as { id: string }).id, true, '']));
        if (type === 'REQ') socket.send(JSON.stringify(['EOSE', first]));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    cleanups.push(() => {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      server.close();
    });
    return { url: `wss://localhost:${(server.address() as AddressInfo).port}`, upgrades: () => upgrades };
  }

  test('a relay whose certificate nobody vouches for, or has expired, or is another host’s, hears nothing', async () => {
    await mkdir(join(root, 'tls'));
    openssl('version');
    certify('authority', 'authority.example');
    certify('good', 'localhost', 'authority');
    certify('expired', 'localhost', 'authority', '-10d');
    certify('elsewhere', 'relay.example', 'authority');
    certify('self-signed', 'localhost');
    const trusting = { env: { NODE_EXTRA_CA_CERTS: pem('authority') } };
    const cases = [
      ['self-signed', /self-signed/i],
      ['expired', /expired/i],
      ['elsewhere', /altnames|hostname/i],
    ] as const;
    for (const [certificate, complaint] of cases) {
      const server = await secureServer(certificate);
      const device = await started(await newFolder(), server.url, trusting);
      expect(await device.ask(publish(1, 'delivered')), certificate).toMatchObject({
        receipt: { stage: 'saved' },
      });
      expect(await device.ask({ do: 'status' }), certificate).toMatchObject({
        relays: [{ connected: false, lastError: expect.stringMatching(complaint) }],
      });
      expect(server.upgrades(), certificate).toBe(0);
      await device.kill();
    }
    // Or all of this would be refused for another reason.
    const good = await secureServer('good');
    const device = await started(await newFolder(), good.url, trusting);
    expect(await device.ask(publish(1, 'delivered'))).toMatchObject({ receipt: { stage: 'delivered' } });
    expect(good.upgrades()).toBe(1);
    const distrusting = await started(await newFolder(), good.url);
    expect(await distrusting.ask(publish(1, 'delivered'))).toMatchObject({ receipt: { stage: 'saved' } });
    expect(good.upgrades()).toBe(1);
  });
});

test('of eight workers on one store one works at a time, the others are told so, and all that was saved is there', async () => {
  const folder = await newFolder();
  const workers = Array.from(
    { length: 8 },
    (_, index) =>
      new Worker(join(root, 'worker-program.mjs'), {
        workerData: { folder, key: KEY, category: `by-${index}` },
      }),
  );
  cleanups.push(() => Promise.all(workers.map((worker) => worker.terminate())));
  const outcomes = await Promise.all(
    workers.map(async (worker) => {
      const [outcome] = (await once(worker, 'message')) as [
        { saved: number; refused: number; others: number },
      ];
      await once(worker, 'exit');
      return outcome;
    }),
  );
  expect(outcomes.map(({ saved }) => saved)).toEqual(Array(8).fill(10));
  expect(outcomes.map(({ others }) => others)).toEqual(Array(8).fill(0));
  expect(outcomes.reduce((sum, { refused }) => sum + refused, 0)).toBeGreaterThan(0);
  const alone = createNostrSync({ store: fileStore(folder), signer: secretKeySigner(KEY) });
  for (let index = 0; index < 8; index++)
    expect(await alone.fetch(`by-${index}`)).toMatchObject({ payload: 10 });
  await alone.close();
  expect(await readdir(folder)).toEqual(['entries.log']);
});
