/** A record as one store entry, and back. What is in a store is as hostile as what a relay sends. */

import type { Address, EventId, RelayUrl } from '../../protocol/address.ts';
import { isPieceName } from '../../protocol/chunks.ts';
import {
  checkEvent,
  isHex32,
  parseEvent,
  type EventVerifier,
  type NostrEvent,
  type VerifiedEvent,
} from '../../protocol/event.ts';
import { entriesOf, parseEntries, parseVoids } from '../../protocol/header.ts';
import type { VersionVector } from '../../protocol/causality.ts';
import { MAX_STAMP } from '../../protocol/limits.ts';
import type { Kept } from './kept.ts';
import type { Delivery, HeadRecord, Orphan, OwnWrite } from './record.ts';
import type { Piece, Reading, Version } from './version.ts';

/** Of the stored form. Another is unusable. */
const VERSION = 1;
const DELIVERIES = new Set<unknown>([
  'pending',
  'unseen',
  'acknowledged',
  'confirmed',
  'refused',
] satisfies Delivery[]);

const READINGS = new Set<unknown>(['unread', 'read', 'unreadable'] satisfies Reading[]);

/** A store entry's form of a map. */
type Listed<T> = Readonly<Record<string, T>>;

/** The URLs in a record are compared with those of configured relays, and never connected to: text that is none is no relay's. */
const byRelay = <T>(listed: Listed<T>): [RelayUrl, T][] => Object.entries(listed) as [RelayUrl, T][];

function writeVersion({ event, reading, pieces }: Version): unknown {
  const stored = pieces?.map((piece) => ({ ...piece, deliveries: Object.fromEntries(piece.deliveries) }));
  return { event, reading, pieces: stored };
}

/** What is said by default is left out: there are many of them. */
function writeKept({ id, stamp, device, written, seen, bytes, ...more }: Kept): unknown {
  return {
    ...{ id, stamp, device, bytes, seen: entriesOf(seen), pieces: more.pieces },
    written: written === stamp ? undefined : written,
    isInPieces: more.isInPieces || undefined,
    isRemoval: more.isRemoval || undefined,
    isOverwritten: more.isOverwritten || undefined,
    isBeforeJoining: more.isBeforeJoining || undefined,
  };
}

export function serializeRecord(record: HeadRecord): string {
  const { head, former, deliveries, deemed, voids, proven, orphans, own, rivals, past, joint, ...plain } =
    record;
  const taken = own?.taken && { rivals: own.taken.rivals.map(writeKept), joint: entriesOf(own.taken.joint) };
  return JSON.stringify({
    v: VERSION,
    head: head && writeVersion(head),
    former: former.length === 0 ? undefined : former.map(writeVersion),
    own: own && { ...own, taken },
    ...plain,
    deliveries: Object.fromEntries(deliveries),
    deemed: deemed.size === 0 ? undefined : entriesOf(deemed),
    voids: voids.size === 0 ? undefined : entriesOf(voids),
    proven: proven.size === 0 ? undefined : Object.fromEntries(proven),
    orphans: orphans.length === 0 ? undefined : orphans,
    rivals: rivals.length === 0 ? undefined : rivals.map(writeKept),
    past: past.length === 0 ? undefined : past.map(writeKept),
    joint: joint.size === 0 ? undefined : entriesOf(joint),
  });
}

// Reading. What is damaged throws; `parseRecord` alone catches.

function expect(fits: boolean): asserts fits {
  if (!fits) throw new Error('damaged');
}

function readEvent(value: unknown): NostrEvent {
  const event = parseEvent(value);
  expect(event !== undefined);
  return event;
}

/** See `deviceHash`. */
const isDeviceHash = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-f]{8}$/.test(value);

function readOwn(value: unknown): OwnWrite<NostrEvent> | undefined {
  if (value === undefined) return undefined;
  const own = value as OwnWrite<NostrEvent>;
  expect(isDeviceHash(own.device) && isHex32(own.id) && Number.isSafeInteger(own.stamp));
  expect(typeof own.acknowledged === 'boolean' && typeof own.lost === 'boolean');
  expect(own.isBlind === undefined || typeof own.isBlind === 'boolean');
  expect(own.heldUntil === undefined || Number.isFinite(own.heldUntil));
  expect([own.floor, own.heldFloor, own.acknowledgedBefore].every((one = 0) => Number.isSafeInteger(one)));
  expect([own.withdrawn, own.restamped].every((ids = []) => ids.every(isHex32)));
  expect([own.undone, own.above, own.past].every((stamps = []) => stamps.every(Number.isSafeInteger)));
  // Of the one before nothing is told any more: an event in it would be checked by nobody.
  expect(readOwn(own.former)?.met === undefined);
  const met = own.met === undefined ? {} : { met: readEvent(own.met) };
  if (own.taken === undefined) return { ...own, ...met };
  const { rivals, joint } = own.taken as unknown as Readonly<Record<'rivals' | 'joint', unknown>>;
  return { ...own, ...met, taken: { rivals: readKept(rivals), joint: readEntries(joint) } };
}

function readPieces(value: unknown): readonly Piece[] | undefined {
  type Stored = Omit<Piece, 'deliveries'> & { readonly deliveries: Listed<'acknowledged'> };
  return (value as readonly Stored[] | undefined)?.map(({ name, stamp, deliveries, buried }) => {
    const on = byRelay(deliveries);
    expect(isPieceName(name) && Number.isSafeInteger(stamp));
    expect(buried === undefined || Number.isSafeInteger(buried));
    expect(on.every(([, delivery]) => ['acknowledged', 'confirmed'].includes(delivery)));
    return { name, stamp, deliveries: new Map(on), ...(buried !== undefined && { buried }) };
  });
}

function readEntries(value: unknown): VersionVector {
  const entries = parseEntries((value ?? []) as readonly unknown[], MAX_STAMP);
  expect(entries !== undefined);
  return entries;
}

/** A list that is damaged costs what is kept beside the head, and not the record. */
function readKept(value: unknown): readonly Kept[] {
  try {
    return ((value ?? []) as readonly Partial<Record<keyof Kept, unknown>>[]).map((one): Kept => {
      const { id, stamp, device, written = stamp, bytes, pieces } = one;
      expect(isHex32(id) && isDeviceHash(device));
      expect([stamp, written, bytes].every(Number.isSafeInteger));
      expect(pieces === undefined || (pieces as readonly unknown[]).every(isPieceName));
      return {
        ...{ id: id as EventId, device, stamp: stamp as number, written: written as number },
        ...{ bytes: bytes as number, seen: readEntries(one.seen) },
        pieces: pieces as readonly string[] | undefined,
        isInPieces: one.isInPieces === true,
        isRemoval: one.isRemoval === true,
        isOverwritten: one.isOverwritten === true,
        ...(one.isBeforeJoining === true && { isBeforeJoining: true }),
      };
    });
  } catch {
    return [];
  }
}

function readVersion(value: unknown): Version<NostrEvent> {
  const { event, pieces, reading } = value as Readonly<Record<string, unknown>>;
  expect(READINGS.has(reading));
  return { event: readEvent(event), pieces: readPieces(pieces), reading: reading as Reading };
}

function readOrphans(value: unknown): readonly Orphan[] {
  return (value as Orphan[]).map(({ name, since }) => {
    expect(isPieceName(name) && (since === undefined || Number.isFinite(since)));
    return { name, since };
  });
}

/** A record from the store by shape alone; `undefined` if it is unusable. */
export function parseRecord(text: string): HeadRecord<NostrEvent> | undefined {
  try {
    const stored = JSON.parse(text) as Record<string, unknown>;
    expect(stored['v'] === VERSION);
    const head = stored['head'] === undefined ? undefined : readVersion(stored['head']);
    const former = ((stored['former'] ?? []) as readonly unknown[]).map(readVersion);
    const own = readOwn(stored['own']);
    expect(head !== undefined || own !== undefined);
    const deliveries = byRelay(stored['deliveries'] as Listed<Delivery>);
    expect(deliveries.every(([, delivery]) => DELIVERIES.has(delivery)));
    const deemed = parseEntries((stored['deemed'] ?? []) as readonly unknown[], MAX_STAMP);
    const voids = parseVoids((stored['voids'] ?? []) as readonly unknown[]);
    expect(deemed !== undefined && voids !== undefined);
    const proven = byRelay((stored['proven'] ?? {}) as Listed<EventId>);
    expect(proven.every(([, id]) => isHex32(id)));
    return {
      ...{ head, former, own, deemed, voids, deliveries: new Map(deliveries), proven: new Map(proven) },
      orphans: readOrphans(stored['orphans'] ?? []),
      rivals: readKept(stored['rivals']),
      past: readKept(stored['past']),
      joint: readEntries(stored['joint']),
      contradictions: Number(stored['contradictions']) || 0,
    };
  } catch {
    return undefined;
  }
}

/** The record with its events verified as if a relay had sent them; `undefined` if one is not genuine. */
export function verifyRecord(
  record: HeadRecord<NostrEvent>,
  expected: { readonly pubkey: string; readonly dTag: Address; readonly verifier: EventVerifier },
): HeadRecord | undefined {
  const isAsked = (dTag: string): dTag is Address => dTag === expected.dTag;
  const isGenuine = (event: NostrEvent): event is VerifiedEvent =>
    checkEvent(event, { ...expected, isAsked, known: () => undefined }).type === 'new';
  const isGenuineVersion = (version: Version<NostrEvent>): version is Version => isGenuine(version.event);
  const isGenuineOwn = (own: OwnWrite<NostrEvent>): own is OwnWrite =>
    own.met === undefined || isGenuine(own.met);
  const { head, former, own } = record;
  return (head === undefined || isGenuineVersion(head)) &&
    former.every(isGenuineVersion) &&
    (own === undefined || isGenuineOwn(own))
    ? { ...record, head, former, own }
    : undefined;
}
