/**
 * File stores of MEGABYTES (600 and 2,000), most of it pieces of large values: they open, read, update and compact, in
 * a process whose memory does not grow with them.
 */

import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { bundleStore, storeProgram } from '../support/store-program.ts';
import { root } from './processes.ts';

/** More than any slice, and far less than the store. */
const MAX_GROWTH_BYTES = 300_000_000;

beforeAll(() => bundleStore(root));

/** Runs `script` with a store on `folder` in a process of its own; returns by how much its memory grew at most. */
function run(folder: string, values: number, script: string): number {
  const program = storeProgram(
    root,
    folder,
    `const { default: assert } = await import('node:assert/strict');
    const before = process.resourceUsage().maxRSS;
    // Large values of ten pieces each; 40 KB are what an event carries.
    const text = (n, round = 0) => (n + '/' + round + ' ').padEnd(40_000, 'x');
    const value = (n, round) => Array.from({ length: 10 }, (_, i) => ['piece/' + n + '/' + i, text(n * 10 + i, round)]);
    // Ten values at a time, which share a flush.
    async function each(changes) {
      for (let n = 0; n < ${values}; n += 10)
        await Promise.all(Array.from({ length: Math.min(10, ${values} - n) }, (_, i) => put(changes(n + i))));
    }
    ${script}
    await store.close();
    print((process.resourceUsage().maxRSS - before) * 1_000);`,
  );
  const [command, ...args] = program;
  const output = execFileSync(command!, args, { encoding: 'utf8' });
  return Number(output);
}

test.each([600, 2_000])(
  'a store of %d MB opens, reads, updates and compacts in bounded memory',
  async (mb) => {
    const folder = await mkdtemp(join(root, 'large-store-'));
    const log = join(folder, 'entries.log');
    const values = Math.floor((mb * 1_000_000) / 400_800);
    try {
      const whileFilling = run(
        folder,
        values,
        `await each((n) => [['head/' + n, 'head of ' + n], ...value(n, 0)]);`,
      );
      const { size } = await stat(log);
      expect(size).toBeGreaterThan(mb * 0.99e6);
      const whileUsed = run(
        folder,
        values,
        `assert.equal((await store.list('head/')).size, ${values});
       for (let n = 0; n < ${values}; n += 97) assert.equal(await store.get('piece/' + n + '/3'), text(n * 10 + 3));
       // Most values are removed, and the log is rewritten.
       await each((n) => n % 5 === 0 ? value(n, 1) : n % 5 < 4 ? value(n).map(([key]) => [key, null]) : []);
       await put([['head/0', 'changed']]);`,
      );
      expect((await stat(log)).size).toBeLessThan(size * 0.8);
      const whileReadAgain = run(
        folder,
        values,
        `assert.equal(await store.get('head/0'), 'changed');
       assert.equal((await store.list('head/')).size, ${values});
       for (let n = 0; n < ${values}; n += 7) {
         const expected = n % 5 === 0 ? text(n * 10 + 9, 1) : n % 5 === 4 ? text(n * 10 + 9) : undefined;
         assert.equal(await store.get('piece/' + n + '/9'), expected);
       }`,
      );
      console.info(`${mb} MB: memory grew by ${[whileFilling, whileUsed, whileReadAgain].join(', ')} bytes`);
      for (const growth of [whileFilling, whileUsed, whileReadAgain])
        expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
