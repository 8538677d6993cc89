/** The types of the bindings as apps meet them, with those of the frameworks of this run. */

import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const TSC = createRequire(import.meta.url).resolve('typescript/bin/tsc');

test('an app compiles, and what is wrong in one does not', { timeout: 120_000 }, async () => {
  const project = join(import.meta.dirname, `types/${process.env['ADAPTERS']}.json`);
  const compiling = run(process.execPath, [TSC, '-p', project]);
  const { stdout } = await compiling.catch((error: unknown) => error as { readonly stdout: string });
  expect(stdout).toBe('');
});
