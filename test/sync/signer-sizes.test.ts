import { expect, test } from 'vitest';
import { LARGE_EVENT_BYTES, SIZES } from '../../src/protocol/limits.ts';
import { createSignerSizes } from '../../src/sync/values/signer-sizes.ts';

const failing = (cause: unknown): Promise<never> => Promise.reject(new Error('no', { cause }));
const TOO_LARGE = new Error('invalid: event too large');

test('a remote signer is given less, and each refusal of something large makes it less still', async () => {
  let isRemote = false;
  const sizes = createSignerSizes(() => isRemote);
  expect(sizes.now()).toBe(SIZES[0]);
  isRemote = true;
  expect(sizes.now()).toBe(SIZES[1]);
  for (let i = 0; i < SIZES.length; i++) {
    await expect(sizes.learn(LARGE_EVENT_BYTES + 1, failing(TOO_LARGE))).rejects.toThrow('no');
    expect(sizes.now()).toBe(SIZES.at(-1));
  }
  sizes.forget();
  expect(sizes.now()).toBe(SIZES[1]);
});

test.each([
  ['it was not large', LARGE_EVENT_BYTES, TOO_LARGE],
  ['that was not the reason', LARGE_EVENT_BYTES + 1, new Error('the user said no')],
])('nothing is learned if %s', async (_, chars, cause) => {
  const sizes = createSignerSizes(() => false);
  await expect(sizes.learn(chars, failing(cause))).rejects.toThrow('no');
  expect(sizes.now()).toBe(SIZES[0]);
});

test('one of many reasons is enough, as text too: a signer that asks over relays says what each has said', async () => {
  const sizes = createSignerSizes(() => false);
  const cause = new AggregateError(['timeout', 'event too large']);
  await expect(sizes.learn(LARGE_EVENT_BYTES + 1, failing(cause))).rejects.toThrow('no');
  expect(sizes.now()).toBe(SIZES[1]);
});

test('what it takes teaches nothing', async () => {
  const sizes = createSignerSizes(() => false);
  expect(await sizes.learn(LARGE_EVENT_BYTES + 1, Promise.resolve('signed'))).toBe('signed');
  expect(sizes.now()).toBe(SIZES[0]);
});
