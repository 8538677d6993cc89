/** The lane `advisories`, against a registry and a `cargo audit` of our own: their servers may be out of reach for a year. */

import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const SCRIPT = join(ROOT, 'scripts/advisories.mjs');
const LIMIT_MS = 60_000;

interface Advisory {
  readonly id: number;
  readonly url: string;
  readonly title: string;
  readonly severity: string;
  readonly vulnerable_versions: string;
}

const OF_WS: Advisory = {
  id: 1,
  url: 'https://example.com/advisories/1',
  title: 'too many frames',
  severity: 'high',
  vulnerable_versions: '>=1.0.0',
};

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
}

/** A registry that knows these advisories, by package. Returns its URL, and the packages that it was asked about. */
async function registry(
  advisories: Readonly<Record<string, readonly Advisory[]>>,
): Promise<{ readonly url: string; readonly asked: Set<string> }> {
  const asked = new Set<string>();
  const server = createServer((request, response) => {
    void (async () => {
      if (request.url !== '/-/npm/v1/security/advisories/bulk') {
        // Of one with an advisory, and of what depends on it, npm asks which versions there are.
        const name = decodeURIComponent(request.url!.slice(1));
        const manifest = await readFile(join(ROOT, 'node_modules', name, 'package.json'), 'utf8');
        const { version } = JSON.parse(manifest) as { readonly version: string };
        const versions = { [version]: JSON.parse(manifest) as object };
        return response.end(JSON.stringify({ name, versions, 'dist-tags': { latest: version } }));
      }
      const names = Object.keys(JSON.parse(await bodyOf(request)) as object);
      for (const name of names) asked.add(name);
      const found = Object.entries(advisories).filter(([name]) => names.includes(name));
      return response.end(JSON.stringify(Object.fromEntries(found)));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked };
}

/** Runs the lane. `cargo`: what `cargo audit --json` prints; without, there is none. */
async function run(
  registryUrl: string,
  cargo?: object,
): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-advisories-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const program = cargo === undefined ? 'exit 101' : `cat <<'END'\n${JSON.stringify(cargo)}\nEND\nexit 1`;
  await writeFile(join(folder, 'cargo'), `#!/bin/sh\n${program}\n`);
  await chmod(join(folder, 'cargo'), 0o755);
  const env = {
    ...process.env,
    PATH: `${folder}${delimiter}${process.env['PATH']}`,
    npm_config_registry: registryUrl,
    npm_config_cache: join(folder, 'cache'),
    npm_config_fetch_retries: '0',
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT], { env }, (error, stdout) =>
      resolve({ code: error === null ? 0 : Number(error.code), lines: stdout.trim().split('\n') }),
    );
  });
}

test(
  'an advisory of a package that users get fails the lane, and is named',
  async () => {
    const { url, asked } = await registry({ ws: [OF_WS] });
    expect(await run(url)).toEqual({
      code: 1,
      lines: [
        'npm, what the package depends on: ws',
        expect.stringMatching(/^cargo, the crates: not asked/),
        expect.stringMatching(/^cargo, the example app: not asked/),
        '0 passed, 1 failed, 2 skipped',
      ],
    });
    expect([...asked]).toEqual(expect.arrayContaining(['@noble/curves', 'commander', 'ws']));
    // What only we develop with is none of theirs.
    expect([...asked]).not.toContain('vitest');
  },
  LIMIT_MS,
);

test(
  'an advisory of a crate fails it as well, by what cargo audit prints',
  async () => {
    const { url } = await registry({});
    const list = [{ advisory: { id: 'RUSTSEC-2026-0001' }, package: { name: 'tokio' } }];
    expect(await run(url, { vulnerabilities: { found: true, count: 1, list } })).toEqual({
      code: 1,
      lines: [
        'npm, what the package depends on: no known advisory',
        'cargo, the crates: RUSTSEC-2026-0001 (tokio)',
        'cargo, the example app: RUSTSEC-2026-0001 (tokio)',
        '1 passed, 2 failed, 0 skipped',
      ],
    });
  },
  LIMIT_MS,
);

test(
  'without any it passes',
  async () => {
    const { url } = await registry({});
    const none = { vulnerabilities: { found: false, count: 0, list: [] } };
    expect(await run(url, none)).toMatchObject({ code: 0, lines: { 3: '3 passed, 0 failed, 0 skipped' } });
  },
  LIMIT_MS,
);

test(
  'what could not be asked is said, and is no failure',
  async () => {
    const { code, lines } = await run('http://127.0.0.1:9/');
    expect([code, lines.at(-1)]).toEqual([0, '0 passed, 0 failed, 3 skipped']);
    expect(lines[0]).toMatch(/^npm, what the package depends on: not asked \(.*127\.0\.0\.1:9.*\)$/);
  },
  LIMIT_MS,
);
