/** Former values by the command: listed, read and restored by processes of their own. */

import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finalizeEvent, getPublicKey } from 'nostr-tools/pure';
import * as nip44 from 'nostr-tools/nip44';
import { expect, test, vi } from 'vitest';
import { createNostrSync, secretKeySigner, type Conflict, type NostrEvent } from '../../src/node.ts';
import { computer, deadRelay, KEY, relay, type Computer } from './support.ts';

const laptop = async (url: string): Promise<Computer> =>
  computer({ NOSTR_SYNC_RELAYS: url, NOSTR_SYNC_KEY: KEY });

/** A computer that has published these, and the relay. */
interface Publisher extends Computer {
  readonly relay: string;
  inject(event: NostrEvent): void;
}

const published = async (...values: readonly string[]): Promise<Publisher> => {
  const { url, relay: running } = await relay();
  const one = await laptop(url);
  for (const value of values) await one.run(['publish', 'notes', value, '--wait', 'replicated']);
  return { ...one, relay: url, inject: (event) => running.inject(event) };
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

test('history tells that the newest is a removal, and restore brings back what was before it', async () => {
  const one = await published('"a"');
  await one.run(['remove', 'notes', '--wait', 'replicated']);
  const lines = (await one.run(['history', 'notes'])).stdout.split('\n');
  expect(lines[0]).toContain(' current, removed ');
  expect((await one.run(['fetch', 'notes'])).exit).toBe(3);
  expect((await one.run(['restore', 'notes', lines[1]!.slice(0, 8)])).exit).toBe(0);
  expect((await one.run(['fetch', 'notes'])).stdout).toBe('"a"\n');
});

test('at a narrow terminal each version and each category stays one line, and a file has it all', async () => {
  const one = await published('"a"', '"b"');
  await one.run(['publish', 'ui-settings', '"c"', '--wait', 'saved']);
  const at = async (columns: number, command: string): Promise<string[]> => {
    const line = `stty cols ${columns}; nostr-sync ${command}`;
    const { stdout } = await one.terminal(line).ended;
    return stdout.trimEnd().split('\r\n');
  };
  const history = await at(60, 'history notes');
  expect(history.map((line) => line.length)).toEqual([60, 60]);
  expect(history[0]).toMatch(/^[0-9a-f]{16} {2}\S+Z {2}current {2}from .*…$/);
  const inspected = await at(80, 'inspect');
  expect(inspected.map((line) => line.length).every((length) => length <= 80)).toBe(true);
  expect(inspected[0]).toMatch(/^CATEGORY +VERSION +WRITTEN +STAGE +KEPT +STATE$/);
  expect(inspected).toHaveLength(3);
  expect((await at(200, 'inspect'))[0]).toContain('RIVALS');
  // What went wrong is never cut.
  expect((await at(40, 'status')).join('')).not.toContain('…');
  expect((await one.run(['history', 'notes'])).stdout).toMatch(/ bytes {2}from \S{36}\n/);
});

test('publish --based-on says of which version the value was made: of an older one, devices are told of a conflict', async () => {
  const one = await published('"a"', '"b"');
  const other = createNostrSync({ relays: [one.relay], signer: secretKeySigner(KEY) });
  try {
    await other.publish('notes', 'theirs', { waitFor: 'replicated' });
    const conflicts: Conflict[] = [];
    other.on('conflict', (conflict) => conflicts.push(conflict));
    other.subscribe(['notes'], () => undefined);
    const before = (await one.run(['history', 'notes'])).stdout.slice(0, 8);
    await one.run(['sync', 'notes']);
    const written = await one.run(['publish', 'notes', '"of b"', '--based-on', before]);
    expect(written).toMatchObject({ exit: 0 });
    await vi.waitFor(() => expect(conflicts).toMatchObject([{ mine: { payload: 'theirs' } }]), 5_000);
    await one.run([
      'publish',
      'notes',
      '"of the newest"',
      '--based-on',
      JSON.parse((await one.run(['fetch', 'notes', '--json'])).stdout).eventId,
    ]);
    await vi.waitFor(async () =>
      expect(await other.fetch('notes')).toMatchObject({ payload: 'of the newest' }),
    );
    expect(conflicts).toHaveLength(1);
  } finally {
    await other.close();
  }
  expect((await one.run(['publish', 'notes', '1', '--based-on', 'f'.repeat(8)])).exit).toBe(3);
  expect((await one.run(['publish', 'notes', '1', '--based-on', 'x'])).exit).toBe(2);
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

test('an old backup never beats anything newer, here or on the relays', async () => {
  const one = await published('"old"');
  await one.run(['export', 'backup']);
  await one.run(['publish', 'notes', '"new"', '--wait', 'replicated']);
  const again = await one.run(['import', 'backup']);
  expect(again).toMatchObject({
    exit: 0,
    stdout: '0 taken, 1 known, 0 older than the value here, 0 refused\n',
  });
  expect((await one.run(['fetch', 'notes'])).stdout).toBe('"new"\n');
  // A device that has nothing yet takes it, and is given what is newer by the relay.
  const other = await laptop(one.relay);
  const input = await readFile(join(one.folder, 'backup'), 'utf8');
  expect((await other.run(['import', '-'], { input })).exit).toBe(0);
  for (const each of [one, other]) expect((await each.run(['fetch', 'notes'])).stdout).toBe('"new"\n');
  expect((await one.run(['history', 'notes'])).stdout.trimEnd().split('\n')).toHaveLength(2);
});

test('import says in words which line it refuses, and why, and takes what is right', async () => {
  const one = await published('"a"');
  await one.run(['publish', 'other', '"b"', '--wait', 'replicated']);
  const [header, first, second, end] = (await one.run(['export'])).stdout.trimEnd().split('\n');
  const changed = second!.replace('"content":"A', '"content":"B');
  const other = await laptop(await deadRelay());
  const input = [header, first, changed, '{"cut', end, ''].join('\n');
  const { exit, stdout, stderr } = await other.run(['import', '-'], { input });
  expect([exit, stdout]).toEqual([1, '1 taken, 0 known, 0 older than the value here, 2 refused\n']);
  expect(stderr).toContain('line 3 is refused: it was changed');
  expect(stderr).toContain('line 4 is refused: it is no JSON');
  expect(stderr).toContain('The file is not whole');
  expect(await other.run(['import', '.'])).toMatchObject({
    exit: 2,
    stderr: 'nostr-sync: Cannot read .: it is a folder\n',
  });
});

test('an export that fails leaves no file, and one value that cannot be read does not keep the others from --plain', async () => {
  const one = await published('"a"');
  const failed = await one.run(['export', 'backup', '--namespace', 'never'], { env: { NOSTR_SYNC_KEY: '' } });
  expect([failed.exit, failed.stderr]).toEqual([1, expect.stringContaining('no signer')]);
  await expect(stat(join(one.folder, 'backup'))).rejects.toThrow('ENOENT');
  // What no version of this library writes: a text that is no JSON.
  const key = nip44.getConversationKey(Buffer.from(KEY, 'hex'), getPublicKey(Buffer.from(KEY, 'hex')));
  const event = {
    kind: 30_078,
    created_at: Math.floor(Date.now() / 1_000),
    tags: [
      ['d', 'default/strange/v1'],
      ['client', 'x'],
    ],
    content: nip44.encrypt('no JSON', key),
  };
  one.inject(finalizeEvent(event, Buffer.from(KEY, 'hex')));
  await one.run(['sync', 'notes', 'strange']);
  const { exit, stdout, stderr } = await one.run(['export', '--plain', 'plain']);
  expect([exit, stdout]).toEqual([1, 'wrote 1 line to plain\n']);
  expect(stderr).toContain('"strange"');
  expect(stderr).toContain('1 value could not be read');
  expect(JSON.parse(await readFile(join(one.folder, 'plain'), 'utf8'))).toMatchObject({ payload: 'a' });
});

test('export --plain says that whoever has it can read it, and needs the key', async () => {
  const one = await published('"a"', '"b"');
  const { exit, stdout, stderr } = await one.run(['export', '--plain']);
  expect([exit, JSON.parse(stdout)]).toMatchObject([0, { category: 'notes', payload: 'b' }]);
  expect(stderr).toContain('not encrypted');
  expect(await one.run(['export', '--plain'], { env: { NOSTR_SYNC_KEY: '' } })).toMatchObject({ exit: 2 });
});
