/** Reading what a device has read before, of many categories. */

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Signer } from '../../src/node.ts';
import type { EventVerifier } from '../../src/protocol/event.ts';
import { PUBKEY, world } from './devices.ts';

/** Their texts and what else each takes are more than is kept of a few large values. */
const COUNT = 4_200;

const idOf = (dTag: string): string => createHash('sha256').update(dTag).digest('hex');

test('what was decrypted once is not decrypted again, however many categories there are', async () => {
  const it = world({ frameLogSize: 0 });
  const names = Array.from({ length: COUNT }, (_, i) => `category-${i}`);
  for (const name of names)
    it.relays[0]!.inject({
      id: idOf(`default/${name}/v1`),
      ...{ pubkey: PUBKEY, kind: 30078, created_at: 1_767_000_000, sig: '00'.repeat(64) },
      tags: [
        ['d', `default/${name}/v1`],
        ['device_id', 'other'],
      ],
      content: 'x'.repeat(132),
    });
  let decryptions = 0;
  const signer: Signer = {
    getPublicKey: async () => PUBKEY,
    signEvent: () => Promise.reject(new Error('nothing is written')),
    nip44: {
      encrypt: () => Promise.reject(new Error('nothing is written')),
      decrypt: async () => {
        decryptions++;
        return '1';
      },
    },
  };
  // No cryptography: what it costs is not the question.
  const verifier: EventVerifier = { hash: ({ tags }) => idOf(tags[0]![1]!), verifySignature: () => true };
  const device = it.device({ signer, verifier });
  await it.clock.advance(1_000);
  await it.settle(device.syncAll(names));
  const before = decryptions;
  expect(before).toBeGreaterThanOrEqual(COUNT);
  const again = await it.settle(device.syncAll(names));
  expect(again.every(({ payload, source }) => payload === 1 && source === 'relay')).toBe(true);
  expect(decryptions).toBe(before);
});
