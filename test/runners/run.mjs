/**
 * `npm run test:runners`: the tests of a small app under the runners that apps use, each with this package as npm would install
 * it. Ends with `N passed, N failed`.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FOLDER = import.meta.dirname;
const ROOT = join(FOLDER, '../..');
const MODULES = join(FOLDER, 'node_modules');

if (!existsSync(join(MODULES, 'jest'))) {
  const npm = process.env['npm_execpath'];
  if (npm === undefined) throw new Error('Run this by `npm run test:runners`.');
  const args = [npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status } = spawnSync(process.execPath, args, { cwd: FOLDER, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
if (!existsSync(join(MODULES, 'nostr-sync'))) symlinkSync(ROOT, join(MODULES, 'nostr-sync'), 'dir');

const results = mkdtempSync(join(tmpdir(), 'nostr-sync-runners-'));
const EVERYWHERE = ['settings.test.js'];
const ON_NODE = [...EVERYWHERE, 'node.test.js', 'worker.test.js'];
const jest = (environment, files, more = {}) => [
  ...['--experimental-vm-modules', '--no-warnings', join(MODULES, 'jest/bin/jest.js'), '--json'],
  `--config=${JSON.stringify({ rootDir: FOLDER, testEnvironment: environment, transform: {}, watchman: false, ...more })}`,
  ...[
    '--outputFile',
    join(results, 'result.json'),
    '--runTestsByPath',
    ...files.map((file) => join(FOLDER, file)),
  ],
];
const vitest = (environment, files) => [
  ...[join(MODULES, 'vitest/vitest.mjs'), 'run', '--root', FOLDER, `--environment=${environment}`],
  ...['--reporter=default', '--reporter=json', '--outputFile', join(results, 'result.json'), ...files],
];
const RUNS = {
  'Jest, node': jest('node', ON_NODE),
  'Jest, jsdom': jest('jsdom', EVERYWHERE, { setupFiles: ['<rootDir>/jsdom-setup.js'] }),
  'Vitest, node': vitest('node', ON_NODE),
  'Vitest, jsdom': vitest('jsdom', EVERYWHERE),
  'Vitest, happy-dom': vitest('happy-dom', EVERYWHERE),
};

let passed = 0;
let failed = 0;
for (const [name, args] of Object.entries(RUNS)) {
  console.log(`\n== ${name}`);
  rmSync(join(results, 'result.json'), { force: true });
  const { status } = spawnSync(process.execPath, args, { cwd: FOLDER, stdio: 'inherit', timeout: 120_000 });
  const result = existsSync(join(results, 'result.json'))
    ? JSON.parse(readFileSync(join(results, 'result.json'), 'utf8'))
    : { numPassedTests: 0, numFailedTests: 0 };
  passed += result.numPassedTests;
  // A run that ends badly, or runs nothing, has failed, whatever it counted.
  failed += result.numFailedTests || Number(status !== 0 || result.numPassedTests === 0);
}
rmSync(results, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
