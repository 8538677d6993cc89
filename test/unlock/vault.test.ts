/** What is kept under a person's key: whichever devices join what they had, in whatever order, they end with the same, and no secret is gone. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_SECRETS } from '../../src/protocol/limits.ts';
import { joinVaults, payloadOf, vaultOf, type Vault } from '../../src/unlock/vault.ts';

const [A, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];

const secrets = fc.record({
  secret: fc.constantFrom(A, B, C, '0'.repeat(64)),
  made: fc.nat({ max: 3 }),
});
const vaults: fc.Arbitrary<Vault> = fc
  .array(secrets, { minLength: 1, maxLength: 5 })
  .map(([first, ...former]) => vaultOf({ v: 1, ...first, former })!);

test('the oldest secret counts; of two of one second the one that is lower as text', () => {
  const vault = vaultOf({ v: 1, secret: A, made: 7, former: [{ secret: B, made: 6 }] });
  expect(vault).toEqual([
    { secret: B, made: 6 },
    { secret: A, made: 7 },
  ]);
  expect(vaultOf({ v: 1, secret: B, made: 7, former: [{ secret: A, made: 7 }] })![0].secret).toBe(A);
});

test('a payload of before there was a time in it is older than all that have one, and 0 is a time', () => {
  expect(vaultOf({ v: 1, secret: B })).toEqual([{ secret: B, made: 0 }]);
  expect(joinVaults(vaultOf({ v: 1, secret: A, made: 1 })!, vaultOf({ v: 1, secret: B })!)[0].secret).toBe(B);
});

test('a vault with one secret says nothing of former ones, and what is written is read again', () => {
  expect(payloadOf([{ secret: A, made: 5 }])).toEqual({ v: 1, secret: A, made: 5 });
  fc.assert(
    fc.property(vaults, (vault) => {
      expect(vaultOf(payloadOf(vault))).toEqual(vault);
    }),
  );
});

test('to join is the same in any order and any number of times, and keeps every secret once, with its lowest time', () => {
  fc.assert(
    fc.property(vaults, vaults, vaults, (a, b, c) => {
      expect(joinVaults(a, b)).toEqual(joinVaults(b, a));
      expect(joinVaults(joinVaults(a, b), c)).toEqual(joinVaults(a, joinVaults(b, c)));
      expect(joinVaults(a, a)).toEqual(a);
      const all = [...a, ...b];
      const both = joinVaults(a, b);
      expect(new Set(both.map(({ secret }) => secret))).toEqual(new Set(all.map(({ secret }) => secret)));
      expect(both).toHaveLength(new Set(all.map(({ secret }) => secret)).size);
      for (const { secret, made } of both)
        expect(made).toBe(Math.min(...all.filter((one) => one.secret === secret).map((one) => one.made)));
    }),
  );
});

const others = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ secret: i.toString(16).padStart(64, '0'), made: 0 }));

test.each([
  ['nothing', undefined],
  ['null', null],
  ['a text', A],
  ['another version', { v: 2, secret: A }],
  ['no version', { secret: A }],
  ['no secret', { v: 1 }],
  ['a secret that is short', { v: 1, secret: A.slice(1) }],
  ['a secret with more before it', { v: 1, secret: `0${A}` }],
  ['a secret in upper case', { v: 1, secret: A.toUpperCase() }],
  ['a secret that is no text', { v: 1, secret: [A] }],
  ['a time that is a text', { v: 1, secret: A, made: '5' }],
  ['a time that is no whole number', { v: 1, secret: A, made: 0.5 }],
  ['a time below 0', { v: 1, secret: A, made: -1 }],
  ['former ones that are no list', { v: 1, secret: A, former: { length: 0 } }],
  ['a former one that is none', { v: 1, secret: A, former: [{ secret: 'x', made: 0 }] }],
  ['more than there is room for', { v: 1, secret: A, former: others(MAX_SECRETS) }],
])('is none: %s', (_, payload) => {
  expect(vaultOf(payload)).toBeUndefined();
});

test('as many as there is room for are read', () => {
  expect(vaultOf({ v: 1, secret: A, former: others(MAX_SECRETS - 1) })).toHaveLength(MAX_SECRETS);
});
