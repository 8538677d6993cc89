/** The unit tests that judge mutations: those of the mutated files. */

import { defineConfig, type ViteUserConfig } from 'vitest/config';

const FILES = ['order', 'causality', 'answer', 'address', 'event', 'message', 'payload', 'renewal'];

const config: ViteUserConfig = defineConfig({
  test: { include: FILES.map((name) => `test/protocol/${name}.test.ts`), testTimeout: 60_000 },
});

export default config;
