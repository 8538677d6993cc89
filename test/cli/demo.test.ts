/** `nostr-sync demo`: the main job over real processes, every step of it checked by the demo itself. */

import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { computer } from './support.ts';

test('the demo holds in every step, and `npm run demo` is that', async () => {
  const { exit, stdout, stderr } = await (await computer()).run(['demo']);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
  expect(stdout.match(/✓/g)).toHaveLength(13);
  expect(stdout).toContain('Every step held');
  const { scripts } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(scripts.demo).toMatch(/ && node dist\/cli\/main\.js demo$/);
});

test('the demo leaves nothing behind when it is interrupted', async () => {
  const laptop = await computer();
  const running = laptop.start(['demo'], { env: { TMPDIR: laptop.folder } });
  await running.line();
  expect(await running.interrupt()).toMatchObject({
    exit: 1,
    stderr: 'nostr-sync: The demo was interrupted\n',
  });
  expect(await readdir(laptop.folder)).toEqual([]);
});
