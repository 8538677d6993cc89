/** The engine, and pairing, over khatru: as anybody may run it, and as the program of `docs/RELAYS.md` asks its clients who they are. */

import { randomBytes } from 'node:crypto';
import { hexToBytes } from '@noble/hashes/utils.js';
import { finalizeEvent, type Event, type EventTemplate } from 'nostr-tools/pure';
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay';
import { WebSocket } from 'ws';
import { afterEach, describe, expect, test } from 'vitest';
import { probeRelay } from '../../../src/cli/probe.ts';
import { secretKeySigner, type NostrEvent } from '../../../src/node.ts';
import { createInvitation, joinByInvitation } from '../../../src/pair/node.ts';
import { aRelay } from '../../names.ts';
import { device, KEY, OTHER_KEY, PUBKEY, written } from '../../sync/devices.ts';
import { sharesStateWithTheReference } from '../reference-suite.ts';
import { keepsStateOf } from '../suite.ts';
import { reconciles } from '../reconciling-suite.ts';
import { startKhatru, startKhatruOnBadger } from './relay-process.ts';

useWebSocketImplementation(WebSocket);

const strangers: Relay[] = [];
afterEach(() => {
  for (const one of strangers.splice(0)) one.close();
});

/** A client that is not ours; `key`: it says who it is. */
async function client(url: string, key?: string): Promise<Relay> {
  const opened = new Relay(url);
  await opened.connect();
  strangers.push(opened);
  if (key === undefined) return opened;
  const sign = async (template: EventTemplate): Promise<ReturnType<typeof finalizeEvent>> =>
    finalizeEvent(template, hexToBytes(key));
  // Its challenge comes after the connection is open.
  await expect
    .poll(() =>
      opened.auth(sign).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  return opened;
}

/** Why it was not taken; `taken` if it was. */
async function publish(by: Relay, event: NostrEvent): Promise<string> {
  try {
    await by.publish(event as Event);
    return 'taken';
  } catch (error) {
    return String(error);
  }
}

/** What a client gets of the values of this user: how many, or why not. */
function asks(from: Relay, limit: number): Promise<number | string> {
  return new Promise((resolve) => {
    let count = 0;
    from.subscribe([{ kinds: [30078], authors: [PUBKEY], limit }], {
      onevent: () => void count++,
      oneose: () => resolve(count),
      onclose: (reason) => resolve(reason),
    });
  });
}

describe.each([
  ['on badger', startKhatruOnBadger],
  ['on LMDB', () => startKhatru('-auth=false', '-negentropy=false')],
] as const)('%s, open to anybody', (_, start) => {
  keepsStateOf(start);
  // Its databases keep at most 65,535 characters of content.
  sharesStateWithTheReference(start, { saysReplaced: false, largest: 40_960 });

  test('keeps the newest, and of one second the lowest id, in whatever order they come', async () => {
    const { url } = await start();
    const now = Math.floor(Date.now() / 1000);
    const events = [now - 1, now, now, now, now - 2].map((created_at, payload) =>
      written({ created_at, payload }),
    );
    const writer = await client(url);
    for (const event of events) await publish(writer, event);
    const [head] = events
      .filter(({ created_at }) => created_at === now)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(await device([url]).fetch('settings')).toMatchObject({ eventId: head!.id });
  });
});

describe.each([
  ['on badger', startKhatruOnBadger],
  ['on LMDB', () => startKhatru('-auth=false')],
  ['that asks who is there', () => startKhatru('-writes-per-minute', '600', '-burst', '300')],
] as const)('with NIP-77, %s', (_, start) => {
  reconciles(start);
});

describe('that serves values to their author alone', () => {
  keepsStateOf(() => startKhatru());

  test('shows them to nobody else, also not those to come', async () => {
    const { url } = await startKhatru();
    const laptop = device([url]);
    await laptop.publish('wallet', 1, { waitFor: 'replicated' });
    expect(await asks(await client(url, KEY), 9)).toBe(1);
    for (const limit of [9, 0]) {
      expect(await asks(await client(url), limit)).toMatch(/^auth-required: /);
      expect(await asks(await client(url, OTHER_KEY), limit)).toMatch(/^restricted: /);
    }
  });

  test('takes no event of another kind, size or time, nor of another author', async () => {
    const { url } = await startKhatru('-max-event-bytes', '4000');
    const own = await client(url, KEY);
    const ahead = Math.floor(Date.now() / 1000) + 1_800;
    expect(await publish(own, written({ kind: 1 }))).toMatch(/blocked: kind 1/);
    expect(await publish(own, written({ content: 'x'.repeat(4_000) }))).toMatch(/invalid: .*4000 bytes/);
    expect(await publish(own, written({ created_at: ahead }))).toMatch(/invalid: created_at is too far/);
    expect(await publish(own, written({ key: OTHER_KEY }))).toMatch(/restricted: /);
    expect(await publish(await client(url), written())).toMatch(/auth-required: /);
    expect(await publish(own, written())).toBe('taken');
  });

  test('is not written to faster than it says', async () => {
    const { url } = await startKhatru('-writes-per-minute', '6', '-burst', '3');
    const own = await client(url, KEY);
    const answers: string[] = [];
    for (let n = 0; n < 9; n++) answers.push(await publish(own, written({ category: `c${n}` })));
    expect(answers.slice(0, 3)).toEqual(['taken', 'taken', 'taken']);
    expect(answers.some((answer) => /rate-limited: /.test(answer))).toBe(true);
  });

  test.each(['qr', 'code'] as const)('carries a pairing by %s', async (carrier) => {
    const { url } = await startKhatru();
    const all = { namespace: 'my-app', relays: [url] };
    const invitation = await createInvitation({ ...all, name: 'Laptop', key: hexToBytes(KEY), carrier });
    const joining = joinByInvitation(invitation.code ?? invitation.uri, {
      ...all,
      ...{ name: 'Phone', deviceId: 'phone' },
    });
    await invitation.confirm(await joining.digits);
    expect(await joining.accept()).toMatchObject({ pubkey: PUBKEY, key: hexToBytes(KEY) });
    expect(await invitation.done).toEqual({ name: 'Phone', deviceId: 'phone' });
  });

  test('what `doctor` says of it', async () => {
    const { url } = await startKhatru();
    const report = await probeRelay(aRelay(url), { signer: secretKeySigner(KEY), randomBytes });
    expect(report).toMatchObject({
      ...{ reachable: true, readable: true, auth: 'accepted', challenged: true, limitedForNow: null },
      ...{ largest: { payloadBytes: 40_960 }, refused: { payloadBytes: 65_408 }, deletes: true },
      habits: { live: 'as asked', reconciles: 'as asked', servesExpired: true, deletesNewer: false },
    });
  });
});
