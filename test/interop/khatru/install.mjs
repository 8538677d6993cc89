/** Builds both relays. Needs Go 1.24 and, for LMDB, a C compiler; what Go has built before it does not build again. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');

function build(name, folder) {
  const args = ['build', '-o', join(ROOT, 'test/interop/installed', name), '.'];
  const { error, status } = spawnSync('go', args, {
    cwd: join(ROOT, folder),
    stdio: 'inherit',
    // What stands in go.mod, and the Go that is installed: nothing newer.
    env: { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly -buildvcs=false' },
  });
  if (error !== undefined) throw new Error(`Cannot run go: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

build('khatru', 'examples/relay-khatru');
build('khatru-badger', 'test/interop/khatru/badger');
