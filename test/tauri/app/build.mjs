/** Builds the example app as its users get it: page embedded, real plugin. Prints what took how long. */

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cargo, TARGET } from '../../../scripts/cargo.mjs';

const ROOT = resolve(import.meta.dirname, '../../..');
const APP = join(ROOT, 'examples/tauri-app');

export const BINARY = join(TARGET, 'debug/desk');

function build() {
  for (const args of [
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund'],
    ['run', 'build'],
  ]) {
    const { status } = spawnSync('npm', args, { cwd: APP, stdio: 'inherit' });
    if (status !== 0) return 1;
  }
  const args = ['build', '--locked', '--features', 'tauri/custom-protocol'];
  return cargo('app', args, { cwd: join(APP, 'src-tauri') }).status ?? 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = build();
