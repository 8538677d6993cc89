/** The file store against other processes: its lock, `kill -9` in mid-write, and a full disk. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import {
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileStore } from '../../src/store/file.ts';
import { killLineProcesses, startLineProcess, type LineProcess } from '../support/line-process.ts';
import { bundleStore, storeProgram } from '../support/store-program.ts';

const root = mkdtempSync(join(tmpdir(), 'nostr-sync-processes-'));

beforeAll(() => bundleStore(root));
afterAll(async () => {
  killLineProcesses();
  await rm(root, { recursive: true });
});

const newFolder = (): Promise<string> => mkdtemp(join(root, 'store-'));
const lockOf = (folder: string): string => join(folder, 'lock');
const STORE_FAILED = expect.objectContaining({ code: 'STORE_FAILED' });

/** Runs `script` with a store on `folder`: see `storeProgram`. `limit`: what the shell is to say first. */
function startChild(folder: string, script: string, limit = ''): LineProcess {
  return startLineProcess([
    'bash',
    '-c',
    `${limit} exec "$@"`,
    'bash',
    ...storeProgram(root, folder, script),
  ]);
}

/** A folder whose lock belongs to a process that was killed. */
async function abandonedFolder(): Promise<string> {
  const folder = await newFolder();
  const holder = startChild(folder, `await put('from', 'the dead'); print('open'); await heard();`);
  expect(await holder.line()).toBe('open');
  await holder.kill();
  expect(await readdir(folder)).toContain('lock');
  return folder;
}

describe('the lock', () => {
  test('refuses a second store in this process, naming folder and process, until the first is closed', async () => {
    const folder = await newFolder();
    const [first, second] = [fileStore(folder), fileStore(folder)];
    await first.get('a');
    const message = `Cannot open the store in ${JSON.stringify(folder)}: process ${process.pid} is using it`;
    await expect(second.get('a')).rejects.toMatchObject({ code: 'STORE_FAILED', message });
    await first.close();
    expect(await second.get('a')).toBeUndefined();
    await second.close();
    expect(await readdir(folder)).toEqual(['entries.log']);
  });

  test('refuses another process, in both directions', async () => {
    const folder = await newFolder();
    const store = fileStore(folder);
    await store.get('a');
    const child = startChild(
      folder,
      `await store.get('a').catch((error) => print(error.code + ' ' + error.message));
       await heard(); await store.get('a'); print('open'); await heard(); await store.close(); print('closed');`,
    );
    expect(await child.line()).toMatch(new RegExp(`^STORE_FAILED .*process ${process.pid} is using it`));
    await store.close();
    child.say('your turn');
    expect(await child.line()).toBe('open');
    const other = fileStore(folder);
    await expect(other.get('a')).rejects.toThrow(`process ${child.pid} is using it`);
    child.say('close');
    expect(await child.line()).toBe('closed');
    expect(await other.get('a')).toBeUndefined();
    await other.close();
    await child.ended;
  });

  test('of a killed process is taken over', async () => {
    const folder = await abandonedFolder();
    const store = fileStore(folder);
    expect(await store.get('from')).toBe('the dead');
    await store.close();
    expect(await readdir(folder)).toEqual(['entries.log']);
  });

  test.skipIf(process.platform !== 'linux')(
    'of a killed process is taken over when its pid is in use again',
    async () => {
      const folder = await abandonedFolder();
      const lock = JSON.parse(await readFile(lockOf(folder), 'utf8'));
      await writeFile(lockOf(folder), JSON.stringify({ ...lock, pid: process.pid }));
      const store = fileStore(folder);
      expect(await store.get('from')).toBe('the dead');
      await store.close();
    },
  );

  test.each([
    '',
    '{',
    '{"pid":-1,"place":"here","started":null,"token":"x"}',
    '{"pid":1,"place":"here","started":null,"token":"../../../etc/x"}',
  ])('that a power cut left as %j is taken over', async (content) => {
    const folder = await newFolder();
    await writeFile(lockOf(folder), content);
    const store = fileStore(folder);
    expect(await store.get('a')).toBeUndefined();
    await store.close();
    expect(await readdir(folder)).toEqual(['entries.log']);
  });

  test.each<[string, (path: string) => Promise<unknown>]>([
    ['a folder', (path) => mkdir(join(path, 'with', 'more'), { recursive: true })],
    ['a link to nothing', (path) => symlink('nowhere', path)],
    ['a link to a file', (path) => symlink('/etc/hostname', path)],
    ['a pipe', async (path) => execFileSync('mkfifo', [path])],
  ])('that another program planted as %s does not block', async (_, plant) => {
    const folder = await newFolder();
    await plant(lockOf(folder));
    await plant(`${lockOf(folder)}.unreadable`);
    const store = fileStore(folder);
    await store.update([], () => new Map([['a', '1']]));
    expect((await lstat(lockOf(folder))).isFile()).toBe(true);
    await store.close();
    expect(await readdir(folder)).toEqual(['entries.log']);
  });

  test('of a process elsewhere that has not been heard of for long is taken over', async () => {
    const folder = await abandonedFolder();
    const lock = JSON.parse(await readFile(lockOf(folder), 'utf8'));
    // Its pid and start are those of a process that is there: it says nothing about another container's.
    const elsewhere = { ...lock, pid: process.pid, place: 'another boot' };
    await writeFile(lockOf(folder), JSON.stringify(elsewhere));
    const minuteAgo = Date.now() / 1000 - 60;
    await utimes(lockOf(folder), minuteAgo, minuteAgo);
    const log = await open(join(folder, 'entries.log'), 'a');
    const store = fileStore(folder);
    expect(await store.get('from')).toBe('the dead');
    // Should it live after all, and be in the middle of a write, that goes to a file of the past.
    await log.write('what it still had to say');
    await log.close();
    await store.update([], () => new Map([['a', '1']]));
    await store.close();
    const recoveries: unknown[] = [];
    const again = fileStore(folder, { onRecovered: (recovery) => recoveries.push(recovery) });
    expect([...(await again.list('')).keys()]).toEqual(['from', 'a']);
    await again.close();
    expect(recoveries).toEqual([]);
  });

  test('of a process elsewhere that shows a sign of life is not', async () => {
    const folder = await abandonedFolder();
    const lock = JSON.parse(await readFile(lockOf(folder), 'utf8'));
    await writeFile(lockOf(folder), JSON.stringify({ ...lock, place: 'another boot' }));
    const store = fileStore(folder);
    const opening = store.get('from').catch((error: unknown) => error);
    // As that process would, within two seconds.
    for (let n = 1; n <= 3; n++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      await utimes(lockOf(folder), Date.now() / 1000, Date.now() / 1000);
    }
    expect(await opening).toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('of another container or machine is using it'),
    });
    await store.close();
  });

  test('is taken over also if an earlier taker died in the middle', async () => {
    const folder = await abandonedFolder();
    const { token } = JSON.parse(await readFile(lockOf(folder), 'utf8'));
    const dead = JSON.parse(await readFile(lockOf(await abandonedFolder()), 'utf8'));
    await writeFile(`${lockOf(folder)}.${token}`, JSON.stringify(dead));
    const store = fileStore(folder);
    expect(await store.get('from')).toBe('the dead');
    await store.close();
    expect(await readdir(folder)).toEqual(['entries.log']);
  });

  test('of a dead holder goes to exactly one of eight processes that want it', async () => {
    const folder = await abandonedFolder();
    const takers = Array.from({ length: 8 }, () =>
      startChild(
        folder,
        `print('ready'); await heard();
         await put('taken', 'once').then(() => print('won'), (error) => print(error.code));
         await heard();`,
      ),
    );
    expect(await Promise.all(takers.map((taker) => taker.line()))).toEqual(Array(8).fill('ready'));
    for (const taker of takers) taker.say('go');
    const outcomes = await Promise.all(takers.map((taker) => taker.line()));
    expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'STORE_FAILED')).toHaveLength(7);
    await Promise.all(takers.map((taker) => taker.kill()));
  });

  test('of a dead holder goes to exactly one of 40 stores that want it', async () => {
    const dead = JSON.parse(await readFile(lockOf(await abandonedFolder()), 'utf8'));
    for (let round = 0; round < 5; round++) {
      const folder = await newFolder();
      await writeFile(lockOf(folder), JSON.stringify({ ...dead, pid: 2 ** 22 + 1, started: null }));
      const stores = Array.from({ length: 40 }, () => fileStore(folder));
      // Some begin when others are in the middle: a late taker must not replace the lock of an early one.
      const started: Promise<'open' | 'refused'>[] = [];
      for (const [index, store] of stores.entries()) {
        started.push(
          store.get('a').then(
            () => 'open',
            () => 'refused',
          ),
        );
        for (let turn = 0; turn < index % 7; turn++) await setImmediate();
      }
      const outcomes = await Promise.all(started);
      expect(outcomes.filter((outcome) => outcome === 'open')).toHaveLength(1);
      await Promise.all(stores.map((store) => store.close()));
      expect(await readdir(folder)).toEqual(['entries.log']);
    }
  });

  test('that someone took away stops the writing, not the reading', async () => {
    const folder = await newFolder();
    const store = fileStore(folder);
    await store.update([], () => new Map([['a', '1']]));
    await rm(lockOf(folder));
    const thief = fileStore(folder);
    await thief.update([], () => new Map([['b', '2']]));
    await expect(store.update([], () => new Map([['a', '3']]))).rejects.toEqual(STORE_FAILED);
    expect(await store.get('a')).toBe('1');
    await store.close();
    await thief.update([], () => new Map([['b', '4']]));
    expect(Object.fromEntries(await thief.list(''))).toEqual({ a: '1', b: '4' });
    await thief.close();
  });
});

describe('kill -9', () => {
  test('at any moment loses no acknowledged update and tears none, over 20 lives of a store', async () => {
    const folder = await newFolder();
    let acknowledged = 0;
    for (let life = 0; life < 20; life++) {
      // Many at a time and large, so that the kill meets writes, flushes and compactions.
      const child = startChild(
        folder,
        `const filler = 'x'.repeat(20_000);
         const step = () => {
           let n;
           return store.update(['n'], (current) => {
             n = Number(current.get('n') ?? '0') + 1;
             return new Map([['n', String(n)], ['twin', String(n)], ['filler ' + n % 10, filler]]);
           }).then(() => print(String(n)));
         };
         for (;;) await Promise.all([step(), step(), step()]);`,
      );
      for (let seen = 0; seen < 2 + life; seen++)
        acknowledged = Math.max(acknowledged, Number(await child.line()));
      const killed = child.kill();
      // What it had printed before it died counts as well.
      for (let line = await child.line(); line !== undefined; line = await child.line()) {
        if (/^\d+$/.test(line)) acknowledged = Math.max(acknowledged, Number(line));
      }
      await killed;

      const store = fileStore(folder);
      const entries = await store.list('');
      await store.close();
      expect(Number(entries.get('n'))).toBeGreaterThanOrEqual(acknowledged);
      expect(entries.get('twin')).toBe(entries.get('n'));
      expect(
        [...entries.values()].filter((value) => value.length > 10).every((value) => value.length === 20_000),
      ).toBe(true);
    }
    expect((await stat(join(folder, 'entries.log'))).size).toBeLessThan(1_400_000);
  });
});

describe('a full disk', () => {
  // A real limit on file size: the kernel writes up to it and then refuses, as a full disk does.
  test('refuses the update that does not fit, keeps reading, and saves the next that fits', async () => {
    const folder = await newFolder();
    const child = startChild(
      folder,
      `const outcome = (update) => update.then(() => 'saved', (error) => error.code + ' ' + error.cause.code);
       print(await outcome(put('a', 'x'.repeat(30_000))));
       print(await outcome(put('b', 'x'.repeat(60_000))));
       print(await store.get('b') + ' ' + (await store.get('a')).length);
       print(await outcome(put('c', 'x'.repeat(10_000))));
       await store.close();`,
      `trap '' XFSZ; ulimit -f 64;`,
    );
    expect(await child.line()).toBe('saved');
    expect(await child.line()).toBe('STORE_FAILED EFBIG');
    expect(await child.line()).toBe('undefined 30000');
    expect(await child.line()).toBe('saved');
    await child.ended;
    const store = fileStore(folder, { onRecovered: () => expect.unreachable() });
    expect([...(await store.list('')).keys()].sort()).toEqual(['a', 'c']);
    await store.close();
  });
});
