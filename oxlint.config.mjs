/**
 * Lint rules. The part that is ours is the port rule: what a platform offers (time, network, disk, DOM, chance)
 * is a global name, and each name may be used only in the adapters listed in `GRANTS`.
 */

const TIME = [
  'Date',
  'Temporal',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'requestAnimationFrame',
  'requestIdleCallback',
];
const NETWORK = ['WebSocket', 'WebSocketStream', 'fetch', 'XMLHttpRequest', 'EventSource'];
const CHANCE = ['crypto'];
const INDEXED_DB = ['indexedDB', 'IDBKeyRange'];
const DOM = [
  'window',
  'self',
  'document',
  'navigator',
  'location',
  'localStorage',
  'sessionStorage',
  'addEventListener',
  'removeEventListener',
  'BroadcastChannel',
];
const NODE = ['process', 'Buffer', 'require', '__dirname', '__filename'];
const LOG = ['console', 'alert', 'confirm', 'prompt'];
const NIP07 = ['nostr'];
const COMPRESSION = ['CompressionStream', 'DecompressionStream'];

const FORBIDDEN = [
  ...TIME,
  ...NETWORK,
  ...CHANCE,
  ...INDEXED_DB,
  ...DOM,
  ...NODE,
  ...LOG,
  ...NIP07,
  ...COMPRESSION,
];

/** Which adapter may use which platform names. A file stands in one row only: the last matching row wins. */
const GRANTS = [
  { files: ['src/clock.ts', 'src/testing/clock.ts'], names: TIME },
  { files: ['src/protocol/compression.ts'], names: COMPRESSION },
  {
    files: [
      'src/testing/relay.ts',
      'src/tauri/tauri-ipc.ts',
      'src/keys/passphrase.ts',
      'src/pair/browser.ts',
    ],
    names: CHANCE,
  },
  // It writes times out as the user's clock has them.
  { files: ['src/inspector/**/*.ts'], names: ['Date'] },
  { files: ['src/keys/web-box.ts'], names: CHANCE },
  { files: ['src/keys/key-database.ts'], names: INDEXED_DB },
  { files: ['src/keys/browser-storage.ts'], names: ['navigator'] },
  // No port: an app without handles would carry its wiring.
  { files: ['src/state/leaving.ts'], names: DOM },
  { files: ['src/keys/passkey.ts'], names: ['navigator', ...CHANCE] },
  { files: ['src/browser.ts', 'src/browser/**/*.ts'], names: [...NETWORK, ...CHANCE, ...DOM] },
  { files: ['src/relay/browser-socket.ts'], names: [...NETWORK, ...DOM] },
  { files: ['src/store/indexeddb.ts'], names: INDEXED_DB },
  // Whether the page goes, and what is kept then.
  { files: ['src/store/indexeddb-database.ts', 'src/store/journal.ts'], names: DOM },
  { files: ['src/tabs/web-tabs.ts'], names: ['navigator', 'BroadcastChannel'] },
  { files: ['src/signer/nip07.ts'], names: [...NIP07, 'window'] },
  {
    files: [
      'src/node.ts',
      'src/crypto/node-primitives.ts',
      'src/store/file*.ts',
      'src/keys/{file-key-store,private-file}.ts',
      'src/relay/node-socket.ts',
      'src/testing/relay-server.ts',
    ],
    names: NODE,
  },
  // The command prints: it may write a date out, but it waits through the clock like everybody else.
  { files: ['src/cli/**/*.ts'], names: [...NODE, ...LOG, 'Date'] },
];

function restrictGlobals(granted) {
  const globals = FORBIDDEN.filter((name) => !granted.includes(name)).map((name) => ({
    name,
    message: 'The platform is reached through a port: see "Ports" in CONTRIBUTING.md.',
  }));
  return ['error', { globals, checkGlobalObject: true }];
}

export default {
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'vitest'],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  categories: { correctness: 'error', suspicious: 'error' },
  ignorePatterns: [
    'dist',
    'test/vectors',
    'crates/nostr-sync/engine',
    'examples/*/dist',
    'tauri-plugin/target',
    'tauri-plugin/dist-js',
  ],
  rules: {
    // Promises: nothing is started and forgotten, nothing is awaited that is no promise.
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'typescript/only-throw-error': 'error',
    'typescript/prefer-promise-reject-errors': 'error',
    'typescript/return-await': ['error', 'error-handling-correctness-only'],
    'typescript/use-unknown-in-catch-callback-variable': 'error',

    // Types: unions are handled whole, and nothing escapes into `any`.
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'typescript/no-explicit-any': 'error',
    'typescript/no-unsafe-argument': 'error',
    'typescript/no-unsafe-assignment': 'error',
    'typescript/no-unsafe-call': 'error',
    'typescript/no-unsafe-member-access': 'error',
    'typescript/no-unsafe-return': 'error',
    'typescript/no-deprecated': 'error',
    'typescript/consistent-type-imports': 'error',
    // Narrowing after a check that the compiler cannot follow is what `as` is for; `any` is caught above.
    'typescript/no-unsafe-type-assertion': 'off',
    // A number in a message needs no ceremony; objects and `undefined` in one are mistakes.
    'typescript/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],

    // Code.
    eqeqeq: ['error', 'always', { null: 'ignore' }],
    'no-var': 'error',
    'prefer-const': 'error',
    'no-param-reassign': 'error',
    'no-eval': 'error',
    'import/no-default-export': 'off',
    'import/no-cycle': 'error',
    'import/no-unassigned-import': 'off',
    // `fc.assert` is how fast-check is read.
    'import/no-named-as-default': 'off',
    'import/no-named-as-default-member': 'off',
    // Ports are plain objects whose methods are closures: taking one out is fine.
    'typescript/unbound-method': 'off',
    // Shadowing inside a small function (`error`, `event`, `relay`) reads better than an invented second name.
    'no-shadow': 'off',
    'no-underscore-dangle': 'off',
    // `while (await …)` and loops that must run in order are what a sync engine is made of.
    'no-await-in-loop': 'off',
    // Several small helpers are clearer inside the one function that uses them.
    'unicorn/consistent-function-scoping': 'off',
    // A copy before a loop that changes the collection is no useless copy.
    'unicorn/no-useless-spread': 'off',
    // Exhaustive switches return in every branch; the compiler knows, this rule does not.
    'consistent-return': 'off',
    'unicorn/prefer-add-event-listener': 'off',
    // `BroadcastChannel.postMessage` has no target origin; `window.postMessage` is out of reach in `src/`.
    'unicorn/require-post-message-target-origin': 'off',
    // A loop may wait for what a callback changes.
    'no-unmodified-loop-condition': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/no-array-reverse': 'off',
    'promise/always-return': 'off',
    'promise/no-multiple-resolved': 'off',
    'promise/no-callback-in-promise': 'off',
    'vitest/require-mock-type-parameters': 'off',
  },
  overrides: [
    {
      files: ['src/**/*.ts'],
      rules: {
        'no-console': 'error',
        'no-restricted-globals': restrictGlobals([]),
        'no-restricted-properties': [
          'error',
          { object: 'Math', property: 'random', message: 'Randomness is passed in as `randomBytes`.' },
        ],
      },
    },
    ...GRANTS.map(({ files, names }) => ({
      files,
      rules: { 'no-restricted-globals': restrictGlobals(names) },
    })),
    { files: ['src/cli/**/*.ts'], rules: { 'no-console': 'off' } },
    {
      // Tests and benchmarks poke at untyped things (vectors, mocks, wire messages) on purpose.
      files: ['test/**', 'bench/**', 'scripts/**', 'examples/**', '*.config.*', '.*.mjs'],
      rules: {
        'typescript/no-explicit-any': 'off',
        'typescript/no-unsafe-argument': 'off',
        'typescript/no-unsafe-assignment': 'off',
        'typescript/no-unsafe-call': 'off',
        'typescript/no-unsafe-member-access': 'off',
        'typescript/no-unsafe-return': 'off',
        'typescript/no-base-to-string': 'off',
        'typescript/no-misused-spread': 'off',
        'no-extend-native': 'off',
        'typescript/require-array-sort-compare': 'off',
      },
    },
    {
      files: ['test/**'],
      rules: {
        'vitest/no-focused-tests': 'error',
        'vitest/no-disabled-tests': 'error',
        // Assertions also live in helpers and in properties (fast-check), where this rule does not see them.
        'vitest/expect-expect': 'off',
        'vitest/no-conditional-expect': 'off',
        'vitest/no-standalone-expect': 'off',
        // An `expect(…).rejects` may be awaited later; floating ones are caught by the typed rule.
        'vitest/valid-expect': 'off',
        'vitest/valid-title': 'off',
        'vitest/require-to-throw-message': 'off',
      },
    },
  ],
};
