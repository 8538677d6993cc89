/** Seeded chance in named streams, so that taking one thing out of a history leaves the chance of all others as it was. */

export interface Chance {
  /** Uniform in [0, 1). */
  next(): number;
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number;
  /** True with probability `p`. */
  bool(p: number): boolean;
  pick<T>(list: readonly T[]): T;
  bytes(length: number): Uint8Array;
}

/** FNV-1a of a text, or of a part of it, continued from `hash`; 32 bits. */
export function hashText(text: string, hash = 0x811c9dc5, from = 0, to: number = text.length): number {
  let h = hash;
  for (let i = from; i < to; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** The stream of this name; mulberry32. */
export function createChance(...name: readonly (string | number)[]): Chance {
  let state = hashText(name.join('/'));
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const int = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    int,
    bool: (p) => next() < p,
    pick: (list) => list[int(0, list.length - 1)]!,
    bytes: (length) => {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = int(0, 255);
      return bytes;
    },
  };
}
