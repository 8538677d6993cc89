/** Which answers count as those of all relays. */

import { expect, test } from 'vitest';
import { isFromAll, isFromEvery } from '../../src/sync/relays/network.ts';
import { aRelay } from '../names.ts';

const [NORTH, SOUTH] = [aRelay('wss://north.example'), aRelay('wss://south.example')];

test('a relay that could not be reached is none of all that answered, and is one of every relay', () => {
  const answers = { complete: [NORTH], incomplete: [] };
  expect([isFromAll(answers), isFromEvery(answers, [NORTH, SOUTH])]).toEqual([true, false]);
  expect(isFromEvery(answers, [NORTH])).toBe(true);
});

test('without a relay nothing is known', () => {
  const answers = { complete: [], incomplete: [] };
  expect([isFromAll(answers), isFromEvery(answers, [])]).toEqual([false, false]);
});
