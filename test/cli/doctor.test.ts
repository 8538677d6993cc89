/** `doctor` against relays that are well, narrow, closed to strangers, broken and gone. */

import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { relayFlavours } from '../../src/testing/relay-options.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { computer, deadRelay, KEY, relay } from './support.ts';

async function examine(urls: readonly string[], env: Record<string, string> = { NOSTR_SYNC_KEY: KEY }) {
  const args = ['doctor', '--json', ...urls.flatMap((url) => ['--relay', url])];
  const { exit, stdout, stderr } = await (await computer(env)).run(args);
  return { exit, stderr, relays: JSON.parse(stdout).relays };
}

test('a relay that takes everything is good, and nothing is left on it', async () => {
  const { url, relay: held } = await relay({
    name: 'Fine',
    limits: { maxEventBytes: 200_000, maxFrameBytes: 200_000 },
  });
  const { exit, stderr, relays } = await examine([url]);
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
  expect(relays).toMatchObject([
    {
      ...{
        url,
        verdict: 'good',
        reachable: true,
        auth: 'none',
        readable: true,
        refused: null,
        deletes: true,
      },
      information: { name: 'Fine', limitation: { max_message_length: 200_000 } },
      clockDifferenceSeconds: 0,
      largest: { payloadBytes: null },
    },
  ]);
  const [{ largest, latencyMs, connectMs, writeAndReadMs }] = relays;
  expect(largest.eventBytes).toBeGreaterThan(131_000);
  for (const ms of [latencyMs, connectMs, writeAndReadMs]) expect(ms).toBeGreaterThanOrEqual(0);
  expect(held.events().filter(({ kind }) => kind !== 5)).toEqual([]);
});

test('whether devices can pair over it is tried as an invitation does, and told in the words of the relay', async () => {
  const [good, bad] = [await relay(), await relay()];
  bad.relay.misbehave({ refuse: ({ kind }) => (kind === 24_134 ? 'blocked: kind not allowed' : undefined) });
  const { exit, relays } = await examine([good.url, bad.url]);
  expect(exit).toBe(0);
  expect(relays).toMatchObject([
    { verdict: 'good', pairing: { carries: true, reason: null } },
    { verdict: 'good', pairing: { carries: false, reason: 'blocked: kind not allowed' } },
  ]);
  expect(relays[1].advice.join()).toContain('cannot pair over it (kind 24134): blocked: kind not allowed.');
});

test('a relay with the usual limit of 64 KB takes values of every size', async () => {
  const { exit, relays } = await examine([(await relay()).url]);
  expect(exit).toBe(0);
  expect(relays[0]).toMatchObject({
    verdict: 'good',
    largest: { payloadBytes: 40_960 },
    largestValueBytes: 409_600,
    refused: { payloadBytes: 65_408, reason: expect.stringContaining('too large') },
  });
  expect(relays[0].advice[0]).toContain('values of every size, up to 409600 bytes');
});

test('a relay that takes less than one event of ours is limited, and the advice names maxPayloadSize', async () => {
  const { relays } = await examine([(await relay({ limits: { maxEventBytes: 5_000 } })).url]);
  expect(relays[0]).toMatchObject({
    verdict: 'limited',
    largest: { payloadBytes: 1_024 },
    largestValueBytes: 1_024,
  });
  expect(relays[0].advice[0]).toContain('Set maxPayloadSize to 1024');
});

test('a relay that hangs up on large frames is measured and cleaned up all the same', async () => {
  const { url, relay: held } = await relay({ limits: { maxFrameBytes: 30_000 } });
  const { exit, relays } = await examine([url]);
  expect(exit).toBe(0);
  expect(relays[0]).toMatchObject({
    verdict: 'limited',
    largest: { payloadBytes: 12_288 },
    largestValueBytes: 12_288,
    deletes: true,
  });
  expect(relays[0].advice[0]).toContain('Set maxPayloadSize to 12288');
  expect(held.events().filter(({ kind }) => kind !== 5)).toEqual([]);
});

test('a relay that asks for AUTH is told apart, also with a key that is thrown away', async () => {
  const { url } = await relay({ auth: 'both', limits: { maxEventBytes: 200_000, maxFrameBytes: 200_000 } });
  const { exit, relays } = await examine([url], {});
  expect(exit).toBe(0);
  expect(relays[0]).toMatchObject({ auth: 'accepted', verdict: 'good', readable: true });
  expect(relays[0].advice.join(' ')).toContain('It asks for AUTH');
});

test('a relay that refuses everything cannot be used; a stranger is told to try with his key', async () => {
  const { url, relay: held } = await relay();
  held.misbehave({ refuse: 'blocked: not on the list' });
  const { exit, relays, stderr } = await examine([url], {});
  expect(exit).toBe(1);
  expect(JSON.parse(stderr).error.code).toBe('RELAYS_UNUSABLE');
  expect(relays[0]).toMatchObject({
    verdict: 'unusable',
    largest: null,
    deletes: null,
    refused: { reason: 'blocked: not on the list' },
  });
  expect(relays[0].advice[0]).toContain('try again with yours');
});

test('a relay that says OK and forgets cannot be used', async () => {
  const { url, relay: held } = await relay();
  held.misbehave({ forget: true });
  const { exit, relays } = await examine([url]);
  expect(exit).toBe(1);
  expect(relays[0]).toMatchObject({
    verdict: 'unusable',
    refused: { reason: 'accepted, but not handed out again' },
  });
});

test('a relay that does not delete is limited by that', async () => {
  const { url, relay: held } = await relay({ limits: { maxEventBytes: 200_000, maxFrameBytes: 200_000 } });
  held.misbehave({ refuse: ({ kind }) => (kind === 5 ? 'blocked: no deletions' : undefined) });
  const { relays } = await examine([url]);
  expect(relays[0]).toMatchObject({ verdict: 'limited', deletes: false });
});

test('a clock that is wrong is told, by the Date of the HTTP answer', async () => {
  const held = createRelay();
  const server = createServer((_request, response) => {
    response.writeHead(200, { date: new Date(Date.now() - 600_000).toUTCString() }).end('{"name":"Late"}');
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    const link = held.accept('ws://late', { send: (text) => socket.send(text), close: () => socket.close() });
    socket.on('message', (data) => link?.receive(String(data)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { relays } = await examine([`ws://127.0.0.1:${(server.address() as AddressInfo).port}`]);
  server.close();
  server.closeAllConnections();
  sockets.close();
  expect(Math.abs(relays[0].clockDifferenceSeconds + 600)).toBeLessThanOrEqual(1);
  expect(relays[0].advice.join(' ')).toMatch(/differ by \d+ s/);
});

test('if no relay can be reached it exits with 4', async () => {
  const { exit, relays, stderr } = await examine([await deadRelay()]);
  expect(exit).toBe(4);
  expect(JSON.parse(stderr).error.code).toBe('NO_RELAYS_REACHABLE');
  expect(relays[0]).toMatchObject({
    verdict: 'unreachable',
    reachable: false,
    error: expect.stringContaining('ECONNREFUSED'),
  });
});

test('people get a table with a row per relay, and advice for each', async () => {
  const [{ url }, dead] = [await relay({ name: 'Mine\u001B[2J' }), await deadRelay()];
  const { exit, stdout, stderr } = await (await computer()).run(['doctor', '--relay', url, '--relay', dead]);
  expect(exit).toBe(1);
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(
    /^RELAY +VERDICT +CONNECT +LATENCY +WRITE\+READ +AUTH +LARGEST EVENT +LARGEST VALUE +CLOCK +SAYS IT IS$/,
  );
  expect(lines[1]).toMatch(new RegExp(`^${url} +good .*Mine\\\\u001b\\[2J`));
  expect(lines[2]).toMatch(new RegExp(`^${dead} +unreachable `));
  expect(stdout).toContain(`${dead}\n  Cannot be reached: `);
  expect(stdout).not.toContain('\u001B');
  expect(stderr).toBe(
    'no key given: trying with one that is thrown away\nnostr-sync: 1 of 2 relays cannot be used\n',
  );
});

test('what a relay says of itself does not act on the terminal', async () => {
  const { url } = await relay({ name: 'Nice\u202e\u200b\u009b2J relay' });
  const { stdout } = await (await computer({ NOSTR_SYNC_KEY: KEY })).run(['doctor', '--relay', url]);
  expect(stdout).toContain('Nice\\u202e\\u200b\\u009b2J relay');
  expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

const ROOMY = { maxEventBytes: 200_000, maxFrameBytes: 200_000 };
const FLAVOURS = ['strfry', 'nostr-rs-relay', 'nostream', 'khatru', 'chorus', 'citrine'] as const;

describe('what it says of a relay that behaves as', () => {
  test.each(FLAVOURS)('%s', async (flavour) => {
    const reconciles = relayFlavours[flavour].negentropy === 'answers' ? 'as asked' : 'not at all';
    const { exit, relays } = await examine([(await relay({ flavour })).url]);
    expect(exit).toBe(0);
    expect(relays[0]).toMatchObject({
      ...{ verdict: 'good', auth: 'none', challenged: false, deletes: true, limitedForNow: null },
      habits: { live: 'as asked', reconciles, servesExpired: false, deletesNewer: false },
      rate: { burst: null, perMinute: null },
    });
    expect(relays[0].advice).toEqual([
      'It can be used for values of every size, up to 409600 bytes.',
      expect.stringMatching(/^No limit on writes was met in \d\d of them\.$/),
    ]);
  });

  test('one with a rate limit: burst and refill, and how long the largest value takes', async () => {
    const writeRate = { burst: 15, perMinute: 24 };
    const { exit, relays } = await examine([(await relay({ limits: { ...ROOMY, writeRate } })).url]);
    expect(exit).toBe(0);
    const [{ verdict, rate, advice, limitedForNow, deletes }] = relays;
    expect({ verdict, limitedForNow, deletes }).toEqual({
      verdict: 'limited',
      limitedForNow: 'ERROR: rate-limited: slow down',
      // It would have been one write more.
      deletes: expect.toBeOneOf([null, true]),
    });
    // The bucket fills while the probes are made.
    expect(rate.burst).toBeGreaterThanOrEqual(15);
    expect(rate.burst).toBeLessThanOrEqual(19);
    expect(rate.perMinute).toBeGreaterThanOrEqual(12);
    expect(rate.perMinute).toBeLessThanOrEqual(48);
    expect(advice.join(' ')).toMatch(
      /Limited for now: it took 1\d writes at once, then about \d+ a minute\. A value of 409600 bytes takes about \d+ s/,
    );
  });

  test('one that is asked too much of already', async () => {
    const { url, relay: held } = await relay();
    held.misbehave({ refuse: 'rate-limited: come back later' });
    const { exit, relays } = await examine([url]);
    expect(exit).toBe(0);
    expect(relays[0]).toMatchObject({ verdict: 'limited', largest: null, refused: null });
    expect(relays[0].advice[0]).toMatch(/^Limited for now: it says "rate-limited: come back later"/);
  });

  test('one that sends a challenge, though it would answer without', async () => {
    const { url, relay: held } = await relay({ limits: ROOMY });
    let isFirst = true;
    held.misbehave({
      receive: ([type]) => {
        if (type === 'REQ' && isFirst) held.challengeAll();
        if (type === 'REQ') isFirst = false;
        return undefined;
      },
    });
    const { relays } = await examine([url]);
    expect(relays[0]).toMatchObject({ verdict: 'good', auth: 'accepted', challenged: true });
    expect(relays[0].advice.join(' ')).toContain('It asks for AUTH (NIP-42)');
  });

  test('one whose live subscriptions do not look at the d-tag', async () => {
    const { url, relay: held } = await relay({ limits: ROOMY });
    held.misbehave({
      receive: ([type, event], connection) => {
        if (type !== 'EVENT') return undefined;
        for (const id of connection.subscriptions()) held.sendAll(['EVENT', id, event]);
        return undefined;
      },
    });
    const { relays } = await examine([url]);
    expect(relays[0]).toMatchObject({ verdict: 'good', habits: { live: 'any d-tag' } });
    expect(relays[0].advice.join(' ')).toContain('whatever was asked for');
  });

  test('one that pushes nothing', async () => {
    const { url, relay: held } = await relay({ limits: ROOMY });
    const closed = new Set<unknown>();
    held.misbehave({
      rewrite: (frame) => {
        if (frame[0] === 'EOSE') closed.add(frame[1]);
        return frame[0] === 'EVENT' && closed.has(frame[1]) ? [] : [frame];
      },
    });
    const { relays } = await examine([url]);
    expect(relays[0]).toMatchObject({ verdict: 'limited', habits: { live: 'nothing' } });
  });

  test.each(['notice', 'silent'] as const)(
    'one that does not reconcile, and says so by %s',
    async (negentropy) => {
      const { url } = await relay({ limits: ROOMY, negentropy });
      const { relays } = await examine([url]);
      expect(relays[0]).toMatchObject({ verdict: 'good', habits: { reconciles: 'not at all' } });
      expect(relays[0].advice.join(' ')).not.toContain('NIP-77');
    },
  );

  test('one whose reconciliation says that it has nothing', async () => {
    const { url, relay: held } = await relay({ limits: ROOMY });
    // As strfry does with reads restricted: that part of it is not told who has said who they are.
    held.misbehave({
      rewrite: (frame) => (frame[0] === 'NEG-MSG' ? [['NEG-MSG', frame[1], '61']] : [frame]),
    });
    const { relays } = await examine([url]);
    expect(relays[0]).toMatchObject({ verdict: 'good', habits: { reconciles: 'nothing' } });
    expect(relays[0].advice.join(' ')).toContain('Its reconciliation (NIP-77) leaves out what it hands out');
  });

  test('one that still serves what has expired', async () => {
    const { url, relay: held } = await relay({ limits: ROOMY });
    const kept: unknown[][] = [];
    held.misbehave({
      receive: (frame) => {
        if (frame[0] === 'EVENT' && JSON.stringify(frame[1]).includes('/expired')) kept.push([...frame]);
        return undefined;
      },
      rewrite: (frame) =>
        frame[0] === 'EOSE' ? [...kept.map(([, event]) => ['EVENT', frame[1], event]), frame] : [frame],
    });
    const { relays } = await examine([url]);
    expect(relays[0].habits).toMatchObject({ servesExpired: true });
    expect(relays[0].advice.join(' ')).toContain('It still hands out what has expired');
  });

  test('one that deletes what is newer than the request', async () => {
    const { url, relay: held } = await relay({ limits: ROOMY });
    held.misbehave({
      receive: ([type, event]) => {
        if (type === 'EVENT' && (event as { kind: number }).kind === 5) held.wipe();
        return undefined;
      },
    });
    const { relays } = await examine([url]);
    expect(relays[0]).toMatchObject({ verdict: 'limited', habits: { deletesNewer: true } });
    expect(relays[0].advice.join(' ')).toContain('takes away what is newer than it');
  });
});
