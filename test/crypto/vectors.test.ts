/** The vectors are data of others: nobody changes them to make a test pass. */

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { bip340Vectors, nip44Vectors, readVectors } from './vectors.ts';

test.each([
  // https://github.com/bitcoin/bips/blob/master/bip-0340/test-vectors.csv
  ['bip340-test-vectors.csv', '34c9d1d9c3a88d524bc80778540dc43f8306ec249a7485293063c376db851c2d'],
  // https://github.com/paulmillr/nip44
  ['nip44.vectors.json', '269ed0f69e4c192512cc779e78c555090cebc7c785b609e338a62afc3ce25040'],
  // Computed from the definition in src/signer/derive.ts by a program in another language.
  ['derive.json', 'ade7d7c4aa85d0331cd01657782134b57ac4b914c612cd9db8cc7041b3f11293'],
  // `session`: NIP-AB (nips pull request 2328), but for the URI; `code`: computed by a program in another language.
  ['pairing.json', 'cf21c66a0e648770bdd4f75f2f57b2160b9825107895d45db8ccb4593d8f7476'],
  // By the protocol's own implementation, see test/vectors/README.md.
  ['negentropy.json', 'a2d3a7f3ff055cf6aca27bd1290a9857c549a12564bd757d0568679db89a52d3'],
])('%s is unchanged', (name, sha256) => {
  expect(createHash('sha256').update(readVectors(name)).digest('hex')).toBe(sha256);
});

test('all vectors are read', () => {
  expect(bip340Vectors).toHaveLength(19);
  expect(nip44Vectors.valid.get_conversation_key).toHaveLength(35);
  expect(nip44Vectors.valid.encrypt_decrypt).toHaveLength(10);
  expect(nip44Vectors.invalid.decrypt).toHaveLength(12);
});
