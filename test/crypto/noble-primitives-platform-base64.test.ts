import { calls } from './with-platform-base64.ts';
import { expect, test } from 'vitest';
import { noblePrimitives } from '../../src/crypto/noble-primitives.ts';
import { testNip44, testPrimitives } from './conformance.ts';

testPrimitives(noblePrimitives);
testNip44(noblePrimitives);

test("the platform's base64 does the work", () => {
  const before = { ...calls };
  noblePrimitives.base64Decode(noblePrimitives.base64Encode(new Uint8Array(3)));
  expect(calls).toEqual({ encode: before.encode + 1, decode: before.decode + 1 });
});
