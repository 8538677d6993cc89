/** Seeded chance in named streams, so that taking one thing out of a history leaves the chance of all others as it was. */

import { createRandom, type Random } from '../support/random.ts';

export interface Chance extends Pick<Random, 'next' | 'pick' | 'bytes'> {
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number;
  /** True with probability `p`. */
  bool(p: number): boolean;
}

/** FNV-1a of a text, or of a part of it, continued from `hash`; 32 bits. */
export function hashText(text: string, hash = 0x811c9dc5, from = 0, to: number = text.length): number {
  let h = hash;
  for (let i = from; i < to; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** The stream of this name. */
export function createChance(...name: readonly (string | number)[]): Chance {
  const { next, below, pick, chance, bytes } = createRandom(hashText(name.join('/')));
  return { next, int: (min, max) => min + below(max - min + 1), bool: chance, pick, bytes };
}
