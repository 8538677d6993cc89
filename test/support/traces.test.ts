/** The search for traces finds what it is meant to find. */

import { inspect } from 'node:util';
import { nip19 } from 'nostr-tools';
import { expect, test } from 'vitest';
import { tracesOf } from './traces.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const TEXT = 'canary-7f3a91-in-the-mine';
const bytes = Buffer.from(KEY, 'hex');
const traces = tracesOf({ keys: [KEY], texts: [TEXT] });

test.each([
  KEY,
  KEY.toUpperCase(),
  KEY.slice(0, 32),
  nip19.nsecEncode(bytes),
  inspect(bytes),
  inspect(new Uint8Array(bytes), { breakLength: Infinity }),
  inspect([...bytes], { breakLength: Infinity }),
  JSON.stringify(new Uint8Array(bytes)),
  JSON.stringify(bytes),
  bytes.toString('base64'),
  bytes.toString('base64url'),
  Buffer.concat([Buffer.from('x'), bytes]).toString('base64'),
  BigInt(`0x${KEY}`).toString(),
  JSON.stringify({ payload: TEXT }),
  Buffer.from(JSON.stringify({ payload: TEXT })).toString('base64'),
  Buffer.from(TEXT).toString('hex'),
])('%s', (text) => {
  expect(traces.test(`before ${text} after`)).toBe(true);
});

test('nothing in what is not there', () => {
  expect(traces.test(`${'0'.repeat(64)} canary in the mine`)).toBe(false);
});

test('nor, of a short text, what any base64 has in it; the text itself is found', () => {
  const short = tracesOf({ texts: ['act bid'] });
  const middle = Buffer.from('act bid').toString('base64').slice(4, 8);
  expect(short.test(`AAAA${middle}AAAA`)).toBe(false);
  expect(short.test('an act bid')).toBe(true);
  expect(short.test(Buffer.from('act bid').toString('hex'))).toBe(true);
});
