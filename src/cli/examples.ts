/**
 * What `--help` shows of each command, to copy; under '' what it shows without one. Every line of it is run by a test; `pair` and `join`,
 * which take two computers, in test/cli/pairing.test.ts.
 */

export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  '': [
    'nostr-sync keygen --key-file ./sync.key',
    `nostr-sync publish ui-settings '{"theme":"dark"}' --relay wss://relay.example.com --key-file ./sync.key`,
    'nostr-sync fetch ui-settings --relay wss://relay.example.com --key-file ./sync.key',
  ],
  keygen: ['nostr-sync keygen --key-file ./sync.key'],
  pubkey: ['nostr-sync pubkey --key-file ./sync.key'],
  key: [
    'nostr-sync key words --output ./words.txt',
    'nostr-sync key encrypt --output ./sync.ncryptsec < ./passphrase.txt',
    'nostr-sync key import --key-file ./copy.key < ./words.txt',
  ],
  'key words': ['nostr-sync key words --output ./words.txt'],
  'key encrypt': ['nostr-sync key encrypt --output ./sync.ncryptsec < ./passphrase.txt'],
  'key import': ['nostr-sync key import --key-file ./copy.key < ./words.txt'],
  pair: ['nostr-sync pair', 'nostr-sync pair --name "Anna\'s laptop" --output ./invitation'],
  join: [
    'nostr-sync join --key-file ./sync.key',
    'nostr-sync join --key-file ./sync.key --input ./invitation',
  ],
  publish: [
    `nostr-sync publish ui-settings '{"theme":"dark"}'`,
    'echo \'["buy milk"]\' | nostr-sync publish notes -',
    'nostr-sync publish notes \'["buy milk"]\' --wait replicated',
    `nostr-sync publish ui-settings '{"theme":"light"}' --based-on "$(nostr-sync fetch ui-settings --json | grep -o '[0-9a-f]\\{64\\}' | head -1)"`,
  ],
  fetch: ['nostr-sync fetch ui-settings', 'nostr-sync fetch ui-settings --json'],
  sync: ['nostr-sync sync ui-settings notes'],
  list: ['nostr-sync list', 'nostr-sync list --namespace default --json'],
  watch: ['nostr-sync watch ui-settings notes'],
  remove: ['nostr-sync remove notes'],
  reset: ['nostr-sync reset notes'],
  history: [
    'nostr-sync history ui-settings',
    `nostr-sync history notes "$(nostr-sync history notes --json | grep -o '[0-9a-f]\\{64\\}' | tail -1)"`,
    'nostr-sync history ui-settings --json',
  ],
  restore: [
    `nostr-sync restore notes "$(nostr-sync history notes --json | grep -o '[0-9a-f]\\{64\\}' | tail -1)"`,
  ],
  inspect: ['nostr-sync inspect', 'nostr-sync inspect --json'],
  export: [
    'nostr-sync export ./notes.nostr-sync',
    'nostr-sync export --versions --namespace default',
    'nostr-sync export --plain',
  ],
  import: ['nostr-sync import ./notes.nostr-sync'],
  flush: ['nostr-sync flush --timeout 60'],
  status: ['nostr-sync status', 'nostr-sync status --json'],
  doctor: ['nostr-sync doctor', 'nostr-sync doctor --relay wss://relay.example.com'],
  relay: ['nostr-sync relay', 'nostr-sync relay --port 0'],
  demo: ['nostr-sync demo'],
  completion: ['nostr-sync completion bash', 'nostr-sync completion zsh', 'nostr-sync completion fish'],
};
