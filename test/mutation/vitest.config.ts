/** The unit tests that judge mutations: those of the mutated files. */

import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { FILES } from './files.mjs';

const config: ViteUserConfig = defineConfig({
  test: { include: FILES.map((name) => `test/protocol/${name}.test.ts`), testTimeout: 60_000 },
});

export default config;
