/** Every row of the answer table of docs/PROTOCOL.md, in the words of real relays. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classifyAnswer, prefixOf, saysWrongTime, type Answer } from '../../src/protocol/answer.ts';

test.each<[Answer['type'], boolean, string]>([
  ['acknowledged', true, ''],
  ['acknowledged', true, 'duplicate: already have this event'],
  ['acknowledged', true, 'duplicate:'],
  ['acknowledged', true, 'blocked: words of a relay that said yes'],
  ['acknowledged', false, 'duplicate: already have this event'],
  ['superseded', false, 'replaced: have newer event'],
  ['superseded', false, 'replaced: by another'],
  ['superseded', false, 'invalid: newest event already in database'],
  ['superseded', false, 'blocked: have newer version'],
  ['superseded', false, 'error: a newer event is stored'],
  ['clock', false, 'invalid: created_at too late'],
  ['clock', false, 'invalid: event is too far in the future'],
  ['clock', false, 'invalid: created_at is in the future'],
  [
    'clock',
    false,
    'invalid: event creation date is too far off from the current time. too far in the future',
  ],
  ['clock', false, 'The event created_at is out of the acceptable range (-30min, +30min) for this relay.'],
  ['rate-limited', false, 'rate-limited: slow down'],
  ['rate-limited', false, 'rate-limited:'],
  ['auth-required', false, "auth-required: we can't serve unauthenticated users"],
  ['refused', false, 'blocked: you are banned'],
  ['refused', false, 'restricted: not on the list'],
  ['refused', false, 'pow: difficulty 25 is less than 30'],
  ['refused', false, 'invalid: created_at too early'],
  ['refused', false, 'invalid: event too large: 66054 bytes'],
  ['refused', false, 'invalid: bad signature'],
  ['refused', false, 'deleted: its author asked for its deletion'],
  ['retry', false, 'error: could not connect to the database'],
  ['retry', false, 'error: event was replaced'],
  ['retry', false, ''],
  ['retry', false, 'mute: no one was listening'],
  ['retry', false, 'no prefix at all'],
  ['retry', false, '__proto__: x'],
])('%s: OK %s %j', (type, accepted, reason) => {
  expect(classifyAnswer(accepted, reason).type).toBe(type);
});

test.each([
  ['too-large', 'invalid: event too large: 66054 bytes'],
  ['too-large', 'Event size exceeds the maximum'],
  ['too-large', 'error: message length limit'],
  ['superseded', 'replaced: too large'],
  ['refused', 'invalid: bad signature'],
  ['retry', 'error: database'],
] as const)('%s: to a large event, %j', (type, reason) => {
  expect(classifyAnswer(false, reason, true)).toEqual(type === 'superseded' ? { type } : { type, reason });
});

test.each([
  ['blocked', 'blocked: you are banned'],
  ['auth-required', 'ERROR: auth-required: log in'],
  ['auth-required', 'error:auth-required: log in'],
  ['auth-required', 'error:   auth-required: log in'],
  ['restricted', 'Restricted: not on the list'],
  ['error', 'error: database'],
  ['', '(blocked: no letter begins it)'],
  ['', 'the word blocked: comes late'],
  ['', ': nothing before it'],
  ['', ''],
])('the prefix %j is that of %j', (prefix, reason) => {
  expect(prefixOf(reason)).toBe(prefix);
});

test('any text has a meaning, and only true or a duplicate is a yes', () => {
  fc.assert(
    fc.property(fc.string(), (reason) => {
      expect(classifyAnswer(true, reason).type).toBe('acknowledged');
      const isYes = classifyAnswer(false, reason).type === 'acknowledged';
      expect(isYes).toBe(reason.startsWith('duplicate:'));
    }),
  );
});

test.each([
  ['invalid: created_at is not within 10 minutes', true],
  ['auth-required: timestamp is too far from now', true],
  ['invalid: event is too old', true],
  ['error: created_at too late', true],
  ['restricted: not on the list', false],
  ['invalid: wrong challenge', false],
  ['auth-required: you must sign in', false],
])('that AUTH is refused with %j is for its time: %j', (reason, isTime) => {
  expect(saysWrongTime(reason)).toBe(isTime);
});
