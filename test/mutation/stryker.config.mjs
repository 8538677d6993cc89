/** Mutations of the pure files of the wire, judged by their unit tests alone. */

import { availableParallelism } from 'node:os';

export default {
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'test/mutation/vitest.config.ts', related: false },
  // Constants are used while a file is loaded: no single test can be blamed for them.
  ignoreStatic: true,
  coverageAnalysis: 'perTest',
  ignorePatterns: [
    '/*',
    '!/src',
    '!/bench',
    '!/test',
    '!/package.json',
    '!/tsconfig.json',
    'test/*/**/installed',
    'test/tauri',
  ],
  tempDirName: '.cache/mutation',
  timeoutMS: 10_000,
  concurrency: availableParallelism(),
  logLevel: 'error',
  reporters: [],
  allowConsoleColors: false,
};
