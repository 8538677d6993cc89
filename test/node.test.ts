/** The entry on Node: whether a process stays alive for the sake of an engine at module scope. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createNostrSync } from 'nostr-sync';
import { startRelay, type RunningRelay } from 'nostr-sync/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const LIMIT_MS = 10_000;

let relay: RunningRelay;
let folder: string;
beforeAll(async () => {
  relay = await startRelay();
  folder = await mkdtemp(join(tmpdir(), 'nostr-sync-idle-'));
});
afterAll(async () => {
  await relay.close();
  await rm(folder, { recursive: true, force: true });
});

/** A program with an engine at module scope, which is never closed. */
const program = (options: string, rest: string): string[] => [
  '--input-type=module',
  '-e',
  `import { createNostrSync, fileStore, generateKey, secretKeySigner } from 'nostr-sync';
   const sync = createNostrSync({
     relays: ['${relay.url}', 'ws://127.0.0.1:9'],
     signer: secretKeySigner(generateKey()),
     store: fileStore(${JSON.stringify(folder)}),
     ${options}
   });
   sync.subscribe(['settings'], () => undefined);
   ${rest}`,
];
const execute = (...given: Parameters<typeof program>) =>
  run(process.execPath, program(...given), { timeout: LIMIT_MS });

describe('keepProcessAlive: false', () => {
  test('a process ends beside an idle engine', async () => {
    await expect(execute('keepProcessAlive: false', '')).resolves.toMatchObject({ stdout: '' });
  });

  test('and only after the calls that are under way', async () => {
    const calls = `
      const { stage } = await sync.publish('settings', { theme: 'dark' });
      const value = await sync.fetch('settings');
      await sync.getStatus();
      console.log(stage !== 'saved', value.payload.theme);
      sync.publish('settings', { theme: 'light' }).then(({ stage }) => console.log(stage !== 'saved'));`;
    const { stdout } = await execute('keepProcessAlive: false', calls);
    expect(stdout).toBe('true dark\ntrue\n');
  });

  test('on request only', async () => {
    const child = spawn(
      process.execPath,
      program('', `await sync.publish('settings', 1); console.log('idle');`),
    );
    await once(child.stdout, 'data');
    // The socket is open and the timers run: nothing says that it would end now, and nothing that it ever would.
    expect(child.exitCode).toBe(null);
    child.kill();
    expect((await once(child, 'exit'))[1]).toBe('SIGTERM');
  });

  test('is true or false', () => {
    expect(() => createNostrSync({ keepProcessAlive: 'no' as never })).toThrow(TypeError);
    expect(() => createNostrSync(null as never)).toThrow(TypeError);
  });
});
