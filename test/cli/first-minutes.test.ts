/** The README's first snippet beside the README's first command, as they stand: what somebody does who has just found this. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { extractBlocks } from '../support/docs/markdown.ts';
import { ROOT } from '../support/docs/processes.ts';
import { compile, execute, toScripts } from '../support/docs/scripts.ts';
import { computer } from './support.ts';

test('it prints the key for a second device and the value, within thirty seconds', async () => {
  const blocks = extractBlocks(await readFile(join(ROOT, 'README.md'), 'utf8'));
  const [script] = toScripts('README.md', blocks.filter(({ language }) => language === 'ts').slice(0, 1));
  const { errors, javascript } = await compile('node', [script!]);
  expect(errors).toBe('');
  const relay = (await computer()).start(['relay']);
  expect(await relay.line()).toBe('ws://127.0.0.1:7447');
  const asItStands = { relayFor: async (url: string) => url, timeoutMs: 30_000 };
  const { exit, output } = await execute('node', javascript[0]!, asItStands);
  expect(output).toMatch(
    /^to use on a second device: nsec1[a-z0-9]{58}\n\{ theme: 'dark', fontSize: 14 \}\n$/,
  );
  expect(exit).toBe(0);
  await relay.interrupt();
});
