/** The file store within one process: its format, damaged logs, compaction, and a medium that fails. */

import { mkdtempSync } from 'node:fs';
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { fileStore, type FileStoreOptions } from '../../src/store/file.ts';
import type { Recovery } from '../../src/store/file-recovery.ts';
import { writeFlushed } from '../../src/store/files.ts';
import type { Store } from '../../src/store/store.ts';

const root = mkdtempSync(join(tmpdir(), 'nostr-sync-file-'));
afterAll(() => rm(root, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

/** Written once by version 1 and never computed again: the update {k: v}. */
const GOLDEN_V1 = '6e6f7374722d73796e630d0a01000000ce2827fa0a0000005435e88a5b226b222c2276225d0a';

const newFolder = (): Promise<string> => mkdtemp(join(root, 'store-'));
const logOf = (folder: string): string => join(folder, 'entries.log');

async function put(store: Store, key: string, value: string | null): Promise<void> {
  await store.update([], () => new Map([[key, value]]));
}

/** What a store on `folder` holds, as JSON in key order. */
async function contents(folder: string, options?: FileStoreOptions): Promise<string> {
  const store = fileStore(folder, options);
  try {
    return JSON.stringify([...(await store.list(''))].sort(([a], [b]) => (a < b ? -1 : 1)));
  } finally {
    await store.close();
  }
}

/** A log of three updates, and what the store holds after none, one, two and three of them. */
async function threeUpdates(): Promise<{ bytes: Buffer; sizes: number[]; states: string[] }> {
  const folder = await newFolder();
  const states = [await contents(folder)];
  const sizes = [(await stat(logOf(folder))).size];
  for (const changes of [
    [['a', 'eins']],
    [
      ['b', 'zwei'],
      ['a', null],
    ],
    [['c', 'drei €']],
  ] as const) {
    const store = fileStore(folder);
    await store.update([], () => new Map(changes));
    await store.close();
    states.push(await contents(folder));
    sizes.push((await stat(logOf(folder))).size);
  }
  return { bytes: await readFile(logOf(folder)), sizes, states };
}
const sample = await threeUpdates();

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function header(version: number): Buffer {
  const bytes = Buffer.concat([Buffer.from('nostr-sync\r\n'), u32(version)]);
  return Buffer.concat([bytes, u32(crc32(bytes))]);
}

function record(payload: string | Buffer): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([u32(bytes.length), u32(crc32(bytes)), bytes]);
}

describe('the format', () => {
  test('version 1 is written byte for byte like this', () => {
    const records = ['["a","eins"]\n', '["b","zwei"]\n["a",null]\n', '["c","drei €"]\n'].map(record);
    expect(sample.bytes.toString('hex')).toBe(Buffer.concat([header(1), ...records]).toString('hex'));
  });

  test('a log of version 1, kept from then, can be read', async () => {
    const folder = await newFolder();
    await writeFile(logOf(folder), Buffer.from(GOLDEN_V1, 'hex'));
    expect(await contents(folder, { onRecovered: () => expect.unreachable() })).toBe('[["k","v"]]');
  });

  test('a log of a newer version is refused and left as it is', async () => {
    const folder = await newFolder();
    const bytes = Buffer.concat([header(2), Buffer.from('what only version 2 understands')]);
    await writeFile(logOf(folder), bytes);
    const store = fileStore(folder);
    await expect(store.get('a')).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('version is 2'),
    });
    await expect(put(store, 'a', '1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await store.close();
    expect(await readFile(logOf(folder))).toEqual(bytes);
    expect(await readdir(folder)).toEqual(['entries.log']);
  });

  test('only the user can read the folder and its files', async () => {
    const folder = join(await newFolder(), 'made', 'here');
    const store = fileStore(folder);
    await put(store, 'a', '1');
    for (const made of [folder, join(folder, '..')]) expect((await stat(made)).mode & 0o777).toBe(0o700);
    for (const name of await readdir(folder))
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
    await store.close();
  });

  test.skipIf(process.platform === 'win32').each([0o755, 0o770, 0o702])(
    'a folder that others may use (mode %o) is refused, with what to do about it',
    async (mode) => {
      const folder = await newFolder();
      await chmod(folder, mode);
      const store = fileStore(folder);
      await expect(store.get('a')).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringMatching(`mode 0${mode.toString(8)}.*chmod 700`),
      });
      expect(await readdir(folder)).toEqual([]);
      await chmod(folder, 0o700);
      await put(store, 'a', '1');
      await store.close();
    },
  );

  test.skipIf(process.platform === 'win32')('a folder of another user is refused', async () => {
    vi.spyOn(process, 'geteuid').mockReturnValue((process.geteuid?.() ?? 0) + 1);
    const store = fileStore(await newFolder());
    await expect(store.get('a')).rejects.toThrow(/belongs to another user/);
    await store.close();
  });

  test.each(['', '/', '/.'])(
    'a folder that is a link is refused, with %j behind its name too',
    async (end) => {
      const parent = await newFolder();
      const [folder, path] = [join(parent, 'folder'), join(parent, 'link')];
      await mkdir(folder, { mode: 0o700 });
      await symlink(folder, path);
      const store = fileStore(`${path}${end}`);
      await expect(store.get('a')).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringMatching(
          /^Cannot open the store in ".*link[/.]*": it is a link; give the folder that it leads to$/,
        ),
      });
      expect(await readdir(folder)).toEqual([]);
      await store.close();
    },
  );

  test('a folder below a link is used: what is above it is the business of the system', async () => {
    const parent = await newFolder();
    await mkdir(join(parent, 'real'), { mode: 0o700 });
    await symlink(join(parent, 'real'), join(parent, 'link'));
    const store = fileStore(join(parent, 'link', 'store'));
    await put(store, 'a', '1');
    await store.close();
    expect(await readdir(join(parent, 'real', 'store'))).toEqual(['entries.log']);
  });

  test.each(['entries.log', 'entries.log.new', 'entries.log.corrupt-1'])(
    'nothing is written or read through a link in the place of %s',
    async (name) => {
      const folder = await newFolder();
      const target = join(await newFolder(), 'target');
      await writeFile(target, sample.bytes);
      await symlink(target, join(folder, name));
      // Torn, so that what cannot be read is set aside.
      if (name !== 'entries.log') await writeFile(logOf(folder), sample.bytes.subarray(0, -1));
      const store = fileStore(folder);
      const outcome = await put(store, 'a', '1').then(
        () => 'saved',
        (error: unknown) => (error as { code: unknown }).code,
      );
      expect(outcome).toBe(name === 'entries.log' ? 'STORE_FAILED' : 'saved');
      await store.close();
      expect(await readFile(target)).toEqual(sample.bytes);
    },
  );

  test('a file is made where nothing has its name, and never through what somebody put there', async () => {
    const folder = await newFolder();
    const path = join(folder, 'entries.log.new');
    const fill = vi.fn(async () => Promise.resolve());
    for (const plant of [() => writeFile(path, 'planted'), () => symlink(join(folder, 'target'), path)]) {
      await plant();
      await expect(writeFlushed(path, fill)).rejects.toMatchObject({ code: 'EEXIST' });
      await rm(path);
    }
    expect([fill.mock.calls, await readdir(folder)]).toEqual([[], []]);
  });

  test('nothing is touched before the first use', async () => {
    const folder = join(await newFolder(), 'later');
    await fileStore(folder).close();
    await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test.each([undefined, '', 7])('the folder %s is misuse', (folder) => {
    expect(() => fileStore(folder as string)).toThrow(TypeError);
  });
});

describe('a damaged log', () => {
  test('that ends anywhere in its last record keeps every record before, and goes on', async () => {
    const [, , before, whole] = sample.sizes as [number, number, number, number];
    for (let size = before; size < whole; size++) {
      const folder = await newFolder();
      await writeFile(logOf(folder), sample.bytes.subarray(0, size));
      const reports: Recovery[] = [];
      expect(await contents(folder, { onRecovered: (report) => reports.push(report) })).toBe(
        sample.states[2],
      );
      if (size === before) {
        expect(reports).toEqual([]);
        continue;
      }
      const savedTo = `${logOf(folder)}.corrupt-1`;
      expect(reports).toEqual([{ keptBytes: before, lostBytes: size - before, savedTo }]);
      expect(await readFile(savedTo)).toEqual(sample.bytes.subarray(before, size));

      const store = fileStore(folder, { onRecovered: () => expect.unreachable() });
      await put(store, 'd', 'vier');
      await store.close();
      expect(await contents(folder)).toBe(
        JSON.stringify([...JSON.parse(sample.states[2] ?? ''), ['d', 'vier']]),
      );
    }
  });

  test('opens with a prefix of the updates, whichever byte is changed, cut off or added', async () => {
    const damage = fc.oneof(
      fc.record({ at: fc.nat(sample.bytes.length - 1), flip: fc.integer({ min: 1, max: 255 }) }),
      fc.record({ cut: fc.nat(sample.bytes.length - 1) }),
      fc.record({ added: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
    );
    await fc.assert(
      fc.asyncProperty(damage, async (how) => {
        let bytes = Buffer.from(sample.bytes);
        let firstBad = bytes.length;
        if ('at' in how) {
          bytes.writeUInt8(bytes.readUInt8(how.at) ^ how.flip, how.at);
          firstBad = how.at;
        } else if ('cut' in how) {
          bytes = bytes.subarray(0, how.cut);
          firstBad = how.cut;
        } else {
          bytes = Buffer.concat([bytes, how.added]);
        }
        const folder = await newFolder();
        await writeFile(logOf(folder), bytes);
        const kept = sample.sizes.filter((size) => size <= firstBad).length;
        expect(await contents(folder)).toBe(sample.states[Math.max(0, kept - 1)]);
      }),
      { numRuns: 150 },
    );
  });

  test.each([
    ['a length of 4 GB', Buffer.concat([u32(0xffffffff), u32(0), Buffer.from('[]')])],
    ['zeros, as a power cut leaves them', Buffer.alloc(4096)],
    ['what is not UTF-8', record(Buffer.from('["d","\xff"]\n', 'latin1'))],
    ['what is not JSON', record('["a","1"\n')],
    ['what is not a list', record('{"a":"1"}\n')],
    ['a value that is not a string', record('["d","1"]\n["e",7]\n')],
    ['a key that is not a string', record('[7,"1"]\n')],
    ['half a change', record('["d"]\n')],
    ['a line without an end', record('["d","1"]')],
    ['a piece that is not a string', record('["d","1"]\n["piece/a",7]\n')],
    ['a piece without an end', record('["piece/a","1\n')],
  ])('keeps the records before %s', async (_, tail) => {
    const folder = await newFolder();
    await writeFile(logOf(folder), Buffer.concat([sample.bytes, tail, record('["never","read"]\n')]));
    expect(await contents(folder)).toBe(sample.states[3]);
    expect((await readFile(`${logOf(folder)}.corrupt-1`)).subarray(0, tail.length)).toEqual(tail);
  });

  test('leaves at most eight files of lost bytes, the newest', async () => {
    const folder = await newFolder();
    for (let round = 1; round <= 10; round++) {
      await writeFile(logOf(folder), Buffer.concat([sample.bytes, Buffer.from(`${round}`)]));
      await contents(folder);
    }
    const kept = (await readdir(folder)).filter((name) => name.includes('.corrupt-'));
    expect(kept.map((name) => Number(name.split('-').at(-1))).sort((a, b) => a - b)).toEqual([
      3, 4, 5, 6, 7, 8, 9, 10,
    ]);
    expect(await readFile(`${logOf(folder)}.corrupt-10`, 'utf8')).toBe('10');
  });
});

describe('compaction', () => {
  test('keeps all entries and drops the garbage', async () => {
    const folder = await newFolder();
    const store = fileStore(folder);
    await put(store, 'kept', 'from the start');
    for (let round = 0; round < 60; round++) await put(store, 'big', `${round}`.repeat(25_000));
    await store.close();
    expect((await stat(logOf(folder))).size).toBeLessThan(1_200_000);
    expect(await readdir(folder)).toEqual(['entries.log']);
    expect(await contents(folder)).toBe(
      JSON.stringify([
        ['big', '59'.repeat(25_000)],
        ['kept', 'from the start'],
      ]),
    );
  });

  test('costs in proportion to the garbage, and nothing if there is none', async () => {
    const store = fileStore(await newFolder());
    await store.get('open');
    const sync = vi.spyOn(await fileHandlePrototype(), 'sync');
    for (let n = 0; n < 80; n++) await put(store, `key ${n}`, 'x'.repeat(100_000));
    expect(sync).not.toHaveBeenCalled();
    // 8 of 16 MB are garbage after 80, and again after 160; each time the new file and its folder are flushed.
    for (let n = 0; n < 200; n++) await put(store, `key ${n % 80}`, 'y'.repeat(100_000));
    expect(sync).toHaveBeenCalledTimes(4);
    await store.close();
  });

  test('writes records of 4 MB at most, so that none is longer than what can be read', async () => {
    const folder = await newFolder();
    const store = fileStore(folder);
    for (let round = 0; round < 3; round++)
      for (let n = 0; n < 24; n++)
        await put(store, n % 2 === 0 ? `piece/${n}` : `key ${n}`, `${round}`.repeat(500_000));
    await store.close();
    const log = await readFile(logOf(folder));
    expect(log.length).toBeLessThan(25_000_000);
    const lengths: number[] = [];
    for (let at = 20; at < log.length; at += 8 + lengths.at(-1)!) lengths.push(log.readUInt32LE(at));
    expect(Math.max(...lengths)).toBeGreaterThan(3_000_000);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(4 * 1024 * 1024);
  });

  test('cut short by a crash has changed nothing', async () => {
    const folder = await newFolder();
    await writeFile(logOf(folder), sample.bytes);
    await writeFile(`${logOf(folder)}.new`, sample.bytes.subarray(0, 30));
    expect(await contents(folder, { onRecovered: () => expect.unreachable() })).toBe(sample.states[3]);
    expect(await readdir(folder)).toEqual(['entries.log']);
  });
});

describe('pieces of large values', () => {
  const piece = (n: number, round = 0): [string, string] => [`piece/${n}`, `${n}/${round} `.repeat(10_000)];

  test('stay on the disk, and are read, listed, changed and removed like any other', async () => {
    const folder = await newFolder();
    const store = fileStore(folder);
    for (let n = 0; n < 10; n++) await store.update([], () => new Map([piece(n), [`head/${n}`, `${n}`]]));
    await put(store, 'piece/"strange"\\\u2028\ud800', 'é\ud800');
    await put(store, 'piece/empty', '');
    await put(store, 'piece/0', null);
    expect(await store.get('piece/0')).toBeUndefined();
    await store.update(['piece/1', 'piece/0'], (current) => new Map([['seen', [...current.keys()].join()]]));
    expect(await store.get('seen')).toBe('piece/1');
    await put(store, ...piece(2, 1));
    const expected = new Map([
      ...Array.from({ length: 9 }, (_, n) => piece(n + 1, Number(n + 1 === 2))),
      ['piece/"strange"\\\u2028\ud800', 'é\ud800'],
      ['piece/empty', ''],
    ] as [string, string][]);
    const sorted = (entries: Map<string, string>): unknown[] =>
      [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(sorted(await store.list('piece/'))).toEqual(sorted(expected));
    await store.close();
    const again = fileStore(folder);
    expect(sorted(await again.list('piece/'))).toEqual(sorted(expected));
    expect((await again.list('')).size).toBe(expected.size + 11);
    await again.close();
  });

  test('can be read while the log is rewritten under them, as they were when they were asked for', async () => {
    const store = fileStore(await newFolder());
    await store.get('open');
    for (let n = 0; n < 20; n++) await put(store, ...piece(n));
    const rename = vi.spyOn(await fileHandlePrototype(), 'sync');
    for (let round = 1; round < 8; round++) {
      const reads = Array.from({ length: 20 }, (_, n) => store.get(`piece/${n}`));
      const lists = [store.list('piece/'), store.list('piece/1')];
      const writes = Array.from({ length: 20 }, (_, n) => put(store, ...piece(n, round)));
      for (const [n, value] of (await Promise.all(reads)).entries())
        expect(value).toBe(piece(n, round - 1)[1]);
      for (const found of await Promise.all(lists))
        for (const [key, value] of found) expect(value).toBe(piece(Number(key.slice(6)), round - 1)[1]);
      await Promise.all(writes);
      // After the rewriting, if there was one.
      await put(store, 'round', `${round}`);
      for (let n = 0; n < 20; n++) expect(await store.get(`piece/${n}`)).toBe(piece(n, round)[1]);
    }
    expect(rename.mock.calls.length).toBeGreaterThan(0);
    await store.close();
  });

  test('that rot on the disk are gone, alone', async () => {
    const folder = await newFolder();
    const store = fileStore(folder);
    for (const n of [1, 2]) await put(store, ...piece(n));
    const bytes = await readFile(logOf(folder));
    bytes.writeUInt8(0x78, bytes.indexOf('1/0 ') + 8);
    await writeFile(logOf(folder), bytes);
    expect(await store.get('piece/1')).toBeUndefined();
    expect([...(await store.list('piece/')).keys()]).toEqual(['piece/2']);
    for (let round = 0; round < 60; round++) await put(store, 'big', `${round}`.repeat(25_000));
    expect(await store.get('piece/2')).toBe(piece(2)[1]);
    await store.close();
    expect(JSON.parse(await contents(folder)).map(([key]: [string]) => key)).toEqual(['big', 'piece/2']);
  });

  test('that cannot be read reject with STORE_FAILED, and with it the updates that ask for them', async () => {
    const store = fileStore(await newFolder());
    await put(store, ...piece(1));
    const eio = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    const read = vi.spyOn(await fileHandlePrototype(), 'read').mockRejectedValue(eio);
    for (const call of [
      async () => store.get('piece/1'),
      async () => store.list('piece/'),
      async () => store.update(['piece/1'], () => expect.unreachable()),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'STORE_FAILED', cause: eio });
    read.mockRestore();
    expect(await store.get('piece/1')).toBe(piece(1)[1]);
    await store.close();
  });
});

describe('group commit', () => {
  test('updates that wait for the same flush share the next', async () => {
    const store = fileStore(await newFolder());
    await store.get('open');
    const datasync = vi.spyOn(await fileHandlePrototype(), 'datasync');
    await Promise.all(Array.from({ length: 50 }, (_, n) => put(store, `key ${n}`, 'x')));
    // The first starts at once, the other 49 gather behind it.
    expect(datasync.mock.calls.length).toBeLessThanOrEqual(2);
    await store.close();
  });
});

describe('a medium that fails', () => {
  // No device here fails on request, so the one call that must fail does: everything else is real.
  test('a failed flush refuses the update, also for the next start, and later updates are saved', async () => {
    const folder = await newFolder();
    const store = fileStore(folder);
    await put(store, 'a', '1');
    const eio = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    vi.spyOn(await fileHandlePrototype(), 'datasync').mockRejectedValueOnce(eio);
    await expect(put(store, 'a', '2')).rejects.toMatchObject({ code: 'STORE_FAILED', cause: eio });
    expect(await store.get('a')).toBe('1');
    await put(store, 'b', '3');
    await store.close();
    expect(await contents(folder)).toBe('[["a","1"],["b","3"]]');
  });

  test('after a failed flush the log is a fresh file, not the one whose pages cannot be trusted', async () => {
    const folder = await newFolder();
    const store = fileStore(folder);
    await put(store, 'a', '1');
    const { ino } = await stat(logOf(folder));
    // Kept open, so that the number of the old file cannot be given to the new one.
    const old = await open(logOf(folder));
    vi.spyOn(await fileHandlePrototype(), 'datasync').mockRejectedValueOnce(new Error('EIO'));
    await expect(put(store, 'a', '2')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect((await stat(logOf(folder))).ino).not.toBe(ino);
    await old.close();
    await store.close();
  });

  test('if nothing can be flushed, reading goes on and writing resumes when it can', async () => {
    const folder = await newFolder();
    const store = fileStore(folder);
    await put(store, 'a', '1');
    const prototype = await fileHandlePrototype();
    const broken = (['sync', 'datasync', 'truncate'] as const).map((name) =>
      vi.spyOn(prototype, name).mockRejectedValue(new Error('EIO')),
    );
    // Longer than what is saved afterwards, so that a tail left behind would show.
    for (const value of ['2'.repeat(100), '3'.repeat(100)]) {
      await expect(put(store, 'a', value)).rejects.toMatchObject({ code: 'STORE_FAILED' });
      expect(await store.get('a')).toBe('1');
    }
    for (const spy of broken) spy.mockRestore();
    await put(store, 'b', '4');
    await store.close();
    expect(await contents(folder, { onRecovered: () => expect.unreachable() })).toBe('[["a","1"],["b","4"]]');
  });

  test('updates that saw a write which then failed fail with it', async () => {
    const folder = await newFolder();
    const store = fileStore(folder);
    await put(store, 'n', '0');
    vi.spyOn(await fileHandlePrototype(), 'datasync').mockRejectedValueOnce(new Error('EIO'));
    const outcomes = await Promise.allSettled([
      put(store, 'n', '1'),
      store.update(['n'], (current) => {
        throw new Error(`saw ${current.get('n')}`);
      }),
    ]);
    expect(outcomes).toMatchObject([
      { reason: { code: 'STORE_FAILED' } },
      { reason: { code: 'STORE_FAILED' } },
    ]);
    await store.close();
  });

  test('a change that is no string is refused alone, before it can spoil the log', async () => {
    const folder = await newFolder();
    const store = fileStore(folder);
    const outcomes = await Promise.allSettled([
      put(store, 'a', '1'),
      put(store, 'b', 7 as unknown as string),
      put(store, 'c', '3'),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await store.close();
    expect(await contents(folder)).toBe('[["a","1"],["c","3"]]');
  });

  test('a folder that cannot be used rejects the calls until it can', async () => {
    const folder = join(await newFolder(), 'store');
    await writeFile(folder, 'not a folder');
    const store = fileStore(folder);
    await expect(store.get('a')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(put(store, 'a', '1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await rm(folder);
    await put(store, 'a', '1');
    expect(await store.get('a')).toBe('1');
    await store.close();
  });
});

type FileHandlePrototype = Pick<Awaited<ReturnType<typeof open>>, 'read' | 'sync' | 'datasync' | 'truncate'>;

async function fileHandlePrototype(): Promise<FileHandlePrototype> {
  const handle = await open(root);
  await handle.close();
  return Object.getPrototypeOf(handle) as FileHandlePrototype;
}
