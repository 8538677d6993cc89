/** The engine over the relay of rust-nostr (`nostr-relay-builder`), as it comes, on LMDB: open to anybody, and asking who is there. */

import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { probeRelay } from '../../../src/cli/probe.ts';
import { createReconciliation } from '../../../src/protocol/negentropy.ts';
import { secretKeySigner } from '../../../src/node.ts';
import { aRelay } from '../../names.ts';
import { device, KEY, PUBKEY, written } from '../../sync/devices.ts';
import { reconciles } from '../reconciling-suite.ts';
import { sharesStateWithTheReference } from '../reference-suite.ts';
import { says } from '../says.ts';
import { keepsStateOf } from '../suite.ts';
import { startRustNostr } from './relay-process.ts';

const VALUES = { kinds: [30078], authors: [PUBKEY] };

describe('open to anybody', () => {
  keepsStateOf(() => startRustNostr());
  reconciles(() => startRustNostr());
  sharesStateWithTheReference(() => startRustNostr(), { saysReplaced: true, largest: 40_960 });

  test('keeps the newest, and of one second the lowest id, in whatever order they come', async () => {
    const { url } = await startRustNostr();
    const now = Math.floor(Date.now() / 1000);
    const events = [now - 1, now, now, now, now - 2].map((created_at, payload) =>
      written({ created_at, payload }),
    );
    for (const event of events) await says(url, ['EVENT', event], 'OK');
    const [head] = events
      .filter(({ created_at }) => created_at === now)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(await device([url]).fetch('settings')).toMatchObject({ eventId: head!.id });
  });

  test('what is older than what it has is refused by a word that says nothing', async () => {
    const { url } = await startRustNostr();
    const now = Math.floor(Date.now() / 1000);
    const [newer, older] = [written({ created_at: now }), written({ created_at: now - 1 })];
    expect(await says(url, ['EVENT', newer], 'OK')).toEqual([['OK', newer.id, true, '']]);
    expect(await says(url, ['EVENT', older], 'OK')).toEqual([['OK', older.id, false, 'error: unknown']]);
  });

  test('by itself it takes 60 events a minute, and gets all the same what was written', async () => {
    const { url } = await startRustNostr('--events-per-minute', '60');
    const laptop = device([url]);
    const names = Array.from({ length: 20 }, (_, n) => `category-${n}`);
    await Promise.all(names.map((name) => laptop.publish(name, name)));
    await expect.poll(async () => (await device([url]).syncAll(names)).length, { timeout: 15_000 }).toBe(20);
  });
});

describe('that asks who is there', () => {
  const start = (): ReturnType<typeof startRustNostr> => startRustNostr('--auth');
  keepsStateOf(start);
  reconciles(start);

  test('tells a stranger to authenticate', async () => {
    const { url } = await start();
    await device([url]).publish('wallet', 1, { waitFor: 'replicated' });
    expect((await says(url, ['REQ', 's', VALUES], 'CLOSED', 'EOSE')).at(-1)).toMatchObject([
      'CLOSED',
      's',
      expect.stringMatching(/^auth-required: /),
    ]);
    const event = written();
    expect((await says(url, ['EVENT', event], 'OK')).at(-1)).toMatchObject([
      'OK',
      event.id,
      false,
      expect.stringMatching(/^auth-required: /),
    ]);
  });

  test('a stranger that reconciles is told ids: how many values there are, and of when', async () => {
    const { url } = await start();
    const { eventId } = await device([url]).publish('wallet', 1, { waitFor: 'replicated' });
    const reconciliation = createReconciliation([]);
    const frame = ['NEG-OPEN', 'n', VALUES, reconciliation.open()];
    const [[type, , message] = []] = await says(url, frame, 'NEG-MSG', 'NEG-ERR');
    expect(type).toBe('NEG-MSG');
    expect(reconciliation.take(message as string)).toMatchObject({ type: 'done' });
    expect([...reconciliation.need]).toEqual([eventId]);
  });

  test('what `doctor` says of it', async () => {
    const { url } = await start();
    const report = await probeRelay(aRelay(url), { signer: secretKeySigner(KEY), randomBytes });
    expect(report).toMatchObject({ reachable: true, readable: true, auth: 'accepted' });
  });
});
