/** AUTH (NIP-42) for reading and for writing, and relays that misuse it. */

import { describe, expect, test } from 'vitest';
import { received, written } from '../sync/devices.ts';
import { authSigner, request, subscribe, URL_OF_RELAY, virtual } from './harness.ts';

const stamp = 1_767_225_600;
const event = written({ created_at: stamp });

describe('a relay that asks for AUTH', () => {
  test('for reading gets it, and the request goes on', async () => {
    const { signAuth, signed } = authSigner();
    const { clock, relay, relayConnection } = virtual({ auth: 'read', signAuth });
    relay.inject(event);
    const got = subscribe(relayConnection);
    const end = request(relayConnection);
    await clock.advance(0);
    expect(await end).toBe('complete');
    expect(got.events).toEqual([event]);
    expect(relayConnection.info().auth).toBe('accepted');
    expect(signed).toHaveLength(1);
    expect(signed[0]).toMatchObject({ kind: 22242, content: '', created_at: stamp });
    expect(signed[0]!.tags).toEqual([
      ['relay', URL_OF_RELAY],
      ['challenge', expect.stringMatching(/^[0-9a-f]{32}$/)],
    ]);
  });

  test('for writing gets it, and the event goes out again', async () => {
    const { signAuth, signed } = authSigner();
    const { clock, relay, relayConnection } = virtual({ auth: 'both', signAuth });
    await clock.advance(0);
    const answers = [
      relayConnection.publish(event),
      relayConnection.publish(written({ category: 'b', created_at: stamp })),
    ];
    await clock.advance(0);
    expect((await Promise.all(answers)).map(({ type }) => type)).toEqual(['acknowledged', 'acknowledged']);
    expect(relay.events()).toHaveLength(2);
    expect(signed).toHaveLength(1);
  });

  test('but refuses nothing is told nothing', async () => {
    const { signAuth, signed } = authSigner();
    const { clock, relay, relayConnection } = virtual({ signAuth });
    await clock.advance(0);
    relay.challengeAll();
    await clock.advance(60_000);
    expect(signed).toEqual([]);
    expect(relayConnection.info().auth).toBe('none');
  });

  test('is answered again on the next connection', async () => {
    const { signAuth, signed } = authSigner();
    const { clock, relay, relayConnection } = virtual({ auth: 'both', signAuth });
    const got = subscribe(relayConnection);
    await clock.advance(0);
    relay.disconnectAll();
    await clock.advance(10_000);
    expect([signed.length, got.completions]).toEqual([2, 2]);
  });

  test('and never answers ours is asked again', async () => {
    const { signAuth, signed } = authSigner();
    const { clock, relay, relayConnection } = virtual({ auth: 'both', signAuth });
    relay.misbehave({ receive: ([type]) => (type === 'AUTH' ? 'ignore' : undefined) });
    const got = subscribe(relayConnection);
    await clock.advance(10_000);
    relay.behave();
    await clock.advance(60_000);
    expect([signed.length, got.completions]).toEqual([2, 1]);
  });

  test('and sends a newer challenge while the first is being signed gets an answer to the newer alone', async () => {
    const { signAuth } = authSigner();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const { clock, relay, relayConnection } = virtual({
      auth: 'both',
      signAuth: async (template) => {
        await held;
        return signAuth(template);
      },
    });
    const got = subscribe(relayConnection);
    await clock.advance(0);
    relay.challengeAll();
    await clock.advance(0);
    release();
    await clock.advance(10_000);
    expect(received(relay, 'AUTH')).toHaveLength(1);
    expect(got.completions).toBe(1);
  });

  test('waits for the signer that is set later', async () => {
    const { signAuth } = authSigner();
    let isSet = false;
    const { clock, relay, relayConnection } = virtual({
      auth: 'both',
      signAuth: async (t) => (isSet ? signAuth(t) : undefined),
    });
    const got = subscribe(relayConnection);
    await clock.advance(2_000);
    expect(relayConnection.info().auth).toBe('required');
    expect((await Promise.race([relayConnection.publish(event), clock.advance(20_000)]))?.type).toBe(
      'auth-required',
    );
    isSet = true;
    relayConnection.retryAuth();
    await clock.advance(70_000);
    expect(got.completions).toBe(1);
    expect(relay.subscriptions()).toBe(1);
  });

  test('and never believes ours is asked seldom, and ends requests', async () => {
    const { signAuth, signed } = authSigner();
    const { clock, relay, relayConnection } = virtual({ auth: 'both', signAuth });
    relay.misbehave({
      rewrite: (frame) => [frame[0] === 'OK' ? ['OK', frame[1], false, 'restricted: no'] : frame],
    });
    subscribe(relayConnection);
    const end = request(relayConnection);
    await clock.advance(600_000);
    expect(await end).toBe('incomplete');
    expect(signed.length).toBeLessThanOrEqual(40);
    expect(relayConnection.info()).toMatchObject({ auth: 'required', connected: true });
  });

  test('although it accepted ours is not asked in a loop', async () => {
    const { signAuth, signed } = authSigner();
    const { clock, relay, relayConnection } = virtual({ signAuth });
    relay.misbehave({
      rewrite: (frame) => {
        if (frame[0] === 'EOSE')
          return [
            ['AUTH', 'again'],
            ['CLOSED', frame[1], 'auth-required: prove yourself'],
          ];
        return [frame[0] === 'OK' ? ['OK', frame[1], true, ''] : frame];
      },
    });
    subscribe(relayConnection);
    await clock.advance(600_000);
    expect(signed.length).toBeLessThanOrEqual(121);
    const requests = relay.frames.filter(
      ({ direction, frame }) => direction === 'in' && (frame as unknown[])[0] === 'REQ',
    );
    expect(requests.length).toBeLessThan(240);
  });
});

describe('a flood of challenges', () => {
  test('costs at most one signature in 5 s, and the newest counts', async () => {
    const { signAuth, signed } = authSigner();
    const { clock, relay, relayConnection } = virtual({ signAuth, limits: { maxSubscriptions: 1_000 } });
    relay.misbehave({
      rewrite: (frame) => [frame[0] === 'EOSE' ? ['CLOSED', frame[1], 'auth-required: '] : frame],
    });
    subscribe(relayConnection);
    for (let i = 0; i < 600; i++) {
      relay.sendAll(['AUTH', String(i)]);
      await clock.advance(100);
    }
    expect(signed.length).toBeGreaterThan(3);
    expect(signed.length).toBeLessThanOrEqual(13);
    for (const { created_at, tags } of signed) {
      expect(Math.abs(stamp + Number(tags[1]![1]) / 10 - created_at)).toBeLessThan(1.2);
    }
  });

  test('in one go costs one signature', async () => {
    const { signAuth, signed } = authSigner();
    const { clock, relay, relayConnection } = virtual({ signAuth });
    relay.misbehave({
      rewrite: (frame) => [frame[0] === 'EOSE' ? ['CLOSED', frame[1], 'auth-required: '] : frame],
    });
    await clock.advance(0);
    for (let i = 0; i < 1_000; i++) relay.sendAll(['AUTH', String(i)]);
    subscribe(relayConnection);
    await clock.advance(900);
    expect(signed.map(({ tags }) => tags[1]![1])).toEqual(['999']);
  });
});
