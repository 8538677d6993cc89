/** Two devices pair over relays as they are: that ask for AUTH, refuse the kind or the stamp, lose messages, are not there. */

import { hexToBytes } from '@noble/hashes/utils.js';
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createDeferred } from '../../src/pair/deferred.ts';
import type { SignedEvent } from '../../src/protocol/event.ts';
import { PAIRING_REPEAT_MS } from '../../src/protocol/limits.ts';
import type { RelayOptions } from '../../src/testing/relay-options.ts';
import { createRandom } from '../support/random.ts';
import { failure, KEY, paired, PUBKEY, world, type World } from './harness.ts';

const PAIRING = 24_134;

/** Pairing events that relays were sent, by what a test can tell of them. */
const sent = (here: World): SignedEvent[] =>
  Object.values(here.relays).flatMap(({ frames }) =>
    frames.flatMap(({ direction, frame }) => {
      const [type, event] = (Array.isArray(frame) ? frame : JSON.parse(String(frame))) as [
        string,
        SignedEvent,
      ];
      return direction === 'in' && type === 'EVENT' ? [event] : [];
    }),
  );

test.each(['qr', 'code'] as const)('by %s the key, the relays and the names come over', async (carrier) => {
  const here = world({ latencyMs: 50 }, { latencyMs: 90 });
  const invitation = await here.during(here.invite({ carrier }));
  expect(invitation.code === undefined).toBe(carrier === 'qr');
  const life = invitation.expiresAt - here.clock.now();
  expect(Math.round(life / 1_000)).toBe(carrier === 'qr' ? 120 : 300);
  const { joined, ms } = await paired(here, invitation, invitation.code);
  expect(joined).toEqual({ key: hexToBytes(KEY), pubkey: PUBKEY, relays: here.urls, metadata: 'clear' });
  expect(ms).toBeLessThan(5_000);
  await here.expectNothingLeft();
});

test('no relay can tell who pairs: every event is of a key made for it, and stamped with the time', async () => {
  const here = world();
  const { uri } = await here.during(here.invite());
  const now = Math.floor(here.clock.now() / 1_000);
  await here.clock.advance(10_000);
  expect(uri).not.toContain(PUBKEY);
  const frames = JSON.stringify(Object.values(here.relays).map(({ frames }) => frames));
  expect(frames).not.toContain(PUBKEY);
  expect(sent(here).map(({ kind, created_at }) => [kind, created_at])).toEqual([[PAIRING, now]]);
});

const AUTH: readonly (readonly [string, RelayOptions])[] = [
  ['asks for AUTH to write', { auth: 'write' }],
  ['asks for AUTH to read', { auth: 'read' }],
  ['asks for AUTH for all', { auth: 'both' }],
  ['calls strangers restricted until they are known', { auth: 'both', strangers: 'restricted' }],
  ['shows nothing to strangers', { auth: 'both', strangers: 'silent' }],
  ['is a nostream that asks for AUTH', { auth: 'both', flavour: 'nostream' }],
  ['is a chorus that asks for AUTH', { auth: 'both', flavour: 'chorus' }],
];

test.each(AUTH)('over a relay that %s, by keys of the pairing alone', async (_, options) => {
  for (const carrier of ['qr', 'code'] as const) {
    const here = world({ latencyMs: 20, ...options });
    const invitation = await here.during(here.invite({ carrier }));
    await paired(here, invitation, invitation.code);
    const auths = Object.values(here.relays).flatMap(({ frames }) =>
      frames.filter(({ direction, frame }) => direction === 'in' && JSON.stringify(frame).includes('22242')),
    );
    expect(auths.length).toBeGreaterThan(1);
    expect(JSON.stringify(auths)).not.toContain(PUBKEY);
    await here.expectNothingLeft();
  }
});

test('a relay that refuses the kind is left out, and the other one carries it', async () => {
  const here = world({}, {});
  here.relays[here.urls[0]!]!.misbehave({
    refuse: ({ kind }) => (kind === PAIRING ? 'blocked: kind not allowed' : undefined),
  });
  const invitation = await here.during(here.invite());
  expect(invitation.uri).not.toContain('relay0');
  expect(invitation.uri).toContain('relay1');
  const { joined } = await paired(here, invitation);
  // The app has both all the same.
  expect(joined.relays).toEqual(here.urls);
  await here.expectNothingLeft();
});

test('if no relay carries it, PAIRING_NO_RELAY has the words of each', async () => {
  const here = world({}, {}, { auth: 'both' }, {}, {});
  const [kind, keys, auth, forgets, gone] = here.urls.map((url) => here.relays[url]!);
  kind!.misbehave({ refuse: 'blocked: kind 24134 is not allowed' });
  keys!.misbehave({ refuse: 'restricted: not on the list' });
  auth!.misbehave({
    receive: ([type]) => (type === 'AUTH' ? 'ignore' : undefined),
    refuse: 'auth-required: members only',
  });
  forgets!.misbehave({ forget: true });
  gone!.misbehave({ refuseConnections: true });
  const error = await failure(here.during(here.invite()));
  expect(error).toMatchObject({
    code: 'PAIRING_NO_RELAY',
    details: {
      reasons: {
        [here.urls[0]!]: 'blocked: kind 24134 is not allowed',
        [here.urls[1]!]: 'restricted: not on the list',
        [here.urls[2]!]: expect.stringMatching(/auth/i) as string,
        [here.urls[3]!]: 'it took the event and did not show it',
        [here.urls[4]!]: 'connection refused',
      },
    },
  });
  expect(error.message).toContain('blocked: kind 24134 is not allowed');
  await here.expectNothingLeft();
});

test('of relays that are slow or dead the quick one does not wait long', async () => {
  const here = world({}, { latencyMs: 2_500 }, {});
  here.relays[here.urls[2]!]!.misbehave({ silent: true });
  const startedAt = here.clock.now();
  const invitation = await here.during(here.invite());
  expect(here.clock.now() - startedAt).toBeLessThanOrEqual(1_600);
  expect(invitation.uri).toContain('relay0');
  expect(invitation.uri).not.toMatch(/relay1|relay2/);
  invitation.cancel();
  await here.expectNothingLeft();
});

test('of relays that all carry it three are used, and the others are left', async () => {
  const here = world({}, {}, {}, {}, {});
  const invitation = await here.during(here.invite());
  const used = here.urls.filter((url) => invitation.uri.includes(encodeURIComponent(url)));
  expect(used).toHaveLength(3);
  await here.clock.advance(1_000);
  expect(here.urls.filter((url) => here.relays[url]!.connections() > 0)).toEqual(used);
  const { joined } = await paired(here, invitation);
  expect(joined.relays).toEqual(here.urls);
  await here.expectNothingLeft();
});

test.each([
  ['invalid: created_at too early', 60],
  ['invalid: ephemeral event expired', 60],
])('a relay that says "%s" is sent the event again, stamped later', async (words, seconds) => {
  const here = world();
  // Both devices are 90 s behind the relay.
  const relayNow = (): number => Math.floor(here.clock.now() / 1_000) + 90;
  here.relays[here.urls[0]!]!.misbehave({
    refuse: ({ created_at }) => (created_at < relayNow() - seconds ? words : undefined),
  });
  const invitation = await here.during(here.invite());
  await paired(here, invitation);
  const ahead = sent(here).map(({ created_at }) => created_at - Math.floor(here.clock.now() / 1_000));
  expect(ahead.some((s) => s > 200)).toBe(true);
  // Not above what strfry takes.
  expect(Math.max(...ahead)).toBeLessThan(900);
  await here.expectNothingLeft();
});

test('of two messages that a relay finds too old at once both are sent again', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  const joining = here.join(invitation.uri);
  const digits = await here.during(joining.digits);
  await here.clock.advance(100);
  // Both clocks turn out to be slow now: the confirmation and the key are the first that the relay finds too old.
  here.relays[here.urls[0]!]!.misbehave({
    refuse: ({ created_at }) =>
      created_at < here.clock.now() / 1_000 + 30 ? 'invalid: ephemeral event expired' : undefined,
  });
  const typedAt = here.clock.now();
  await here.during(invitation.confirm(digits));
  await here.during(joining.inviter);
  expect(here.clock.now() - typedAt).toBeLessThan(PAIRING_REPEAT_MS);
  await here.during(joining.accept());
  await here.during(invitation.done);
  await here.expectNothingLeft();
});

test('a clock that is an hour behind is PAIRING_NO_RELAY, in the words of the relay', async () => {
  const here = world();
  here.relays[here.urls[0]!]!.misbehave({
    refuse: ({ created_at }) =>
      created_at < here.clock.now() / 1_000 + 3_540 ? 'invalid: ephemeral event expired' : undefined,
  });
  expect(await failure(here.during(here.invite()))).toMatchObject({
    code: 'PAIRING_NO_RELAY',
    details: { reasons: { [here.urls[0]!]: 'invalid: ephemeral event expired' } },
  });
  await here.expectNothingLeft();
});

test.each([1, 2, 3, 4, 5, 6])('over a relay that loses a quarter of all messages (seed %i)', async (seed) => {
  for (const carrier of ['qr', 'code'] as const) {
    const here = world();
    const invitation = await here.during(here.invite({ carrier }));
    const random = createRandom(seed);
    here.relays[here.urls[0]!]!.misbehave({
      rewrite: (frame) => (frame[0] === 'EVENT' && random.chance(1 / 4) ? [] : [frame]),
    });
    const joining = here.join(invitation.code ?? invitation.uri);
    const joins = new Promise<void>((resolve) => invitation.on('joining', resolve));
    const digits = await here.during(joining.digits, 30_000);
    await here.during(joins, 30_000);
    await here.during(invitation.confirm(digits));
    await here.during(joining.inviter, 30_000);
    await here.during(joining.accept());
    expect(await here.during(invitation.done, 30_000)).toMatchObject({ deviceId: 'phone-1' });
    await here.expectNothingLeft();
  }
});

test('over a connection that breaks after each message: PAIRING_EXPIRED on both devices, and neither has the key', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  here.relays[here.urls[0]!]!.misbehave({
    receive: ([type]) => (type === 'EVENT' ? 'disconnect-answered' : undefined),
  });
  const joining = here.join(invitation.uri);
  // The key follows the confirmation, over a connection that is gone by then, each time.
  await here.during(invitation.confirm(await here.during(joining.digits)));
  await here.clock.advance(121_000);
  expect(await failure(here.during(invitation.done, 0))).toMatchObject({ code: 'PAIRING_EXPIRED' });
  expect(await failure(here.during(joining.inviter, 0))).toMatchObject({ code: 'PAIRING_EXPIRED' });
  await here.expectNothingLeft();
});

test('a relay that loses all after the echo: PAIRING_EXPIRED on both devices', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  here.relays[here.urls[0]!]!.misbehave({ forget: true });
  const joining = here.join(invitation.uri);
  await here.during(joining.digits);
  let isTold = false;
  invitation.on('expired', () => (isTold = true));
  await here.clock.advance(121_000);
  expect(await failure(invitation.done)).toMatchObject({ code: 'PAIRING_EXPIRED' });
  expect(await failure(joining.inviter)).toMatchObject({ code: 'PAIRING_EXPIRED' });
  expect(isTold).toBe(true);
  await here.expectNothingLeft();
});

test('a device that joins by an invitation whose relays are gone: PAIRING_NO_RELAY with their words', async () => {
  const here = world({}, {});
  const invitation = await here.during(here.invite());
  here.relays[here.urls[0]!]!.misbehave({ refuse: 'blocked: not today' });
  here.relays[here.urls[1]!]!.disconnectAll();
  here.relays[here.urls[1]!]!.misbehave({ refuseConnections: true });
  const error = await failure(here.during(here.join(invitation.uri).digits));
  expect(error).toMatchObject({
    code: 'PAIRING_NO_RELAY',
    details: {
      reasons: { [here.urls[0]!]: 'blocked: not today', [here.urls[1]!]: 'connection refused' },
    },
  });
  invitation.cancel();
  await here.expectNothingLeft();
});

test('a code that no device answers: PAIRING_EXPIRED after half a minute, and PAIRING_NO_RELAY if no relay took the question', async () => {
  const here = world();
  expect(await failure(here.during(here.join('7KQ4-M2XW-9RXR').digits, 31_000))).toMatchObject({
    code: 'PAIRING_EXPIRED',
  });
  here.relays[here.urls[0]!]!.misbehave({ refuse: 'blocked: no' });
  expect(await failure(here.during(here.join('7KQ4-M2XW-9RXR').digits, 31_000))).toMatchObject({
    code: 'PAIRING_NO_RELAY',
    details: { reasons: { [here.urls[0]!]: 'blocked: no' } },
  });
  await here.expectNothingLeft();
});

test('a code whose key cannot be made, as its code cannot be loaded, fails on either device, and nothing is left', async () => {
  const here = world();
  const error = new Error('offline');
  Object.assign(here.ports, { scrypt: () => Promise.reject(error) });
  expect(await failure(here.during(here.invite({ carrier: 'code' })))).toBe(error);
  const joining = here.join('7KQ4-M2XW-9RXR');
  expect(await failure(here.during(joining.digits))).toBe(error);
  expect(await failure(here.during(joining.accept()))).toBe(error);
  await here.expectNothingLeft();
});

test('a signal that is aborted while the key of a code is made ends it on either device', async () => {
  const here = world();
  const [stop, made] = [new AbortController(), createDeferred<Uint8Array>()];
  Object.assign(here.ports, { scrypt: () => made.promise });
  const making = here.invite({ carrier: 'code', signal: stop.signal });
  const joining = here.join('7KQ4-M2XW-9RXR', { signal: stop.signal });
  await here.clock.advance(1_000);
  stop.abort();
  expect(await failure(joining.digits)).toMatchObject({ code: 'PAIRING_CANCELLED' });
  made.resolve(randomBytes(48));
  const invitation = await making;
  expect(await failure(invitation.done)).toMatchObject({ code: 'PAIRING_CANCELLED' });
  await here.expectNothingLeft();
});

test('the user of either device cancels, and the other one is told', async () => {
  for (const who of ['holder', 'joiner', 'signal'] as const) {
    const here = world();
    const stop = new AbortController();
    const invitation = await here.during(here.invite({ signal: stop.signal }));
    const joining = here.join(invitation.uri);
    await here.during(joining.digits);
    await here.clock.advance(100);
    if (who === 'holder') invitation.cancel();
    if (who === 'joiner') joining.cancel();
    if (who === 'signal') stop.abort();
    await here.clock.advance(100);
    const [holder, joiner] = [await failure(invitation.done), await failure(joining.inviter)];
    const isHolder = who !== 'joiner';
    expect(holder).toMatchObject({
      code: 'PAIRING_CANCELLED',
      details: { by: isHolder ? 'this-device' : 'other-device' },
    });
    expect(joiner).toMatchObject({
      code: 'PAIRING_CANCELLED',
      details: { by: isHolder ? 'other-device' : 'this-device' },
    });
    await here.expectNothingLeft();
  }
});

test('a signal that is aborted while relays are looked at, and one that was before', async () => {
  const here = world();
  const stop = new AbortController();
  const making = here.invite({ signal: stop.signal });
  stop.abort();
  expect(await failure(making)).toMatchObject({ code: 'PAIRING_CANCELLED' });
  expect(await failure(here.invite({ signal: stop.signal }))).toMatchObject({ code: 'PAIRING_CANCELLED' });
  const joining = here.join('7KQ4-M2XW-9RXR', { signal: stop.signal });
  expect(await failure(joining.digits)).toMatchObject({ code: 'PAIRING_CANCELLED' });
  await here.expectNothingLeft();
});

test('wrong digits end it on both devices, and nothing was shared', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  const joining = here.join(invitation.uri);
  const digits = await here.during(joining.digits);
  await here.clock.advance(100);
  const wrong = digits === '000000' ? '000001' : '000000';
  for (const odd of ['12345', 'abcdef', ''])
    await expect(invitation.confirm(odd)).rejects.toThrow(RangeError);
  expect(await failure(here.during(invitation.confirm(wrong)))).toMatchObject({ code: 'PAIRING_DIGITS' });
  // The right ones come too late: six digits are guessed once.
  expect(await failure(here.during(invitation.confirm(digits)))).toMatchObject({ code: 'PAIRING_DIGITS' });
  await here.clock.advance(1_000);
  expect(await failure(joining.inviter)).toMatchObject({ code: 'PAIRING_DIGITS' });
  // Echo, offer, abort.
  expect(new Set(sent(here).map(({ id }) => id)).size).toBe(3);
  await here.expectNothingLeft();
});

test('digits may be typed in groups', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  const joining = here.join(invitation.uri);
  const digits = await here.during(joining.digits);
  await here.clock.advance(100);
  await here.during(invitation.confirm(` ${digits.slice(0, 3)} ${digits.slice(3)}`));
  await here.during(joining.inviter);
  joining.cancel();
  await here.expectNothingLeft();
});

test('a device of another app gets nothing: PAIRING_OTHER_APP, before anybody is asked', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  const joining = here.join(invitation.uri, { namespace: 'other-app' });
  await here.during(invitation.confirm(await here.during(joining.digits)));
  expect(await failure(here.during(joining.inviter))).toMatchObject({
    code: 'PAIRING_OTHER_APP',
    details: { namespace: 'my-app' },
  });
  expect(await failure(joining.accept())).toMatchObject({ code: 'PAIRING_OTHER_APP' });
  expect(await failure(here.during(invitation.done))).toMatchObject({ code: 'PAIRING_CANCELLED' });
  await here.expectNothingLeft();
});

test('a holder without a key to share: the other device needs the same signer, else PAIRING_OTHER_KEY', async () => {
  const here = world();
  for (const [own, isRight] of [
    [PUBKEY, true],
    ['0'.repeat(63) + '1', false],
  ] as const) {
    const invitation = await here.during(here.invite({ key: null, pubkey: PUBKEY }));
    const joining = here.join(invitation.uri, { pubkey: own });
    await here.during(invitation.confirm(await here.during(joining.digits)));
    if (isRight) {
      await here.during(joining.inviter);
      expect(await here.during(joining.accept())).toMatchObject({ key: null, pubkey: PUBKEY });
    } else
      expect(await failure(here.during(joining.inviter))).toMatchObject({
        code: 'PAIRING_OTHER_KEY',
        details: { pubkey: PUBKEY },
      });
    await here.clock.advance(20_000);
    await here.expectNothingLeft();
  }
});

test('it is complete only after the key was kept; if it was not, the holder is told', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  const joining = here.join(invitation.uri);
  await here.during(invitation.confirm(await here.during(joining.digits)));
  await here.during(joining.inviter);
  let isDone = false;
  invitation.done.then(
    () => (isDone = true),
    () => (isDone = true),
  );
  let refuse: (error: Error) => void = () => undefined;
  const accepting = joining.accept(
    () =>
      new Promise<void>((_resolve, reject) => {
        refuse = reject;
      }),
  );
  await here.clock.advance(8_000);
  expect(isDone).toBe(false);
  refuse(new Error('disk full'));
  expect(await failure(accepting)).toMatchObject({ message: 'disk full' });
  await here.clock.advance(100);
  expect(await failure(invitation.done)).toMatchObject({
    code: 'PAIRING_CANCELLED',
    message: expect.stringContaining('could not keep the key') as string,
  });
  await here.expectNothingLeft();
});

test('what was accepted is not taken back by time or cancel', async () => {
  const here = world();
  const invitation = await here.during(here.invite({ carrier: 'code' }));
  const joining = here.join(invitation.uri);
  await here.during(invitation.confirm(await here.during(joining.digits)));
  await here.during(joining.inviter);
  let kept = (): void => undefined;
  const accepting = joining.accept(() => new Promise<void>((resolve) => (kept = resolve)));
  await here.clock.advance(130_000);
  joining.cancel();
  kept();
  expect(await here.during(accepting)).toMatchObject({ pubkey: PUBKEY });
  expect(await here.during(invitation.done)).toMatchObject({ deviceId: 'phone-1' });
  await here.expectNothingLeft();
});

test('a holder whose last answer is lost says that the key went out, not that nothing happened', async () => {
  const here = world();
  const invitation = await here.during(here.invite());
  const joining = here.join(invitation.uri);
  await here.during(invitation.confirm(await here.during(joining.digits)));
  await here.during(joining.inviter);
  here.relays[here.urls[0]!]!.misbehave({ forget: true });
  await here.during(joining.accept());
  await here.clock.advance(121_000);
  const error = await failure(invitation.done);
  expect(error).toMatchObject({ code: 'PAIRING_EXPIRED' });
  expect(error.message).toContain('The key was sent');
  await here.expectNothingLeft();
});
