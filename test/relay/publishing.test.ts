/** Events on their way to one relay, by themselves: what each ends with. */

import { describe, expect, test } from 'vitest';
import type { Answer } from '../../src/protocol/answer.ts';
import { createLimitsLearner, UNKNOWN_LIMITS, type EventLimits } from '../../src/relay/event-limits.ts';
import { createHealth, type HealthReport } from '../../src/relay/health.ts';
import { createPublishing, type Publishing } from '../../src/relay/publishing.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { aRelay } from '../names.ts';
import { eventOf, fakeAuth, type FakeAuth } from './parts.ts';

interface World {
  readonly clock: TestClock;
  readonly publishing: Publishing;
  readonly auth: FakeAuth;
  readonly link: { isOpen: boolean; isCongested: boolean };
  /** Ids of the events that went out. */
  readonly sent: string[];
  readonly health: () => HealthReport;
  readonly known: () => EventLimits;
  /** Publishes, and collects the answer once there is one. */
  publish(id: string, bytes?: number): Answer[];
}

function publishing(): World {
  const clock = createTestClock(1_000_000);
  const health = createHealth(clock);
  const auth = fakeAuth();
  const link = { isOpen: true, isCongested: false };
  const sent: string[] = [];
  let known = UNKNOWN_LIMITS;
  const limits = createLimitsLearner(aRelay('wss://relay.example'), {
    get: () => known,
    set: (_url, learned) => void (known = learned),
  });
  const made = createPublishing({
    ...{ clock, limits, health, auth },
    isOpen: () => link.isOpen,
    write: (frame) => {
      if (!link.isOpen || link.isCongested) return false;
      const [type, event] = JSON.parse(frame) as [string, { id: string }];
      sent.push(`${type} ${event.id}`);
      return true;
    },
  });
  return {
    ...{ clock, publishing: made, auth, link, sent },
    health: () => health.report(),
    known: () => known,
    publish: (id, bytes) => {
      const answers: Answer[] = [];
      void made.publish(eventOf(id, bytes)).then((answer) => answers.push(answer));
      return answers;
    },
  };
}

describe('an event', () => {
  test('is acknowledged with its OK, whose round trip is told, and leaves no timer', async () => {
    const { clock, publishing: made, publish, sent, health, known } = publishing();
    const answers = publish('a');
    await clock.advance(40);
    expect(made.answered('a', true, '')).toBe(true);
    await clock.advance(0);
    expect([answers, sent, clock.pending]).toEqual([[{ type: 'acknowledged' }], ['EVENT a'], 0]);
    expect(health()).toMatchObject({ latencyMs: 40, lastError: null });
    expect(known().acceptedBytes).toBe(JSON.stringify(eventOf('a')).length);
  });

  test('that is refused ends with the reason, which is the last complaint', async () => {
    const { clock, publishing: made, publish, health } = publishing();
    const answers = publish('a');
    made.answered('a', false, 'blocked: no');
    await clock.advance(0);
    expect([answers, health().lastError]).toEqual([
      [{ type: 'refused', reason: 'blocked: no' }],
      'blocked: no',
    ]);
  });

  test('without an answer is to be tried again after 15 s', async () => {
    const { clock, publishing: made, publish } = publishing();
    const answers = publish('a');
    await clock.advance(14_999);
    expect(answers).toEqual([]);
    await clock.advance(1);
    expect(answers).toEqual([{ type: 'retry', reason: 'no answer in time' }]);
    expect(made.answered('a', true, '')).toBe(false);
  });

  test.each([
    ['not connected', { isOpen: false }],
    ['congested', { isCongested: true }],
  ])('that cannot go out is to be tried again: %s', async (reason, state) => {
    const { clock, link, publish } = publishing();
    Object.assign(link, state);
    const answers = publish('a');
    await clock.advance(0);
    expect([answers, clock.pending]).toEqual([[{ type: 'retry', reason }], 0]);
  });

  test('is on its way once', async () => {
    const { clock, publish, sent } = publishing();
    publish('a');
    const again = publish('a');
    await clock.advance(0);
    expect([again, sent]).toEqual([[{ type: 'retry', reason: 'already on its way' }], ['EVENT a']]);
  });

  test('may go out again after its answer', async () => {
    const { publishing: made, publish, sent } = publishing();
    publish('a');
    made.answered('a', true, '');
    publish('a');
    expect(sent).toEqual(['EVENT a', 'EVENT a']);
  });

  test('is to be tried again when the socket is gone', async () => {
    const { clock, publishing: made, publish } = publishing();
    const answers = [publish('a'), publish('b')];
    made.dropped('offline');
    await clock.advance(0);
    const retry = [{ type: 'retry', reason: 'offline' }];
    expect([answers, clock.pending]).toEqual([[retry, retry], 0]);
  });
});

test('an OK that was not waited for is a violation', () => {
  const { publishing: made, health } = publishing();
  expect(made.answered('a', true, '')).toBe(false);
  expect(health().violations).toEqual({ answer: 1 });
});

describe('the size of an event', () => {
  test('that the relay refused once is not sent again, nor a larger one', async () => {
    const { clock, publishing: made, publish, sent, known } = publishing();
    const first = publish('a', 20_000);
    made.answered('a', false, 'invalid: event too large');
    const second = publish('b', 20_001);
    publish('c', 10_000);
    await clock.advance(0);
    expect(first).toMatchObject([{ type: 'too-large' }]);
    expect(second).toEqual([{ type: 'too-large', reason: 'the relay takes no events of this size' }]);
    expect(sent).toEqual(['EVENT a', 'EVENT c']);
    expect(known().refusedBytes).toBe(JSON.stringify(eventOf('a', 20_000)).length);
  });

  test('is counted in bytes, not in characters', () => {
    const { publishing: made, known } = publishing();
    const event = { ...eventOf('a'), content: 'ä' };
    void made.publish(event);
    made.answered('a', true, '');
    expect(known().acceptedBytes).toBe(JSON.stringify(event).length + 1);
  });

  test('is no reason below 8 KB, whatever the relay says', async () => {
    const { clock, publishing: made, publish, known } = publishing();
    const answers = publish('a', 1_000);
    made.answered('a', false, 'invalid: event too large');
    await clock.advance(0);
    expect([answers[0]?.type, known().refusedBytes]).toEqual(['refused', null]);
  });

  test('is the reason when the relay hangs up four times on the largest of what is on its way', async () => {
    const { clock, publishing: made, publish, known } = publishing();
    const answers: Answer[][] = [];
    for (let n = 0; n < 4; n++) {
      answers.push(publish('small'), publish('large', 20_000), publish('middle', 10_000));
      made.hungUp();
      made.dropped('gone');
      await clock.advance(0);
    }
    const types = answers.map(([answer]) => answer?.type);
    expect(types.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => 'retry'));
    expect(types.slice(9)).toEqual(['retry', 'too-large', 'retry']);
    expect(known().refusedBytes).toBe(JSON.stringify(eventOf('large', 20_000)).length);
  });

  test('is not in question when the relay hangs up on nothing', () => {
    const { publishing: made, known } = publishing();
    for (let n = 0; n < 9; n++) made.hungUp();
    expect(known()).toEqual(UNKNOWN_LIMITS);
  });
});

describe('an event that is refused for lack of AUTH', () => {
  const REASON = 'auth-required: who are you?';

  test('waits for it, and goes out again', async () => {
    const { clock, publishing: made, auth, publish, sent } = publishing();
    const answers = publish('a');
    publish('b');
    expect(made.answered('a', false, REASON)).toBe(true);
    await clock.advance(0);
    expect([answers, auth.required]).toEqual([[], 1]);
    auth.now = 'accepted';
    made.authAccepted();
    expect(sent).toEqual(['EVENT a', 'EVENT b', 'EVENT a']);
    made.authAccepted();
    expect(sent).toHaveLength(3);
    made.answered('a', true, '');
    await clock.advance(0);
    expect(answers).toEqual([{ type: 'acknowledged' }]);
  });

  test('ends if there is none to be had, and no other does', async () => {
    const { clock, publishing: made, publish } = publishing();
    const answers = [publish('a'), publish('b')];
    made.answered('a', false, REASON);
    made.authRefused();
    await clock.advance(0);
    expect(answers).toEqual([[{ type: 'auth-required', reason: 'AUTH not possible' }], []]);
  });

  test('although AUTH was accepted is to be tried again', async () => {
    const { clock, publishing: made, auth, publish } = publishing();
    auth.now = 'accepted';
    const answers = publish('a');
    made.answered('a', false, REASON);
    await clock.advance(0);
    expect([answers, auth.required]).toEqual([[{ type: 'retry', reason: REASON }], 0]);
  });

  test('after AUTH was accepted, but sent before it, goes out again once', async () => {
    const { clock, publishing: made, auth, publish, sent } = publishing();
    const answers = publish('a');
    auth.now = 'accepted';
    made.authAccepted();
    made.answered('a', false, REASON);
    await clock.advance(0);
    expect([answers, sent, auth.required]).toEqual([[], ['EVENT a', 'EVENT a'], 0]);
    made.answered('a', false, REASON);
    await clock.advance(0);
    expect([answers, sent.length]).toEqual([[{ type: 'retry', reason: REASON }], 2]);
  });

  test('may be any of those on their way, if a NOTICE says so', () => {
    const { publishing: made, publish, sent } = publishing();
    publish('a');
    publish('b');
    made.awaitAuth();
    made.authAccepted();
    expect(sent).toEqual(['EVENT a', 'EVENT b', 'EVENT a', 'EVENT b']);
  });
});
