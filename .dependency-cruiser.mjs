/** Which file may import which: the rooms of docs/ARCHITECTURE.md. Nothing runs back up. */

const FLOOR = ['protocol', 'crypto', 'ground'];
const PORTS = ['signer', 'relay', 'store', 'tabs', ...FLOOR];
const ENGINE = ['tab-network', 'values', 'relays', 'heads', ...PORTS];
const PRODUCT = ['entries', 'assembly', 'sync', 'keys', ...ENGINE];

/** The rooms from the ground up: where their files are, and which other rooms they may import. */
const ROOMS = {
  ground: { path: '^src/(errors|clock|readable|recent)\\.ts$', imports: [] },
  crypto: { path: '^src/crypto/', imports: ['ground'], types: ['protocol'] },
  protocol: { path: '^src/protocol/', imports: ['crypto', 'ground'] },
  merge: { path: '^src/merge/', imports: ['protocol', 'ground'] },
  signer: { path: '^src/signer/', imports: FLOOR },
  relay: { path: '^src/relay/', imports: FLOOR },
  store: { path: '^src/store/', imports: FLOOR },
  tabs: { path: '^src/tabs/', imports: FLOOR },
  // Knows no engine: it is there without one as well.
  keys: { path: '^src/keys/', imports: ['signer', ...FLOOR] },
  // Knows no relay and no signer.
  heads: { path: '^src/sync/heads/', imports: ['store', ...FLOOR] },
  // Knows no signer.
  relays: { path: '^src/sync/relays/', imports: ['heads', 'relay', 'store', ...FLOOR] },
  // Knows no tab.
  values: {
    path: '^src/sync/values/',
    imports: ['relays', 'heads', 'signer', 'relay', 'store', ...FLOOR],
  },
  'tab-network': {
    path: '^src/sync/tabs/',
    imports: ['relays', 'heads', 'tabs', 'relay', 'store', ...FLOOR],
  },
  // Knows of merging no more than types: an app that merges nothing carries none of it.
  sync: { path: '^src/sync/[a-z-]+\\.ts$', imports: ENGINE, types: ['merging', 'state', 'assembly'] },
  merging: { path: '^src/sync/merging/', imports: ['sync', ...ENGINE] },
  // It brings that along.
  'merge-entry': { path: '^src/(merge|merge-by)\\.ts$', imports: ['merge', 'merging', ...FLOOR] },
  assembly: {
    path: '^src/((nostr-sync|options)\\.ts$|engine/)',
    imports: ['sync', ...ENGINE],
    types: ['merging', 'state'],
  },
  // Opens engines of its own, of which one merges. An app that does not unlock carries none of it.
  unlock: { path: '^src/unlock/', imports: ['assembly', 'merging', 'sync', ...ENGINE] },
  // What works on an engine and is in no bundle without it.
  backup: {
    path: '^src/backup(\\.ts$|/)',
    imports: ['assembly', 'sync', ...ENGINE],
  },
  // A handle on one category. What an app passes as its definition brings it along; the engine knows its types alone.
  state: {
    path: '^src/state/',
    imports: ['sync', 'merge', 'merge-entry', 'signer', ...FLOOR],
    types: ['assembly', 'merging', 'heads', 'store', 'tabs'],
  },
  // Looks at an engine through its public calls.
  inspector: {
    path: '^src/inspector(\\.ts$|/)',
    imports: ['ground'],
    types: ['assembly', 'sync', 'merging', 'relay'],
  },
  entries: {
    path: '^src/((node|browser|api|api-common)\\.ts$|browser/)',
    imports: ['unlock', 'assembly', 'sync', 'state', 'keys', ...ENGINE],
    types: ['merging'],
  },
  // Knows no engine: an app that does not pair carries none of it, and the other way round.
  pair: {
    path: '^src/pair/(?!(node|browser)\\.ts$)',
    imports: ['signer', 'relay', ...FLOOR],
  },
  'pair-entries': { path: '^src/pair/(node|browser)\\.ts$', imports: ['pair', 'relay', ...FLOOR] },
  // For a program without a platform: it brings its own adapters, and no entry imports it.
  embedded: {
    path: '^src/embedded(\\.ts$|/)',
    imports: ['assembly', 'sync', 'wire', 'state', ...ENGINE],
  },
  // What crosses between that and those that call it.
  wire: { path: '^src/wire\\.ts$', imports: ['ground'], types: ['sync'] },
  tauri: { path: '^src/tauri(\\.ts$|/)', imports: ['wire', ...PRODUCT], types: ['state'] },
  // What binds a framework to a handle knows of both no more than the handle's types. Nothing imports it.
  adapters: { path: '^src/adapters/', imports: ['ground'], types: ['state', 'sync'] },
  cli: { path: '^src/cli/', imports: ['backup', 'testing', 'pair', 'pair-entries', ...PRODUCT] },
  testing: { path: '^src/testing/', imports: ['relay', 'store', ...FLOOR], types: ['signer'] },
};

/** Files that touch a platform. Only an entry, the command or the test kit picks one of them. */
const PLATFORM_ADAPTERS =
  '^src/(crypto/node-primitives|relay/(node|browser)-socket|signer/nip07|keys/((file|browser)-key-store|passkey)|store/(file|indexeddb)|tabs/web-tabs|tauri/tauri-ipc)\\.ts$';

const TYPE_ONLY = ['type-only'];

function roomRules() {
  return Object.entries(ROOMS).flatMap(([name, room]) => {
    const paths = (names) => names.map((other) => ROOMS[other].path);
    const values = [room.path, ...paths(room.imports)];
    const types = [...values, ...paths(room.types ?? [])];
    return [
      {
        name: `${name}-imports-downwards`,
        comment: `src: ${name} may import only: ${room.imports.join(', ') || 'nothing'}.`,
        severity: 'error',
        from: { path: room.path },
        to: { path: '^src/', pathNot: values, dependencyTypesNot: TYPE_ONLY },
      },
      {
        name: `${name}-imports-types-downwards`,
        comment: `src: ${name} may import types only from: ${[...room.imports, ...(room.types ?? [])].join(', ') || 'nothing'}.`,
        severity: 'error',
        from: { path: room.path },
        to: { path: '^src/', pathNot: types, dependencyTypes: TYPE_ONLY },
      },
    ];
  });
}

function onlyFrom(name, paths, modules) {
  return {
    name,
    severity: 'error',
    from: { path: '^src/', pathNot: paths },
    to: { path: modules.map((module) => `^(node_modules/)?(@types/)?${module}(/|$)`) },
  };
}

export default {
  forbidden: [
    ...roomRules(),
    {
      name: 'every-file-has-a-room',
      comment: 'A file outside the rooms: give it one in .dependency-cruiser.mjs and docs/ARCHITECTURE.md.',
      severity: 'error',
      from: { path: '^src/', pathNot: Object.values(ROOMS).map((room) => room.path) },
      to: {},
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: TYPE_ONLY } },
    },
    {
      name: 'no-orphans',
      comment: 'Nobody imports this file and it imports nobody.',
      severity: 'error',
      from: { path: '^src/', orphan: true },
      to: {},
    },
    {
      name: 'engine-sees-ports-only',
      comment:
        'Platform adapters are chosen by the entries, the command and the test kit; the rest sees the port.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [ROOMS.entries, ROOMS['pair-entries'], ROOMS.tauri, ROOMS.cli, ROOMS.testing].map(
          ({ path }) => path,
        ),
      },
      to: { path: PLATFORM_ADAPTERS },
    },
    {
      name: 'platform-neutral-entry',
      comment: 'What runs in pages must never reach a file for Node.',
      severity: 'error',
      from: { path: '^src/((browser|tauri|adapters)(\\.ts$|/)|pair/(?!node\\.ts$))' },
      to: {
        reachable: true,
        path: '^src/(node|crypto/node-primitives|relay/node-socket|store/file[a-z-]*|keys/(file-key-store|private-file))\\.ts$',
      },
    },
    {
      name: 'node-only-in-node-adapters',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [
          '^src/node\\.ts$',
          '^src/pair/node\\.ts$',
          '^src/crypto/node-primitives\\.ts$',
          '^src/store/file[a-z-]*\\.ts$',
          '^src/keys/(file-key-store|private-file)\\.ts$',
          '^src/relay/node-socket\\.ts$',
          '^src/testing/relay-server\\.ts$',
          '^src/cli/',
        ],
      },
      to: { dependencyTypes: ['core'] },
    },
    onlyFrom(
      'ws-only-in-socket-files',
      ['^src/relay/node-socket\\.ts$', '^src/testing/relay-server\\.ts$'],
      ['ws'],
    ),
    onlyFrom(
      'idb-only-in-databases',
      ['^src/store/indexeddb-database\\.ts$', '^src/keys/key-database\\.ts$'],
      ['idb'],
    ),
    onlyFrom('diff-only-in-text', ['^src/merge/text\\.ts$'], ['diff']),
    onlyFrom(
      'frameworks-only-in-adapters',
      ['^src/adapters/'],
      ['react', 'vue', 'svelte', 'zustand', 'pinia'],
    ),
    onlyFrom('tauri-only-in-its-adapter', ['^src/tauri/tauri-ipc\\.ts$'], ['@tauri-apps/api']),
    onlyFrom('commander-and-uqr-only-in-cli', ['^src/cli/'], ['commander', 'uqr']),
    onlyFrom('words-only-in-recovery', ['^src/keys/recovery\\.ts$'], ['@scure/bip39']),
    onlyFrom('ciphers-and-curves-only-in-crypto', ['^src/crypto/'], ['@noble/ciphers', '@noble/curves']),
    onlyFrom(
      'hashes-and-codecs-not-in-the-engine',
      ['backup', 'crypto', 'protocol', 'signer', 'pair', 'keys', 'unlock', 'cli', 'testing'].map(
        (room) => `^src/${room}/`,
      ),
      ['@noble/hashes', '@scure/base'],
    ),
    {
      name: 'src-imports-no-tests',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|examples|scripts|dist)/' },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'runtime-dependencies-are-declared',
      comment:
        'What ships imports, also as types, only what package.json lists under dependencies or peerDependencies.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: [
          'npm-dev',
          'npm-no-pkg',
          'npm-unknown',
          'npm-optional',
          'npm-bundled',
          'undetermined',
        ],
        dependencyTypesNot: ['npm-peer'],
        pathNot: '^(node_modules/)?@types/(node|ws|react)/',
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js'],
    },
    reporterOptions: { text: { highlightFocused: true } },
  },
};
