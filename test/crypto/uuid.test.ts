import { expect, test } from 'vitest';
import { uuid } from '../../src/crypto/uuid.ts';

test('is a UUID of version 4, whatever the bytes are', () => {
  expect(uuid(new Uint8Array(16))).toBe('00000000-0000-4000-8000-000000000000');
  expect(uuid(new Uint8Array(16).fill(255))).toBe('ffffffff-ffff-4fff-bfff-ffffffffffff');
  expect(uuid(Uint8Array.from({ length: 16 }, (_, i) => i * 16 + i))).toBe(
    '00112233-4455-4677-8899-aabbccddeeff',
  );
});
