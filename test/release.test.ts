/** What goes with a release: SBOMs and third-party licences of what users get, and of nothing else. With a `cargo` of our own. */

import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const SCRIPT = join(ROOT, 'scripts/release.mjs');

/** A `cargo` that knows a plugin with one crate that apps get, and one that only its tests use. */
async function fakeCargo(folder: string): Promise<void> {
  const crate = join(folder, 'crate');
  await mkdir(crate);
  await writeFile(join(crate, 'LICENSE-MIT'), 'the licence of a crate\n');
  const one = (name: string, source: string | null): object => {
    const manifest = join(crate, 'Cargo.toml');
    return { id: name, name, version: '1.2.3', license: 'MIT/Apache-2.0', source, manifest_path: manifest };
  };
  const uses = (pkg: string, kind: string | null): object => ({ pkg, dep_kinds: [{ kind }] });
  const metadata = {
    packages: [one('plugin', null), one('got', 'registry'), one('only-tested-with', 'registry')],
    resolve: {
      root: 'plugin',
      nodes: [
        { id: 'plugin', deps: [uses('got', null), uses('only-tested-with', 'dev')] },
        { id: 'got', deps: [] },
        { id: 'only-tested-with', deps: [] },
      ],
    },
  };
  await writeFile(join(folder, 'metadata.json'), JSON.stringify(metadata));
  const program = `#!/bin/sh\n[ "$1" = metadata ] && exec cat "${folder}/metadata.json"\necho src/lib.rs\n`;
  await writeFile(join(folder, 'cargo'), program);
  await chmod(join(folder, 'cargo'), 0o755);
}

interface Sbom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly components: readonly { readonly name: string; readonly purl: string }[];
}

test.skipIf(process.platform === 'win32')(
  'has an SBOM (CycloneDX) and the licences of all that users get',
  { timeout: 120_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-release-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await fakeCargo(folder);
    const out = join(folder, 'out');
    const env = {
      ...process.env,
      PATH: `${folder}${delimiter}${process.env['PATH']}`,
      npm_config_ignore_scripts: 'true',
    };
    await promisify(execFile)(process.execPath, [SCRIPT, out], { env });
    expect((await readdir(out)).map((name) => name.replace(/-\d.*\.tgz$/, '.tgz')).sort()).toEqual([
      'THIRD-PARTY-LICENSES-cargo.txt',
      'THIRD-PARTY-LICENSES-npm.txt',
      'crate-files.txt',
      'nostr-sync.tgz',
      'sbom-cargo.cdx.json',
      'sbom-npm.cdx.json',
      'tauri-plugin-nostr-sync-api.tgz',
    ]);
    const read = (name: string): Promise<string> => readFile(join(out, name), 'utf8');
    const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      readonly dependencies: object;
    };
    const npm = JSON.parse(await read('sbom-npm.cdx.json')) as Sbom;
    expect(npm).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.5' });
    const names = npm.components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies)));
    // What only we develop with is no part of what users get.
    expect(names).not.toContain('vitest');
    const { version } = JSON.parse(
      await readFile(join(ROOT, 'node_modules/@noble/curves/package.json'), 'utf8'),
    ) as { readonly version: string };
    expect(npm.components.map(({ purl }) => purl)).toContain(`pkg:npm/%40noble/curves@${version}`);
    const licences = await read('THIRD-PARTY-LICENSES-npm.txt');
    for (const name of names) expect(licences).toMatch(new RegExp(`^${name.replace('/', '\\/')} \\d`, 'm'));
    expect(licences).toContain('Permission is hereby granted');
    expect(JSON.parse(await read('sbom-cargo.cdx.json'))).toMatchObject({
      bomFormat: 'CycloneDX',
      components: [
        {
          purl: 'pkg:cargo/got@1.2.3',
          licenses: [{ expression: 'MIT OR Apache-2.0' }],
        },
      ],
    });
    expect(await read('THIRD-PARTY-LICENSES-cargo.txt')).toBe(
      'got 1.2.3 (MIT/Apache-2.0)\n\nthe licence of a crate\n',
    );
  },
);
