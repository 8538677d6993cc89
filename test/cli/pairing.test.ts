/** `pair` and `join` as two people at two terminals use them, and as programs do; and where the secrets are meanwhile. */

import { appendFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hexToBytes } from '@noble/hashes/utils.js';
import { getPublicKey } from 'nostr-tools/pure';
import { expect, test } from 'vitest';
import { generateKey, nsecDecode } from '../../src/node.ts';
import { pictureRows, scanRows } from './picture.ts';
import { computer, relay, type Computer } from './support.ts';
import { atTerminal, type Terminal } from './terminal.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** Of this file alone: what other tests run at the same time has their key in its environment. */
const KEY = Buffer.from(generateKey()).toString('hex');
const PUBKEY = getPublicKey(hexToBytes(KEY));
const SECRET = /[?&]secret=([0-9a-f]{64})/;

async function withKey(url: string): Promise<Computer> {
  const laptop = await computer({ NOSTR_SYNC_RELAYS: url });
  await writeFile(join(laptop.folder, 'sync.key'), `${KEY}\n`, { mode: 0o600 });
  return laptop;
}

const terminal = (at: Computer, url: string, ...args: string[]): Terminal =>
  atTerminal([process.execPath, MAIN, ...args], { cwd: at.folder, env: { NOSTR_SYNC_RELAYS: url } });

/** The command lines and environments of all processes of this user. */
async function processList(): Promise<string> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const read = async (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const texts = pids.flatMap((pid) => [read(`/proc/${pid}/cmdline`), read(`/proc/${pid}/environ`)]);
  return (await Promise.all(texts)).join('\n');
}

test.each(['link', 'code'] as const)('two people at terminals pair by the %s', async (carrier) => {
  const { url, relay: running } = await relay();
  const [laptop, phone] = [await withKey(url), await computer()];
  const pair = terminal(laptop, url, 'pair', '--key-file', 'sync.key', '--name', 'laptop');
  const [, link = ''] = await pair.shows(/link {2}(nostrpair:\S+)/);
  const [, code = ''] = await pair.shows(/code {2}(\S+)/);
  // The picture: at most 80 columns, and what a camera reads from it is the invitation.
  const rows = pictureRows(pair.screen());
  expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(80);
  expect(scanRows(rows)).toBe(link);

  const joining = terminal(phone, url, 'join', '--key-file', 'phone.key', '--name', 'phone');
  await joining.shows(/Link or code of the other device: /);
  joining.type(`${carrier === 'link' ? link : code.toLowerCase().replaceAll('-', ' ')}\n`);
  const [, first = '', last = ''] = await joining.shows(
    /Type these digits on the other device: {2}(\d{3}) (\d{3})/,
  );
  // The secrets are in no process list.
  const processes = await processList();
  for (const secret of [KEY, SECRET.exec(link)![1]!, code]) expect(processes).not.toContain(secret);

  await pair.shows(/Six digits on the other device: /);
  pair.type('12\n');
  await pair.shows(/Expected six digits/);
  await pair.shows(/Six digits on the other device: /);
  pair.type(`${first} ${last}\n`);
  await joining.shows(/"laptop" shares the key of [0-9a-f]{8} with this computer/);
  await joining.shows(/Join\? \[y\/N\] /);
  joining.type('y\n');
  await pair.shows(/phone has joined/);
  expect(await pair.exit).toBe(0);
  expect(await joining.exit).toBe(0);

  const file = join(phone.folder, 'phone.key');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const key = nsecDecode((await readFile(file, 'utf8')).trim());
  expect(Buffer.from(key).toString('hex')).toBe(KEY);
  // Nothing is left on a relay, and nothing that was said there is readable.
  expect(running.events()).toEqual([]);
  const frames = JSON.stringify(running.frames);
  for (const secret of [KEY, SECRET.exec(link)![1]!, code, 'laptop']) expect(frames).not.toContain(secret);
  for (const screen of [pair.screen(), joining.screen()]) expect(screen).not.toContain(KEY);
});

test('wrong digits end it on both sides, and no key file is written', async () => {
  const { url } = await relay();
  const [laptop, phone] = [await withKey(url), await computer()];
  const pair = terminal(laptop, url, 'pair', '--key-file', 'sync.key');
  const [, link = ''] = await pair.shows(/link {2}(nostrpair:\S+)/);
  const joining = terminal(phone, url, 'join', '--key-file', 'phone.key');
  await joining.shows(/Link or code of the other device: /);
  joining.type(`${link}\n`);
  const [, first = '', last = ''] = await joining.shows(/(\d{3}) (\d{3})/);
  await pair.shows(/Six digits on the other device: /);
  pair.type(`${first}${last === '000' ? '001' : '000'}\n`);
  await pair.shows(/nostr-sync: Cannot pair: the digits are not those of the other device/);
  expect(await pair.exit).toBe(1);
  expect(await joining.exit).toBe(1);
  expect(await readdir(phone.folder)).not.toContain('phone.key');
});

test('who says no has no key file, and the other device is told', async () => {
  const { url } = await relay();
  const [laptop, phone] = [await withKey(url), await computer()];
  const pair = terminal(laptop, url, 'pair', '--key-file', 'sync.key');
  const [, link = ''] = await pair.shows(/link {2}(nostrpair:\S+)/);
  const joining = terminal(phone, url, 'join', '--key-file', 'phone.key');
  await joining.shows(/Link or code/);
  joining.type(`${link}\n`);
  const [, first = '', last = ''] = await joining.shows(/(\d{3}) (\d{3})/);
  await pair.shows(/Six digits/);
  pair.type(`${first}${last}\n`);
  await joining.shows(/Join\? /);
  joining.type('\n');
  await pair.shows(/the other device cancelled it/);
  expect(await joining.exit).toBe(1);
  expect(await readdir(phone.folder)).not.toContain('phone.key');
});

test('Ctrl-C at the one ends the other', async () => {
  const { url } = await relay();
  const [laptop, phone] = [await withKey(url), await computer()];
  const pair = terminal(laptop, url, 'pair', '--key-file', 'sync.key');
  const [, link = ''] = await pair.shows(/link {2}(nostrpair:\S+)/);
  const joining = terminal(phone, url, 'join', '--key-file', 'phone.key');
  await joining.shows(/Link or code/);
  joining.type(`${link}\n`);
  await pair.shows(/Six digits/);
  pair.type('\x03');
  await joining.shows(/the other device cancelled it/);
  // What ends the command ends the shell around it, which says so in its own way.
  expect([1, 130]).toContain(await pair.exit);
  expect(await joining.exit).toBe(1);
});

test('programs pair by a file that only the user can read, standard input and JSON', async () => {
  const { url } = await relay();
  const [laptop, phone] = [await withKey(url), await computer({ NOSTR_SYNC_RELAYS: url })];
  const pair = laptop.shell(
    'mkfifo digits; nostr-sync pair --json --key-file sync.key --output invitation 0<>digits',
  );
  const file = join(laptop.folder, 'invitation');
  await expect
    .poll(async () => readFile(file, 'utf8').catch(() => ''), { timeout: 20_000 })
    .toMatch(/^nostrpair:\S+\n[0-9A-Z-]{14}\n$/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const args = ['join', '--json', '--key-file', 'phone.key', '--name', 'phone', '--input', file];
  const joining = phone.start(args, { input: 'y\n' });
  const { digits } = JSON.parse(await joining.line()) as { readonly digits: string };
  await appendFile(join(laptop.folder, 'digits'), `${digits}\n`);
  const [holder, joiner] = [await pair.ended, await joining.ended];
  expect(holder).toMatchObject({ exit: 0, stderr: '' });
  expect(joiner).toMatchObject({ exit: 0, stderr: '' });
  expect(JSON.parse(holder.stdout)).toMatchObject({ pubkey: PUBKEY, name: 'phone' });
  expect(JSON.parse(joiner.stdout.split('\n')[1]!)).toMatchObject({ pubkey: PUBKEY, keyFile: 'phone.key' });
  for (const { stdout } of [holder, joiner]) expect(stdout).not.toContain(KEY);
});

test('an input that ends before the digits ends the pairing', async () => {
  const { url } = await relay();
  const [laptop, phone] = [await withKey(url), await computer({ NOSTR_SYNC_RELAYS: url })];
  const pair = laptop.start(['pair', '--json', '--key-file', 'sync.key', '--output', 'invitation']);
  const file = join(laptop.folder, 'invitation');
  await expect
    .poll(async () => readFile(file, 'utf8').catch(() => ''), { timeout: 20_000 })
    .toMatch(/\n[0-9A-Z-]{14}\n$/);
  const joining = phone.start(['join', '--json', '--key-file', 'phone.key', '--input', file]);
  const { exit, stderr } = await pair.ended;
  expect(exit).toBe(2);
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'NO_INPUT' } });
  const { stderr: told } = await joining.ended;
  expect(JSON.parse(told)).toMatchObject({ error: { code: 'PAIRING_CANCELLED' } });
});

test('nothing is shown to what is no terminal, taken from an argument, or written over a key', async () => {
  const { url } = await relay();
  const laptop = await withKey(url);
  const refused = await laptop.run(['pair', '--key-file', 'sync.key']);
  expect(refused).toMatchObject({ exit: 2, stdout: '' });
  expect(refused.stderr).toContain('no terminal');
  const link = `nostrpair://${'1'.repeat(64)}?secret=${KEY}&relay=wss%3A%2F%2Fr.example&v=1`;
  for (const secret of [link, '7KQ4-M2XW-9RXR']) {
    for (const args of [['join', secret], [secret], ['join', '--name'.concat(`=${secret}`, 'x'), secret]]) {
      const { exit, stdout, stderr } = await laptop.run([...args, '--key-file', 'new.key']);
      expect(exit).toBe(2);
      expect(stdout + stderr).not.toContain(secret);
      expect(stdout + stderr).not.toContain(KEY);
    }
  }
  const existing = await laptop.run(['join', '--key-file', 'sync.key'], { input: '7KQ4-M2XW-9RXR\n' });
  expect(existing).toMatchObject({ exit: 2 });
  expect(existing.stderr).toContain('never overwritten');
  const typo = await laptop.run(['join', '--key-file', 'new.key'], { input: '7KQ4-M2XW-9RXX\n' });
  expect(typo).toMatchObject({ exit: 2 });
  expect(typo.stderr).toContain('typing error');
  expect(typo.stderr).not.toContain('7KQ4');
  await writeFile(join(laptop.folder, 'open'), `${link}\n`, { mode: 0o644 });
  const open = await laptop.run(['join', '--key-file', 'new.key', '--input', 'open']);
  expect(open).toMatchObject({ exit: 2 });
  expect(open.stderr).toContain('others may use it');
});

test('a relay that refuses the kind: exit code 4, and its words', async () => {
  const running = await relay();
  running.relay.misbehave({ refuse: 'blocked: kind 24134 is not allowed' });
  const laptop = await withKey(running.url);
  const { exit, stderr } = await laptop.run(['pair', '--key-file', 'sync.key', '--output', 'invitation']);
  expect(exit).toBe(4);
  expect(stderr).toContain('blocked: kind 24134 is not allowed');
  expect(await readdir(laptop.folder)).not.toContain('invitation');
});
