/** What becomes of each frame: which part it goes to, and whether the relay was asked for it. */

import { describe, expect, test } from 'vitest';
import { createHealth } from '../../src/relay/health.ts';
import { createIncoming } from '../../src/relay/incoming.ts';
import type { Publishing } from '../../src/relay/publishing.ts';
import type { Reconciler } from '../../src/relay/reconciling.ts';
import type { Requests } from '../../src/relay/requests.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { fakeAuth, type FakeAuth } from './parts.ts';

interface World {
  readonly receive: (text: string) => void;
  readonly auth: FakeAuth;
  /** What was called, in order. */
  readonly calls: unknown[];
  readonly work: number[];
  readonly health: () => object;
}

/** Parts that were asked for everything, or for nothing. */
function incoming(isAsked = true): World {
  const health = createHealth(createTestClock());
  const calls: unknown[] = [];
  const work: number[] = [];
  const taken =
    (name: string) =>
    (...args: unknown[]): boolean => (calls.push([name, ...args]), isAsked);
  const auth = fakeAuth();
  auth.challenged = taken('challenge');
  auth.require = taken('require');
  auth.answered = (id, accepted) => id === 'auth' && (calls.push(['auth answered', accepted]), true);
  const requests: Partial<Requests> = {
    event: taken('event'),
    complete: taken('complete'),
    closed: taken('closed'),
    awaitAuth: taken('requests wait'),
  };
  const publishing: Partial<Publishing> = { answered: taken('answered'), awaitAuth: taken('events wait') };
  const reconciler: Partial<Reconciler> = {
    message: taken('message'),
    refused: taken('refused'),
    isOurs: (id) => id.startsWith('n'),
    noticed: () => undefined,
  };
  const receive = createIncoming({
    ...{ health, auth },
    requests: requests as Requests,
    publishing: publishing as Publishing,
    reconciler: reconciler as Reconciler,
    onBurden: (one) => work.push(one),
    fail: taken('fail'),
  });
  const report = (): object => {
    const { lastError, violations } = health.report();
    return { lastError, violations };
  };
  return { receive, auth, calls, work, health: report };
}

const FOR_PARTS: [frame: unknown[], call: unknown[]][] = [
  [
    ['EVENT', '0', { id: 'x' }],
    ['event', '0', { id: 'x' }],
  ],
  [
    ['EOSE', '0'],
    ['complete', '0'],
  ],
  [
    ['NEG-MSG', 'n0', '61'],
    ['message', 'n0', '61'],
  ],
  [
    ['NEG-ERR', 'n0', 'blocked: no'],
    ['refused', 'n0', 'blocked: no'],
  ],
  [
    ['CLOSED', 'n0', 'error: what'],
    ['refused', 'n0', 'error: what'],
  ],
  [
    ['CLOSED', '0', 'error: x'],
    ['closed', '0', 'error: x'],
  ],
  [
    ['OK', 'id', false, 'blocked: x'],
    ['answered', 'id', false, 'blocked: x'],
  ],
];

describe('a frame', () => {
  test.each(FOR_PARTS)('goes to the part that waits for it: %j', (frame, call) => {
    const { receive, calls, work } = incoming();
    receive(JSON.stringify(frame));
    expect([calls, work]).toEqual([[call], []]);
  });

  test.each(FOR_PARTS)('is work that was not asked for if none waits for it: %j', (frame) => {
    const { receive, work, health } = incoming(false);
    const text = JSON.stringify(frame);
    receive(text);
    expect(work).toEqual([1 + text.length / 8_192]);
    expect(health()).toEqual({ lastError: null, violations: {} });
  });

  test.each(['}{', '[]', '["OK","id","true",""]', '["WHAT"]'])('that is none is a violation: %s', (text) => {
    const { receive, calls, work, health } = incoming();
    receive(text);
    expect([calls, work]).toEqual([[], [1 + text.length / 8_192]]);
    expect(health()).toEqual({ lastError: null, violations: { frame: 1 } });
  });

  test('over 262,144 characters ends the connection, and is not read', () => {
    const { receive, calls, work, health } = incoming();
    receive(`["NOTICE","${'x'.repeat(262_144)}"]`);
    expect([calls, work, health()]).toEqual([
      [['fail', 'frame too large']],
      [],
      { lastError: null, violations: { frame: 1 } },
    ]);
  });
});

describe('an OK about our AUTH', () => {
  test.each([
    [true, null],
    [false, 'invalid: x'],
  ])('goes to AUTH alone: %s', (accepted, lastError) => {
    const { receive, calls, work, health } = incoming();
    receive(JSON.stringify(['OK', 'auth', accepted, 'invalid: x']));
    expect([calls, work]).toEqual([[['auth answered', accepted]], []]);
    expect(health()).toEqual({ lastError, violations: {} });
  });
});

test('a challenge goes to AUTH, and is work: a relay may send any number of them', () => {
  const { receive, calls, work } = incoming();
  receive('["AUTH","x"]');
  expect([calls, work.length]).toEqual([[['challenge', 'x']], 1]);
});

describe('a NOTICE', () => {
  const REASON = 'auth-required: who are you?';

  test('that AUTH is wanted makes all that is under way wait for it', () => {
    const { receive, calls, work, health } = incoming();
    receive(JSON.stringify(['NOTICE', REASON]));
    expect(calls).toEqual([['requests wait'], ['events wait'], ['require']]);
    expect([work.length, health()]).toEqual([1, { lastError: REASON, violations: {} }]);
  });

  test('that says so although AUTH was accepted changes nothing', () => {
    const { receive, auth, calls, work } = incoming();
    auth.now = 'accepted';
    receive(JSON.stringify(['NOTICE', REASON]));
    expect([calls, work.length]).toEqual([[], 1]);
  });

  test('of anything else changes nothing', () => {
    const { receive, calls, work, health } = incoming();
    receive('["NOTICE","buy now"]');
    expect([calls, work.length, health()]).toEqual([[], 1, { lastError: null, violations: {} }]);
  });
});
