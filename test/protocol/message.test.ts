/** Frames of a relay: nothing throws, nothing half-right passes; and REQs that every relay can take. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Address } from '../../src/protocol/address.ts';
import { categoryRequests, idRequests, nothingOf, parseRelayMessage } from '../../src/protocol/message.ts';
import { anAddress } from '../names.ts';

describe('a frame', () => {
  test.each([
    ['["EVENT","1",{"id":7}]', { type: 'EVENT', subscription: '1', event: { id: 7 } }],
    ['["EVENT","1"]', { type: 'EVENT', subscription: '1', event: undefined }],
    ['["EOSE","1","and more"]', { type: 'EOSE', subscription: '1' }],
    ['["CLOSED","1","error: x"]', { type: 'CLOSED', subscription: '1', reason: 'error: x' }],
    ['["CLOSED","1"]', { type: 'CLOSED', subscription: '1', reason: '' }],
    ['["OK","ab",true,""]', { type: 'OK', id: 'ab', accepted: true, reason: '' }],
    ['["OK","ab",false]', { type: 'OK', id: 'ab', accepted: false, reason: '' }],
    ['["OK","ab",false,{"no":"text"}]', { type: 'OK', id: 'ab', accepted: false, reason: '' }],
    ['["AUTH","abc"]', { type: 'AUTH', challenge: 'abc' }],
    ['["NOTICE","hello"]', { type: 'NOTICE', reason: 'hello' }],
  ])('%s is understood', (text, message) => {
    expect(parseRelayMessage(text)).toEqual(message);
  });

  test.each([
    '',
    'hello',
    '{}',
    '"EVENT"',
    'null',
    '[',
    '[]',
    '["EOSE"]',
    '["EOSE",1]',
    '["EOSE",null]',
    '["OK","ab"]',
    '["OK","ab","true",""]',
    '["OK","ab",1,""]',
    '["OK",7,true,""]',
    '["AUTH",{"kind":22242}]',
    '["COUNT","1",{"count":3}]',
    '["__proto__","1"]',
    '[["EOSE"],"1"]',
    ' ["EOSE","1"]',
  ])('%j is none', (text) => {
    expect(parseRelayMessage(text)).toBeUndefined();
  });

  test('never throws, whatever it holds', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseRelayMessage(text)));
    fc.assert(fc.property(fc.string(), (text) => void parseRelayMessage(`[${text}`)));
    const type = fc.constantFrom('EVENT', 'EOSE', 'CLOSED', 'OK', 'AUTH', 'NOTICE');
    fc.assert(
      fc.property(type, fc.array(fc.jsonValue()), (first, rest) => {
        const message = parseRelayMessage(JSON.stringify([first, ...rest]));
        if (message !== undefined) expect(message.type).toBe(first);
      }),
    );
  });

  test('100,000 levels deep is survived', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(parseRelayMessage(deep)).toBeUndefined();
    expect(parseRelayMessage(`["EVENT","1",${deep}]`)).toMatchObject({ type: 'EVENT' });
  });

  test('shows people at most 200 characters of a reason, and no control characters', () => {
    const message = parseRelayMessage(JSON.stringify(['CLOSED', '1', `\x1b[31m\n${'x'.repeat(10_000)}`]));
    expect(message).toMatchObject({ reason: ` [31m ${'x'.repeat(194)}` });
    const hidden = parseRelayMessage(JSON.stringify(['CLOSED', '1', 'a\u202eb\u200bc\u2028d\u009be']));
    expect(hidden).toMatchObject({ reason: 'a b c d e' });
  });
});

describe('the requests for categories', () => {
  const dTags = (n: number): Address[] =>
    Array.from({ length: n }, (_, i) => anAddress(`app/category-${i}/v1`));

  test('are one REQ with one filter for 100', () => {
    expect(categoryRequests('me', dTags(100))).toEqual([
      { dTags: dTags(100), filters: [{ authors: ['me'], kinds: [30078], '#d': dTags(100) }] },
    ]);
  });

  test('ask for nothing where nothing is asked', () => {
    expect(categoryRequests('me', [])).toEqual([]);
  });

  test('hold every category once, in filters and frames that every relay takes, without since and limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), (n) => {
        const requests = categoryRequests('me', dTags(n));
        expect(requests.flatMap((request) => request.dTags)).toEqual(dTags(n));
        for (const { dTags: asked, filters } of requests) {
          expect(filters.flatMap((filter) => filter['#d'])).toEqual(asked);
          expect(filters.length).toBeLessThanOrEqual(10);
          for (const filter of filters) {
            expect(filter['#d']!.length).toBeLessThanOrEqual(200);
            expect(Object.keys(filter)).toEqual(['authors', 'kinds', '#d']);
          }
          expect(JSON.stringify(['REQ', '1', ...filters]).length).toBeLessThan(65_536);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('begin another filter after 100, and another REQ after 10 filters', () => {
    const shape = (n: number): number[][] =>
      categoryRequests(
        'me',
        dTags(n).map((_, i) => anAddress(String(i))),
      ).map(({ filters }) => filters.map((filter) => filter['#d']!.length));
    expect(shape(101)).toEqual([[100, 1]]);
    expect(shape(1_000)).toEqual([Array(10).fill(100)]);
    expect(shape(1_001)).toEqual([Array(10).fill(100), [1]]);
    expect(shape(1_101)).toEqual([Array(10).fill(100), [100, 1]]);
  });

  test('begin another REQ before they have more than 60,000 bytes, at three a character and one a name', () => {
    // 100 bytes each.
    const named = (n: number): Address[] =>
      Array.from({ length: n }, (_, i) => anAddress(String(i).padEnd(31, 'x')));
    expect(categoryRequests('me', named(600)).map((request) => request.dTags.length)).toEqual([600]);
    expect(categoryRequests('me', named(1_201)).map((request) => request.dTags.length)).toEqual([
      600, 600, 1,
    ]);
  });

  test('of the longest names still fit a frame', () => {
    const long = Array.from({ length: 1_000 }, (_, i) =>
      anAddress(`app/${String(i).padStart(4, '0')}${'🦩'.repeat(42)}/v1`),
    );
    for (const { filters } of categoryRequests('f'.repeat(64), long)) {
      expect(new TextEncoder().encode(JSON.stringify(['REQ', '1', ...filters])).length).toBeLessThan(65_536);
    }
  });
});

describe('filters for events by their ids', () => {
  const ids = Array.from({ length: 1_750 }, (_, i) => i.toString(16).padStart(64, '0'));

  test('name the author, and are split by the limits of relays', () => {
    const requests = idRequests('ab', ids);
    expect(requests.flatMap(({ ids: some }) => some)).toEqual(ids);
    expect(requests.map(({ filters }) => filters.map((filter) => filter.ids?.length))).toEqual([
      Array.from({ length: 8 }, () => 100),
      Array.from({ length: 8 }, () => 100),
      [100, 50],
    ]);
    for (const { ids: some, filters } of requests) {
      expect(filters.flatMap((filter) => filter.ids)).toEqual(some);
      for (const { authors, kinds } of filters) expect([authors, kinds]).toEqual([['ab'], [30_078]]);
      expect(JSON.stringify(filters).length).toBeLessThanOrEqual(60_000);
    }
    expect(idRequests('ab', [])).toEqual([]);
  });
});

test('the messages of NIP-77 are read, and what is no text is none', () => {
  expect(parseRelayMessage('["NEG-MSG","n0","61"]')).toEqual({
    ...{ type: 'NEG-MSG', subscription: 'n0', message: '61' },
  });
  expect(parseRelayMessage('["NEG-MSG","n0",61]')).toBeUndefined();
  expect(parseRelayMessage('["NEG-MSG",0,"61"]')).toBeUndefined();
  expect(parseRelayMessage('["NEG-ERR","n0","blocked:\\u0007 no"]')).toEqual({
    ...{ type: 'NEG-ERR', subscription: 'n0', reason: 'blocked:  no' },
  });
});

test('a question of which nothing is the answer is one about the author’s own values all the same', () => {
  expect(nothingOf('ab')).toEqual({ authors: ['ab'], kinds: [30_078], ids: ['0'.repeat(64)] });
});
