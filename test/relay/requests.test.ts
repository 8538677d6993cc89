/** REQs by themselves: what goes out for a question, and what becomes of it with each thing that can come back. */

import { describe, expect, test } from 'vitest';
import { createHealth, type HealthReport } from '../../src/relay/health.ts';
import { createRequests, type Ask, type RequestEnd, type Requests } from '../../src/relay/requests.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { fakeAuth, type FakeAuth } from './parts.ts';

interface World {
  readonly clock: TestClock;
  readonly requests: Requests;
  readonly auth: FakeAuth;
  readonly link: { state: 'waiting' | 'connecting' | 'open'; isCongested: boolean };
  /** Frames that went out, as `REQ 0`. */
  readonly sent: string[];
  readonly work: number[];
  readonly health: () => HealthReport;
  /** Asks once. */
  once(more?: Partial<Ask>): { readonly ends: RequestEnd[]; stop(): void };
  /** Asks for as long as it is not stopped. */
  live(more?: Partial<Ask>): { readonly completions: () => number; stop(): void };
}

/** All random numbers are 0: a subscription is asked for again after a second. */
function asking(state: World['link']['state'] = 'open'): World {
  const clock = createTestClock(1_000_000);
  const health = createHealth(clock);
  const auth = fakeAuth();
  const link: World['link'] = { state, isCongested: false };
  const sent: string[] = [];
  const work: number[] = [];
  const requests = createRequests({
    ...{ clock, health, auth },
    randomBytes: (length) => new Uint8Array(length),
    isOpen: () => link.state === 'open',
    isConnecting: () => link.state === 'connecting',
    write: ([type, id]) => {
      if (link.state !== 'open' || link.isCongested) return false;
      sent.push(`${type} ${String(id)}`);
      return true;
    },
    onBurden: (one) => work.push(one),
  });
  const handlers: Ask['handlers'] = { onEvent: () => 'useful' };
  return {
    ...{ clock, requests, auth, link, sent, work },
    health: () => health.report(),
    once: (more) => {
      const ends: RequestEnd[] = [];
      const stop = requests.add({
        ...{ filters: [{ kinds: [1] }], size: 1, handlers, onEnd: (end) => ends.push(end) },
        ...more,
      });
      return { ends, stop };
    },
    live: (more) => {
      let completions = 0;
      const stop = requests.add({
        ...{ filters: [{ kinds: [1] }], size: 1, handlers, onComplete: () => completions++ },
        ...more,
      });
      return { completions: () => completions, stop };
    },
  };
}

describe('a question that is put once', () => {
  test('ends complete with its EOSE, whose round trip is told, and leaves no timer', async () => {
    const { clock, requests, sent, once, health } = asking();
    const { ends } = once();
    await clock.advance(70);
    expect(requests.complete('0')).toBe(true);
    expect([ends, sent, clock.pending]).toEqual([['complete'], ['REQ 0', 'CLOSE 0'], 0]);
    expect(health().latencyMs).toBe(70);
  });

  test('ends incomplete 10 s after it was sent', async () => {
    const { clock, once, sent, health } = asking();
    const { ends } = once();
    await clock.advance(9_999);
    expect(ends).toEqual([]);
    await clock.advance(1);
    expect([ends, sent, health().lastError]).toEqual([
      ['incomplete'],
      ['REQ 0', 'CLOSE 0'],
      'no EOSE in time',
    ]);
  });

  test('ends unreached at once if no connection is being made', () => {
    const { once, sent } = asking('waiting');
    expect([once().ends, sent]).toEqual([['unreached'], []]);
  });

  test('waits for a connection that is being made, and goes out on it', () => {
    const { requests, link, once, sent } = asking('connecting');
    const { ends } = once();
    expect([ends, sent]).toEqual([[], []]);
    link.state = 'open';
    requests.opened();
    requests.complete('0');
    expect([ends, sent]).toEqual([['complete'], ['REQ 0', 'CLOSE 0']]);
  });

  test.each([
    ['unreached if it was never sent', 'connecting', 'unreached'],
    ['incomplete if it was sent', 'open', 'incomplete'],
  ] as const)('ends with its connection: %s', (_, state, end) => {
    const { requests, once, clock } = asking(state);
    const { ends } = once();
    requests.dropped();
    expect([ends, clock.pending]).toEqual([[end], 0]);
  });

  test('ends incomplete if too much is queued to send it', () => {
    const { link, once, health } = asking();
    link.isCongested = true;
    expect([once().ends, health().lastError]).toEqual([['incomplete'], 'congested']);
  });

  test('ends incomplete if the relay closes it, without a CLOSE of ours', () => {
    const { requests, once, sent } = asking();
    const { ends } = once();
    expect(requests.closed('0', 'error: overloaded')).toBe(true);
    expect([ends, sent]).toEqual([['incomplete'], ['REQ 0']]);
  });

  test('that is stopped ends without a word, once', () => {
    const { requests, once, sent, clock } = asking();
    const { ends, stop } = once();
    stop();
    stop();
    requests.close();
    expect([ends, sent, clock.pending]).toEqual([[], ['REQ 0', 'CLOSE 0'], 0]);
  });

  test('ends incomplete when all is closed', () => {
    const { requests, once, clock } = asking();
    const { ends } = once();
    requests.close();
    expect([ends, clock.pending]).toEqual([['incomplete'], 0]);
  });
});

test('a question that ends while it goes out ends once', async () => {
  const { clock, requests, once } = asking();
  const { ends } = once({ handlers: { onEvent: () => 'useful', onSent: () => requests.close() } });
  await clock.advance(60_000);
  expect(ends).toEqual(['incomplete']);
});

describe('a question that stays', () => {
  test('tells its EOSE, and stays on the wire without a deadline', async () => {
    const { clock, requests, live, sent } = asking();
    const { completions } = live();
    requests.complete('0');
    expect([completions(), clock.pending]).toEqual([1, 0]);
    await clock.advance(600_000);
    expect(sent).toEqual(['REQ 0']);
  });

  test('counts one EOSE for each REQ', () => {
    const { requests, live } = asking();
    const { completions } = live();
    expect([requests.complete('0'), requests.complete('0')]).toEqual([true, false]);
    expect(completions()).toBe(1);
  });

  test('waits while there is no connection, and is asked on each, under a new id', () => {
    const { requests, link, live, sent } = asking('waiting');
    let sentTimes = 0;
    live({ handlers: { onEvent: () => 'useful', onSent: () => sentTimes++ } });
    expect(sent).toEqual([]);
    link.state = 'open';
    requests.opened();
    requests.dropped();
    requests.opened();
    expect([sent, sentTimes]).toEqual([['REQ 0', 'REQ 1'], 2]);
  });

  test('has 30 s for its EOSE, and is asked again a second later', async () => {
    const { clock, live, sent } = asking();
    live();
    await clock.advance(29_999);
    expect(sent).toEqual(['REQ 0']);
    await clock.advance(1);
    expect(sent).toEqual(['REQ 0', 'CLOSE 0']);
    await clock.advance(1_000);
    expect(sent).toEqual(['REQ 0', 'CLOSE 0', 'REQ 1']);
  });

  test('that was stopped meanwhile is not asked again', async () => {
    const { clock, requests, live, sent } = asking();
    const { stop } = live();
    requests.closed('0', 'error: x');
    stop();
    await clock.advance(60_000);
    expect([sent, clock.pending]).toEqual([['REQ 0'], 0]);
  });

  test('is not asked again on a connection that is gone', async () => {
    const { clock, requests, link, live, sent } = asking();
    live();
    requests.closed('0', 'error: x');
    link.state = 'waiting';
    await clock.advance(60_000);
    expect([sent, clock.pending]).toEqual([['REQ 0'], 0]);
  });

  test('leaves no timer behind when its connection is gone', () => {
    const { clock, requests, live } = asking();
    live();
    requests.dropped();
    expect(clock.pending).toBe(0);
  });

  test('is over when all is closed', () => {
    const { requests, live, sent } = asking();
    live();
    requests.close();
    requests.opened();
    expect(sent).toEqual(['REQ 0', 'CLOSE 0']);
  });
});

test('a subscription that is closed again and again is asked for after longer pauses, until one has held for 30 s', async () => {
  const clock = createTestClock(1_000_000);
  const sentAt: number[] = [];
  const requests = createRequests({
    ...{ clock, health: createHealth(clock), auth: fakeAuth() },
    randomBytes: (length) => new Uint8Array(length).map((_, index) => (index === length - 1 ? 128 : 0)),
    isOpen: () => true,
    isConnecting: () => false,
    write: ([type]) => (type === 'REQ' && sentAt.push(clock.now()), true),
    onBurden: () => undefined,
  });
  requests.add({
    filters: [{}],
    size: 1,
    handlers: { onEvent: () => 'useful' },
    onComplete: () => undefined,
  });
  const pauses: number[] = [];
  for (const heldMs of [0, 0, 30_000, 30_001]) {
    requests.complete(String(sentAt.length - 1));
    await clock.advance(heldMs);
    const since = clock.now();
    requests.closed(String(sentAt.length - 1), 'error: x');
    const count = sentAt.length;
    while (sentAt.length === count) await clock.advance(100);
    pauses.push(clock.now() - since);
  }
  expect(pauses).toEqual([1_500, 2_000, 3_000, 1_500]);
});

describe('an event', () => {
  test('goes to the question it came for', () => {
    const { requests, once } = asking();
    const got: unknown[] = [];
    once();
    once({ handlers: { onEvent: (event) => (got.push(event), 'useful') } });
    expect(requests.event('1', 'an event')).toBe(true);
    expect(got).toEqual(['an event']);
  });

  test('beyond what was asked for is charged', () => {
    const { requests, once, work } = asking();
    once();
    for (let n = 0; n < 3; n++) requests.event('0', n);
    expect(work).toEqual([5, 5]);
  });

  test('without end ends a question that is put once', () => {
    const { requests, once, health } = asking();
    const { ends } = once({ handlers: { onEvent: () => 'useless' } });
    for (let n = 0; n < 34; n++) requests.event('0', n);
    expect(ends).toEqual([]);
    requests.event('0', 'one more');
    expect([ends, health().violations]).toEqual([['incomplete'], { flood: 1 }]);
  });

  test('is counted for its REQ: the next one begins at none', async () => {
    const { clock, requests, live, health } = asking();
    live({ handlers: { onEvent: () => 'useless' } });
    for (let n = 0; n < 34; n++) requests.event('0', n);
    requests.closed('0', 'error: x');
    await clock.advance(1_000);
    requests.event('1', 'one more');
    expect(health().violations).toEqual({});
  });

  test('that cost the relay its connection makes no flood of its question', () => {
    const clock = createTestClock();
    const health = createHealth(clock);
    const requests = createRequests({
      ...{ clock, health, auth: fakeAuth() },
      randomBytes: (length) => new Uint8Array(length),
      isOpen: () => true,
      isConnecting: () => false,
      write: () => true,
      onBurden: () => requests.dropped(),
    });
    let verdict: 'useless' | 'signature' = 'useless';
    requests.add({
      ...{ filters: [{}], size: 0, handlers: { onEvent: () => verdict } },
      onComplete: () => undefined,
    });
    for (let n = 0; n < 32; n++) requests.event('0', n);
    verdict = 'signature';
    requests.event('0', 'the last straw');
    expect([health.report().violations, clock.pending]).toEqual([{ signature: 1 }, 0]);
  });
});

describe('a frame', () => {
  test.each([
    ['for a question that is over', '0', {}],
    ['for an id that was never used', '7', { subscription: 3 }],
    ['for an id of another kind', 'zero', { subscription: 3 }],
  ])('%s was not asked for', (_, id, violations) => {
    const { requests, once, health } = asking();
    once().stop();
    expect([requests.event(id, 'x'), requests.complete(id), requests.closed(id, 'x')]).toEqual([
      false,
      false,
      false,
    ]);
    expect(health().violations).toEqual(violations);
  });
});

describe('while AUTH is open', () => {
  test('an EOSE does not count before AUTH was accepted and the question was put again', () => {
    const { requests, auth, once, sent } = asking();
    auth.isChallenged = true;
    const { ends } = once();
    expect(requests.complete('0')).toBe(true);
    expect([ends, sent, auth.required]).toEqual([[], ['REQ 0', 'CLOSE 0'], 1]);
    auth.now = 'accepted';
    requests.authAccepted();
    requests.complete('1');
    expect([ends, sent]).toEqual([['complete'], ['REQ 0', 'CLOSE 0', 'REQ 1', 'CLOSE 1']]);
  });

  test('a question that stays keeps its REQ, which has no deadline any more', async () => {
    const { clock, requests, auth, live, sent } = asking();
    auth.isChallenged = true;
    const { completions } = live();
    requests.complete('0');
    expect([completions(), sent, clock.pending]).toEqual([0, ['REQ 0'], 0]);
    requests.authRefused();
    await clock.advance(60_000);
    expect(sent).toEqual(['REQ 0']);
    auth.now = 'accepted';
    requests.authAccepted();
    expect(sent).toEqual(['REQ 0', 'CLOSE 0', 'REQ 1']);
  });

  test('a question that the relay closed for lack of AUTH waits for it', () => {
    const { requests, auth, once, sent, health } = asking();
    const { ends } = once();
    requests.closed('0', 'auth-required: who are you?');
    expect([ends, auth.required, health().lastError]).toEqual([[], 1, 'auth-required: who are you?']);
    requests.authAccepted();
    expect(sent).toEqual(['REQ 0', 'REQ 1']);
  });

  test('and ends incomplete if there is none to be had', () => {
    const { requests, once } = asking();
    const { ends } = once();
    requests.closed('0', 'auth-required: who are you?');
    requests.authRefused();
    expect(ends).toEqual(['incomplete']);
  });

  test('what waits for something else is not told that there is none', () => {
    const { requests, live, health } = asking();
    live();
    requests.closed('0', 'error: x');
    requests.authRefused();
    expect(health().lastError).toBe('error: x');
  });

  test('it ends if AUTH was accepted and the relay still wants it', () => {
    const { requests, auth, once } = asking();
    auth.now = 'accepted';
    const { ends } = once();
    requests.closed('0', 'auth-required: who are you?');
    expect([ends, auth.required]).toEqual([['incomplete'], 0]);
  });

  test.each([
    ['EOSE', 'complete'],
    ['CLOSED', 'closed'],
  ] as const)(
    'what was asked before it was accepted, and gets %s after that, is asked again once',
    (_, how) => {
      const { requests, auth, once, sent } = asking();
      const { ends } = once();
      auth.now = 'accepted';
      requests.authAccepted();
      for (const id of ['0', '1']) requests[how](id, 'auth-required: who are you?');
      expect(sent.filter((frame) => frame.startsWith('REQ'))).toEqual(['REQ 0', 'REQ 1']);
      expect(ends).toEqual([how === 'complete' ? 'complete' : 'incomplete']);
    },
  );

  test('only what waited for AUTH is asked again', () => {
    const { requests, once, sent } = asking();
    once();
    once();
    requests.closed('1', 'auth-required: who are you?');
    requests.authAccepted();
    expect(sent).toEqual(['REQ 0', 'REQ 1', 'REQ 2']);
  });

  test('a NOTICE may mean all that is on the wire', () => {
    const { requests, live, link, sent } = asking();
    live();
    requests.awaitAuth();
    requests.authAccepted();
    expect(sent).toEqual(['REQ 0', 'CLOSE 0', 'REQ 1']);
    // And nothing that is not.
    requests.closed('1', 'error: x');
    requests.awaitAuth();
    link.state = 'open';
    requests.authAccepted();
    expect(sent).toHaveLength(3);
  });

  test('what waited on one connection does not wait on the next', () => {
    const { requests, live, sent } = asking();
    live();
    requests.awaitAuth();
    requests.dropped();
    requests.authAccepted();
    expect(sent).toEqual(['REQ 0']);
  });
});
