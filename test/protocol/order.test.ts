/** The order of events is NIP-01's, total, and the next stamp is always above what it must win over. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SignedEvent } from '../../src/protocol/event.ts';
import { compareEvents, nextStamp } from '../../src/protocol/order.ts';

const eventAt = (created_at: number, id: string): SignedEvent => ({
  ...{ id, created_at, pubkey: '', kind: 30078, tags: [], content: '', sig: '' },
});
// Few stamps and few ids, so that ties and equals are frequent.
const event = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom('0a', '0b', '10', 'a0', 'ff'))
  .map(([stamp, id]) => eventAt(stamp, id.repeat(32)));

test('the higher stamp wins, on a tie the lower id', () => {
  expect(compareEvents(eventAt(2, 'f'), eventAt(1, '0'))).toBeGreaterThan(0);
  expect(compareEvents(eventAt(1, '9'), eventAt(1, 'a'))).toBeGreaterThan(0);
  expect(compareEvents(eventAt(1, 'a'), eventAt(1, '9'))).toBeLessThan(0);
  expect(compareEvents(eventAt(1, 'a'), eventAt(1, 'a'))).toBe(0);
});

test('the order is antisymmetric, transitive, and equal only for the same event', () => {
  fc.assert(
    fc.property(event, event, event, (a, b, c) => {
      expect(Math.sign(compareEvents(a, b)) + Math.sign(compareEvents(b, a))).toBe(0);
      if (compareEvents(a, b) >= 0 && compareEvents(b, c) >= 0)
        expect(compareEvents(a, c)).toBeGreaterThanOrEqual(0);
      expect(compareEvents(a, b) === 0).toBe(a.created_at === b.created_at && a.id === b.id);
    }),
  );
});

test('the winner of many is the same in whatever order they come', () => {
  fc.assert(
    fc.property(fc.array(event, { minLength: 1 }), fc.infiniteStream(fc.nat()), (events, chance) => {
      const shuffled = events.map((e) => ({ e, at: chance.next().value! })).toSorted((a, b) => a.at - b.at);
      const winner = (all: readonly SignedEvent[]): SignedEvent =>
        all.reduce((a, b) => (compareEvents(b, a) > 0 ? b : a));
      expect(winner(shuffled.map(({ e }) => e)).id).toBe(winner(events).id);
    }),
  );
});

test('the next stamp is the clock, or one above every floor', () => {
  expect(nextStamp(100)).toBe(100);
  expect(nextStamp(100, -1, 99)).toBe(100);
  expect(nextStamp(100, 100, 7)).toBe(101);
  expect(nextStamp(100, 3, 5_000)).toBe(5_001);
});
