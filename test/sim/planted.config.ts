/** Unit tests of sources into which `mutants.mjs` has planted a fault: `PLANTED` is a file with the texts of these, by path. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ViteUserConfig } from 'vitest/config';

const planted = new Map(JSON.parse(readFileSync(process.env.PLANTED!, 'utf8')) as [string, string][]);

const config: ViteUserConfig = {
  root: resolve(import.meta.dirname, '../..'),
  plugins: [{ name: 'planted', enforce: 'pre', load: (id) => planted.get(id) }],
  test: { include: ['test/**/*.test.ts'], testTimeout: 20_000, hookTimeout: 20_000, retry: 0 },
};

export default config;
