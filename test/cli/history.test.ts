/** Former values by the command: listed, read and restored by processes of their own. */

import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { computer, deadRelay, KEY, relay, type Computer } from './support.ts';

const laptop = async (url: string): Promise<Computer> =>
  computer({ NOSTR_SYNC_RELAYS: url, NOSTR_SYNC_KEY: KEY });

const published = async (...values: readonly string[]): Promise<Computer> => {
  const one = await laptop((await relay()).url);
  for (const value of values) await one.run(['publish', 'notes', value, '--wait', 'replicated']);
  return one;
};

test('history lists versions without a key, and shows what one says', async () => {
  const one = await published('"a"', '"b"');
  const { exit, stdout } = await one.run(['history', 'notes'], { env: { NOSTR_SYNC_KEY: '' } });
  const lines = stdout.trimEnd().split('\n');
  expect([exit, lines.length]).toEqual([0, 2]);
  expect(lines[0]).toMatch(/^[0-9a-f]{16} {2}\S+Z {2}current {2}\d+ bytes {2}from /);
  expect(lines[1]).toMatch(/ own /);
  const id = lines[1]!.slice(0, 16);
  expect(await one.run(['history', 'notes', id])).toMatchObject({ exit: 0, stdout: '"a"\n' });
  const json = await one.run(['history', 'notes', id, '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ payload: 'a', category: 'notes' });
  expect(await one.run(['history', 'nothing'])).toMatchObject({ exit: 0, stdout: '' });
});

test('restore writes a former value again, and says which id it does not know', async () => {
  const one = await published('"a"', '"b"');
  const versions = JSON.parse((await one.run(['history', 'notes', '--json'])).stdout) as {
    eventId: string;
  }[];
  expect(await one.run(['restore', 'notes', versions[1]!.eventId])).toMatchObject({
    ...{ exit: 0, stdout: 'notes: delivered (1 of 1 relays)\n' },
  });
  expect((await one.run(['fetch', 'notes'])).stdout).toBe('"a"\n');
  const unknown = await one.run(['restore', 'notes', 'f'.repeat(64), '--json']);
  expect([unknown.exit, JSON.parse(unknown.stderr).error.code]).toEqual([3, 'VERSION_NOT_KEPT']);
  const wrong = await one.run(['restore', 'notes', 'xyz']);
  expect([wrong.exit, wrong.stderr]).toEqual([2, expect.stringContaining('8 to 64 lower-case hex digits')]);
});

test('inspect shows each category without a key, and how far it has come', async () => {
  const one = await laptop(await deadRelay());
  await one.run(['publish', 'notes', '"a"', '--wait', 'saved']);
  const { exit, stdout } = await one.run(['inspect'], { env: { NOSTR_SYNC_KEY: '' } });
  expect(exit).toBe(0);
  expect(stdout).toMatch(/^CATEGORY +VERSION .*\nnotes +[0-9a-f]{16} .* saved .* value\n$/);
  expect(stdout).not.toContain('"a"');
  const [row] = JSON.parse((await one.run(['inspect', '--json'])).stdout);
  expect(row).toMatchObject({ category: 'notes', stage: 'saved', isOwn: true, kept: 0, rivals: 0 });
});

test('export writes a file that only its owner can read, never over another, and import takes it', async () => {
  const one = await published('"a"', '"b"');
  const out = await one.run(['export', '--versions', 'backup'], { env: { NOSTR_SYNC_KEY: '' } });
  expect(out).toMatchObject({ exit: 0, stdout: 'wrote 4 lines to backup\n' });
  const path = join(one.folder, 'backup');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await one.run(['export', 'backup'])).stderr).toContain('it is there already');
  const text = await readFile(path, 'utf8');
  expect((await one.run(['export', '--versions'])).stdout.split('\n')).toHaveLength(5);
  const other = await laptop(await deadRelay());
  const taken = { exit: 0, stdout: '1 taken, 0 known, 1 older than the value here, 0 refused\n' };
  expect(await other.run(['import', '-'], { input: text })).toMatchObject(taken);
  expect((await other.run(['history', 'notes'])).stdout.trimEnd().split('\n')).toHaveLength(2);
  const cut = await other.run(['import', '-', '--json'], { input: text.split('\n').slice(0, 2).join('\n') });
  expect([cut.exit, JSON.parse(cut.stderr).error.code]).toEqual([1, 'NOT_WHOLE']);
  await writeFile(join(other.folder, 'none'), 'x');
  expect(await other.run(['import', 'none'])).toMatchObject({ exit: 2 });
  expect(await other.run(['import', 'absent'])).toMatchObject({ exit: 2 });
});

test('export --plain says that whoever has it can read it, and needs the key', async () => {
  const one = await published('"a"', '"b"');
  const { exit, stdout, stderr } = await one.run(['export', '--plain']);
  expect([exit, JSON.parse(stdout)]).toMatchObject([0, { category: 'notes', payload: 'b' }]);
  expect(stderr).toContain('not encrypted');
  expect(await one.run(['export', '--plain'], { env: { NOSTR_SYNC_KEY: '' } })).toMatchObject({ exit: 2 });
});
