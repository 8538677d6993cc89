/** Namespaces and categories: what may stand in a d-tag, and that a d-tag leads back to its category. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  asAddress,
  categoryOf,
  checkNamespace,
  isCategoryIn,
  toDTag,
  type Address,
  type Category,
  type EventId,
  type RelayUrl,
} from '../../src/protocol/address.ts';
import { pieceDTag } from '../../src/protocol/chunks.ts';
import { deletionTags, tagsOf } from '../../src/protocol/header.ts';
import { canonicalRelayUrl } from '../../src/relay/url.ts';
import { anAddress, anId } from '../names.ts';

const encoder = new TextEncoder();

const BAD = [
  ['no string', 7],
  ['nothing', undefined],
  ['null', null],
  ['an object', { toString: () => 'app' }],
  ['empty', ''],
  ['a slash', 'a/b'],
  ['a slash alone', '/'],
  ['NUL', 'a\0b'],
  ['a newline', 'a\nb'],
  ['DEL', 'a\x7fb'],
  ['a C1 control', 'a\x85b'],
  ['a lone high surrogate', 'a\ud800'],
  ['a lone low surrogate', '\udc00a'],
  ['a right-to-left override', 'a\u202eb'],
  ['an isolate', 'a\u2067b'],
  ['a zero-width space', 'ui\u200b'],
  ['a zero-width joiner', '👨\u200d👩'],
  ['a soft hyphen', 'set\xadtings'],
  ['a byte order mark', '\ufeffa'],
  ['a variation selector', '❤\ufe0f'],
  ['a filler', 'a\u3164'],
  ['a line separator', 'a\u2028b'],
  ['a tag character', 'a\u{e0061}'],
  ['decomposed (NFD)', 'cafe\u0301'],
  ['a singleton that NFC replaces', '\u212b'],
] as const;

describe('a namespace and a category', () => {
  test.each(BAD)('that is %s is refused with its own code', (_, value) => {
    expect(() => checkNamespace(value)).toThrow(expect.objectContaining({ code: 'INVALID_NAMESPACE' }));
    expect(() => toDTag('app', value)).toThrow(expect.objectContaining({ code: 'INVALID_CATEGORY' }));
  });

  test.each([
    [7, 'a string'],
    ['', 'a non-empty string'],
    ['a/b', 'no "/", no control characters and well-formed Unicode'],
    ['ui\u200b', 'no characters that cannot be seen'],
    ['cafe\u0301', 'the normal form NFC, "café"'],
    ['x'.repeat(200), 'at most 173 bytes of UTF-8 here (the whole d-tag: 180)'],
  ])('%j is told what was expected', (value, expected) => {
    expect(() => toDTag('app', value)).toThrow(`Invalid category: expected ${expected}, got `);
    expect(() => checkNamespace(value)).toThrow(
      `Invalid namespace: expected ${expected.replace('173', '175')}, got `,
    );
  });

  test.each([
    'a',
    'ui-settings',
    '__proto__',
    'wörter mit leerraum',
    '🦩',
    'café',
    'משתמש',
    'a:b',
    '..',
    '"',
    '%2F',
  ])('%j is fine as both', (name) => {
    checkNamespace(name);
    expect(toDTag(name, name)).toBe(`${name}/${name}/v1`);
    expect(categoryOf(toDTag(name, name))).toBe(name);
    expect(categoryOf(asAddress(`${name}/${name}/v1`))).toBe(name);
  });
});

test('one that is not in NFC is told which one is', () => {
  expect(() => toDTag('app', 'cafe\u0301')).toThrow('the normal form NFC, "caf\xe9"');
});

describe('a d-tag', () => {
  test('holds 180 bytes and not one more', () => {
    const longest = 'c'.repeat(180 - 'app//v1'.length);
    expect(encoder.encode(toDTag('app', longest))).toHaveLength(180);
    expect(() => toDTag('app', `${longest}c`)).toThrow(expect.objectContaining({ code: 'INVALID_CATEGORY' }));
  });

  test('is measured in bytes of UTF-8, not in characters', () => {
    const flamingos = '🦩'.repeat(43);
    expect(encoder.encode(toDTag('a', flamingos))).toHaveLength(177);
    expect(() => toDTag('a', `${flamingos}🦩`)).toThrow(
      expect.objectContaining({ code: 'INVALID_CATEGORY' }),
    );
  });

  test('leaves a namespace room for one byte of category', () => {
    const longest = 'n'.repeat(180 - '/c/v1'.length);
    checkNamespace(longest);
    expect(encoder.encode(toDTag(longest, 'c'))).toHaveLength(180);
    expect(() => checkNamespace(`${longest}n`)).toThrow(
      expect.objectContaining({ code: 'INVALID_NAMESPACE' }),
    );
  });

  test('leads back to its category, and two categories never share one', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).filter((text) => {
      try {
        checkNamespace(text);
        toDTag('a', text);
        return encoder.encode(text).length < 80;
      } catch {
        return false;
      }
    });
    fc.assert(
      fc.property(name, name, name, name, (n1, c1, n2, c2) => {
        expect(categoryOf(toDTag(n1, c1))).toBe(c1);
        expect(toDTag(n1, c1) === toDTag(n2, c2)).toBe(n1 === n2 && c1 === c2);
      }),
    );
  });
});

test('no name stands in the place of another: what is wrong here does not compile', () => {
  const address: Address = toDTag('app', 'settings');
  const category: Category = categoryOf(address);
  const relay: RelayUrl = canonicalRelayUrl('wss://relay.example.com');
  const id: EventId = anId('0'.repeat(64));
  // @ts-expect-error a category is no address
  expect(categoryOf(category)).not.toBe(category);
  // @ts-expect-error nor the other way around
  const wrong: Category = address;
  // @ts-expect-error a category has no pieces, its address has
  pieceDTag(category, 'f'.repeat(32));
  // @ts-expect-error
  tagsOf({ address: category });
  // @ts-expect-error
  deletionTags({ ids: [address] });
  // @ts-expect-error
  deletionTags({ ids: [id], addresses: [relay] });
  // @ts-expect-error an app may call a relay by any spelling of its URL
  const spelled: RelayUrl = 'wss://relay.example.com/';
  expect(canonicalRelayUrl(spelled)).toBe(relay);
  // Every one of them is a string, and a plain string is none of them.
  const texts: string[] = [wrong, category, relay, id];
  // @ts-expect-error
  expect(categoryOf(texts[0]!)).toBe(category);
  expect(texts).toEqual(['app/settings/v1', 'settings', 'wss://relay.example.com', id]);
  expect(tagsOf({ address: anAddress(texts[0]!) })).toEqual(tagsOf({ address }));
});

test('a d-tag is of a category of a namespace if it is the one that this has', () => {
  const dTag = toDTag('app', 'settings');
  expect(isCategoryIn('app', dTag)).toBe(true);
  expect(isCategoryIn('other', dTag)).toBe(false);
  expect(isCategoryIn('app', pieceDTag(dTag, 'a'.repeat(32)))).toBe(false);
  for (const bad of ['', 'app', 'app/settings', 'app//v1', 'app/settings/v2', 'app/a/b/v1'])
    expect(isCategoryIn('app', bad)).toBe(false);
});
