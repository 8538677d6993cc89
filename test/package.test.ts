/** What is published: the files, the facts and the scripts of every package and of the crate. */

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
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

describe.each([
  ['nostr-sync', ROOT],
  ['tauri-plugin-nostr-sync-api', join(ROOT, 'tauri-plugin')],
])('the package %s', (_, folder) => {
  test('has licence, README and repository', async () => {
    const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
    const { stdout } = await run('npm', args, { cwd: folder });
    const [{ files }] = JSON.parse(stdout) as [{ files: readonly { path: string }[] }];
    const paths = files.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']));
    expect(await readManifest(folder)).toMatchObject({
      license: 'Apache-2.0',
      repository: { url: expect.stringMatching(/^git\+https:/) as string },
    });
  });

  test('runs nothing when it is installed', async () => {
    const { scripts = {} } = await readManifest(folder);
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([]);
  });
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
    await run('npm', ['install', ...offline, ...chosen], { cwd: app });
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

  test("of the engine is enough for windows: 'nostr-sync/tauri' is all that the bindings are", async () => {
    const own = await import('../src/tauri.ts');
    const program = `console.log(Object.keys(await import('nostr-sync/tauri')).join());`;
    const found = await printed(await appWithout(/^tauri-plugin-nostr-sync-api/), program);
    expect(found.split(',').sort()).toEqual(Object.keys(own).sort());
  }, 60_000);

  test('of the bindings alone names what it lacks: no copy of the engine is in it', async () => {
    const installing = appWithout(/^nostr-sync-\d/);
    await expect(installing).rejects.toMatchObject({
      stderr: expect.stringContaining('nostr-sync') as string,
    });
  }, 60_000);
});

test('what is built names no source map, as its sources are not in the package', async () => {
  for (const name of ['node', 'browser', 'nostr-sync']) {
    expect(await readFile(join(ROOT, `dist/${name}.js`), 'utf8')).not.toContain('sourceMappingURL');
  }
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
