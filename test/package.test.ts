/** What is published: the files, the facts and the scripts of every package and of the crate. */

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '..');

interface Manifest {
  readonly license: string;
  readonly repository: { readonly url: string };
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

const readManifest = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;

const listings = new Map<string, Promise<readonly string[]>>();

/** The names of the files that npm packs of a folder, without running a script of it. Asked once. */
function packedFiles(folder: string): Promise<readonly string[]> {
  const list = async (): Promise<readonly string[]> => {
    const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
    const { stdout } = await run('npm', args, { cwd: folder });
    const [{ files }] = JSON.parse(stdout) as [{ files: readonly { path: string }[] }];
    return files.map(({ path }) => path);
  };
  const listing = listings.get(folder) ?? list();
  listings.set(folder, listing);
  return listing;
}

describe.each([
  ['nostr-sync', ROOT],
  ['tauri-plugin-nostr-sync-api', join(ROOT, 'tauri-plugin')],
])('the package %s', (_, folder) => {
  test('has licence, README and repository', async () => {
    const paths = await packedFiles(folder);
    expect(paths).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']));
    expect(await readManifest(folder)).toMatchObject({
      license: 'Apache-2.0',
      repository: { url: expect.stringMatching(/^git\+https:/) as string },
    });
  });

  test('runs nothing when it is installed', async () => {
    const { scripts = {} } = await readManifest(folder);
    const ofInstalls = /^((pre|post)?(install|prepare)|prepublish|dependencies)$/;
    expect(Object.keys(scripts).filter((name) => ofInstalls.test(name))).toEqual([]);
    // npm compiles by itself what has this file.
    expect(await packedFiles(folder)).not.toContain('binding.gyp');
  });

  test('has no source map without its sources, and no file that names one which is not there', async () => {
    const paths = await packedFiles(folder);
    const lacking: string[] = [];
    for (const path of paths.filter((name) => /\.(m?[jt]s|map|css)$/.test(name))) {
      const text = await readFile(join(folder, path), 'utf8');
      const [, named] = /^\/[/*]# sourceMappingURL=(\S+)/m.exec(text) ?? [];
      if (named !== undefined && !named.startsWith('data:') && !paths.includes(join(dirname(path), named)))
        lacking.push(`${path} names ${named}`);
      if (!path.endsWith('.map')) continue;
      const { sources, sourcesContent = [] } = JSON.parse(text) as {
        readonly sources: readonly string[];
        readonly sourcesContent?: readonly string[];
      };
      sources.forEach((source, i) => {
        if (typeof sourcesContent[i] !== 'string' && !paths.includes(join(dirname(path), source)))
          lacking.push(`${path} is of ${source}`);
      });
    }
    expect(paths.some((name) => name.endsWith('.js'))).toBe(true);
    expect(lacking).toEqual([]);
  });
});

test('packing builds, from nothing: what an earlier build has left is not in the package', async () => {
  const clone = await mkdtemp(join(tmpdir(), 'nostr-sync-clone-'));
  try {
    await cp(join(ROOT, 'package.json'), join(clone, 'package.json'));
    // In the place of the compiler, which takes long: it says that it was called.
    const compiler = `#!/usr/bin/env node
      const fs = require('node:fs');
      fs.mkdirSync('dist', { recursive: true });
      fs.writeFileSync('dist/built.js', process.argv.slice(2).join(' '));`;
    await mkdir(join(clone, 'node_modules/.bin'), { recursive: true });
    await writeFile(join(clone, 'node_modules/.bin/tsc'), compiler, { mode: 0o755 });
    await mkdir(join(clone, 'dist'));
    await writeFile(join(clone, 'dist/stale.js'), '');
    await run('npm', ['pack'], { cwd: clone });
    const archive = (await readdir(clone)).find((name) => name.endsWith('.tgz'))!;
    const { stdout } = await run('tar', ['-xzvf', archive], { cwd: clone });
    expect(stdout.split('\n').filter((line) => line.includes('/dist/'))).toEqual(['package/dist/built.js']);
    expect(await readFile(join(clone, 'package/dist/built.js'), 'utf8')).toBe('-p tsconfig.build.json');
  } finally {
    await rm(clone, { recursive: true, force: true });
  }
});

describe('what npm packs', () => {
  let folder: string;
  let archives: readonly string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nostr-sync-packed-'));
    const { dependencies } = await readManifest(ROOT);
    // Packed as well, so that no registry is asked.
    const others = [...Object.keys(dependencies), '@tauri-apps/api'].map((name) =>
      join(ROOT, 'node_modules', name),
    );
    const packages = [ROOT, join(ROOT, 'tauri-plugin'), ...others];
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder, ...packages]);
    archives = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** A new app with all archives but one; returns its folder. */
  async function appWithout(left?: RegExp): Promise<string> {
    const app = await mkdtemp(join(folder, 'app-'));
    await writeFile(join(app, 'package.json'), '{ "private": true }');
    const offline = ['--offline', '--cache', join(app, 'cache'), '--ignore-scripts', '--no-audit'];
    const chosen = archives.filter((name) => left?.test(name) !== true).map((name) => join(folder, name));
    await run('npm', ['install', '--loglevel=error', ...offline, ...chosen], { cwd: app });
    return app;
  }

  async function printed(app: string, program: string): Promise<string> {
    const { stdout } = await run('node', ['--input-type=module', '-e', program], { cwd: app });
    return stdout.trim();
  }

  test('of both installs together, as one engine', { timeout: 60_000 }, async () => {
    const program = `
      const [engine, bindings, entry] = await Promise.all(
        ['nostr-sync', 'tauri-plugin-nostr-sync-api', 'nostr-sync/tauri'].map((name) => import(name)));
      console.log(typeof engine.createNostrSync, bindings.publish === entry.publish);`;
    expect(await printed(await appWithout(), program)).toBe('function true');
  });

  describe('of the engine alone', () => {
    let app: string;
    beforeAll(async () => {
      app = await appWithout(/^tauri-plugin-nostr-sync-api/);
    }, 60_000);

    test("is enough for windows: 'nostr-sync/tauri' is all that the bindings are", async () => {
      const own = await import('../src/tauri.ts');
      const program = `console.log(Object.keys(await import('nostr-sync/tauri')).join());`;
      const found = await printed(app, program);
      expect(found.split(',').sort()).toEqual(Object.keys(own).sort());
    });

    test('has a demo that holds', { timeout: 90_000 }, async () => {
      const args = ['--no-install', '--offline', '--cache', join(app, 'cache'), 'nostr-sync', 'demo'];
      // It has limits of its own; this one ends it as Ctrl-C would.
      const { stdout } = await run('npx', args, { cwd: app, timeout: 60_000, killSignal: 'SIGINT' });
      expect(stdout).toContain('Every step held');
    });
  });

  test('of the bindings alone names what it lacks: no copy of the engine is in it', async () => {
    const installing = appWithout(/^nostr-sync-\d/);
    await expect(installing).rejects.toMatchObject({
      stderr: expect.stringContaining('nostr-sync') as string,
    });
  }, 60_000);
});

test('an app gets fixes of what verifies, encrypts and connects without waiting for ours', async () => {
  const { dependencies } = await readManifest(ROOT);
  for (const name of ['@noble/ciphers', '@noble/curves', '@noble/hashes', '@scure/base', 'ws'])
    expect(dependencies[name]).toMatch(/^\^/);
});

test.each(['crates/nostr-sync', 'tauri-plugin'])(
  'the crate %s has licence, README and repository',
  async (crate) => {
    const manifest = await readFile(join(ROOT, crate, 'Cargo.toml'), 'utf8');
    expect(manifest).toMatch(/^license = "Apache-2.0"$/m);
    expect(manifest).toMatch(/^repository = "https:.*"$/m);
    expect(manifest).toMatch(/^include = .*"\/README.md", "\/LICENSE"/m);
    expect(await readFile(join(ROOT, crate, 'LICENSE'), 'utf8')).toBe(
      await readFile(join(ROOT, 'LICENSE'), 'utf8'),
    );
  },
);
