/** The engine over strfry as docs/RELAYS.md sets it up for one app's users. Only where STRFRY_PATH says where one is. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { probeRelay } from '../../../src/cli/probe.ts';
import { secretKeySigner, type NostrEvent } from '../../../src/node.ts';
import { aRelay } from '../../names.ts';
import { device, KEY, OTHER_KEY, PUBKEY, written } from '../../sync/devices.ts';
import { reconciles } from '../reconciling-suite.ts';
import { says } from '../says.ts';
import { keepsStateOf } from '../suite.ts';
import { OPEN, startStrfry, STRFRY, type Strfry } from './relay-process.ts';

/** Their answers, in their order. */
async function answersTo(url: string, events: readonly NostrEvent[]): Promise<string[]> {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const answers = new Map<string, string>();
  const all = new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      const [type, id, isTaken, reason] = JSON.parse((data as Buffer).toString()) as [
        string,
        string,
        boolean,
        string,
      ];
      if (type === 'OK') answers.set(id, isTaken ? 'taken' : reason);
      if (answers.size === events.length) resolve();
    });
  });
  for (const event of events) socket.send(JSON.stringify(['EVENT', event]));
  await all;
  socket.terminate();
  return events.map(({ id }) => answers.get(id)!);
}

describe.skipIf(STRFRY === undefined)('strfry for the users of one app', () => {
  const start = (): ReturnType<typeof startStrfry> => startStrfry();
  keepsStateOf(start);

  test('shows nothing to a stranger, nor to another user', async () => {
    const { url } = await start();
    await device([url]).publish('wallet', 1, { waitFor: 'replicated' });
    const values = { kinds: [30078], authors: [PUBKEY] };
    expect((await says(url, ['REQ', 's', values], 'CLOSED', 'EOSE', 'EVENT')).at(-1)).toEqual([
      'CLOSED',
      's',
      'ERROR: auth-required: requested filter requires authentication',
    ]);
    const said = await says(url, ['NEG-OPEN', 'n', values, '6100000200'], 'NEG-MSG', 'NOTICE');
    expect(said.at(-1)![0]).toBe('NOTICE');
    const other = device([url], { signer: secretKeySigner(OTHER_KEY) });
    expect(await other.fetch('wallet')).toBeNull();
  });

  test('takes so many events of one author at once, and none of other kinds', async () => {
    const { url } = await start();
    const events = Array.from({ length: 360 }, (_, n) => written({ category: `category-${n}` }));
    const answers = await answersTo(url, events);
    expect(answers.slice(0, 240).every((one) => one === 'taken')).toBe(true);
    expect(answers).toContain('rate-limited: slow down');
    expect(await answersTo(url, [written({ kind: 1, key: OTHER_KEY })])).toEqual([
      'blocked: kind 1 is not for this relay',
    ]);
  });

  test('what `doctor` says of it', async () => {
    const { url } = await start();
    const report = await probeRelay(aRelay(url), { signer: secretKeySigner(KEY), randomBytes });
    expect(report).toMatchObject({ reachable: true, readable: true, auth: 'accepted' });
  });
});

describe.skipIf(STRFRY === undefined)('strfry that shows everybody everything', () => {
  keepsStateOf(() => startStrfry(OPEN));
  reconciles(() => startStrfry(OPEN));
});

/** A block of docs/RELAYS.md that begins with this. */
function blockOf(beginning: string): string {
  const text = readFileSync(new URL('../../../docs/RELAYS.md', import.meta.url), 'utf8');
  const [block] = /(?:^ {4}.*\n|^\n)+/m.exec(text.slice(text.indexOf(beginning)))!;
  return block.replaceAll(/^ {4}/gm, '');
}

test.skipIf(STRFRY === undefined)('two of them are kept the same, by `sync` and by the router', async () => {
  const [here, there] = [await startStrfry(), await startStrfry()];
  // Of the other one, over the same data, for relays alone.
  const inside = await startStrfry(OPEN, there.db);
  const valueOn = async ({ url }: Strfry, category: string): Promise<unknown> =>
    (await device([url]).fetch(category))?.payload;
  await device([there.url]).publish('before', 1, { waitFor: 'replicated' });
  expect(await valueOn(here, 'before')).toBeUndefined();
  const filter = '{"kinds":[30078,5]}';
  const sync = spawn(STRFRY!, [
    '--config',
    here.config,
    'sync',
    inside.url,
    '--filter',
    filter,
    '--dir',
    'both',
  ]);
  await once(sync, 'exit');
  expect(await valueOn(here, 'before')).toBe(1);
  const router = join(here.config, '../router.conf');
  writeFileSync(router, blockOf('    streams {').replace('ws://other.internal:7778', inside.url));
  const routing = spawn(STRFRY!, ['--config', here.config, 'router', router], { stdio: 'ignore' });
  try {
    await device([here.url]).publish('of here', 2, { waitFor: 'replicated' });
    await expect.poll(() => valueOn(there, 'of here'), { timeout: 15_000, interval: 500 }).toBe(2);
    await device([there.url]).publish('of there', 3, { waitFor: 'replicated' });
    await expect.poll(() => valueOn(here, 'of there'), { timeout: 15_000, interval: 500 }).toBe(3);
  } finally {
    routing.kill();
    await once(routing, 'exit');
  }
});
