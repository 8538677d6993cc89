/** What fuzzers feed: junk, and valid things with something changed. */

import type { Random } from '../support/random.ts';

/** Texts at which parsers, limits and objects used as maps tend to break. */
const STRANGE_TEXTS = [
  '',
  ' ',
  '0',
  '-1',
  'null',
  '__proto__',
  'constructor',
  'toString',
  '\u0000',
  '\n',
  '\ud800',
  '\u202e',
  '\u{10ffff}',
  'ﬀ',
  '../../etc/passwd',
  'x'.repeat(5_000),
  'f'.repeat(64),
  'F'.repeat(64),
  '0'.repeat(128),
] as const;

const STRANGE_VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  0.5,
  65_536,
  2 ** 31,
  2 ** 53,
  1e308,
  [],
  {},
  [[]],
  [null],
  { length: 1e9 },
  { toJSON: 'x', constructor: null },
  ...STRANGE_TEXTS,
];

/** As JSON text, since a `__proto__` in an object literal would be none. */
const STRANGE_JSON = [
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '1e999',
  '-0',
  '9007199254740993',
  `${'['.repeat(2_000)}${']'.repeat(2_000)}`,
  `${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`,
  '"\\ud800"',
  '{"a":1,"a":2}',
] as const;

const CHARACTERS = '"\\[]{}:,0123456789abcdefexE+-. \t\n\u0000\u2028é🦩\ud800'.split('');

export function strangeText(random: Random): string {
  return random.pick(STRANGE_TEXTS);
}

export function strangeValue(random: Random): unknown {
  return random.pick(STRANGE_VALUES);
}

/** Random characters, half of them such as JSON is made of. */
export function junkText(random: Random): string {
  const isJson = random.chance(0.5);
  return Array.from({ length: random.below(120) }, () =>
    isJson ? random.pick(CHARACTERS) : String.fromCharCode(random.below(0x1_0000)),
  ).join('');
}

/** The text with one to three places changed. */
export function mutateText(random: Random, text: string): string {
  let mutated = text;
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = random.below(mutated.length + 1);
    const end = Math.min(mutated.length, at + 1 + random.below(8));
    const [head, middle, tail] = [mutated.slice(0, at), mutated.slice(at, end), mutated.slice(end)];
    const changed = [
      () => head + tail,
      () => head + middle + middle + tail,
      () => head + random.pick(CHARACTERS) + mutated.slice(at + 1),
      () => head + random.pick(CHARACTERS) + mutated.slice(at),
      () => head,
      () => head + random.pick(STRANGE_JSON) + tail,
      () => mutated.replace(/\d+/, String(random.pick([0, -1, 1.5, 1e308, 2 ** 53]))),
      () => head + middle.toUpperCase() + tail,
    ];
    mutated = random.pick(changed)();
  }
  return mutated;
}

/** The bytes with one to three places changed: flipped, cut out, doubled, overwritten, cut off. */
export function mutateBytes(random: Random, bytes: Buffer): Buffer {
  let mutated = Buffer.from(bytes);
  for (let left = 1 + random.below(3); left > 0 && mutated.length > 0; left--) {
    const at = random.below(mutated.length);
    const end = Math.min(mutated.length, at + 1 + random.below(64));
    const [head, middle, tail] = [mutated.subarray(0, at), mutated.subarray(at, end), mutated.subarray(end)];
    const changed = [
      () => {
        const flipped = Buffer.from(mutated);
        flipped[at]! ^= 1 << random.below(8);
        return flipped;
      },
      () => Buffer.concat([head, tail]),
      () => Buffer.concat([head, middle, middle, tail]),
      () => Buffer.concat([head, random.bytes(middle.length), tail]),
      () => Buffer.from(head),
      () => Buffer.concat([mutated, random.bytes(random.below(64))]),
    ];
    mutated = random.pick(changed)();
  }
  return mutated;
}

/** A copy of a JSON value in which one part, anywhere, is another: changed, gone, doubled, or strange. */
export function mutateValue(random: Random, value: unknown): unknown {
  if (typeof value === 'object' && value !== null && random.chance(0.9)) {
    if (Array.isArray(value)) {
      const copy = [...(value as unknown[])];
      const at = random.below(copy.length + 1);
      if (at === copy.length || random.chance(0.2)) copy.splice(at, random.below(2), strangeValue(random));
      else if (random.chance(0.1)) copy.splice(at, 0, copy[at]);
      else copy[at] = mutateValue(random, copy[at]);
      return copy;
    }
    const entries = Object.entries(value as Record<string, unknown>);
    if (entries.length > 0) {
      const at = random.below(entries.length);
      const [key, old] = entries[at]!;
      const drawn = random.next();
      if (drawn < 0.1) entries.splice(at, 1);
      else if (drawn < 0.2) entries.push([strangeText(random), strangeValue(random)]);
      else entries[at] = [key, mutateValue(random, old)];
      return Object.fromEntries(entries);
    }
  }
  if (typeof value === 'string' && random.chance(0.6)) return mutateText(random, value);
  if (typeof value === 'number' && random.chance(0.6))
    return value + random.pick([-1, 1, 0.5, 1_000, -1e6, 1e12]);
  return strangeValue(random);
}
