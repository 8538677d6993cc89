/** What listeners are given is their own. */

import { expect, test, vi } from 'vitest';
import type { FetchResult } from '../../src/node.ts';
import { device, relay } from './devices.ts';

test('what one listener does to a result is nothing to the next, nor to the engine', async () => {
  const { url } = await relay();
  const [phone, laptop] = [device([url]), device([url])];
  const got: unknown[] = [];
  const spoil = (result: FetchResult): void => {
    const list = (result.payload as { list: number[] } | null)?.list;
    got.push(structuredClone(result.payload));
    list?.push(4);
    Object.assign(result, { category: 'spoilt' });
  };
  for (const _ of [1, 2]) {
    laptop.on('updated', spoil);
    laptop.subscribe(['settings'], spoil);
  }
  const payload = { list: [1, 2, 3], ['__proto__']: { a: 1 } };
  await phone.publish('settings', payload);
  await vi.waitFor(() => expect(got).toHaveLength(4), { timeout: 5_000 });
  for (const one of got) expect(one).toEqual({ list: [1, 2, 3], ['__proto__']: { a: 1 } });
  expect(laptop.updated).toMatchObject([{ category: 'settings', payload: { list: [1, 2, 3] } }]);
  expect(await laptop.fetch('settings')).toMatchObject({ payload: { list: [1, 2, 3] } });
});
