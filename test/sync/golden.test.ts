/** Invariant I16: one write, byte for byte. Other devices run older versions: what changes here, changes on the wire. */

import { verifyEvent } from 'nostr-tools/pure';
import { expect, test } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { createSecretKeySigner } from '../../src/signer/secret-key.ts';
import { KEY, PUBKEY, stored, world } from './devices.ts';

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
  expect(event!.content).toBe('GOLDEN_CONTENT');
  expect(event!.id).toBe('GOLDEN_ID');
  expect(event!.sig).toBe('GOLDEN_SIG');
  expect(verifyEvent(event as Parameters<typeof verifyEvent>[0])).toBe(true);
});
