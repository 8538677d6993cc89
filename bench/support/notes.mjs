/** Values to publish in pieces. */

import { randomBytes } from 'node:crypto';

/** Notes of 60 characters that hardly deflate. */
export function valueOf(bytes) {
  return Array.from({ length: Math.floor(bytes / 63) }, () => randomBytes(45).toString('base64'));
}

/** Values of 60 KB, which a process deals with before the memory of a larger one is measured. */
export const WARM_CATEGORIES = Array.from({ length: 10 }, (_, i) => `warm-${i}`);
