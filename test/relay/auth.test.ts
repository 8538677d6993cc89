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

  test.each(['auth-required', 'restricted', 'silent'] as const)(
    'and is %s to strangers gets it before anything that it says counts',
    async (strangers) => {
      const { signAuth, signed } = authSigner();
      const { clock, relay, relayConnection } = virtual({ auth: 'both', strangers, signAuth });
      relay.inject(event);
      const got = subscribe(relayConnection);
      const [end, answer] = [request(relayConnection), relayConnection.publish(written({ category: 'b' }))];
      await clock.advance(0);
      expect(await end).toBe('complete');
      expect((await answer).type).not.toBe('refused');
      expect([got.events, got.completions, signed.length]).toEqual([[event], 1, 1]);
      expect(relay.subscriptions()).toBe(1);
    },
  );

  test.each(['auth-required', 'restricted', 'silent'] as const)(
    'and is %s to strangers has not answered one without a signer, whose subscription stays',
    async (strangers) => {
      const { clock, relay, relayConnection } = virtual({ auth: 'read', strangers });
      const got = subscribe(relayConnection);
      const end = request(relayConnection);
      await clock.advance(10_000);
      expect(await end).toBe('incomplete');
      expect(got.completions).toBe(0);
      await clock.advance(120_000);
      expect(received(relay, 'REQ').length).toBeLessThan(strangers === 'silent' ? 3 : 20);
    },
  );

  test.each(['ERROR: ', 'error: ', 'error:', ''])(
    'is understood behind %j, in a NOTICE too',
    async (before) => {
      for (const as of ['CLOSED', 'NOTICE']) {
        const { signAuth, signed } = authSigner();
        const { clock, relay, relayConnection } = virtual({ auth: 'read', flavour: 'khatru', signAuth });
        relay.misbehave({
          rewrite: (frame) => [
            frame[0] !== 'CLOSED'
              ? frame
              : [...(as === 'CLOSED' ? frame.slice(0, 2) : [as]), `${before}${String(frame[2])}`],
          ],
        });
        relay.inject(event);
        const got = subscribe(relayConnection);
        const end = request(relayConnection);
        await clock.advance(0);
        expect([await end, got.events, signed.length]).toEqual(['complete', [event], 1]);
      }
    },
  );

  test.each(['/', ''])(
    'is told the URL as it was spelled, %j at its end, then with the other slash',
    async (slash) => {
      const spelling = `wss://Relay.Example:443${slash}`;
      const other = `wss://Relay.Example:443${slash === '' ? '/' : ''}`;
      for (const wanted of [spelling, other, 'wss://elsewhere.example']) {
        const { signAuth, signed } = authSigner();
        const { clock, relay, relayConnection } = virtual({ auth: 'both', signAuth, spelling });
        const isRight = (id: unknown): boolean =>
          signed.find((one) => one.id === id)?.tags.some(([, url]) => url === wanted) === true;
        relay.misbehave({
          rewrite: (frame) => [
            frame[0] === 'OK'
              ? ['OK', frame[1], isRight(frame[1]), isRight(frame[1]) ? '' : 'error: url']
              : frame,
          ],
          receive: () => undefined,
        });
        const end = request(relayConnection);
        await clock.advance(4_000);
        expect(signed.map(({ tags }) => tags[0]![1])).toEqual(
          wanted === spelling ? [spelling] : [spelling, other],
        );
        expect(relayConnection.info()).toMatchObject({
          url: URL_OF_RELAY,
          auth: signed.some(({ id }) => isRight(id)) ? 'accepted' : 'required',
        });
        relayConnection.close();
        await end;
      }
    },
  );

  test('is refused once by a signer that says no, until one is set or the user acts', async () => {
    let asked = 0;
    const signAuth = async (): Promise<'declined'> => (asked++, 'declined');
    const { clock, relay, relayConnection } = virtual({ auth: 'both', signAuth });
    subscribe(relayConnection);
    await clock.advance(600_000);
    expect(asked).toBe(1);
    relay.disconnectAll();
    await clock.advance(600_000);
    expect(await Promise.race([relayConnection.publish(event), clock.advance(20_000)])).toMatchObject({
      type: 'auth-required',
    });
    expect(asked).toBe(1);
    relayConnection.retryAuth();
    await clock.advance(600_000);
    expect(asked).toBe(2);
  });

  test('is answered once there is a signer to ask, though there was none at first', async () => {
    const { signAuth, signed } = authSigner();
    let isThere = false;
    const later: typeof signAuth = async (template) => (isThere ? signAuth(template) : undefined);
    const { clock, relayConnection } = virtual({ auth: 'both', signAuth: later });
    const got = subscribe(relayConnection);
    await clock.advance(60_000);
    isThere = true;
    await clock.advance(600_000);
    expect([got.completions, signed.length]).toEqual([1, 1]);
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
      rewrite: (frame) => {
        if (frame[0] === 'EOSE') return [['CLOSED', frame[1], 'auth-required: ']];
        return [frame[0] === 'OK' ? ['OK', frame[1], true, ''] : frame];
      },
    });
    await clock.advance(0);
    for (let i = 0; i < 1_000; i++) relay.sendAll(['AUTH', String(i)]);
    subscribe(relayConnection);
    await clock.advance(900);
    expect(signed.map(({ tags }) => tags[1]![1])).toEqual(['999']);
  });
});
