/** The simulator's own reader of tags, by the vectors that the engine's is judged by. */

import { expect, test } from 'vitest';
import { asMap, byName, CREATED_AT, READ } from '../support/tag-vectors.ts';
import { addressIn, deviceIn, expirationIn, formatIn, hasTag, schemaIn, vectorIn, voidsIn } from './tags.ts';

test.each(byName(READ))('%s', (_, { tags, header }) => {
  const event = { created_at: CREATED_AT, tags };
  expect(addressIn(event)).toBe(header?.address);
  if (header === null) return;
  expect(deviceIn(event)).toBe(header.deviceId ?? undefined);
  expect(expirationIn(event)).toBe(header.expiration ?? undefined);
  expect(hasTag(event, 'deleted')).toBe(header.isRemoval);
  expect(formatIn(event)).toBe(header.format ?? undefined);
  expect(schemaIn(event)).toEqual(header.schema ?? undefined);
  expect(vectorIn(event)).toEqual(asMap(header.vector));
  expect(voidsIn(event)).toEqual(asMap(header.voids));
});
