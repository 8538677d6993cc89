/** The AUTH exchange by itself: when a signer is asked, for what, and what the relay's answer means. */

import { describe, expect, test } from 'vitest';
import type { EventTemplate } from '../../src/protocol/event.ts';
import { createAuthExchange, type AuthExchange, type SignedAuth } from '../../src/relay/auth.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { eventOf } from './parts.ts';

const START = 1_767_225_600_000;

interface World {
  readonly clock: TestClock;
  readonly auth: AuthExchange;
  /** What the signer was asked to sign. */
  readonly templates: EventTemplate[];
  /** Ids of what went out: `auth 1` answers the first signature. */
  readonly sent: string[];
  /** What the exchange called, in order. */
  readonly calls: string[];
  /** What the signer says; default a signed event. */
  signer: { answer: 'sign' | 'declined' | undefined; held: Promise<void> };
}

function exchange(url = 'wss://relay.example'): World {
  const clock = createTestClock(START);
  const templates: EventTemplate[] = [];
  const sent: string[] = [];
  const calls: string[] = [];
  const signer: World['signer'] = { answer: 'sign', held: Promise.resolve() };
  const auth = createAuthExchange({
    ...{ clock, url },
    signAuth: async (template): Promise<SignedAuth> => {
      templates.push(template);
      const id = `auth ${templates.length}`;
      await signer.held;
      return signer.answer === 'sign' ? eventOf(id) : signer.answer;
    },
    send: (event) => sent.push(event.id),
    onRequired: () => calls.push('required'),
    onAccepted: () => calls.push('accepted'),
    onRefused: () => calls.push('refused'),
    onWrongTime: (reason) => calls.push(`wrong time: ${reason}`),
  });
  return { clock, auth, templates, sent, calls, signer };
}

/** After a challenge, something was refused for lack of AUTH, and the answer to the challenge is on its way. */
async function answering(url?: string): Promise<World> {
  const world = exchange(url);
  world.auth.challenged('first');
  world.auth.require();
  await world.clock.advance(0);
  return world;
}

describe('a challenge', () => {
  test('is not answered before something was refused', async () => {
    const { clock, auth, templates } = exchange();
    auth.challenged('first');
    await clock.advance(60_000);
    expect([templates, auth.state(), auth.isOpen()]).toEqual([[], 'none', true]);
  });

  test('is answered with the URL, the challenge and the time', async () => {
    const { templates, sent, calls, auth } = await answering();
    expect(templates).toEqual([
      {
        kind: 22_242,
        created_at: START / 1_000,
        tags: [
          ['relay', 'wss://relay.example'],
          ['challenge', 'first'],
        ],
        content: '',
      },
    ]);
    expect([sent, calls, auth.state()]).toEqual([['auth 1'], ['required'], 'required']);
  });

  test('that comes after the refusal is answered as well', async () => {
    const { clock, auth, sent } = exchange();
    auth.require();
    await clock.advance(0);
    expect(sent).toEqual([]);
    auth.challenged('late');
    await clock.advance(0);
    expect(sent).toEqual(['auth 1']);
  });

  test('that is replaced while it is signed is not answered; the newer one is, 5 s after', async () => {
    const { clock, auth, templates, sent, signer } = exchange();
    let release = (): void => undefined;
    signer.held = new Promise((resolve) => (release = resolve));
    auth.challenged('first');
    auth.require();
    auth.challenged('second');
    release();
    await clock.advance(4_999);
    expect(sent).toEqual([]);
    await clock.advance(1);
    expect([sent, templates.map(({ tags }) => tags[1]![1])]).toEqual([['auth 2'], ['first', 'second']]);
  });

  test('of a socket that is gone is not answered', async () => {
    const { clock, auth, sent, signer, calls } = exchange();
    let release = (): void => undefined;
    signer.held = new Promise((resolve) => (release = resolve));
    auth.challenged('first');
    auth.require();
    auth.reset();
    release();
    await clock.advance(60_000);
    expect([sent, calls, auth.state(), auth.isOpen()]).toEqual([[], ['required'], 'none', false]);
  });

  test('of the next socket is not answered with what was signed for the last, even if it is the same', async () => {
    const { clock, auth, sent, signer } = exchange();
    let release = (): void => undefined;
    signer.held = new Promise((resolve) => (release = resolve));
    auth.challenged('first');
    auth.require();
    auth.reset();
    auth.challenged('first');
    release();
    await clock.advance(60_000);
    expect(sent).toEqual([]);
  });

  test('that is said again while it is answered, or after that, asks for nothing', async () => {
    const { clock, auth, sent, templates } = await answering();
    auth.challenged('first');
    await clock.advance(1);
    auth.answered('auth 1', true, '');
    auth.challenged('first');
    expect([auth.state(), auth.isOpen()]).toEqual(['accepted', false]);
    await clock.advance(60_000);
    expect([sent, templates.length]).toEqual([['auth 1'], 1]);
  });

  test('after AUTH was accepted opens it again', async () => {
    const { auth } = await answering();
    auth.answered('auth 1', true, '');
    expect([auth.state(), auth.isOpen()]).toEqual(['accepted', false]);
    auth.challenged('second');
    expect([auth.state(), auth.isOpen()]).toEqual(['none', true]);
  });
});

describe('an OK', () => {
  test('about something else is not ours', async () => {
    const { auth, calls } = await answering();
    expect(auth.answered('another', true, '')).toBe(false);
    expect([auth.state(), calls]).toEqual(['required', ['required']]);
  });

  test('about what was sent on the last socket is not ours', async () => {
    const { auth, calls } = await answering();
    auth.reset();
    expect([auth.answered('auth 1', true, ''), auth.state(), calls]).toEqual([false, 'none', ['required']]);
  });

  test('that is true is told, counts once, and leaves no timer', async () => {
    const { clock, auth, calls } = await answering();
    expect(auth.answered('auth 1', true, '')).toBe(true);
    expect([auth.state(), calls, clock.pending]).toEqual(['accepted', ['required', 'accepted'], 0]);
    expect(auth.answered('auth 1', true, '')).toBe(false);
  });

  test.each([
    ['wss://relay.example', 'wss://relay.example/'],
    ['wss://relay.example/', 'wss://relay.example'],
  ])('that is false has the other slash tried at once: after %s, %s', async (url, other) => {
    const { clock, auth, templates, sent, calls } = await answering(url);
    auth.answered('auth 1', false, 'invalid: wrong relay');
    await clock.advance(0);
    expect(templates.map(({ tags }) => tags[0]![1])).toEqual([url, other]);
    expect([sent, calls]).toEqual([['auth 1', 'auth 2'], ['required']]);
    auth.answered('auth 2', false, 'invalid: wrong relay');
    await clock.advance(60_000);
    expect([sent.length, calls.at(-1)]).toEqual([2, 'refused']);
  });

  test('that is false on the next socket has the other slash tried once more', async () => {
    const { clock, auth, sent, calls } = await answering();
    for (const id of ['auth 1', 'auth 2']) {
      auth.answered(id, false, 'invalid: wrong relay');
      await clock.advance(0);
    }
    auth.reset();
    auth.challenged('next');
    auth.require();
    await clock.advance(5_000);
    calls.length = 0;
    auth.answered('auth 3', false, 'invalid: wrong relay');
    await clock.advance(0);
    expect([sent.at(-1), calls]).toEqual(['auth 4', []]);
  });

  test('that never comes is waited for for 15 s; then it is asked for again', async () => {
    const { clock, auth, sent, calls } = await answering();
    auth.require();
    await clock.advance(14_999);
    expect([sent.length, calls.includes('refused')]).toEqual([1, false]);
    await clock.advance(1);
    expect(calls.at(-1)).toBe('refused');
    expect(auth.answered('auth 1', true, '')).toBe(false);
    auth.require();
    await clock.advance(0);
    expect(sent).toHaveLength(2);
  });

  test('that finds the time wrong is told once, until one is true', async () => {
    const { clock, auth, calls } = await answering();
    const reason = 'invalid: created_at too early';
    auth.answered('auth 1', false, reason);
    await clock.advance(0);
    auth.answered('auth 2', false, reason);
    expect(calls.filter((call) => call.startsWith('wrong'))).toEqual([`wrong time: ${reason}`]);
    auth.require();
    await clock.advance(5_000);
    auth.answered('auth 3', true, '');
    auth.challenged('next');
    auth.require();
    await clock.advance(10_000);
    auth.answered('auth 4', false, reason);
    expect(calls.filter((call) => call.startsWith('wrong'))).toHaveLength(2);
  });
});

describe('a signer', () => {
  test('that says no is not asked again, but when the user acts', async () => {
    const { clock, auth, templates, calls, signer } = exchange();
    signer.answer = 'declined';
    auth.challenged('first');
    auth.require();
    await clock.advance(600_000);
    auth.require();
    auth.challenged('second');
    auth.reset();
    auth.challenged('third');
    auth.require();
    await clock.advance(600_000);
    expect(templates).toHaveLength(1);
    expect(calls.filter((call) => call === 'refused').length).toBeGreaterThan(1);
    auth.retry();
    await clock.advance(600_000);
    expect(templates).toHaveLength(2);
  });

  test('that is not set ends the waiting, and is asked when something needs AUTH again', async () => {
    const { clock, auth, templates, calls, signer } = exchange();
    signer.answer = undefined;
    auth.challenged('first');
    auth.require();
    await clock.advance(60_000);
    expect([templates.length, calls]).toEqual([1, ['required', 'refused']]);
    auth.require();
    await clock.advance(0);
    expect(templates).toHaveLength(2);
  });

  test('that takes its time is asked one thing at a time', async () => {
    const { clock, auth, templates, signer } = exchange();
    signer.held = new Promise(() => undefined);
    auth.challenged('first');
    auth.require();
    await clock.advance(60_000);
    auth.challenged('second');
    auth.require();
    await clock.advance(60_000);
    expect(templates).toHaveLength(1);
  });

  test('is not asked by a user who acts while no AUTH is required', async () => {
    const { clock, auth, templates } = exchange();
    auth.challenged('first');
    auth.retry();
    await clock.advance(60_000);
    expect(templates).toEqual([]);
  });

  test('is asked at most every 5, 10, 20… s by a relay that goes on challenging, at last every 300 s', async () => {
    const { clock, auth, templates } = exchange();
    const at: number[] = [];
    for (let s = 0; s < 2_000; s++) {
      auth.challenged(String(s));
      auth.require();
      await clock.advance(0);
      while (at.length < templates.length) at.push(s);
      await clock.advance(1_000);
    }
    const gaps = at.slice(1).map((second, index) => second - at[index]!);
    expect(gaps.slice(0, 8)).toEqual([5, 10, 20, 40, 80, 160, 300, 300]);
  });

  test('may be asked at once on the next connection, if the last time is long ago', async () => {
    const { clock, auth, templates } = await answering();
    await clock.advance(5_000);
    auth.reset();
    auth.challenged('next');
    auth.require();
    await clock.advance(0);
    expect(templates).toHaveLength(2);
  });

  test('is asked every 5 s again on the next connection', async () => {
    const { clock, auth, templates } = await answering();
    for (const challenge of ['second', 'third']) {
      auth.challenged(challenge);
      auth.require();
      await clock.advance(10_000);
    }
    expect(templates).toHaveLength(3);
    auth.reset();
    auth.challenged('next');
    auth.require();
    await clock.advance(5_000);
    expect(templates).toHaveLength(4);
  });

  test('is asked though the clock was set back', async () => {
    const { clock, auth, templates } = await answering();
    auth.answered('auth 1', true, '');
    clock.set(START - 3_600_000);
    auth.challenged('next');
    auth.require();
    await clock.advance(0);
    expect(templates).toHaveLength(2);
  });
});

test.each([
  ['auth-required: x', true, true],
  ['error: auth-required: x', true, true],
  ['restricted: x', false, true],
  ['blocked: x', false, false],
  ['', false, false],
])('AUTH is wanted by %j: %s before a challenge, %s after', (reason, before, after) => {
  const { auth } = exchange();
  expect(auth.isWanted(reason)).toBe(before);
  auth.challenged('first');
  expect(auth.isWanted(reason)).toBe(after);
});

test('a restriction is final once AUTH was accepted', async () => {
  const { auth } = await answering();
  auth.answered('auth 1', true, '');
  expect(auth.isWanted('restricted: x')).toBe(false);
});
