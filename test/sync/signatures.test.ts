/** What a large value costs a person who signs: docs/API.md and README.md say it, and this counts it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { secretKeySigner, type Signer } from '../../src/node.ts';
import { editedValue, numbersOf, VALUES } from '../../bench/support/values.mjs';
import { createRandom } from '../support/random.ts';
import { KEY, world } from './devices.ts';

const LARGE = { maxPayloadSize: 409_600 };
const textOf = (file: string): string =>
  readFileSync(join(import.meta.dirname, '../..', file), 'utf8').replaceAll(/\s+/g, ' ');
const [API, README] = [textOf('docs/API.md'), textOf('README.md')];

const counted = () => ({ encrypt: 0, decrypt: 0, sign: 0, getPublicKey: 0 });

/** A signer that may ask a person, and counts what it is asked. `take`: since it was called last. */
function countingSigner(isRemote: boolean): {
  readonly signer: Signer;
  take(): ReturnType<typeof counted>;
} {
  const { isLocal: _, ...inner } = secretKeySigner(KEY);
  let asked = counted();
  return {
    signer: {
      ...inner,
      isRemote,
      getPublicKey: async () => (asked.getPublicKey++, inner.getPublicKey()),
      signEvent: async (template) => (asked.sign++, inner.signEvent(template)),
      nip44: {
        encrypt: async (peer, text) => (asked.encrypt++, inner.nip44.encrypt(peer, text)),
        decrypt: async (peer, text) => (asked.decrypt++, inner.nip44.decrypt(peer, text)),
      },
    },
    take: () => {
      const taken = asked;
      asked = counted();
      return taken;
    },
  };
}

test.each([
  [
    'an extension',
    false,
    /A value of 400 KB takes an extension one encryption, .*?some (\d+) signatures/,
    /some (\d+) signatures by an extension/,
  ],
  ['a bunker', true, /It takes a bunker some (\d+) signatures/, /and some (\d+) by a bunker/],
] as const)(
  '%s is asked for as many signatures as the documents say, and encrypts once',
  async (_, isRemote, inApi, inReadme) => {
    const signatures: number[] = [];
    for (const [seed, kind] of (Object.keys(VALUES) as (keyof typeof VALUES)[]).entries()) {
      const { clock, device, settle } = world({});
      const { signer, take } = countingSigner(isRemote);
      const random = numbersOf(seed);
      const value = VALUES[kind](400_000, random);
      const laptop = device({ ...LARGE, signer, randomBytes: createRandom(seed).bytes });
      await settle(laptop.fetch('settings'));
      take();
      const { pieces } = await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
      await clock.advance(60_000);
      const { sign, ...others } = take();
      expect(others).toEqual({ encrypt: 1, decrypt: 1, getPublicKey: 2 });
      expect(sign).toBe(pieces!.total + 1);
      signatures.push(sign);

      await clock.advance(600_000);
      expect(take()).toEqual(counted());
      await settle(laptop.publish('settings', editedValue(kind, value, random), { waitFor: 'replicated' }));
      const edit = take();
      expect(edit).toMatchObject({ encrypt: 1, getPublicKey: 2 });
      expect(edit.decrypt).toBeLessThanOrEqual(2);
      expect([2, 3]).toContain(edit.sign);

      await settle(device({ ...LARGE, signer }).fetch('settings'));
      expect(take()).toEqual({ encrypt: 0, decrypt: 1, sign: 0, getPublicKey: 1 });
    }
    const mean = signatures.reduce((sum, count) => sum + count, 0) / signatures.length;
    for (const said of [inApi.exec(API), inReadme.exec(README)]) {
      const documented = Number(said?.[1]);
      expect(Math.abs(mean - documented), `${mean} signatures, ${documented} documented`).toBeLessThan(
        mean / 10,
      );
    }
  },
);

test('a value of up to 40,960 bytes costs one encryption and one signature', async () => {
  const { device, settle } = world({});
  const { signer, take } = countingSigner(false);
  const laptop = device({ signer });
  await settle(laptop.publish('other', 1));
  take();
  await settle(laptop.publish('settings', 'x'.repeat(40_958), { waitFor: 'replicated' }));
  expect(take()).toEqual({ encrypt: 1, decrypt: 0, sign: 1, getPublicKey: 2 });
});
