/** Payloads that the reference and ours must bring to each other unchanged. */

/** One of every JSON type, and what an encoder may stumble over. */
export const PAYLOADS: readonly unknown[] = [
  { theme: 'dark', fontSize: 14 },
  [],
  'text with "quotes", a \\ and 👩‍👧 好',
  0,
  -0.5e-7,
  true,
  null,
  JSON.parse('{"__proto__":{"a":1},"constructor":{}}'),
  { deep: [[[[{ a: [null, false] }]]]] },
];

/** One whose JSON takes this many bytes. */
export const payloadOf = (bytes: number): string => 'x'.repeat(bytes - 2);
