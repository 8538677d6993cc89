/** The simulator bundled with the engine's source, and how Node is to run it. */

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/**
 * There is a thread of the simulator on every core: those that V8 adds to collect garbage only make it wait, and those that
 * optimise code take a quarter of all time, again and again for what a collection has dropped, unless they begin later.
 */
export const FLAGS = ['--single-threaded-gc', '--max-semi-space-size=64', '--interrupt-budget=1000000'];

/** @param outfile In a folder of the project, so that its packages are found. */
export async function bundle(outfile, options) {
  await build({
    entryPoints: [fileURLToPath(new URL('main.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile,
    ...options,
  });
}
