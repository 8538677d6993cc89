/** `npm run demo`: the main job over real processes, every step of it checked by the demo itself. */

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);

test('the demo holds in every step', async () => {
  const { scripts } = JSON.parse(await readFile(new URL('package.json', ROOT), 'utf8'));
  const [program, ...args] = scripts.demo.split(' ');
  expect(program).toBe('node');
  const options = { cwd: fileURLToPath(ROOT), timeout: 15_000 };
  // Rejects with what it printed where the exit code is not 0.
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, options);
  expect(stderr).toBe('');
  expect(stdout.match(/✓/g)).toHaveLength(13);
  expect(stdout).toContain('Every step held');
});
