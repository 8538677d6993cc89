/** Invariant I16: one write, byte for byte. Other devices run older versions: what changes here, changes on the wire. */

import { verifyEvent } from 'nostr-tools/pure';
import { expect, test } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import { KEY, PUBKEY, stored, world } from './devices.ts';

const CONTENT =
  'AgcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHesoakdK8HE2dh278luLnUA7K' +
  'PkBMOtnX9Mac3W7cg3VH4MHkfSiGSijO4SYMsZCC+95IlDYIZKiuSyilUGOakkcV';
const ID = '6e3fc48ed20d43fe4774a2b88e9e1ca7d7f2c813e4aa44d33a40ce9d4d963843';
const SIG =
  '91c91e53742ec374a6b4037dbb0b4021d59e6bf28edfea471fbaae0353678f8f' +
  '7afd141de5fe8ace2c8e7316c30fec1bbf94496a859db5fecf17727fe6d3f0a2';

test('the bytes of a write are those of version 1', async () => {
  const { device, relays, settle } = world({});
  const signer = createSecretKeySigner(nodePrimitives, (length) => new Uint8Array(length).fill(7), KEY);
  const laptop = device({ signer, deviceId: 'golden-device' });
  await settle(laptop.publish('settings', { theme: 'dark', '🦩': [1, null] }, 1_800_000_000));
  const [event] = stored(relays[0]!);
  expect(event).toMatchObject({
    kind: 30078,
    pubkey: PUBKEY,
    created_at: 1_767_225_600,
    tags: [
      ['d', 'default/settings/v1'],
      ['device_id', 'golden-device'],
      ['expiration', '1800000000'],
      ['vv', '528981df:1767225600'],
    ],
  });
  expect(event!.content).toBe(CONTENT);
  expect(event!.id).toBe(ID);
  expect(event!.sig).toBe(SIG);
  expect(verifyEvent(event as Parameters<typeof verifyEvent>[0])).toBe(true);
});
