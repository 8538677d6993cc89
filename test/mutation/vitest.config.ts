/** The unit tests that may judge mutations: `files.mjs` says which of them judge which file. */

import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/recent.test.ts', 'test/{merge,pair,protocol,state,sync}/*.test.ts'],
    testTimeout: 60_000,
    env: { NEGENTROPY_PAIRS: '300' },
  },
});

export default config;
