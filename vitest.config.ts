/** Eleven lanes, one project each but for two of `adapters`: `unit` is `npm test`; the others are long, or need more than Node. */

import { join } from 'node:path';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const LONG_LANES = [
  // Also what lanes with packages of their own have installed.
  '**/node_modules/**',
  'test/adapters/**',
  'test/browser/**',
  'test/fuzz/**',
  'test/process/**',
  'test/runtimes/**',
  'test/rust/**',
  'test/soak/**',
  'test/cli/**',
  'test/interop/{nostr-relay,khatru,rust-nostr,strfry}/**',
  'test/tauri/app/**',
  'test/tauri/reference-peer/**',
];

/** Frameworks in the oldest versions that the peer dependencies name. */
const OLDEST = join(import.meta.dirname, 'test/adapters/oldest/package.json');
const oldest = {
  name: 'oldest',
  enforce: 'pre',
  async resolveId(this: Resolver, source: string) {
    if (!/^(react|react-dom|vue|svelte|zustand|pinia)(\/|$)/.test(source)) return null;
    return this.resolve(source, OLDEST, { skipSelf: true });
  },
} as const;
interface Resolver {
  resolve(source: string, importer: string, options: { readonly skipSelf: boolean }): Promise<object | null>;
}
const ADAPTERS = { include: ['test/adapters/*.test.ts'], environment: 'happy-dom' };

const config: ViteUserConfig = defineConfig({
  test: {
    reporters: ['default', './test/support/closing-line-reporter.ts'],
    retry: 0,
    allowOnly: false,
    passWithNoTests: false,
    dangerouslyIgnoreUnhandledErrors: false,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // By itself vitest leaves one core idle: on two cores that is half of them.
    maxWorkers: '100%',
    // What is built is loaded by Node itself, as a user's import would: `nostr-sync` is this package's own name.
    server: { deps: { external: [/\/dist\//] } },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: LONG_LANES },
      },
      { extends: true, test: { ...ADAPTERS, name: 'adapters', env: { ADAPTERS: 'newest' } } },
      {
        extends: true,
        plugins: [oldest],
        test: {
          ...ADAPTERS,
          name: 'adapters-oldest',
          // What they are about is there once.
          exclude: ['test/adapters/{examples,package,recipes}.test.ts'],
          env: { ADAPTERS: 'oldest' },
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          globalSetup: ['./test/support/chromium.ts', './test/support/firefox.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'runtimes',
          include: ['test/runtimes/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        // Each test says how long it may take for the number of inputs it is given.
        test: { name: 'fuzz', include: ['test/fuzz/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'soak',
          include: ['test/soak/**/*.test.ts'],
          // Memory is measured after a collection.
          pool: 'forks',
          execArgv: ['--expose-gc'],
        },
      },
      {
        extends: true,
        test: { name: 'interop', include: ['test/interop/{nostr-relay,khatru,rust-nostr,strfry}/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'rust',
          include: ['test/rust/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'reference',
          include: ['test/tauri/reference-peer/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'tauri',
          include: ['test/tauri/app/**/*.test.ts'],
          globalSetup: ['./test/tauri/app/display.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'process',
          include: ['test/process/**/*.test.ts', 'test/cli/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});

export default config;
