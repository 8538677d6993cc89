/** The primitives of Node where OpenSSL's place is taken by a library without raw ChaCha20, as in Bun and Electron. */

import { vi } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { testNip44, testPrimitives } from './conformance.ts';

vi.mock('node:crypto', async (importOriginal) => ({
  ...(await importOriginal<object>()),
  createCipheriv: () => {
    throw new Error('Unknown cipher');
  },
}));

testPrimitives(nodePrimitives);
testNip44(nodePrimitives);
