/**
 * The tags of this library's events (docs/PROTOCOL.md sections 1, 3, 6, 8 and 11). No other file of the engine writes or reads one.
 * What vectors and voids mean stands in causality.ts and voids.ts. Both directions are pinned by test/vectors/tags.json.
 */

import type { Address, EventId, Seconds } from './address.ts';
import type { VersionVector } from './causality.ts';
import type { EventTemplate, NostrEvent } from './event.ts';
import { KIND_APP_DATA, MAX_DEVICE_ID_CHARS, MAX_VECTOR_ENTRIES, MAX_VOIDS } from './limits.ts';
import type { Schema } from './schema.ts';
import { voidsAt, type Voids } from './voids.ts';

type Tags = EventTemplate['tags'];

/** What the tags of a value or of a piece say. A piece has an address and nothing else. */
export interface Header<D extends string = Address> {
  /** `d`: of an event that is not checked, any text. */
  readonly address: D;
  /** `device_id`, if it is usable. */
  readonly deviceId?: string | undefined;
  /** `expiration` (NIP-40). */
  readonly expiration?: Seconds | undefined;
  /** `deleted`: the event is a tombstone. */
  readonly isRemoval?: boolean;
  /** `format` of the content; none is bare JSON, all that the original plugin knows. */
  readonly format?: string | undefined;
  /** `schema`: the version of the app's data; none is the first. */
  readonly schema?: Schema | undefined;
  /** `vv`, in the order of the tag; none if the writer keeps no vectors. */
  readonly vector?: VersionVector | undefined;
  /** `void`. */
  readonly voids?: Voids;
}

/** The tags of an event, always in this order. */
export function tagsOf(header: Header): Tags {
  const { address, deviceId, expiration, isRemoval, format, schema, vector, voids } = header;
  return [
    ['d', address],
    ...tagIf('device_id', deviceId),
    ...tagIf('expiration', expiration),
    ...tagIf('deleted', isRemoval === true ? '' : undefined),
    ...tagIf('format', format),
    ...(schema === undefined ? [] : [['schema', String(schema.version), String(schema.writableBy)]]),
    ...(vector === undefined ? [] : [vectorTag(vector)]),
    ...voidTags(voids),
  ];
}

const tagIf = (name: string, value: string | number | undefined): Tags =>
  value === undefined ? [] : [[name, String(value)]];

/** What an event's tags say, or `undefined` if it has no address. A tag that is malformed counts as none. */
export function headerOf(event: EventTemplate): Header<string> | undefined {
  const address = dTagOf(event);
  if (address === undefined) return undefined;
  return {
    address,
    deviceId: usableDeviceId(event),
    expiration: expirationOf(event),
    isRemoval: isTombstone(event),
    format: formatOf(event),
    schema: schemaOf(event),
    vector: vectorOf(event),
    voids: voidsOf(event),
  };
}

// One field alone: the engine asks for these at every step.

/** The values of the first tag with this name, or `undefined`. */
function tagValues(event: EventTemplate, name: string): readonly string[] | undefined {
  return event.tags.find((tag) => tag[0] === name)?.slice(1);
}

/** The d-tag, or `undefined` if there is not exactly one. Whether it is an address that is asked for `checkEvent` finds out. */
export function dTagOf(event: EventTemplate): string | undefined {
  const dTags = event.tags.filter((tag) => tag[0] === 'd');
  return dTags.length === 1 ? dTags[0]![1] : undefined;
}

function usableDeviceId(event: EventTemplate): string | undefined {
  const id = tagValues(event, 'device_id')?.[0];
  return id === undefined || id === '' || id.length > MAX_DEVICE_ID_CHARS ? undefined : id;
}

/** The `device_id` tag; the pubkey in hex if it is missing or unusable. */
export function deviceIdOf(event: NostrEvent): string {
  return usableDeviceId(event) ?? event.pubkey;
}

/** When the event expires (NIP-40). `undefined`: never, also if the tag is malformed. */
export function expirationOf(event: EventTemplate): Seconds | undefined {
  const seconds = tagValues(event, 'expiration')?.[0];
  return seconds !== undefined && /^\d{1,12}$/.test(seconds) ? Number(seconds) : undefined;
}

/** Whether the event has expired at `nowSeconds`. */
export function isExpired(event: EventTemplate, nowSeconds: Seconds): boolean {
  const expiration = expirationOf(event);
  return expiration !== undefined && expiration <= nowSeconds;
}

/** Whether the event is a tombstone (`remove`). */
export function isTombstone(event: EventTemplate): boolean {
  return tagValues(event, 'deleted') !== undefined;
}

/** The format of the content: `undefined` is bare JSON. */
export function formatOf(event: EventTemplate): string | undefined {
  return tagValues(event, 'format')?.[0];
}

/** The version of the data; `undefined`: the first, also if the tag is malformed, or would let a newer version write than wrote it. */
export function schemaOf(event: EventTemplate): Schema | undefined {
  const [version = Number.NaN, writableBy = Number.NaN] = (tagValues(event, 'schema') ?? []).map((text) =>
    /^[1-9]\d{0,5}$/.test(text) ? Number(text) : Number.NaN,
  );
  // Of what is no number nothing is true.
  return writableBy <= version ? { version, writableBy } : undefined;
}

/**
 * The vector of an event; `undefined` if its writer keeps none, as the original plugin does, or if it is malformed. A write
 * cannot have seen what is stamped above it. Such an entry would count as seen for good, and push out true ones.
 */
export function vectorOf(event: EventTemplate): VersionVector | undefined {
  return parseEntries(tagValues(event, 'vv'), event.created_at);
}

/** What an event voids: of a malformed tag nothing, and nothing that it is above without that. */
export function voidsOf(event: EventTemplate): Voids {
  return voidsAt(parseVoids(tagValues(event, 'void') ?? []) ?? new Map<EventId, Seconds>(), event.created_at);
}

// The entries of `vv` and `void`. Records are stored with the same texts.

const VECTOR_ENTRY = /^([0-9a-f]{8}):(\d{1,12})$/;
const VOID_ENTRY = /^([0-9a-f]{64}):(\d{1,12})$/;

/** `undefined` unless each entry is one, none is above `newest`, and there are no more than `most`. */
function parse<Of extends string>(
  entries: readonly unknown[],
  entry: RegExp,
  most: number,
  newest: Seconds,
): ReadonlyMap<Of, Seconds> | undefined {
  if (entries.length > most) return undefined;
  const matches = entries.map((text) => entry.exec(String(text)));
  const isRight = matches.every((match) => match !== null && Number(match[2]) <= newest);
  return isRight ? new Map(matches.map((match) => [match![1] as Of, Number(match![2])])) : undefined;
}

/** From `["d:s", …]`; `undefined` if one is malformed or above `newest`. */
export function parseEntries(
  entries: readonly unknown[] | undefined,
  newest: Seconds,
): VersionVector | undefined {
  return entries && parse(entries, VECTOR_ENTRY, MAX_VECTOR_ENTRIES, newest);
}

/** From `["id:stamp", …]`; `undefined` if one is malformed. */
export function parseVoids(entries: readonly unknown[]): Voids | undefined {
  return parse(entries, VOID_ENTRY, MAX_VOIDS, Infinity);
}

/** The texts of either. */
export function entriesOf(stamps: VersionVector | Voids): string[] {
  return [...stamps].map(([of, stamp]) => `${of}:${stamp}`);
}

const vectorTag = (vector: VersionVector): readonly string[] => ['vv', ...entriesOf(vector)];

/** Sorted, so that all devices that renew an event make the same one. */
const voidTags = (voids: Voids | undefined): Tags =>
  voids === undefined || voids.size === 0 ? [] : [['void', ...entriesOf(voids).sort()]];

// What an event is said again with. Tags that are not known here stay, and the order of all.

const withoutVoids = (tags: Tags): Tags => tags.filter(([name]) => name !== 'void');

/** The tags of a renewal. */
export function renewedTags(tags: Tags, voids: Voids): Tags {
  return [...withoutVoids(tags), ...voidTags(voids)];
}

/** The tags of the tombstone of a value that has ended: without what only a value has. */
export function endedTags(tags: Tags): Tags {
  return [...tags.filter(([name]) => name !== 'expiration' && name !== 'format'), ['deleted', '']];
}

/** The same tags with another vector. */
export function restampedTags(tags: Tags, vector: VersionVector): Tags {
  return tags.map((tag) => (tag[0] === 'vv' ? vectorTag(vector) : tag));
}

/** Whether two events have the same tags, whatever is void by each. */
export function hasSameTags(event: EventTemplate, other: EventTemplate): boolean {
  const [tags, others] = [event, other].map((one) => JSON.stringify(withoutVoids(one.tags)));
  return tags === others;
}

// What is collected, and deleted.

/** The tags of the tombstone of a piece, which ends by itself at `expiration`. */
export function pieceTombstoneTags(address: Address, expiration: Seconds): Tags {
  return [...tagsOf({ address, isRemoval: true }), ...tagIf('expiration', expiration)];
}

/** The tags of a request to delete events of `author` (NIP-09): by their ids, and all that is at these addresses up to its stamp. */
export function deletionTags(named: {
  readonly ids: readonly EventId[];
  readonly author?: string;
  readonly addresses?: readonly Address[];
  readonly expiration?: Seconds;
}): Tags {
  const { ids, author, addresses = [], expiration } = named;
  return [
    ...addresses.map((address) => ['a', `${KIND_APP_DATA}:${author}:${address}`]),
    ...ids.map((id) => ['e', id]),
    ['k', String(KIND_APP_DATA)],
    ...tagIf('expiration', expiration),
  ];
}
