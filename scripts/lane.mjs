/**
 * Runs one long lane of the tests: `node scripts/lane.mjs PROJECT [--NAME VALUE]…`. Each argument becomes the environment
 * variable by which the tests know it: `--frames 100` is `FRAMES=100`. One that is no such pair goes to vitest.
 */

import { spawnSync } from 'node:child_process';

const [project, ...given] = process.argv.slice(2);
const settings = {};
const rest = [];
for (let i = 0; i < given.length; i++) {
  const name = /^--([a-z-]+)$/.exec(given[i])?.[1];
  if (name !== undefined && /^\d+$/.test(given[i + 1] ?? ''))
    settings[name.replaceAll('-', '_').toUpperCase()] = given[++i];
  else rest.push(given[i]);
}
const { status } = spawnSync('vitest', ['run', '--project', project, ...rest], {
  stdio: 'inherit',
  env: { ...process.env, ...settings },
});
process.exitCode = status ?? 1;
