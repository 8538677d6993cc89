/** The types as apps meet them: one file that uses them, compiled as a bundler and as Node find the package. */

import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc');

it.each(['vite', 'nodenext'])(
  'an app compiles under the options of %s',
  { timeout: 60_000 },
  async (name) => {
    const compiling = run(process.execPath, [TSC, '-p', join(import.meta.dirname, `${name}.json`)]);
    const { stdout } = await compiling.catch((error: unknown) => error as { readonly stdout: string });
    expect(stdout).toBe('');
  },
);
