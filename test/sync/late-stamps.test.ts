import { expect, test } from 'vitest';
import type { Answer } from '../../src/protocol/answer.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import type { Network } from '../../src/sync/relays/network.ts';
import { createLateStamps } from '../../src/sync/values/late-stamps.ts';
import { anAddress, aRelay } from '../names.ts';
import { written } from './devices.ts';

const A = aRelay('wss://a.example');
const B = aRelay('wss://b.example');
const DTAG = anAddress('default/settings/v1');
const event = written() as VerifiedEvent;
const other = written({ payload: 'else' }) as VerifiedEvent;
const record: HeadRecord = { ...EMPTY_RECORD, head: versionOf(event) };
const late: Answer = { type: 'clock', reason: 'invalid: created_at too late' };

/** What it asks a network for is which relays are connected. */
const knowing = (...connected: string[]): ReturnType<typeof createLateStamps> =>
  createLateStamps(
    () =>
      ({
        relays: () => [A, B].map((url) => ({ url, connected: connected.includes(url) })),
      }) as unknown as Network,
  );

test('a head is late if every connected relay says so, and of that very event', () => {
  const stamps = knowing(A, B);
  expect(stamps.isLate(DTAG, record)).toBe(false);
  expect(stamps.answered(DTAG, A, event, late)).toBe(true);
  expect(stamps.isLate(DTAG, record)).toBe(false);
  expect(stamps.answered(DTAG, B, event, late)).toBe(true);
  expect(stamps.isLate(DTAG, record)).toBe(true);
  expect(stamps.isLate(anAddress('default/other/v1'), record)).toBe(false);
  expect(stamps.isLate(DTAG, { ...record, head: versionOf(other) })).toBe(false);
  expect(stamps.isLate(DTAG, undefined)).toBe(false);
});

test('a relay that takes it after all says so no more', () => {
  const stamps = knowing(A);
  stamps.answered(DTAG, A, event, late);
  expect(stamps.answered(DTAG, A, other, { type: 'acknowledged' })).toBe(false);
  expect(stamps.isLate(DTAG, record)).toBe(true);
  expect(stamps.answered(DTAG, A, event, { type: 'acknowledged' })).toBe(false);
  expect(stamps.isLate(DTAG, record)).toBe(false);
});

test('another head begins with no answers', () => {
  const stamps = knowing(A, B);
  stamps.answered(DTAG, A, other, late);
  stamps.answered(DTAG, B, event, late);
  expect(stamps.isLate(DTAG, record)).toBe(false);
});

test('a refusal for good counts as well, and without a connected relay nothing is late', () => {
  const refused = { ...record, deliveries: new Map([[B, 'refused' as const]]) };
  const stamps = knowing(A, B);
  stamps.answered(DTAG, A, event, late);
  expect(stamps.isLate(DTAG, refused)).toBe(true);
  const alone = knowing();
  alone.answered(DTAG, A, event, late);
  expect(alone.isLate(DTAG, refused)).toBe(false);
});

test('an answer to a head before, which comes late, takes nothing back', () => {
  const stamps = knowing(A, B);
  stamps.answered(DTAG, A, event, late);
  stamps.answered(DTAG, B, other, late);
  stamps.answered(DTAG, B, event, late);
  expect(stamps.isLate(DTAG, record)).toBe(true);
});
