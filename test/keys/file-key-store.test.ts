/** The key file: who may read it, what it holds, and that a crash or a second process never costs a key. */

import { nsecEncode } from '../../src/node.ts';
import { execFileSync } from 'node:child_process';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fileKeyStore } from '../../src/keys/file-key-store.ts';
import { keyStoreSuite } from './suite.ts';

const KEY = new Uint8Array(32).fill(7);
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nostr-sync-key-'));
  path = join(folder, 'sync.key');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

describe('a key file', () => {
  test.each(keyStoreSuite.map(({ name, run }) => [name, run] as const))('%s', async (_name, run) => {
    await run(() => fileKeyStore(path));
    // Nothing of what was written beside it stays.
    expect(await readdir(folder)).toEqual(
      (await fileKeyStore(path).load()) === undefined ? [] : ['sync.key'],
    );
  });

  test('is an nsec that only its owner may read, whatever the umask says', async () => {
    const umask = process.umask(0);
    try {
      await fileKeyStore(path).save(KEY);
    } finally {
      process.umask(umask);
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toBe(`${nsecEncode(KEY)}\n`);
  });

  test('with hex digits and space around them is read', async () => {
    await writeFile(path, `  ${'07'.repeat(32).toUpperCase()}\n\n`, { mode: 0o600 });
    expect(await fileKeyStore(path).load()).toEqual(KEY);
  });

  test.each([0o644, 0o640, 0o604, 0o660])('with mode %o is not used: others may know it', async (mode) => {
    await fileKeyStore(path).save(KEY);
    await chmod(path, mode);
    await expect(fileKeyStore(path).load()).rejects.toMatchObject({ code: 'KEY_STORE_EXPOSED' });
    await expect(fileKeyStore(path).save(new Uint8Array(32).fill(8))).rejects.toMatchObject({
      code: 'KEY_STORE_EXPOSED',
    });
  });

  test.skipIf(process.platform === 'win32')('of another user is not used; of root it is', async () => {
    await fileKeyStore(path).save(KEY);
    const { uid } = await stat(path);
    const as = vi.spyOn(process, 'geteuid').mockReturnValue(uid + 1);
    // Root alone can give a file away.
    if (uid === 0) {
      expect(await fileKeyStore(path).load()).toEqual(KEY);
      as.mockReturnValue(uid);
      await chown(path, 4_321, 4_321);
    }
    await expect(fileKeyStore(path).load()).rejects.toMatchObject({
      code: 'KEY_STORE_EXPOSED',
      message: expect.stringMatching(/sync\.key": it belongs to another user \(uid \d+\)/),
    });
  });

  test.skipIf(process.platform === 'win32')(
    'that is a link is read as what it leads to, as mounted secrets are',
    async () => {
      const target = join(folder, 'target');
      await fileKeyStore(target).save(KEY);
      await symlink(target, path);
      expect(await fileKeyStore(path).load()).toEqual(KEY);
      await chmod(target, 0o644);
      await expect(fileKeyStore(path).load()).rejects.toMatchObject({ code: 'KEY_STORE_EXPOSED' });
    },
  );

  test.skipIf(process.platform === 'win32')('that is a link is neither written nor deleted', async () => {
    const target = join(folder, 'target');
    await fileKeyStore(target).save(KEY);
    await symlink(target, path);
    const other = new Uint8Array(32).fill(8);
    const refused = { code: 'KEY_STORE_FAILED', message: expect.stringMatching(/sync\.key": it is a link/) };
    await expect(fileKeyStore(path).save(other, KEY)).rejects.toMatchObject(refused);
    await expect(fileKeyStore(path).clear()).rejects.toMatchObject(refused);
    // It has this key already.
    await fileKeyStore(path).save(KEY);
    expect(await fileKeyStore(target).load()).toEqual(KEY);
    await rm(target);
    await expect(fileKeyStore(path).save(KEY)).rejects.toMatchObject(refused);
    expect(await readdir(folder)).toEqual(['sync.key']);
  });

  test.skipIf(process.platform === 'win32')('that is a pipe is not waited for', async () => {
    execFileSync('mkfifo', ['-m', '600', path]);
    await expect(fileKeyStore(path).load()).rejects.toMatchObject({
      code: 'KEY_STORE_FAILED',
      message: expect.stringContaining('not a regular file'),
    });
  });

  test.each([
    ['no key', 'hello', 'INVALID_KEY'],
    ['nothing, as after a crash in the middle', '', 'INVALID_KEY'],
    ['zero', '00'.repeat(32), 'INVALID_KEY'],
    ['a book', 'x'.repeat(5_000), 'KEY_STORE_FAILED'],
  ])('that holds %s is an error, not an absence, and is not overwritten', async (_what, text, code) => {
    await writeFile(path, text, { mode: 0o600 });
    await expect(fileKeyStore(path).load()).rejects.toMatchObject({ code });
    await expect(fileKeyStore(path).save(KEY)).rejects.toMatchObject({ code });
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  test('that is a folder, or in none, is an error with the reason', async () => {
    await mkdir(path);
    await expect(fileKeyStore(path).save(KEY)).rejects.toMatchObject({ code: 'KEY_STORE_FAILED' });
    await expect(fileKeyStore(path).load()).rejects.toThrow('it is not a regular file');
    await expect(fileKeyStore(join(folder, 'none/key')).save(KEY)).rejects.toThrow('no such file or folder');
  });
});

test('a path that is none is misuse', () => {
  expect(() => fileKeyStore('')).toThrow(TypeError);
  expect(() => fileKeyStore(KEY as never)).toThrow('must be the path of a file, got an object');
});
