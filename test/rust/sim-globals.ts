/** What the simulator takes of Node, as far as it takes it, for QuickJS. */

import { sha256 } from '@noble/hashes/sha2.js';
import { native, toBinary } from '../../src/embedded/native.ts';
import { inflateStored } from './sim-compression.ts';

const waiting: { readonly id: number; readonly callback: () => void }[] = [];
let last = 0;

/**
 * The next tick is when no job of a promise is left: an answer of the program's store comes then. As in Node, all that wait have their turn
 * before the next job.
 */
export const nextTicks = {
  add: (callback: () => void): void => {
    last += 1;
    waiting.push({ id: last, callback });
    native.storeGet(last, '');
  },
  reply: (id: number): void => {
    // One that had its turn with those before it: jobs may be left by now.
    if (id < (waiting[0]?.id ?? Infinity)) return;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) next.callback();
  },
};

type Encoding = 'base64' | 'base64url' | 'hex' | 'utf8';

// `from` of a Buffer takes what that of a Uint8Array does not.
class Bytes extends (Uint8Array as unknown as new (bytes: Iterable<number>) => Uint8Array) {
  static from(source: string | Iterable<number>, encoding: unknown = 'utf8'): Bytes {
    if (typeof source !== 'string') return new Bytes(source);
    if (encoding === 'base64')
      return new Bytes(Array.from(atob(source), (character) => character.charCodeAt(0)));
    return new Bytes(native.utf8Encode(source));
  }

  override toString(encoding: Encoding = 'utf8'): string {
    if (encoding === 'hex') return Array.from(this, (byte) => byte.toString(16).padStart(2, '0')).join('');
    if (encoding === 'utf8') return native.utf8Decode(toBinary(this)) ?? '';
    const base64 = btoa(toBinary(this));
    return encoding === 'base64'
      ? base64
      : base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  }
}

/** Tabs tell each other maps and bytes, too: the engine's own clone, for plain values, is not enough. */
function structuredClone(value: unknown): unknown {
  if (value instanceof Map)
    return new Map([...value].map((entry) => structuredClone(entry) as [unknown, unknown]));
  if (value instanceof Set) return new Set([...value].map(structuredClone));
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(structuredClone);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, structuredClone(member)]));
}

Object.assign(globalThis, { Buffer: Bytes, process: { nextTick: nextTicks.add }, structuredClone });

interface Hash {
  update(data: string | Uint8Array): Hash;
  digest(): Bytes;
  digest(encoding: 'hex'): string;
}

export function createHash(): Hash {
  let hashed: string | Uint8Array = '';
  const hash = {
    // Once: nothing here gives it more.
    update: (data: string | Uint8Array) => {
      hashed = data;
      return hash;
    },
    digest: (encoding?: Encoding) => {
      // The program's own is many times as fast, and takes a text.
      if (typeof hashed === 'string' && encoding === 'hex') return native.sha256Hex(hashed);
      const bytes = new Bytes(sha256(typeof hashed === 'string' ? native.utf8Encode(hashed) : hashed));
      return encoding === undefined ? bytes : bytes.toString(encoding);
    },
  } as Hash;
  return hash;
}

export function randomBytes(): never {
  throw new Error('The simulator has no chance of its own');
}

export const inflateRawSync = (bytes: Uint8Array): Bytes => new Bytes(inflateStored(bytes));
