/** Text that hardly deflates, the same for the same number in every process. */

import { createHash } from 'node:crypto';

export function fillerOf(value: number, bytes: number): string {
  const blocks = Array.from({ length: Math.ceil(bytes / 43) }, (_, i) =>
    createHash('sha256').update(`${value} ${i}`).digest('base64url'),
  );
  return blocks.join('').slice(0, bytes);
}
