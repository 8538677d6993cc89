/** Mutations that no test can notice, and why: `[file, original, replacement, reason]`. */

export const EQUIVALENT = [
  ['causality.ts', 'a < b', 'a <= b', 'the keys of a map are never equal'],
  ['order.ts', 'a.id < b.id', 'a.id <= b.id', 'equal ids were dealt with before'],
  ['event.ts', 'dTag === undefined', 'false', 'no caller asks for the d-tag `undefined`'],
  ['header.ts', 'seconds !== undefined', 'true', 'the pattern does not match the text "undefined"'],
  ['header.ts', 'expiration !== undefined', 'true', 'undefined is not below any number'],
  ['header.ts', '[]', '["Stryker was here"]', 'what is no entry voids nothing either'],
  ['voids.ts', 'a < b', 'a <= b', 'the keys of a map are never equal'],
  ['payload.ts', '[]', '["Stryker was here"]', 'a text is not among the objects that a cycle is found by'],
  ['payload.ts', 'nextPower <= 256', 'nextPower < 256', '256 / 8 is 32, too'],
  ['payload.ts', 'size <= 32', 'size < 32', 'the rule behind it makes 32 of 32'],
  ['payload.ts', 'size <= 32', 'false', 'the rule behind it makes 32 of 1 to 32'],
  ['payload.ts', 'i < text.length', 'i <= text.length', 'there is no character behind the last'],
  ['message.ts', '{…', '{}', 'without the return a frame that is no JSON is no list either'],
  ['message.ts', 'default:…', 'default:', 'a function that ends returns undefined'],
  ['message.ts', '[]', '["Stryker was here"]', 'the first d-tag begins with new groups'],
  [
    'renewal.ts',
    'isTombstone(event) && isTombstone(former)',
    'isTombstone(event) || isTombstone(former)',
    'equal tags are compared next, and a tombstone is told by a tag',
  ],
];
