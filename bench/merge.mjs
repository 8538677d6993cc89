/** What a merge of documents costs: two of 200 KB with 10,000 fields, and of 400 KB beside half of it. */

import { items, merge3 } from '../dist/merge.js';
import { assertEqual, interleave, ms } from './support/harness.mjs';

const ROUNDS = 30;

/** A document of so many fields, 20 bytes each. */
function documentOf(count) {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`field${i}`, `v${i % 7}`.padEnd(6)]));
}

/** Every second field changed here, every third there: what both change, alike. */
function sidesOf(base) {
  const changed = (step) =>
    Object.fromEntries(
      Object.entries(base).map(([name, value], i) => [name, i % step === 0 ? 'edited' : value]),
    );
  return { base, mine: changed(2), theirs: changed(3) };
}

const asItems = (document) => Object.entries(document).map(([id, value]) => ({ id, value }));

/** @returns {Promise<import('./support/harness.mjs').Row[]>} */
export async function run() {
  const sides = sidesOf(documentOf(10_000));
  const text = JSON.stringify(sides.mine);
  assertEqual(merge3(sides).clashes.length, 0, 'clashes');
  const half = sidesOf(documentOf(8_300));
  const whole = sidesOf(documentOf(16_600));
  const lists = Object.fromEntries(Object.entries(sides).map(([side, value]) => [side, asItems(value)]));
  const rules = items('id');
  const times = await interleave(ROUNDS, {
    parsed: () => void JSON.parse(text),
    merged: () => void merge3(sides),
    inexact: () => void merge3({ ...sides, isExact: false }),
    half: () => void merge3(half),
    whole: () => void merge3(whole),
    lists: () => void merge3({ ...lists, rules }),
  });
  const { parsed, merged, inexact } = times;
  return [
    {
      name: 'merge, 10,000 fields',
      what: 'merge of two documents of 200 KB / JSON.parse of one',
      ratio: merged / parsed,
      target: { atMost: 20 },
      raw: `${text.length} B; merge ${ms(merged)}, parse ${ms(parsed)}`,
    },
    {
      name: 'merge, every difference listed',
      what: 'with a base that is not exact / with one that is',
      ratio: inexact / merged,
      target: { atMost: 3 },
      raw: `${ms(inexact)} and ${ms(merged)}`,
    },
    {
      name: 'merge, twice as much',
      what: 'ms per field of 400 KB / of 200 KB',
      ratio: times.whole / times.half / 2,
      target: { atMost: 2 },
      raw: `${ms(times.whole)} and ${ms(times.half)}`,
    },
    {
      name: 'merge, 10,000 items',
      what: 'merge of two lists / JSON.parse of one',
      ratio: times.lists / parsed,
      target: undefined,
      raw: ms(times.lists),
    },
  ];
}
