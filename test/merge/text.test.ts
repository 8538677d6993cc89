/** Texts, by their lines. */

import { expect, test } from 'vitest';
import { merge3, type Merged } from '../../src/merge/merge3.ts';
import { text } from '../../src/merge/text.ts';

const lines = (all: string): string => all.split(' ').join('\n');
const merge = (base: unknown, mine: unknown, theirs: unknown, isExact = true): Merged<unknown> =>
  merge3<unknown>({ base, mine, theirs, rules: text, isExact });

test.each<readonly [string, string, string, string, string]>([
  ['two edits apart', 'a b c', 'A b c', 'a b C', 'A b C'],
  ['two additions apart', 'a b', 'x a b', 'a b y', 'x a b y'],
  ['a removal and an edit apart', 'a b c d', 'b c d', 'a b c D', 'b c D'],
  ['two removals beside each other', 'a b c', 'a c', 'a b', 'a'],
  ['the removal of all of it', 'a b', 'a', 'b', ''],
  ['the same edit', 'a b c', 'a x c', 'a x c', 'a x c'],
  ['the same edit, and another', 'a b c', 'a x c d', 'a x c', 'a x c d'],
  ['what one has added is in what the other has', 'a c', 'a b c', 'a x b c', 'a x b c'],
  ['and the other way', 'a c', 'a x b c', 'a b c', 'a x b c'],
])('%s', (_, base, mine, theirs, value) => {
  expect(merge(lines(base), lines(mine), lines(theirs))).toEqual({ value: lines(value), clashes: [] });
});

test.each<readonly [string, string, string, string, string]>([
  ['one line, two edits', 'a b c', 'a x c', 'a y c', 'a y x c'],
  ['two additions in one place', 'a c', 'a x c', 'a y c', 'a y x c'],
  ['at the end', 'a', 'a x', 'a y', 'a y x'],
  ['an edit wins over a removal', 'a b c', 'a c', 'a x c', 'a x c'],
  ['an edit wins over the removal of all of it', 'a b', '', 'a c', 'a c'],
  ['from either side', 'a b c', 'a x c', 'a c', 'a x c'],
])('%s: both stay, theirs first, and a clash is told', (_, base, mine, theirs, value) => {
  expect(merge(lines(base), lines(mine), lines(theirs))).toMatchObject({
    value: lines(value),
    clashes: [{ path: [], reason: 'both-changed', mine: lines(mine), theirs: lines(theirs) }],
  });
});

test('without a base what both have stands once', () => {
  for (const base of [undefined, 7]) expect(merge(base, 'a\nb\nc', 'a\nc\nd').value).toBe('a\nb\nc\nd');
});

test('a side that shows any of the newest common texts has not changed it', () => {
  const sides = { base: 'a', bases: ['a', 'b'], mine: 'b', theirs: 'c' };
  expect(merge3<unknown>({ ...sides, rules: text })).toMatchObject({
    value: 'c',
    clashes: [{ reason: 'uncertain' }],
  });
});

test('what differs beside a base that is not exact is listed', () => {
  expect(merge('a\nb\nc', 'A\nb\nc', 'a\nb\nC', false)).toMatchObject({
    value: 'A\nb\nC',
    clashes: [{ reason: 'uncertain' }],
  });
  expect(merge('a\nb\nc', 'A\nb\nc', 'x\nb\nC', false).clashes).toMatchObject([{ reason: 'both-changed' }]);
});

test('what is no text is merged as a whole', () => {
  expect(merge('a', 1, 'b')).toMatchObject({ value: 'b', clashes: [{ path: [] }] });
  expect(merge('a', 'b', 1)).toMatchObject({ value: 1, clashes: [{ path: [] }] });
});

test('texts that differ in more than 1,000 lines are merged as a whole, soon', () => {
  const many = (name: string, count: number): string =>
    Array.from({ length: count }, (_, i) => `${name} ${i % 7}`).join('\n');
  for (const [mine, theirs] of [
    [many('mine', 2_000), many('theirs', 2_000)],
    [many('mine', 2_000), 'a'],
    ['a', many('theirs', 2_000)],
  ] as const)
    expect(merge('b', mine, theirs)).toMatchObject({ value: theirs, clashes: [{ path: [] }] });
});

test('many equal lines take no long time', () => {
  const notes = Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? '' : `note ${i}`));
  const [mine, theirs] = [notes.with(1, 'mine'), notes.with(15_001, 'theirs')];
  const merged = merge(notes.join('\n'), mine.join('\n'), theirs.join('\n'));
  expect(merged).toEqual({ value: mine.with(15_001, 'theirs').join('\n'), clashes: [] });
});
