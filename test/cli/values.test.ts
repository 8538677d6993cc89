/** Values by the command: out of one computer, into another, in both forms of output and with every exit code. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fileStore, secretKeySigner } from '../../src/node.ts';
import { computer, deadRelay, KEY, relay, type Computer } from './support.ts';
import { written } from '../sync/devices.ts';
import { valueOf } from '../sync/values.ts';

const laptopAnd = async (url: string): Promise<[Computer, Computer]> => {
  const env = { NOSTR_SYNC_RELAYS: url, NOSTR_SYNC_KEY: KEY };
  return [await computer(env), await computer(env)];
};

test('what one computer publishes, another fetches', async () => {
  const [laptop, phone] = await laptopAnd((await relay()).url);
  const published = await laptop.run(['publish', 'ui-settings', '{"theme":"dark"}']);
  expect(published).toEqual({ exit: 0, stdout: 'ui-settings: delivered (1 of 1 relays)\n', stderr: '' });
  const fetched = await phone.run(['fetch', 'ui-settings']);
  expect(fetched).toEqual({ exit: 0, stdout: '{\n  "theme": "dark"\n}\n', stderr: '' });
});

test('with --json a receipt and a result come as one line each', async () => {
  const { url } = await relay();
  const [laptop, phone] = await laptopAnd(url);
  const published = await laptop.run(['publish', 'ui-settings', '[1,2]', '--json']);
  const receipt = JSON.parse(published.stdout);
  expect(receipt).toMatchObject({
    category: 'ui-settings',
    stage: 'delivered',
    relays: { [url]: 'acknowledged' },
  });
  const fetched = await phone.run(['--json', 'fetch', 'ui-settings']);
  expect(JSON.parse(fetched.stdout)).toMatchObject({
    payload: [1, 2],
    source: 'relay',
    eventId: receipt.eventId,
  });
  expect(published.stderr + fetched.stderr).toBe('');
});

test('--wait replicated waits until it was read back', async () => {
  const [laptop] = await laptopAnd((await relay()).url);
  const { stdout } = await laptop.run(['publish', 'x', '1', '--wait', 'replicated', '--json']);
  expect(JSON.parse(stdout).stage).toBe('replicated');
});

test('publish gives every relay that is there the value, not only the quickest', async () => {
  const [quick, slow] = [await relay(), await relay({ latencyMs: 60 })];
  const [laptop] = await laptopAnd(`${quick.url},${slow.url}`);
  await laptop.run(['publish', 'x', '1']);
  expect([quick.relay.events().length, slow.relay.events().length]).toEqual([1, 1]);
});

test.each([[['publish', 'x']], [['publish', 'x', '-']]])(
  '%j reads the value from standard input',
  async (args) => {
    const [laptop] = await laptopAnd((await relay()).url);
    expect(await laptop.run(args, { input: ' {"a": "é"}\n' })).toMatchObject({ exit: 0 });
    expect((await laptop.run(['fetch', 'x'])).stdout).toBe('{\n  "a": "é"\n}\n');
  },
);

test('fetch exits with 3 if it is known that there is no value', async () => {
  const [laptop] = await laptopAnd((await relay()).url);
  const forPeople = await laptop.run(['fetch', 'nothing']);
  const pubkey = await secretKeySigner(KEY).getPublicKey();
  expect(forPeople).toEqual({
    exit: 3,
    stdout: '',
    stderr: `nostr-sync: There is no value in "nothing" of namespace "default" for the key ${pubkey.slice(0, 16)}…\n`,
  });
  const { exit, stdout, stderr } = await laptop.run(['fetch', 'nothing', '--json']);
  expect([exit, JSON.parse(stdout), JSON.parse(stderr).error.code]).toEqual([3, null, 'NO_VALUE']);
});

test('fetch exits with 4 if no relay answers and this computer has no copy', async () => {
  const [laptop] = await laptopAnd(await deadRelay());
  const { exit, stdout, stderr } = await laptop.run(['fetch', 'x', '--json']);
  expect({ exit, stdout }).toEqual({ exit: 4, stdout: '' });
  expect(JSON.parse(stderr)).toEqual({
    error: {
      code: 'NO_RELAYS_REACHABLE',
      message: expect.stringContaining('Cannot read'),
      details: { answered: [], silent: [] },
    },
  });
});

test('published offline it is saved, fetched from here with a note, and delivered by the next run', async () => {
  const { url, port, close } = await relay();
  await close();
  const [laptop] = await laptopAnd(url);
  const published = await laptop.run(['publish', 'x', '1']);
  expect(published).toEqual({
    exit: 4,
    stdout: 'x: saved on this device; no relay has it yet\n',
    stderr:
      'nostr-sync: "x" is not delivered yet; it is saved on this device, and the next run or nostr-sync flush delivers it\n',
  });
  expect(await laptop.run(['publish', 'x', '1', '--wait', 'saved'])).toEqual({
    exit: 4,
    stdout: 'x: saved on this device; no relay has it yet\n',
    stderr:
      'nostr-sync: No relay could be reached with "x"; it is saved on this device, and the next run or nostr-sync flush delivers it\n',
  });
  const local = await laptop.run(['fetch', 'x']);
  expect(local).toEqual({
    exit: 0,
    stdout: '1\n',
    stderr: 'nostr-sync: no relay answered; this is what this device knew\n',
  });
  const waiting = await laptop.run(['flush', '--timeout', '0.2', '--json']);
  expect([waiting.exit, JSON.parse(waiting.stdout)]).toEqual([4, { outboxDepth: 1 }]);
  const { relay: held } = await relay({ port });
  // It is ciphertext: no key is needed to deliver it.
  const flushed = await laptop.run(['flush'], { env: { NOSTR_SYNC_KEY: '' } });
  expect(flushed).toEqual({ exit: 0, stdout: 'every relay has everything\n', stderr: '' });
  expect(held.events()).toHaveLength(1);
});

test.each([
  ['publish', ['publish', 'x', '1']],
  ['remove', ['remove', 'x']],
])(
  '%s that reaches no relay exits with 4 whatever it waits for, and its receipt is printed',
  async (_name, args) => {
    const [laptop] = await laptopAnd(await deadRelay());
    for (const stage of ['saved', 'delivered', 'replicated']) {
      const { exit, stdout, stderr } = await laptop.run([...args, '--wait', stage, '--json']);
      expect([stage, exit, JSON.parse(stdout).stage]).toEqual([stage, 4, 'saved']);
      expect(JSON.parse(stderr).error).toMatchObject({
        code: 'NOT_DELIVERED',
        message: expect.stringContaining('it is saved on this device'),
      });
    }
  },
);

test('--wait saved exits with 0 if one relay is there, however long that takes and whatever it says', async () => {
  const [slow, mute] = [await relay({ latencyMs: 900 }), await relay()];
  mute.relay.misbehave({ dropOk: true });
  const dead = await deadRelay();
  for (const url of [slow.url, mute.url]) {
    const [laptop] = await laptopAnd(`${dead},${url}`);
    expect(await laptop.run(['publish', 'x', '1', '--wait', 'saved'])).toMatchObject({ exit: 0, stderr: '' });
  }
});

test('sync prints the values that there are', async () => {
  const [laptop, phone] = await laptopAnd((await relay()).url);
  await laptop.run(['publish', 'a', '"first"']);
  await laptop.run(['publish', 'b', '"second"']);
  const synced = await phone.run(['sync', 'a', 'b', 'c', '--json']);
  expect(synced.exit).toBe(0);
  expect(JSON.parse(synced.stdout)).toMatchObject([
    { category: 'a', payload: 'first' },
    { category: 'b', payload: 'second' },
  ]);
  const lines = (await phone.run(['sync', 'a', 'b'])).stdout.trimEnd().split('\n');
  expect(lines).toEqual([
    expect.stringMatching(/ {2}a {2}"first" {2}from /),
    expect.stringMatching(/ {2}b {2}"second" {2}from /),
  ]);
});

test('a category that cannot be read fails sync, but none of the others', async () => {
  const { url, relay: held } = await relay();
  const [laptop, phone] = await laptopAnd(url);
  await laptop.run(['publish', 'good', '1']);
  const created_at = Math.floor(Date.now() / 1_000);
  const unreadable = { kind: 30_078, created_at, tags: [['d', 'default/bad/v1']], content: 'not ciphertext' };
  held.inject(await secretKeySigner(KEY).signEvent(unreadable));
  const { exit, stdout, stderr } = await phone.run(['sync', 'good', 'bad']);
  expect(exit).toBe(1);
  expect(stdout).toMatch(/^.* {2}good {2}1 {2}from .*\n$/);
  expect(stderr.split('\n')).toEqual([
    'nostr-sync: Cannot read the newest value of "bad"',
    'nostr-sync: 1 of 2 categories could not be read',
    '',
  ]);
  const alone = await phone.run(['fetch', 'bad']);
  expect(alone).toEqual({
    exit: 1,
    stdout: '',
    stderr: 'nostr-sync: Cannot read the newest value of "bad"\n',
  });
});

test('removed is removed on all computers, and the relay was asked to delete it', async () => {
  const { url, relay: held } = await relay();
  const [laptop, phone] = await laptopAnd(url);
  await laptop.run(['publish', 'x', '1']);
  // What is deleted is named by its id: the phone must have seen it.
  await phone.run(['fetch', 'x']);
  expect(await phone.run(['remove', 'x'])).toMatchObject({ exit: 0, stderr: '' });
  expect(await laptop.run(['fetch', 'x'])).toMatchObject({ exit: 3 });
  expect(held.events().map(({ kind }) => kind)).toContain(5);
});

test('a value from the future is reset, and then there is nothing to reset', async () => {
  const { url, relay: held } = await relay({ limits: { createdAtUpperLimit: 100_000_000 } });
  const [laptop, phone] = await laptopAnd(url);
  const now = Math.floor(Date.now() / 1_000);
  held.inject(written({ category: 'x', created_at: now + 50_000_000, key: KEY }));
  expect(await laptop.run(['fetch', 'x'])).toMatchObject({ exit: 0 });
  const refused = await laptop.run(['publish', 'x', '1', '--json']);
  expect(JSON.parse(refused.stderr).error.code).toBe('CLOCK_SKEW');
  expect(await laptop.run(['reset', 'x', '--wait', 'replicated'])).toMatchObject({ exit: 0 });
  expect(await phone.run(['fetch', 'x'])).toMatchObject({ exit: 0, stdout: '"theirs"\n' });
  expect(await phone.run(['publish', 'x', '2'])).toMatchObject({ exit: 0 });
  expect(await laptop.run(['reset', 'x', '--json'])).toMatchObject({ exit: 0, stdout: 'null\n' });
  expect(await laptop.run(['fetch', 'x'])).toMatchObject({ stdout: '2\n' });
});

test('a value with an expiration is gone when that has passed', async () => {
  const [laptop, phone] = await laptopAnd((await relay()).url);
  const soon = String(Math.floor(Date.now() / 1_000) + 3_600);
  expect(await laptop.run(['publish', 'x', '1', '--expiration', soon])).toMatchObject({ exit: 0 });
  expect(await phone.run(['fetch', 'x'])).toMatchObject({ exit: 0 });
  const past = await laptop.run(['publish', 'x', '1', '--expiration', '1', '--json']);
  expect([past.exit, JSON.parse(past.stderr).error.code]).toEqual([2, 'INVALID_EXPIRATION']);
});

test('a value that every relay refuses for good is a failure with their reasons', async () => {
  const { url, relay: held } = await relay();
  held.misbehave({ refuse: 'blocked: not here' });
  const [laptop] = await laptopAnd(url);
  const { exit, stderr } = await laptop.run(['publish', 'x', '1', '--json']);
  expect(exit).toBe(1);
  expect(JSON.parse(stderr).error).toMatchObject({
    code: 'NO_RELAYS_ACCEPTED',
    details: { reasons: { [url]: 'blocked: not here' } },
  });
});

test('what one of two relays has is delivered, and publish says that the other waits', async () => {
  const [laptop] = await laptopAnd(`${(await relay()).url},${await deadRelay()}`);
  const stdout = 'x: delivered (1 of 2 relays); the next run delivers the rest\n';
  expect(await laptop.run(['publish', 'x', '1'])).toEqual({ exit: 0, stdout, stderr: '' });
  const all = await laptop.run(['publish', 'x', '2', '--wait', 'replicated', '--json']);
  expect([all.exit, JSON.parse(all.stdout).stage, JSON.parse(all.stderr).error.code]).toEqual([
    4,
    'delivered',
    'NOT_DELIVERED',
  ]);
});

test('status shows the relays and what waits', async () => {
  const [url, dead] = [(await relay()).url, await deadRelay()];
  const [laptop] = await laptopAnd(`${url},${dead}`);
  await laptop.run(['publish', 'x', '1']);
  const status = await laptop.run(['status', '--json']);
  expect(status.exit).toBe(0);
  expect(JSON.parse(status.stdout)).toMatchObject({
    ...{ namespace: 'default', outboxDepth: 1, relayCount: 2, connectedRelayCount: 1 },
    store: `${laptop.folder}/.local/share/nostr-sync/default`,
    relays: [
      { url, connected: true },
      { url: dead, connected: false },
    ],
  });
  const text = (await laptop.run(['status'])).stdout;
  expect(text).toMatch(/outbox +1 to deliver/);
  expect(text).toMatch(new RegExp(`${dead} +not connected`));
});

test('a value of 400 KB goes from one computer to another, and status tells what the relay takes', async () => {
  const { url } = await relay();
  const [laptop, phone] = await laptopAnd(url);
  const json = JSON.stringify(valueOf(400_000, 1, true));
  const published = await laptop.run(['publish', 'big'], { input: json });
  expect(published).toMatchObject({ exit: 0, stdout: 'big: delivered (1 of 1 relays)\n', stderr: '' });
  const { stdout } = await phone.run(['fetch', 'big', '--json']);
  expect(JSON.parse(stdout).payload).toEqual(JSON.parse(json));
  expect((await laptop.run(['status'])).stdout).toMatch(
    new RegExp(`${url} +connected .* an event of \\d+ B `),
  );
  expect((await phone.run(['status'])).stdout).toMatch(/not seen yet/);
});

test('a large value shows its progress on a terminal, until the slowest relay has all of it', async () => {
  const { url, relay: on } = await relay();
  on.misbehave({ delayMs: 150 });
  const [laptop] = await laptopAnd(url);
  await writeFile(join(laptop.folder, 'big.json'), JSON.stringify(valueOf(400_000, 1, true)));
  const { exit, stdout } = await laptop.run(['publish', 'big', '<', 'big.json'], { isTerminal: true });
  expect(exit).toBe(0);
  const shown = [...stdout.matchAll(/big \[([#.]{30})\] (\d+) %/g)].map((match) => Number(match[2]));
  expect(shown.length).toBeGreaterThan(3);
  expect(shown).toEqual(shown.toSorted((a, b) => a - b));
  expect(shown.at(-1)).toBe(100);
  expect(stdout).toMatch(/big: delivered \(1 of 1 relays\)\r?\n$/);
});

test.each([[[]], [['--json']]])(
  'nothing that another device wrote acts on the terminal: %j',
  async (flags) => {
    const { url, relay: held } = await relay();
    const [laptop] = await laptopAnd(url);
    const signer = secretKeySigner(KEY);
    // What turns colours on, erases, turns the line around, hides, and breaks lines in some terminals.
    const evil = '\u001b[31m\u009b2J\u007f\u202etxt\u200b\u2028\u2029\u0085\ufeff';
    const payload = { [evil]: evil };
    const created_at = Math.floor(Date.now() / 1_000);
    const content = await signer.nip44.encrypt(await signer.getPublicKey(), JSON.stringify(payload));
    const tags = [
      ['d', 'default/x/v1'],
      ['device_id', `${evil}\n2026 y "forged"`],
    ];
    held.inject(await signer.signEvent({ kind: 30_078, created_at, tags, content }));
    const watching = laptop.start(['watch', 'x', ...flags]);
    const line = await watching.line();
    const printed = [
      await watching.interrupt(),
      await laptop.run(['fetch', 'x', ...flags]),
      await laptop.run(['sync', 'x', ...flags]),
    ].map(({ stdout }) => stdout);
    const named = [await laptop.run(['list', ...flags]), await laptop.run(['history', 'x', ...flags])].map(
      ({ stdout }) => stdout,
    );
    for (const text of [line, ...printed]) expect(text).toContain('\\u202etxt');
    for (const text of [line, ...printed, ...named])
      expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    // The escapes are JSON's own: a program gets the payload as it was written. Nobody gets a device id that is none.
    if (flags.length === 0) {
      for (const text of [line, printed[2]!, ...named])
        expect(text).toContain('from a device without a proper id');
      return;
    }
    expect(JSON.parse(line)).toMatchObject({ payload, category: 'x' });
    for (const text of [line, ...printed, ...named])
      expect([JSON.parse(text.split('\n')[0]!)].flat()).toMatchObject([{ deviceId: null }]);
  },
);

test('watch prints what is there, then what another computer publishes, until it is interrupted', async () => {
  const [laptop, phone] = await laptopAnd((await relay()).url);
  await laptop.run(['publish', 'x', '1']);
  const watching = phone.start(['watch', 'x', 'y', '--json']);
  expect(JSON.parse(await watching.line())).toMatchObject({ category: 'x', payload: 1 });
  await laptop.run(['publish', 'y', '{"n":2}']);
  expect(JSON.parse(await watching.line())).toMatchObject({ category: 'y', payload: { n: 2 } });
  await laptop.run(['remove', 'y']);
  expect(JSON.parse(await watching.line())).toMatchObject({ category: 'y', deleted: true });
  expect(await watching.interrupt()).toMatchObject({ exit: 0, stderr: '' });
});

test('watch tells people on stderr how the connection is', async () => {
  const { url, close } = await relay();
  const [laptop, phone] = await laptopAnd(url);
  const watching = phone.start(['watch', 'x']);
  await laptop.run(['publish', 'x', '1']);
  expect(await watching.line()).toMatch(/ {2}x {2}1 {2}from /);
  await close();
  await watching.heard(`lost ${url}, trying again`);
  const { stderr, exit } = await watching.interrupt();
  expect(exit).toBe(0);
  expect(stderr.split('\n')).toEqual([
    'watching x; Ctrl-C ends it',
    `connected to ${url}`,
    `lost ${url}, trying again`,
    '',
  ]);
});

test('publish in a second terminal goes through while watch runs, and watch shows it', async () => {
  const [laptop] = await laptopAnd((await relay()).url);
  await laptop.run(['publish', 'x', '1']);
  const watching = laptop.start(['watch', 'x', '--json']);
  expect(JSON.parse(await watching.line())).toMatchObject({ payload: 1 });
  expect(await laptop.run(['publish', 'x', '2'])).toMatchObject({ exit: 0, stderr: '' });
  expect(JSON.parse(await watching.line())).toMatchObject({ payload: 2 });
  await watching.interrupt();
});

test('list shows the categories of the namespace: delivered or not, and neither removed nor expired nor pieces', async () => {
  const [one, other] = [await relay(), await relay()];
  const [laptop, phone] = await laptopAnd(`${one.url},${other.url}`);
  for (const args of [
    ['publish', 'b', '1'],
    ['publish', 'a', '2'],
    ['publish', 'gone', '3'],
    ['remove', 'gone'],
    ['publish', 'a', '4', '--namespace', 'other'],
  ])
    await laptop.run([...args, '--wait', 'replicated']);
  await laptop.run(['publish', 'large', '--wait', 'replicated'], {
    input: JSON.stringify(valueOf(150_000, 1, true)),
  });
  await other.close();
  await laptop.run(['publish', 'b', '5']);
  const { exit, stdout } = await phone.run(['list', '--json']);
  expect(exit).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject([
    { category: 'a', relays: [one.url] },
    { category: 'b', relays: [one.url] },
    { category: 'large', relays: [one.url] },
  ]);
  await one.close();
  const offline = await laptop.run(['list']);
  expect(offline.exit).toBe(0);
  expect(offline.stdout).toMatch(/^a {6}\S+ {2}from \S+ {2}on this device only\nb .*\nlarge .*\n$/);
  expect(offline.stderr.match(/did not answer/g)).toHaveLength(2);
  expect(await phone.run(['list', '--store', 'new'])).toMatchObject({ exit: 4, stdout: '' });
});

test('list goes on behind a page that a relay caps', async () => {
  const { url, relay: held } = await relay({ limits: { maxLimit: 10 } });
  const [laptop] = await laptopAnd(url);
  const signer = secretKeySigner(KEY);
  for (let i = 0; i < 35; i++)
    held.inject(
      await signer.signEvent({
        kind: 30_078,
        created_at: 1_700_000_000 + i,
        tags: [['d', `default/c${i}/v1`]],
        content: 'x',
      }),
    );
  expect(JSON.parse((await laptop.run(['list', '--json'])).stdout)).toHaveLength(35);
});

test('a second process on one store is told who uses it and what to do', async () => {
  const [laptop] = await laptopAnd((await relay()).url);
  await laptop.run(['publish', 'x', '1']);
  const holder = fileStore(join(laptop.folder, '.local/share/nostr-sync/default'));
  await holder.get('x');
  const { exit, stderr } = await laptop.run(['publish', 'x', '2']);
  expect(exit).toBe(1);
  expect(stderr).toMatch(/^nostr-sync: Cannot open the store in .*: process \d+ is using it; .*--store\n$/);
  expect(await laptop.run(['publish', 'x', '2', '--store', 'other'])).toMatchObject({ exit: 0 });
  await holder.close();
});

test('relays, namespace and store given as options stand above the environment', async () => {
  const { url } = await relay();
  const [laptop] = await laptopAnd(await deadRelay());
  const args = ['--relay', url, '--namespace', 'sage', '--store', 'here'];
  expect((await laptop.run(['publish', 'x', '1', ...args])).stdout).toContain('delivered (1 of 1 relays)');
  expect(await laptop.run(['fetch', 'x', '--relay', url])).toMatchObject({ exit: 3 });
  expect(JSON.parse((await laptop.run(['status', '--json', ...args])).stdout)).toMatchObject({
    namespace: 'sage',
    store: 'here',
  });
});

// Found by fuzz, SEED=939352: it was an INTERNAL error.
test('an empty --store is wrong usage', async () => {
  const [laptop] = await laptopAnd((await relay()).url);
  const { exit, stderr } = await laptop.run(['publish', 'x', '1', '--json', '--store', '']);
  expect(exit).toBe(2);
  expect(JSON.parse(stderr).error).toMatchObject({
    code: 'USAGE',
    message: expect.stringMatching(/--store.*Expected the path of a folder/),
  });
});

test('a namespace that is no file name stays inside the data folder', async () => {
  const [laptop] = await laptopAnd((await relay()).url);
  const { stdout } = await laptop.run(['status', '--json', '--namespace', '..'], {
    env: { XDG_DATA_HOME: `${laptop.folder}/data` },
  });
  expect(JSON.parse(stdout).store).toMatch(new RegExp(`^${laptop.folder}/data/nostr-sync/[0-9a-f]{64}$`));
});
