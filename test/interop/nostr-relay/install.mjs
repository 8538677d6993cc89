/**
 * Installs the relay of this folder and compiles its SQLite with the node-gyp that npm brings along. Needs python3, make and a C++
 * compiler. Node's headers are those beside the running Node where it ships them; only where it does not, node-gyp downloads them.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const npm = process.env['npm_execpath'];
if (npm === undefined) throw new Error('Run this by `npm run test:interop`.');

function run(file, args, cwd = folder) {
  const { status } = spawnSync(process.execPath, [file, ...args], { cwd, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** Whether the compiled SQLite is there and of this Node. */
function isCompiled() {
  const test = `const Sqlite = require('better-sqlite3'); new Sqlite(':memory:').close();`;
  return spawnSync(process.execPath, ['-e', test], { cwd: folder, stdio: 'ignore' }).status === 0;
}

/** Where this installation of Node has its headers. */
function headers() {
  return [join(dirname(realpathSync(process.execPath)), '..')].filter((prefix) =>
    existsSync(join(prefix, 'include/node/node.h')),
  );
}

if (!isCompiled()) {
  // Scripts are left out: better-sqlite3's own would first look for a binary on the network.
  run(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
  const gyp = createRequire(realpathSync(npm)).resolve('node-gyp/bin/node-gyp.js');
  const nodedir = headers().map((prefix) => `--nodedir=${prefix}`);
  run(gyp, ['rebuild', '--release', '--jobs=max', ...nodedir], join(folder, 'node_modules/better-sqlite3'));
  if (!isCompiled()) throw new Error('better-sqlite3 was compiled, but does not load.');
}
