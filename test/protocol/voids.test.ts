import { expect, test } from 'vitest';
import { MAX_VOIDS } from '../../src/protocol/limits.ts';
import { isVoid, joinVoids, parseVoids, voidsOf, voidTags } from '../../src/protocol/voids.ts';
import { written } from '../sync/devices.ts';

const id = (n: number): string => n.toString(16).padStart(64, '0');
const template = (created_at: number, ...tags: string[][]): Parameters<typeof voidsOf>[0] => ({
  ...{ kind: 30_078, created_at, content: '' },
  tags,
});

test('what is written can be read, and names only what is not below the event', () => {
  const voids = new Map([
    [id(2), 200],
    [id(1), 300],
    [id(3), 99],
  ]);
  const tags = voidTags(voids, 100);
  expect(tags).toEqual([['void', `${id(1)}:300`, `${id(2)}:200`]]);
  expect(voidsOf(template(100, ...tags.map((tag) => [...tag])))).toEqual(
    new Map([
      [id(1), 300],
      [id(2), 200],
    ]),
  );
  expect(voidTags(voids, 301)).toEqual([]);
});

test.each([
  ['an id that is none', ['x:300']],
  ['upper case', [`${id(171).toUpperCase()}:300`]],
  ['a stamp that is none', [`${id(1)}:1e9`]],
  ['a negative stamp', [`${id(1)}:-1`]],
  ['one entry too many', Array.from({ length: MAX_VOIDS + 1 }, (_, i) => `${id(i)}:300`)],
])('a tag with %s voids nothing', (_, entries) => {
  expect(parseVoids(entries)).toBeUndefined();
  expect(voidsOf(template(100, ['void', ...entries]))).toEqual(new Map());
});

test('only the event with that stamp is void', () => {
  const event = written({ created_at: 300 });
  expect(isVoid(new Map([[event.id, 300]]), event)).toBe(true);
  expect(isVoid(new Map([[event.id, 299]]), event)).toBe(false);
});

test('joined, there is room for the longest to come, and what adds nothing changes nothing', () => {
  const all = new Map(Array.from({ length: MAX_VOIDS }, (_, i) => [id(i), 1_000 + i]));
  expect(joinVoids(all, new Map([[id(3), 1_003]]))).toBe(all);
  const joined = joinVoids(all, new Map([[id(99), 5_000]]));
  expect(joined.size).toBe(MAX_VOIDS);
  expect([joined.has(id(99)), joined.has(id(0))]).toEqual([true, false]);
});
