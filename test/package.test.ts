/** What is published: the files, the facts and the scripts of every package and of the crate. */

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

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

test('what npm packs of both installs together, and is imported', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-packed-'));
  try {
    const { dependencies } = await readManifest(ROOT);
    // Packed as well, so that no registry is asked.
    const others = [...Object.keys(dependencies), '@tauri-apps/api'].map((name) =>
      join(ROOT, 'node_modules', name),
    );
    const packages = [ROOT, join(ROOT, 'tauri-plugin'), ...others];
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder, ...packages]);
    await writeFile(join(folder, 'package.json'), '{ "private": true }');
    const archives = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
    const offline = ['--offline', '--cache', join(folder, 'cache'), '--ignore-scripts', '--no-audit'];
    await run('npm', ['install', ...offline, ...archives.map((name) => `./${name}`)], { cwd: folder });
    const program = `
      const [engine, bindings] = await Promise.all([import('nostr-sync'), import('tauri-plugin-nostr-sync-api')]);
      console.log(typeof engine.createNostrSync, typeof bindings.publish);`;
    const { stdout } = await run('node', ['--input-type=module', '-e', program], { cwd: folder });
    expect(stdout).toBe('function function\n');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);

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

test('the crate has licence, README and repository', async () => {
  const manifest = await readFile(join(ROOT, 'tauri-plugin/Cargo.toml'), 'utf8');
  expect(manifest).toMatch(/^license = "Apache-2.0"$/m);
  expect(manifest).toMatch(/^repository = "https:.*"$/m);
  expect(manifest).toMatch(/^include = .*"\/README.md", "\/LICENSE"/m);
  expect(await readFile(join(ROOT, 'tauri-plugin/LICENSE'), 'utf8')).toBe(
    await readFile(join(ROOT, 'LICENSE'), 'utf8'),
  );
});
