/** The command's frame: help, usage errors, keys, and that no secret is ever printed. */

import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { computer, KEY, relay } from './support.ts';

const PUBKEY = /^[0-9a-f]{64}$/;
const errorOf = (stderr: string): { code: string; message: string } => JSON.parse(stderr).error;

const COMMANDS = [
  'keygen',
  'pubkey',
  'key',
  'publish',
  'fetch',
  'sync',
  'list',
  'history',
  'restore',
  'inspect',
  'export',
  'import',
  'watch',
  'remove',
  'reset',
  'flush',
  'status',
  'doctor',
  'relay',
  'demo',
  'completion',
];
/** What has a `--help` of its own, beside `pair` and `join`, whose examples take two computers. */
const HELPS = [[], ...[...COMMANDS, 'key words', 'key encrypt', 'key import'].map((name) => name.split(' '))];

test('--help names every command, the environment and the exit codes', async () => {
  const { exit, stdout, stderr } = await (await computer()).run(['--help']);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
  for (const word of [...COMMANDS, 'NOSTR_SYNC_KEY_FILE', 'Exit codes:', '--json'])
    expect(stdout).toContain(word);
});

test('every help has the global options, examples and the exit codes', async () => {
  const { run } = await computer();
  const asked = [...HELPS, ['pair'], ['join']];
  const outcomes = await Promise.all(asked.map(async (command) => run([...command, '--help'])));
  for (const { exit, stdout } of outcomes) {
    expect(exit).toBe(0);
    for (const word of ['--json', '--relay', 'Exit codes:', 'Examples:\n  ']) expect(stdout).toContain(word);
  }
});

test('every example of the help runs as it stands', async () => {
  const { url } = await relay();
  const laptop = await computer({ NOSTR_SYNC_RELAYS: url, NOSTR_SYNC_KEY_FILE: './sync.key' });
  await writeFile(join(laptop.folder, 'passphrase.txt'), 'correct horse battery staple\n');
  const helps = await Promise.all(HELPS.map(async (command) => laptop.run([...command, '--help'])));
  const lines = new Set(
    helps.flatMap(({ stdout }) => stdout.match(/(?<=^ {2})(?:echo .*\| )?nostr-sync .*$/gm) ?? []),
  );
  expect(lines.size).toBeGreaterThan(COMMANDS.length);
  for (const line of lines) {
    const isEndless = /nostr-sync (watch|relay)/.test(line);
    const running = laptop.shell(line.replace('wss://relay.example.com', url));
    if (isEndless) await running.heard('Ctrl-C');
    const { exit, stderr } = await (isEndless ? running.interrupt() : running.ended);
    expect({ line, exit, stderr: exit === 0 ? '' : stderr }).toEqual({ line, exit: 0, stderr: '' });
  }
}, 120_000);

test('--version is that of the package', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(await (await computer()).run(['--version'])).toEqual({
    exit: 0,
    stdout: `${version}\n`,
    stderr: '',
  });
});

test('without a command it prints its help to stderr and exits with 2', async () => {
  const { exit, stdout, stderr } = await (await computer()).run([]);
  expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
  expect(stderr).toContain('Usage: nostr-sync');
});

test.each([
  ['an unknown command', ['frobnicate'], /unknown command 'frobnicate'/],
  ['an unknown option', ['status', '--frobnicate'], /unknown option '--frobnicate'/],
  ['a missing argument', ['publish'], /missing required argument 'category'/],
  ['a surplus argument', ['fetch', 'a', 'b'], /too many arguments/],
  ['an unknown stage', ['publish', 'a', '1', '--wait', 'soon'], /saved, delivered, replicated/],
  [
    'an expiration that is no number',
    ['publish', 'a', '1', '--expiration', 'tomorrow'],
    /Unix time in seconds/,
  ],
  ['a port that is none', ['relay', '--port', '70000'], /0 to 65535/],
  ['a relay beyond loopback', ['relay', '--host', '0.0.0.0'], /127\.0\.0\.1/],
])('%s is a usage error, on one line', async (_what, args, message) => {
  const { run } = await computer();
  const [forPeople, forPrograms] = await Promise.all([run(args), run([...args, '--json'])]);
  expect(forPeople).toMatchObject({ exit: 2, stdout: '' });
  expect(forPeople.stderr).toMatch(/^nostr-sync: .*\n$/);
  expect(forPeople.stderr).toMatch(message);
  expect(forPrograms).toMatchObject({ exit: 2, stdout: '' });
  expect(errorOf(forPrograms.stderr).code).toBe('USAGE');
});

test.each([
  ['no relay', { NOSTR_SYNC_KEY: KEY }, ['fetch', 'x'], 'NO_RELAY'],
  ['no key', { NOSTR_SYNC_RELAYS: 'ws://localhost:1' }, ['fetch', 'x'], 'NO_KEY'],
  [
    'a key that is none',
    { NOSTR_SYNC_RELAYS: 'ws://localhost:1', NOSTR_SYNC_KEY: 'nsec1no' },
    ['fetch', 'x'],
    'INVALID_KEY',
  ],
  [
    'a bad relay',
    { NOSTR_SYNC_RELAYS: 'http://localhost', NOSTR_SYNC_KEY: KEY },
    ['fetch', 'x'],
    'INVALID_RELAY_URL',
  ],
  [
    'a bad category',
    { NOSTR_SYNC_RELAYS: 'ws://localhost:1', NOSTR_SYNC_KEY: KEY },
    ['fetch', 'a/b'],
    'INVALID_CATEGORY',
  ],
  [
    'bad JSON',
    { NOSTR_SYNC_RELAYS: 'ws://localhost:1', NOSTR_SYNC_KEY: KEY },
    ['publish', 'x', '{secret'],
    'INVALID_JSON',
  ],
])('%s exits with 2 and a code', async (_what, env, args, code) => {
  const { exit, stdout, stderr } = await (await computer(env)).run([...args, '--json']);
  expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
  expect(errorOf(stderr).code).toBe(code);
  expect(stderr).not.toMatch(/secret|nsec1|\n.*at /);
});

test('a value that is too large is refused with its size', async () => {
  const laptop = await computer({ NOSTR_SYNC_RELAYS: (await relay()).url, NOSTR_SYNC_KEY: KEY });
  const { exit, stderr } = await laptop.run(['publish', 'x', '--json'], {
    input: JSON.stringify('x'.repeat(409_600)),
  });
  expect(exit).toBe(2);
  expect(errorOf(stderr)).toMatchObject({
    code: 'PAYLOAD_TOO_LARGE',
    details: { size: 409_602, limit: 409_600 },
  });
});

test('keygen writes a key that only its owner can read, prints its public key alone, and never overwrites', async () => {
  const { run, folder } = await computer();
  const path = join(folder, 'key');
  const made = await run(['keygen', '--key-file', path]);
  expect(made.exit).toBe(0);
  expect(made.stdout.trim()).toMatch(PUBKEY);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const written = await readFile(path, 'utf8');
  expect(written).toMatch(/^nsec1[0-9a-z]{58}\n$/);
  expect(await run(['pubkey', '--key-file', path])).toEqual({ exit: 0, stdout: made.stdout, stderr: '' });
  const again = await run(['keygen', '--key-file', path, '--json']);
  expect([again.exit, errorOf(again.stderr).code]).toEqual([1, 'KEY_FILE_FAILED']);
  expect(await readFile(path, 'utf8')).toBe(written);
});

test('keygen shows a secret key only if it is told to, and only on a terminal', async () => {
  const { run, folder } = await computer();
  expect(await run(['keygen'])).toMatchObject({ exit: 2, stdout: '' });
  expect(await run(['keygen', '--stdout', '--key-file', 'key'])).toMatchObject({ exit: 2, stdout: '' });
  for (const json of [[], ['--json']]) {
    const { exit, stdout, stderr } = await run(['keygen', '--stdout', ...json]);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr).toContain('standard output is no terminal; give --key-file');
    expect(stderr).not.toContain('nsec1');
  }
  expect(await readdir(folder)).toEqual([]);
  const shown = await run(['keygen', '--stdout', '--json'], { isTerminal: true });
  expect(shown.exit).toBe(0);
  const { nsec, pubkey } = JSON.parse(shown.stdout);
  const derived = await run(['pubkey', '--json'], { env: { NOSTR_SYNC_KEY: nsec } });
  expect(JSON.parse(derived.stdout)).toEqual({ pubkey });
});

test('the key comes from --key-file, else NOSTR_SYNC_KEY, else NOSTR_SYNC_KEY_FILE', async () => {
  const { run } = await computer();
  const [a, b] = [
    (await run(['keygen', '--key-file', 'a'])).stdout,
    (await run(['keygen', '--key-file', 'b'])).stdout,
  ];
  const env = { NOSTR_SYNC_KEY: KEY, NOSTR_SYNC_KEY_FILE: 'b' };
  expect((await run(['pubkey', '--key-file', 'a'], { env })).stdout).toBe(a);
  expect([a, b]).not.toContain((await run(['pubkey'], { env })).stdout);
  expect((await run(['pubkey'], { env: { NOSTR_SYNC_KEY_FILE: 'b' } })).stdout).toBe(b);
});

test.each(['0644', '0640', '0604', '0660'])('a key file with mode %s is refused', async (mode) => {
  const { run, folder } = await computer();
  await run(['keygen', '--key-file', 'key']);
  await chmod(join(folder, 'key'), mode);
  const { exit, stderr } = await run(['pubkey', '--key-file', 'key', '--json']);
  expect(exit).toBe(2);
  expect(errorOf(stderr).code).toBe('KEY_FILE_OPEN_TO_OTHERS');
  await chmod(join(folder, 'key'), 0o400);
  expect(await run(['pubkey', '--key-file', 'key'])).toMatchObject({ exit: 0 });
});

test.each([
  ['that does not exist', undefined],
  ['that holds no key', 'hello'],
  ['that is far too large', 'x'.repeat(5_000)],
])('a key file %s is refused without showing what it holds', async (_what, content) => {
  const { run, folder } = await computer();
  if (content !== undefined) await writeFile(join(folder, 'key'), content, { mode: 0o600 });
  const { exit, stdout, stderr } = await run(['pubkey', '--key-file', 'key']);
  expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
  expect(stderr).toMatch(/^nostr-sync: Cannot .*"key".*\n$/);
  expect(stderr).not.toMatch(/hello|xxx/);
});

test('a key given as an argument is not taken, and not repeated', async () => {
  const { run, folder } = await computer();
  await run(['keygen', '--key-file', 'key']);
  const nsec = (await readFile(join(folder, 'key'), 'utf8')).trim();
  for (const args of [
    [nsec],
    ['pubkey', nsec],
    ['pubkey', '--key', nsec],
    ['pubkey', `--key=${nsec}`],
    ['pubkey', `--key=${KEY}`],
  ]) {
    const { exit, stdout, stderr } = await run(args);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr).not.toContain(nsec.slice(5));
    expect(stderr).not.toContain(KEY);
  }
});

test('relay prints its URL, serves until it is interrupted, and says if a port is taken', async () => {
  const laptop = await computer({ NOSTR_SYNC_KEY: KEY });
  const running = laptop.start(['relay', '--json']);
  const { url, port } = JSON.parse(await running.line());
  expect(url).toBe(`ws://127.0.0.1:${port}`);
  expect(await laptop.run(['publish', 'x', '1', '--relay', url])).toMatchObject({ exit: 0 });
  const second = await laptop.run(['relay', '--port', String(port), '--json']);
  expect([second.exit, errorOf(second.stderr).code]).toEqual([1, 'RELAY_FAILED']);
  expect(await running.interrupt()).toMatchObject({ exit: 0, stderr: '' });
  const again = laptop.start(['relay', '--port', String(port)]);
  expect(await again.line()).toBe(url);
  expect(await again.interrupt()).toMatchObject({ exit: 0 });
});
