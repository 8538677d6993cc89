/** Bundles the simulator with the engine's source into a folder of its own, and runs it there with the given arguments. */

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle, FLAGS } from './bundle.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Inside the project, so that its packages are found.
const folder = await mkdtemp(join(root, 'node_modules/.sim-'));
try {
  const outfile = join(folder, 'main.mjs');
  await bundle(outfile, { sourcemap: 'inline', logLevel: 'warning' });
  const flags = ['--enable-source-maps', ...FLAGS];
  const child = spawn(process.execPath, [...flags, outfile, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exitCode = await new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
} finally {
  await rm(folder, { recursive: true });
}
