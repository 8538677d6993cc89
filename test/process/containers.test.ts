/** Processes that share a folder and not their pids, as containers on one volume do; and one that is there and silent. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { fileStore } from '../../src/store/file.ts';
import { startLineProcess, type LineProcess } from '../support/line-process.ts';
import { bundleStore, storeProgram } from '../support/store-program.ts';
import { root } from './processes.ts';

beforeAll(() => bundleStore(root));

interface Child extends LineProcess {
  /** Saves `value` under the key `last` and says how that went: `saved`, or what it was refused for. */
  save(value: string): Promise<string | undefined>;
}

/** A process that has the store on `folder`, started by `under`. */
function start(folder: string, under: readonly string[] = []): Child {
  const program = storeProgram(
    root,
    folder,
    `for (let line = await heard(); !line.done; line = await heard())
       await put('last', line.value).then(() => print('saved'), (error) => print(error.code + ': ' + error.message));`,
  );
  const child = startLineProcess([...under, ...program]);
  return {
    ...child,
    save: async (value) => {
      child.say(value);
      return child.line();
    },
  };
}

/** Pids and host name of its own: the first process there is 1 of the host `app`, in each of them. */
const CONTAINER = [
  ...['unshare', '--map-root-user', '--pid', '--uts', '--mount-proc', '--fork', '--kill-child'],
  ...['sh', '-c', 'hostname app && exec "$@"', 'sh'],
];

const newFolder = (): Promise<string> => mkdtemp(join(root, 'volume-'));
const lockIn = async (folder: string): Promise<{ pid: number }> =>
  JSON.parse(await readFile(join(folder, 'lock'), 'utf8')) as { pid: number };

test('of two containers on one volume the second is refused as long as the first lives, and gets in when that was killed', async () => {
  const folder = await newFolder();
  const first = start(folder, CONTAINER);
  expect(await first.save('by the first')).toBe('saved');
  expect(await lockIn(folder)).toMatchObject({ pid: 1 });
  const second = start(folder, CONTAINER);
  for (let turn = 0; turn < 3; turn++)
    expect(await second.save('by the second')).toMatch(
      /^STORE_FAILED: .*process 1 of another container or machine is using it$/,
    );
  expect(await first.save('by the first again')).toBe('saved');
  await first.kill();
  const askedAt = Date.now();
  expect(await second.save('by the second')).toBe('saved');
  // The silence that proves the first one's death.
  expect(Date.now() - askedAt).toBeLessThan(15_000);
  await second.kill();
});

test('a container that is restarted at once gets in within 15 s', async () => {
  const folder = await newFolder();
  for (let life = 0; life < 2; life++) {
    const container = start(folder, CONTAINER);
    const askedAt = Date.now();
    expect(await container.save(`life ${life}`)).toBe('saved');
    expect(Date.now() - askedAt).toBeLessThan(15_000);
    await container.kill();
  }
  await rm(folder, { recursive: true });
});

test('a process that is stopped loses the lock after 10 s, and cannot write when it goes on', async () => {
  const folder = await newFolder();
  const stopped = start(folder);
  expect(await stopped.save('before')).toBe('saved');
  stopped.signal('SIGSTOP');
  const store = fileStore(folder);
  // Fresh signs of life: it counts as running.
  await expect(store.get('last')).rejects.toThrow(`process ${stopped.pid} is using it`);
  // Until these are old: then the next one watches it for as long.
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  expect(await store.get('last')).toBe('before');
  await store.update([], () => new Map([['last', 'meanwhile']]));
  stopped.signal('SIGCONT');
  expect(await stopped.save('after')).toMatch(/^STORE_FAILED: .*its lock was taken away$/);
  expect(await store.get('last')).toBe('meanwhile');
  await store.close();
  await stopped.kill();
  expect(await readdir(folder)).toEqual(['entries.log']);
  const again = fileStore(folder, { onRecovered: () => expect.unreachable() });
  expect(await again.get('last')).toBe('meanwhile');
  await again.close();
});
