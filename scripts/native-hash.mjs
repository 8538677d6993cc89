/** For esbuild: in scripts for QuickJS, the program hashes what the protocol hashes. */

import { resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const FILE = resolve(ROOT, 'src/embedded/sha256.ts');
/** Elsewhere, as in `@noble/curves`, hashes have to be more than a function. */
const PROTOCOL = resolve(ROOT, 'src/protocol');

export const nativeHash = {
  name: 'native-hash',
  setup({ onResolve }) {
    onResolve({ filter: /^@noble\/hashes\/sha2\.js$/ }, ({ resolveDir }) =>
      resolveDir === PROTOCOL ? { path: FILE } : undefined,
    );
  },
};
