/** Invitations and codes as people bring them: scanned, pasted, typed; cut, damaged, of others. */

import fc from 'fast-check';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { createCode, parseCode } from '../../src/pair/code.ts';
import { isInvitation, parseInvitation } from '../../src/pair/invitation-uri.ts';
import { errorCode } from './harness.ts';

const HOLDER = '1'.repeat(64);
const SECRET = 'ab'.repeat(32);
const uri = (query = `secret=${SECRET}&relay=wss%3A%2F%2Fone.example&v=1`): string =>
  `nostrpair://${HOLDER}?${query}`;

test.each([
  ['alone', uri()],
  ['with space around it', `\n ${uri()} `],
  ['in the fragment of a link', `https://app.example/path?x=1#${uri()}`],
  ['in a fragment that a browser has escaped', `https://app.example/#${encodeURIComponent(uri())}`],
  ['of another writer, without a version', uri(`relay=wss://one.example&secret=${SECRET}&mode=x`)],
])('an invitation is read %s', (_, text) => {
  expect(isInvitation(text)).toBe(true);
  expect(parseInvitation(text, false)).toMatchObject({ holder: HOLDER, relays: ['wss://one.example'] });
});

test('of many relays three are used, each once', () => {
  const relays = ['a', 'a', 'b', 'c', 'd'].map((name) => `&relay=wss://${name}.example`).join('');
  expect(parseInvitation(uri(`secret=${SECRET}${relays}`), false).relays).toEqual([
    'wss://a.example',
    'wss://b.example',
    'wss://c.example',
  ]);
});

test.each([
  ['of a newer version', uri(`secret=${SECRET}&relay=wss://one.example&v=2`), /newer version/],
  ['cut', uri().slice(0, 90), /cut or damaged/],
  ['with two secrets', uri(`secret=${SECRET}&secret=${SECRET}&relay=wss://one.example`), /cut or damaged/],
  ['without a relay', uri(`secret=${SECRET}`), /no relay/],
  ['with a relay that is none', uri(`secret=${SECRET}&relay=http://one.example`), /no wss: URL/],
  ['with an insecure relay', uri(`secret=${SECRET}&relay=ws://one.example`), /no wss: URL/],
  ['with a broken escape', uri(`secret=${SECRET}&relay=%E0%A4%A`), /cut or damaged/],
  ['that is endless', uri(`secret=${SECRET}&relay=wss://${'a'.repeat(2_100)}.example`), /2048 characters/],
])('an invitation %s is PAIRING_BAD_CODE, and its secret is in no error', (_, text, words) => {
  let error: unknown;
  try {
    parseInvitation(text, false);
  } catch (caught) {
    error = caught;
  }
  expect(errorCode(error)).toBe('PAIRING_BAD_CODE');
  expect(String(error)).toMatch(words);
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(SECRET.slice(0, 16));
});

const codes = fc.uint8Array({ minLength: 10, maxLength: 10 }).map((bytes) => createCode(() => bytes));

test('a code is read however a person types it', () => {
  fc.assert(
    fc.property(codes, fc.constantFrom('', ' ', '-', ' - '), (code, between) => {
      expect(code).toMatch(/^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}$/);
      const data = parseCode(code);
      const typed = code.toLowerCase().replaceAll('-', between).replaceAll('0', 'o').replaceAll('1', 'l');
      expect(parseCode(typed)).toBe(data);
      expect(isInvitation(typed)).toBe(false);
    }),
    { seed: 21 },
  );
});

test('of 3,000 typos in one place at most a few are not told, and no error shows the code', () => {
  let missed = 0;
  fc.assert(
    fc.property(codes, fc.nat(11), fc.nat(30), (code, at, by) => {
      const plain = code.replaceAll('-', '');
      const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
      const wrong = alphabet[(alphabet.indexOf(plain[at]!) + 1 + by) % 32]!;
      const typed = `${plain.slice(0, at)}${wrong}${plain.slice(at + 1)}`;
      try {
        parseCode(typed);
        missed++;
      } catch (error) {
        expect(errorCode(error)).toBe('PAIRING_BAD_CODE');
        expect(String(error)).not.toContain(typed.slice(0, 6));
      }
    }),
    { seed: 21, numRuns: 3_000 },
  );
  expect(missed).toBeLessThan(15);
});

test.each(['', 'XXXX-XXXX', 'UUUU-UUUU-UUUU', '7KQ4-M2XW-9RXR-1'])('%j is no code', (text) => {
  expect(() => parseCode(text)).toThrow(/12 letters and digits/);
});
