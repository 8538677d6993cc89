/** What the example app promises of its page, beside what `test/tauri/app` sees in real windows. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/docs/processes.ts';

test("the example's pages may open a connection to their own process, and to nothing else", async () => {
  const file = join(ROOT, 'examples/tauri-app/src-tauri/tauri.conf.json');
  const { app } = JSON.parse(await readFile(file, 'utf8')) as { app: { security: { csp: string } } };
  const directives = app.security.csp.split(';').map((directive) => directive.trim().split(' '));
  const sources = directives.find(([name]) => name === 'connect-src');
  // The two forms of Tauri's IPC. With these the app of `test/tauri/app` syncs.
  expect(sources).toEqual(['connect-src', 'ipc:', 'http://ipc.localhost']);
  expect(directives).toContainEqual(['default-src', "'self'"]);
});
