/** Deflate by the platform's streams and by zlib: what goes in comes out, and no bomb takes memory. */

import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { streamCompression } from '../../src/protocol/compression.ts';
import { zlibCompression } from '../support/zlib-compression.ts';

describe('compression', () => {
  const implementations = { streamCompression, zlibCompression };
  test.each(Object.entries(implementations))(
    '%s: what goes in comes out, bounded',
    async (_, compression) => {
      for (const bytes of [new Uint8Array(), randomBytes(100_000), new Uint8Array(409_600)]) {
        const deflated = await compression.deflate(bytes);
        expect(await compression.inflate(deflated, bytes.length)).toEqual(new Uint8Array(bytes));
        if (bytes.length > 0) await expect(compression.inflate(deflated, bytes.length - 1)).rejects.toThrow();
      }
      // A block of the reserved type: random bytes are a stream that ends early, once in some hundred times.
      await expect(compression.inflate(Uint8Array.of(7, ...randomBytes(999)), 10_000)).rejects.toThrow();
      const whole = await compression.deflate(randomBytes(1_000));
      await expect(compression.inflate(whole.subarray(0, 500), 10_000)).rejects.toThrow();
    },
  );

  test('of the platform gives up on a bomb before it takes memory', async () => {
    const bomb = await zlibCompression.deflate(new Uint8Array(200_000_000));
    const before = process.memoryUsage();
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, used(process.memoryUsage()) - used(before))), 1);
    await expect(streamCompression.inflate(bomb, 409_600)).rejects.toThrow(/more than 409600 bytes/);
    peak = Math.max(peak, used(process.memoryUsage()) - used(before));
    clearInterval(watch);
    expect(peak).toBeLessThan(20_000_000);
  });

  const used = ({ heapUsed, external, arrayBuffers }: NodeJS.MemoryUsage): number =>
    heapUsed + external + arrayBuffers;
});
