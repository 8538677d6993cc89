/** The bounded memory: what is in it, and what goes first. */

import { expect, test } from 'vitest';
import { createRecent } from '../src/recent.ts';

test('the oldest go when it is full, the newest stays whatever its size', () => {
  const recent = createRecent<string>(
    () => 10,
    (text) => text.length,
  );
  recent.set('a', '1234');
  recent.set('b', '1234');
  expect(recent.get('a')).toBe('1234');
  recent.set('c', '1234');
  expect([recent.get('a'), recent.get('b'), recent.get('c')]).toEqual([undefined, '1234', '1234']);
  recent.set('d', '123456789012');
  expect([recent.get('b'), recent.get('c'), recent.get('d')]).toEqual([undefined, undefined, '123456789012']);
  recent.set('e', '1');
  expect([recent.get('d'), recent.get('e')]).toEqual([undefined, '1']);
});

test('what is set again counts once, and nothing is left after clear', () => {
  const recent = createRecent<string>(
    () => 4,
    (text) => text.length,
  );
  for (let i = 0; i < 10; i++) recent.set('a', '12');
  recent.set('b', '34');
  expect([recent.get('a'), recent.get('b')]).toEqual(['12', '34']);
  recent.clear();
  expect(recent.get('a')).toBeUndefined();
  recent.set('c', '1234');
  expect(recent.get('c')).toBe('1234');
});
