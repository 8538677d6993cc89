/** Chance from a seed: the same draws in every run. */

import { randomBytes } from 'node:crypto';

export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** An integer from 0 up to, not including, `end`. */
  below(end: number): number;
  pick<T>(from: readonly T[]): T;
  /** True with this probability. */
  chance(probability: number): boolean;
  bytes(length: number): Uint8Array;
}

/** mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number): number => Math.floor(next() * end);
  return {
    next,
    below,
    pick: (from) => from[below(from.length)]!,
    chance: (probability) => next() < probability,
    bytes: (length) => {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = below(256);
      return bytes;
    },
  };
}

/** What stands before a filler, so that no file and no frame holds it in the clear. */
export const FILLER = 'filler-in-the-clear-';

/** A text of this length that deflating makes no smaller, behind `FILLER`; the same for the same `seed`, if one is given. */
export function filler(length: number, seed?: number): string {
  const count = Math.ceil((length * 3) / 4);
  const bytes = seed === undefined ? randomBytes(count) : createRandom(seed).bytes(count);
  return FILLER + Buffer.from(bytes).toString('base64').slice(0, length);
}

/** The number in the environment variable `name`, which the arguments of a long lane become; else `fallback`. */
export function numberFrom(name: string, fallback: number): number {
  const given = process.env[name];
  if (given === undefined) return fallback;
  const number = Number(given);
  if (!Number.isFinite(number) || number < 0)
    throw new RangeError(`${name}: expected a number, got "${given}"`);
  return number;
}
