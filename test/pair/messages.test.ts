/** What devices that pair say to each other and share, as text; and how a pairing ends. Every text is hostile until it was read. */

import fc from 'fast-check';
import { hexToBytes } from '@noble/hashes/utils.js';
import { expect, test } from 'vitest';
import { publicKeyOf } from '../../src/crypto/schnorr.ts';
import { endingOf, errorOf, type Ending } from '../../src/pair/ending.ts';
import { deviceName, parseMessage, type PairingMessage } from '../../src/pair/message.ts';
import { encodeShared, fitsPayload, parseShared, type SharedKey } from '../../src/pair/payload.ts';
import {
  MAX_DEVICE_ID_CHARS,
  MAX_DEVICE_NAME_CHARS,
  MAX_INVITATION_CHARS,
  MAX_PAIRING_PAYLOAD_BYTES,
} from '../../src/protocol/limits.ts';
import { KEY } from './harness.ts';

const HEX = '5e'.repeat(32);

/** As NIP-AB has them. */
const WIRE: readonly PairingMessage[] = [
  { type: 'offer', version: 1, session_id: HEX },
  { type: 'sas-confirm', transcript_hash: HEX },
  { type: 'payload', payload_type: 'custom', payload: 'x' },
  { type: 'complete', success: true, name: 'phone', device_id: 'p' },
  { type: 'complete', success: false, name: '', device_id: '' },
  { type: 'abort', reason: 'sas_mismatch' },
  { type: 'abort', reason: 'user_denied' },
  { type: 'abort', reason: 'timeout' },
  { type: 'abort', reason: 'protocol_error' },
  { type: 'hello' },
  { type: 'invite', uri: 'nostrpair://x' },
  { type: 'echo' },
];

test.each(WIRE)('is read as it was written: %j', (message) => {
  const text = JSON.stringify(message);
  expect(JSON.stringify(parseMessage(text))).toBe(text);
});

test('what another writer leaves out or adds is no harm', () => {
  const read = (wire: unknown) => parseMessage(JSON.stringify(wire));
  expect(read({ type: 'offer', session_id: HEX, more: 1 })).toEqual({
    ...{ type: 'offer', version: 1 },
    session_id: HEX,
  });
  expect(read({ type: 'complete', success: true })).toEqual({
    ...{ type: 'complete', success: true },
    ...{ name: '', device_id: '' },
  });
  for (const reason of ['something new', undefined, 7])
    expect(read({ type: 'abort', reason })).toEqual({ type: 'abort', reason: 'protocol_error' });
});

test('a name or an id of another device is made fit to show', () => {
  const long = 'x'.repeat(500);
  expect(
    parseMessage(JSON.stringify({ type: 'complete', success: true, name: long, device_id: long })),
  ).toEqual({
    ...{ type: 'complete', success: true },
    ...{ name: 'x'.repeat(MAX_DEVICE_NAME_CHARS), device_id: 'x'.repeat(MAX_DEVICE_ID_CHARS) },
  });
  for (const hidden of ['\u202e', '\n', '\u0007']) expect(deviceName(`a${hidden}b`)).not.toContain(hidden);
  for (const name of [undefined, 7, null, {}]) expect(deviceName(name)).toBe('');
});

const uriOf = (length: number): string => 'n'.repeat(length);
test('an invitation in a message is no longer than one may be', () => {
  const read = (uri: unknown) => parseMessage(JSON.stringify({ type: 'invite', uri }));
  expect(read(uriOf(MAX_INVITATION_CHARS))).toMatchObject({ type: 'invite' });
  expect(read(uriOf(MAX_INVITATION_CHARS + 1))).toBeUndefined();
  expect(read([1])).toBeUndefined();
});

test.each([
  ['no JSON', '{'],
  ['nothing', 'null'],
  ['a list', '[]'],
  ['no type', '{}'],
  ['another type', '{"type":"nonsense"}'],
  ['a type that is none', '{"type":["hello"]}'],
  ['a name that every object has', '{"type":"constructor"}'],
  ['an offer of another version', JSON.stringify({ type: 'offer', version: 2, session_id: HEX })],
  ['an offer without its session', '{"type":"offer","version":1}'],
  ['an offer with a short session', JSON.stringify({ type: 'offer', version: 1, session_id: HEX.slice(2) })],
  ['a confirmation without a hash', '{"type":"sas-confirm"}'],
  ['a payload that is none', '{"type":"payload","payload_type":"custom","payload":7}'],
  ['a payload without a type', '{"type":"payload","payload":"x"}'],
  ['an end that does not say which', '{"type":"complete","name":"x"}'],
  ['an end that says it as text', '{"type":"complete","success":"true"}'],
])('%s is no message', (_, text) => {
  expect(parseMessage(text)).toBeUndefined();
});

test('no text makes the reader throw', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      parseMessage(text);
      parseMessage(`{"type":${text}}`);
    }),
    { seed: 21 },
  );
});

const key = hexToBytes(KEY);
const shared: SharedKey = {
  ...{ key, pubkey: publicKeyOf(key), relays: ['wss://one.example'] },
  ...{ metadata: 'clear', name: 'laptop' },
};
const expected = { namespace: 'my-app', allowInsecure: false };
const changed = (change: Record<string, unknown>): string =>
  JSON.stringify({ ...(JSON.parse(encodeShared('my-app', shared)) as object), ...change });

test('what is shared is pinned, and read back', () => {
  expect(JSON.parse(encodeShared('my-app', shared))).toEqual({
    ...{ t: 'nostr-sync/pair/1', namespace: 'my-app', key: KEY, pubkey: shared.pubkey },
    ...{ relays: shared.relays, metadata: 'clear', name: 'laptop' },
  });
  expect(parseShared(encodeShared('my-app', shared), expected)).toEqual(shared);
  const keyless = { ...shared, key: null, metadata: 'sealed' } as const;
  expect(parseShared(encodeShared('my-app', keyless), expected)).toEqual(keyless);
});

test('relays that would be refused are left out, and a name is made fit to show', () => {
  const relays = ['wss://one.example', 'ws://two.example', 'http://x', 7, null];
  const name = `a\u202e${'b'.repeat(100)}`;
  expect(parseShared(changed({ relays, name }), expected)).toMatchObject({
    ...{ relays: ['wss://one.example'], name: deviceName(name) },
  });
  expect(parseShared(changed({ relays }), { ...expected, allowInsecure: true })).toMatchObject({
    relays: ['wss://one.example', 'ws://two.example'],
  });
});

const UNREADABLE = /cannot read/;
test.each([
  ['is no JSON', '{', null, UNREADABLE],
  ['is nothing', 'null', null, UNREADABLE],
  ['is of another format', changed({ t: 'nostr-sync/pair/2' }), null, UNREADABLE],
  ['is too long', `${changed({})}${' '.repeat(MAX_PAIRING_PAYLOAD_BYTES)}`, null, UNREADABLE],
  ['is of another app', changed({ namespace: 'other-app' }), 'other-app', /another app/],
  ['is of an app without a name', changed({ namespace: 7 }), '', /another app/],
  ['has no key that is one', changed({ key: 'x' }), 'my-app', UNREADABLE],
  ['has no key', changed({ key: undefined }), 'my-app', UNREADABLE],
  ['has no public key', changed({ pubkey: 'x' }), 'my-app', UNREADABLE],
  ['has no list of relays', changed({ relays: 'wss://one.example' }), 'my-app', UNREADABLE],
  ['has other metadata', changed({ metadata: 'other' }), 'my-app', UNREADABLE],
])('what is shared and %s is PAIRING_OTHER_APP', (_, text, namespace, words) => {
  const error = parseShared(text, expected);
  expect(error).toMatchObject({ code: 'PAIRING_OTHER_APP', details: { namespace } });
  expect(String(error)).toMatch(/^NostrSyncError: Cannot pair: the other device /);
  expect(String(error)).toMatch(words);
  expect(String(error)).not.toContain(KEY);
});

test.each([
  ['of another key', '1'.repeat(64)],
  ['that no key has', KEY],
])('a public key %s is PAIRING_OTHER_KEY', (_, pubkey) => {
  const error = parseShared(changed({ pubkey }), expected);
  expect(error).toMatchObject({ code: 'PAIRING_OTHER_KEY', details: { pubkey } });
  expect(String(error)).toMatch(/Cannot pair: the key is not that of the public key/);
});

test('a key that is none is PAIRING_OTHER_KEY', () => {
  const none = '0'.repeat(64);
  expect(parseShared(changed({ key: none }), expected)).toMatchObject({ code: 'PAIRING_OTHER_KEY' });
});

test('what is as large as may be is read, and one byte more is not written', () => {
  const room = MAX_PAIRING_PAYLOAD_BYTES - Buffer.byteLength(changed({ more: '' }));
  const largest = changed({ more: 'x'.repeat(room) });
  expect(Buffer.byteLength(largest)).toBe(MAX_PAIRING_PAYLOAD_BYTES);
  expect(fitsPayload(largest)).toBe(true);
  expect(fitsPayload(`${largest} `)).toBe(false);
  expect(parseShared(largest, expected)).toEqual(shared);
  expect(parseShared(`${largest} `, expected)).toMatchObject({ code: 'PAIRING_OTHER_APP' });
});

test.each([
  ['sas_mismatch', 'digits'],
  ['timeout', 'expired'],
  ['user_denied', 'cancelled-there'],
  ['protocol_error', 'cancelled-there'],
] as const)('the other device’s %s is %s here', (reason, ending) => {
  expect(endingOf(reason)).toBe(ending);
});

const reasons = { 'wss://one.example': 'blocked: no', 'wss://two.example': 'not connected' };
test.each<[Ending, string, object, RegExp]>([
  ['expired', 'PAIRING_EXPIRED', { reasons }, /time is over; make a new invitation/],
  ['unconfirmed', 'PAIRING_EXPIRED', { reasons }, /key was sent, but the other device has not said/],
  ['unanswered', 'PAIRING_EXPIRED', { reasons }, /no device answers to this code/],
  ['cancelled-here', 'PAIRING_CANCELLED', { by: 'this-device' }, /it was cancelled/],
  ['cancelled-there', 'PAIRING_CANCELLED', { by: 'other-device' }, /other device cancelled it/],
  ['not-kept', 'PAIRING_CANCELLED', { by: 'other-device' }, /could not keep the key/],
  ['digits', 'PAIRING_DIGITS', {}, /Cannot pair: the digits are not those .*Make a new invitation/],
  ['transcript', 'PAIRING_DIGITS', {}, /agreed with somebody else/],
  ['unreachable', 'PAIRING_NO_RELAY', { reasons }, /no relay carries messages .*\(kind 24134\)/],
])('%s is %s', (ending, code, details, words) => {
  const error = errorOf(ending, reasons);
  expect(error.code).toBe(code);
  expect(error.details ?? {}).toEqual(details);
  expect(error.message).toMatch(words);
});

test('what relays said is in the message', () => {
  expect(errorOf('unreachable', reasons).message).toContain(
    'wss://one.example: blocked: no; wss://two.example: not connected',
  );
});
