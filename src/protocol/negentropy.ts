/**
 * Which of two sets of events has what the other lacks (NIP-77, negentropy protocol version 1), without sending either. Pure: texts in
 * hex go in and out. A message is a list of ranges of (created_at, id), in this order; a range says its fingerprint, or all its ids, or
 * nothing.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { MAX_FRAME_BYTES, MAX_NEG_MESSAGE_BYTES, MAX_NEG_ROUNDS } from './limits.ts';
import type { Place } from './order.ts';

/** What the other side says that is no message of the protocol: `expected` is for people. */
export interface Malformed {
  readonly type: 'malformed';
  readonly expected: string;
}

/** The side that asks, and that learns what is different. */
export interface Reconciliation {
  /** The first message. */
  open(): string;
  /** Takes the answer to the latest message. With `'done'` both sets are known. */
  take(
    message: string,
  ): { readonly type: 'next'; readonly message: string } | { readonly type: 'done' } | Malformed;
  /** Ids that only this side has. */
  readonly have: ReadonlySet<string>;
  /** Ids that only the other side has, by its word. */
  readonly need: ReadonlySet<string>;
}

/** A place between events: `id` is the beginning of one, in hex. */
interface Bound {
  readonly stamp: number;
  readonly id: string;
}

const VERSION = '61';
const SKIP = 0;
const FINGERPRINT = 1;
const ID_LIST = 2;
/** In characters. */
const ID_CHARS = 64;
const FINGERPRINT_CHARS = 32;
/** Into so many ranges one that differs is split. With fewer than twice as many ids it is said by its ids. */
const BUCKETS = 16;
/** The bound that is above every event. */
const END: Bound = { stamp: Infinity, id: '' };
/** Of a message that comes in: as much as a frame may have. */
const MAX_NEG_CHARS = MAX_FRAME_BYTES;
/** Seven digits of base 128: no stamp and no number of ids is above that. */
const MAX_VARINT_BYTES = 7;
/** Room for the range that says what a message had no room for. */
const RESERVE_CHARS = 400;

const below = (a: Bound, b: Bound): boolean => (a.stamp === b.stamp ? a.id < b.id : a.stamp < b.stamp);
const boundOf = ({ created_at, id }: Place): Bound => ({ stamp: created_at, id });

/** `maxBytes`: of one message. */
export function createReconciliation(
  events: Iterable<Place>,
  maxBytes: number = MAX_NEG_MESSAGE_BYTES,
): Reconciliation {
  const set = createSet(events);
  const have = new Set<string>();
  const need = new Set<string>();
  let rounds = 0;

  function compare(lower: number, upper: number, theirs: ReadonlySet<string>): void {
    for (let at = lower; at < upper; at++) if (!theirs.has(set.ids[at]!)) have.add(set.ids[at]!);
    // What it says to have in a range where it is not, this side does not need.
    for (const id of theirs) if (!set.has(id)) need.add(id);
  }

  return {
    have,
    need,
    open: () => {
      const out = createMessage(maxBytes);
      // A small set costs least by one fingerprint of all: it is the same as a rule.
      if (set.ids.length < BUCKETS * 2) out.range(END, FINGERPRINT, set.fingerprint(0, set.ids.length));
      else {
        // What changed meanwhile is most often above all that is here: the answer says it at once.
        split(set, 0, set.ids.length, set.top(), out);
        out.range(END, ID_LIST, varint(0));
      }
      return out.text();
    },
    take: (message) => {
      // A set that differs in each answer would never end.
      if (++rounds > MAX_NEG_ROUNDS) return malformed('an end');
      const ranges = parse(message);
      if ('type' in ranges) return ranges;
      const out = answer(set, ranges, maxBytes, compare);
      return out.isEmpty() ? { type: 'done' } : { type: 'next', message: out.text() };
    },
  };
}

/** The side that is asked: gives the answer to a message. `maxBytes`: of one message. */
export function createResponder(
  events: Iterable<Place>,
  maxBytes: number = MAX_NEG_MESSAGE_BYTES,
): (message: string) => { readonly type: 'answer'; readonly message: string } | Malformed {
  const set = createSet(events);
  return (message) => {
    // Another version of the protocol: the one that is known here, and no more, says so.
    if (/^6[0-9a-f]/.test(message) && !message.startsWith(VERSION))
      return { type: 'answer', message: VERSION };
    const ranges = parse(message);
    return 'type' in ranges
      ? ranges
      : { type: 'answer', message: answer(set, ranges, maxBytes, undefined).text() };
  };
}

/** Events in their order, and what is said of a part of them. */
interface EventSet {
  readonly ids: readonly string[];
  has(id: string): boolean;
  /** The first at or above a bound, from `lower` on. */
  find(lower: number, bound: Bound): number;
  fingerprint(lower: number, upper: number): string;
  /** The least bound that tells the event at `at` from the one before it. */
  boundAt(at: number): Bound;
  placeOf(at: number): Bound;
  /** The bound that is above all stamps. */
  top(): Bound;
}

function createSet(events: Iterable<Place>): EventSet {
  const unique = new Map([...events].map((event) => [event.id, boundOf(event)]));
  const sorted = [...unique.values()].sort((a, b) => (below(a, b) ? -1 : 1));
  const ids = sorted.map(({ id }) => id);

  return {
    ids,
    has: (id) => unique.has(id),
    find: (lower, bound) => {
      let [from, to] = [lower, sorted.length];
      while (from < to) {
        const middle = (from + to) >>> 1;
        if (below(sorted[middle]!, bound)) from = middle + 1;
        else to = middle;
      }
      return from;
    },
    fingerprint: (lower, upper) => fingerprint(ids.slice(lower, upper)),
    placeOf: (at) => sorted[at]!,
    top: () => ({ stamp: sorted.at(-1)!.stamp + 1, id: '' }),
    boundAt: (at) => {
      const [before, { stamp, id }] = [sorted[at - 1]!, sorted[at]!];
      if (before.stamp !== stamp) return { stamp, id: '' };
      let shared = 0;
      while (before.id.slice(shared, shared + 2) === id.slice(shared, shared + 2)) shared += 2;
      return { stamp, id: id.slice(0, shared + 2) };
    },
  };
}

/** The sum of the ids as numbers of 256 bits, lowest byte first, and how many there are, hashed. */
function fingerprint(ids: readonly string[]): string {
  const sums = new Float64Array(8);
  for (const id of ids) {
    const words = new DataView(hexToBytes(id).buffer);
    for (let i = 0; i < 8; i++) sums[i]! += words.getUint32(i * 4, true);
  }
  const count = varint(ids.length);
  const bytes = new Uint8Array(32 + count.length / 2);
  const view = new DataView(bytes.buffer);
  let carry = 0;
  for (let i = 0; i < 8; i++) {
    const sum = sums[i]! + carry;
    view.setUint32(i * 4, sum % 2 ** 32, true);
    carry = Math.floor(sum / 2 ** 32);
  }
  bytes.set(hexToBytes(count), 32);
  return bytesToHex(sha256(bytes)).slice(0, FINGERPRINT_CHARS);
}

/** Base 128, the highest digits first, all but the last with the top bit. In hex. */
function varint(value: number): string {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128))
    bytes.unshift((rest % 128) | 128);
  return bytesToHex(Uint8Array.from(bytes));
}

interface Message {
  /** What is said of the events up to a bound. */
  range(bound: Bound, mode: typeof SKIP | typeof FINGERPRINT | typeof ID_LIST, content: string): void;
  /** In characters; below 0 if it is too long. */
  room(): number;
  isEmpty(): boolean;
  /** Returns the way back to what has been said so far. */
  mark(): () => void;
  text(): string;
}

function createMessage(maxBytes: number): Message {
  let text = VERSION;
  /** Stamps are said as differences. */
  let last = 0;
  return {
    range: ({ stamp, id }, mode, content) => {
      text += stamp === Infinity ? '00' : varint(stamp - last + 1);
      text += varint(id.length / 2) + id + varint(mode) + content;
      last = stamp;
    },
    room: () => maxBytes * 2 - RESERVE_CHARS - text.length,
    isEmpty: () => text === VERSION,
    mark: () => {
      const before = [text, last] as const;
      return () => {
        [text, last] = before;
      };
    },
    text: () => text,
  };
}

/** Says of a range that differs what is in it: by parts, or by its ids if they are few. */
function split(set: EventSet, lower: number, upper: number, bound: Bound, out: Message): void {
  const count = upper - lower;
  if (count < BUCKETS * 2)
    return out.range(bound, ID_LIST, varint(count) + set.ids.slice(lower, upper).join(''));
  let from = lower;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const to = from + Math.floor(count / BUCKETS) + Number(bucket < count % BUCKETS);
    out.range(to === upper ? bound : set.boundAt(to), FINGERPRINT, set.fingerprint(from, to));
    from = to;
  }
}

/** One range of a message that was read. */
type Range = { readonly bound: Bound } & (
  | { readonly mode: typeof SKIP }
  | { readonly mode: typeof FINGERPRINT; readonly fingerprint: string }
  | { readonly mode: typeof ID_LIST; readonly ids: ReadonlySet<string> }
);

/** `compare`: of the side that asks. The other one says its own ids instead. */
function answer(
  set: EventSet,
  ranges: readonly Range[],
  maxBytes: number,
  compare: ((lower: number, upper: number, theirs: ReadonlySet<string>) => void) | undefined,
): Message {
  const out = createMessage(maxBytes);
  let lower = 0;
  /** Up to here nothing is to be said, and that has not been said yet. */
  let skipped: Bound | undefined;

  function say(): void {
    if (skipped !== undefined) out.range(skipped, SKIP, '');
    skipped = undefined;
  }

  /** Says the ids, as many as there is room for. Returns up to where. */
  function list(upper: number, bound: Bound): number {
    say();
    const end = Math.min(upper, lower + Math.max(0, Math.floor(out.room() / ID_CHARS)));
    const ids = set.ids.slice(lower, end).join('');
    out.range(end === upper ? bound : set.placeOf(end), ID_LIST, varint(end - lower) + ids);
    return end;
  }

  for (const range of ranges) {
    const upper = set.find(lower, range.bound);
    /** What follows is said by one fingerprint: there is no room for more. */
    const cut = (from: number): Message => {
      out.range(END, FINGERPRINT, set.fingerprint(from, set.ids.length));
      return out;
    };
    if (range.mode === ID_LIST && compare === undefined) {
      const end = list(upper, range.bound);
      if (end < upper || out.room() < 0) return cut(end);
    } else if (range.mode === FINGERPRINT && range.fingerprint !== set.fingerprint(lower, upper)) {
      say();
      const undo = out.mark();
      split(set, lower, upper, range.bound, out);
      if (out.room() < 0) {
        undo();
        return cut(lower);
      }
    } else {
      if (range.mode === ID_LIST) compare?.(lower, upper, range.ids);
      skipped = range.bound;
    }
    lower = upper;
  }
  return out;
}

const malformed = (expected: string): Malformed => ({ type: 'malformed', expected });

/** Of text that anybody may have sent. */
function parse(message: string): readonly Range[] | Malformed {
  if (message.length > MAX_NEG_CHARS) return malformed(`at most ${MAX_NEG_CHARS} characters`);
  if (!/^61(?:[0-9a-f]{2})*$/.test(message)) return malformed('version 0x61 in lower-case hex');
  let at = VERSION.length;

  /** So many characters, or none if the message ends before. */
  function take(chars: number): string | undefined {
    at += chars;
    return at > message.length ? undefined : message.slice(at - chars, at);
  }

  function number(): number | undefined {
    for (let [value, digits] = [0, 0]; digits < MAX_VARINT_BYTES; digits++) {
      const text = take(2);
      if (text === undefined) return undefined;
      const digit = Number.parseInt(text, 16);
      value = value * 128 + (digit & 127);
      if (digit < 128) return value;
    }
    return undefined;
  }

  function content(bound: Bound): Range | undefined {
    const mode = number();
    if (mode === SKIP) return { bound, mode };
    if (mode === FINGERPRINT) {
      const said = take(FINGERPRINT_CHARS);
      return said === undefined ? undefined : { bound, mode, fingerprint: said };
    }
    const count = mode === ID_LIST ? number() : undefined;
    const all = count === undefined ? undefined : take(count * ID_CHARS);
    if (all === undefined) return undefined;
    return { bound, mode: ID_LIST, ids: new Set(all.match(/.{64}/g)) };
  }

  const ranges: Range[] = [];
  let last: Bound = { stamp: 0, id: '' };
  while (at < message.length) {
    const ahead = number();
    const idBytes = number();
    const id = idBytes === undefined || idBytes > ID_CHARS / 2 ? undefined : take(idBytes * 2);
    if (ahead === undefined || id === undefined) return malformed('a bound');
    const bound = { stamp: ahead === 0 ? Infinity : last.stamp + ahead - 1, id };
    if (last.stamp === Infinity || below(bound, last)) return malformed('bounds that rise');
    const range = content(bound);
    if (range === undefined) return malformed('a range');
    ranges.push(range);
    last = bound;
  }
  return ranges;
}
