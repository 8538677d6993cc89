/** Payloads: what JSON holds goes round unchanged, what it cannot hold is refused and never silently changed. */

import fc from 'fast-check';
import { v2 } from 'nostr-tools/nip44';
import { describe, expect, test } from 'vitest';
import { decodePayload, encodePayload, encryptedLength } from '../../src/protocol/payload.ts';

const LIMIT = { bytes: 409_600, why: 'the test' };
const encode = (payload: unknown): string => encodePayload(payload, LIMIT);

const escape = (text: string): string => text.replaceAll(/[[\]]/g, '\\$&');

function nested(levels: number): unknown {
  let value: unknown = 'core';
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { value };
  return value;
}

describe('a payload', () => {
  test('of any JSON comes back as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (payload) => {
        // JSON knows no -0.
        expect(decodePayload(encode(payload))).toEqual(JSON.parse(JSON.stringify(payload)));
      }),
    );
  });

  test.each([
    ['null', null],
    ['false', false],
    ['0', 0],
    ['an empty text', ''],
    ['emoji', '🦩👨‍👩‍👧‍👦'],
    ['NUL and line separators', '\0\u2028\u2029'],
    ['64 levels', nested(64)],
    ['the same object twice', (() => [nested(1)].flatMap((shared) => [shared, shared]))()],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
  ])('can be %s', (_, payload) => {
    expect(decodePayload(encode(payload))).toEqual(payload);
  });

  test('can have a key __proto__, which pollutes nothing', () => {
    const payload: unknown = JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":1}}');
    const back = decodePayload(encode(payload));
    expect(JSON.stringify(back)).toBe('{"__proto__":{"admin":true},"constructor":{"prototype":1}}');
    expect((back as { admin?: boolean }).admin).toBeUndefined();
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test('may leave a property undefined, which is to leave it out', () => {
    expect(encode({ a: undefined, b: 1 })).toBe('{"b":1}');
  });

  const cycle: unknown[] = [];
  cycle.push({ cycle });
  class Point {
    x = 1;
  }
  test.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a BigInt', 1n],
    ['a BigInt inside', { n: [1n] }],
    ['a cycle', cycle],
    ['NaN', NaN],
    ['Infinity inside', [Infinity]],
    ['a Date', new Date(0)],
    ['a Map inside', { map: new Map() }],
    ['a Set', new Set()],
    ['a class instance', new Point()],
    ['bytes', new Uint8Array(2)],
    ['a boxed string', Object('text')],
    ['a lone surrogate', 'a\ud800'],
    ['a lone surrogate inside', [{ text: '\udc00' }]],
    ['a key with a lone surrogate', { '\ud800': 1 }],
    ['65 levels', nested(65)],
    ['100,000 levels', nested(100_000)],
    ['undefined in an array', [1, undefined]],
    ['a hole in an array', [1, , 2]], // oxlint-disable-line no-sparse-arrays -- it is what the test is about
    ['a function as a property', { toJSON: () => 1 }],
  ])('cannot be %s', (_, payload) => {
    expect(() => encode(payload)).toThrow(expect.objectContaining({ code: 'INVALID_PAYLOAD' }));
  });

  test.each([
    ['got a BigInt at payload', 1n],
    ['got a cycle at payload[0][…]', cycle],
    ['got NaN at payload', NaN],
    ['got undefined at payload', undefined],
    ['got a string with a lone surrogate at payload[1]', ['a', '\ud800']],
    ['got a key with a lone surrogate at payload', { '\ud800': 1 }],
    ['got more than 64 levels of nesting at payload', nested(65)],
    ['got undefined at payload[1]', [1, undefined]],
    ['got a function at payload[…]', { run: () => 1 }],
    ['got a Date instance at payload[…][0]', { when: [new Date(0)] }],
    [
      'got a class instance at payload',
      new (class {
        readonly theme = 'dark';
      })(),
    ],
    ['got a class instance at payload', Object.create({ constructor: undefined }) as object],
  ])('says what is wrong, and at which place: %s', (message, payload) => {
    expect(() => encode(payload)).toThrow(
      new RegExp(`^Invalid payload: expected a JSON value, ${escape(message)}`),
    );
  });

  test('that is refused is not quoted', () => {
    expect(() => encode({ 'secret-key': new Date(0) })).toThrow(/^(?!.*secret)/);
  });

  test('is measured in bytes of its JSON', () => {
    const exact = { bytes: 8, why: 'the test' };
    expect(encodePayload('🦩ab', exact)).toBe('"🦩ab"');
    expect(() => encodePayload('🦩abc', exact)).toThrow(
      expect.objectContaining({
        ...{ code: 'PAYLOAD_TOO_LARGE', details: { size: 9, limit: 8 } },
        message: 'Payload too large: 9 bytes of JSON, at most 8 (the test)',
      }),
    );
  });
});

describe('a decrypted text', () => {
  test.each(['', 'secret words', '{"a":', '1 2', '[1,]', 'undefined'])(
    '%j is no JSON, and the error does not say it',
    (text) => {
      expect(() => decodePayload(text)).toThrow(/^not JSON$/);
    },
  );

  test.each([65, 100_000])('of %i levels is refused before it is parsed', (levels) => {
    expect(() => decodePayload('['.repeat(levels) + ']'.repeat(levels))).toThrow(/levels/);
    expect(() => decodePayload('{"a":'.repeat(levels) + '1' + '}'.repeat(levels))).toThrow(/levels/);
  });

  test('may hold any number of brackets one after the other', () => {
    for (const text of [`[${'[],'.repeat(100)}0]`, `[${'{},'.repeat(100)}0]`])
      expect(decodePayload(text)).toEqual(JSON.parse(text));
  });

  test('may hold any number of brackets in a string', () => {
    const text = JSON.stringify({ s: `"\\${'['.repeat(1_000)}`, t: '\\' });
    expect(decodePayload(text)).toEqual(JSON.parse(text));
  });
});

describe('the encrypted length', () => {
  // Around every border of NIP-44's padding up to what one event carries.
  const borders = new Set([1, 32, 33, 64, 65, 65_407, 65_408, 65_535]);
  for (let power = 64; power <= 32_768; power *= 2) {
    const chunk = power * 2 <= 256 ? 32 : power / 4;
    for (let size = power; size <= power * 2; size += chunk)
      for (const d of [-1, 0, 1]) borders.add(size + d);
  }

  test('is what nostr-tools makes of it, at every border of the padding', () => {
    const key = new Uint8Array(32).fill(7);
    for (const size of [...borders].filter((n) => n >= 1 && n <= 65_535)) {
      expect(encryptedLength('x'.repeat(size)), `${size} bytes`).toBe(
        v2.encrypt('x'.repeat(size), key).length,
      );
    }
    expect(encryptedLength('🦩')).toBe(v2.encrypt('🦩', key).length);
  });
});
