/** JSON values as apps keep them, the same for the same seed: what an edit costs depends on how a text repeats itself. */

/** Numbers in [0, 1) from a seed. */
export function numbersOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

const letters = numbersOf(1);
const WORDS = Array.from({ length: 3_000 }, () =>
  Array.from({ length: 2 + Math.floor(9 * letters()) }, () =>
    (10 + Math.floor(26 * letters())).toString(36),
  ).join(''),
);

/** Few words are frequent, and most are rare. */
function some(count, random) {
  return Array.from({ length: count }, () => WORDS[Math.floor(WORDS.length * random() ** 3)]).join(' ');
}

/** Of about so many bytes of JSON. */
function listOf(bytes, make) {
  const list = [];
  for (let size = 2; size < bytes; size += JSON.stringify(list.at(-1)).length + 1) list.push(make());
  return list;
}

/** By what they are: a value of about so many bytes of JSON. */
export const VALUES = {
  rows: (bytes, random) =>
    listOf(bytes, () => ({
      id: Math.floor(1e9 * random()),
      title: some(4, random),
      done: random() < 0.5,
      at: new Date(1.7e12 + Math.floor(1e10 * random())).toISOString(),
    })),
  prose: (bytes, random) => {
    let text = '';
    while (text.length < bytes) text += `${some(8 + Math.floor(10 * random()), random)}. `;
    return text;
  },
  'minified JSON': (bytes, random) => {
    const below = (most) => Math.floor(most * random());
    const value = (depth) => {
      if (depth === 0 || random() < 0.3) return random() < 0.5 ? below(1e6) : some(1 + below(4), random);
      if (random() < 0.5) return Array.from({ length: 1 + below(5) }, () => value(depth - 1));
      const names = Array.from({ length: 1 + below(6) }, () => some(1, random));
      return Object.fromEntries(names.map((name) => [name, value(depth - 1)]));
    };
    return listOf(bytes, () => value(3));
  },
};

/** The value with 1 KB of others somewhere, half of the time in the place of as many. */
export function editedValue(kind, value, random) {
  const other = VALUES[kind](1_024, random);
  const at = Math.floor(random() * (value.length - other.length));
  const end = random() < 0.5 ? at + other.length : at;
  return typeof value === 'string'
    ? value.slice(0, at) + other + value.slice(end)
    : [...value.slice(0, at), ...other, ...value.slice(end)];
}
