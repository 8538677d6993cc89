/** What a device keeps of one category: its head and what each relay is known to have of it. One store entry. */

import {
  checkEvent,
  parseEvent,
  type EventVerifier,
  type NostrEvent,
  type VerifiedEvent,
} from '../protocol/event.ts';

/**
 * What a relay has of the head. `pending`: owed to it. `unseen`: another relay showed it, this one may have it as well.
 * `acknowledged`: it said OK, not yet read back. `confirmed`: it showed the head. `refused`: for good.
 */
export type Delivery = 'pending' | 'unseen' | 'acknowledged' | 'confirmed' | 'refused';

/** This device's last write of the category. */
export interface OwnWrite {
  /** `deviceHash` of the device id it was made under. */
  readonly device: string;
  readonly id: string;
  /** created_at in s: the floor of the next stamp, whatever became of the write. */
  readonly stamp: number;
  /** Whether a relay has acknowledged it. */
  readonly acknowledged: boolean;
  /** Whether a newer write that had not seen it has replaced it, and this was reported. */
  readonly lost: boolean;
}

/** `E`: whether its events were verified since they were read from the store. */
export interface HeadRecord<E extends NostrEvent = VerifiedEvent> {
  /** The head: the greatest verified event of the address. Absent only after the first write was withdrawn. */
  readonly event: E | undefined;
  /** By canonical relay URL. A relay that is absent was added since, and is owed the head. */
  readonly deliveries: ReadonlyMap<string, Delivery>;
  /** The newest readable value before the head: shown while the head cannot be read, restored when it is withdrawn. */
  readonly before: E | undefined;
  readonly own: OwnWrite | undefined;
  /** The head could not be decrypted or parsed. */
  readonly unreadable: boolean;
}

/** The format of an entry. Raised when it changes; every older one stays readable. */
const VERSION = 1;
const DELIVERIES = new Set<unknown>([
  'pending',
  'unseen',
  'acknowledged',
  'confirmed',
  'refused',
] satisfies Delivery[]);

export function serializeRecord(record: HeadRecord): string {
  return JSON.stringify({ v: VERSION, ...record, deliveries: Object.fromEntries(record.deliveries) });
}

function parseOwn(value: unknown): OwnWrite | undefined {
  const own = value as OwnWrite | undefined;
  const fits =
    typeof own === 'object' &&
    own !== null &&
    typeof own.device === 'string' &&
    typeof own.id === 'string' &&
    Number.isSafeInteger(own.stamp) &&
    typeof own.acknowledged === 'boolean' &&
    typeof own.lost === 'boolean';
  return fits ? own : undefined;
}

/** A record from the store by shape alone; `undefined` where it is unusable. Its bytes are as hostile as a relay's. */
export function parseRecord(text: string): HeadRecord<NostrEvent> | undefined {
  try {
    const stored = JSON.parse(text) as Record<string, unknown>;
    if (stored['v'] !== VERSION) return undefined;
    const event = parseEvent(stored['event']);
    const before = parseEvent(stored['before']);
    const own = parseOwn(stored['own']);
    const damaged =
      (stored['event'] !== undefined && event === undefined) ||
      (stored['before'] !== undefined && before === undefined) ||
      (stored['own'] !== undefined && own === undefined);
    if (damaged || (event === undefined && own === undefined)) return undefined;
    const deliveries = Object.entries(stored['deliveries'] as Record<string, Delivery>);
    if (!deliveries.every(([, delivery]) => DELIVERIES.has(delivery))) return undefined;
    return { event, deliveries: new Map(deliveries), before, own, unreadable: stored['unreadable'] === true };
  } catch {
    return undefined;
  }
}

/** The record with its events verified as if a relay had sent them; `undefined` where one is not genuine. */
export function verifyRecord(
  record: HeadRecord<NostrEvent>,
  expected: { readonly pubkey: string; readonly dTag: string; readonly verifier: EventVerifier },
): HeadRecord | undefined {
  const isGenuine = (event: NostrEvent | undefined): event is VerifiedEvent | undefined => {
    const isAsked = (dTag: string): boolean => dTag === expected.dTag;
    return (
      event === undefined ||
      checkEvent(event, { ...expected, isAsked, isVerified: () => false }).type === 'new'
    );
  };
  const { event, before } = record;
  return isGenuine(event) && isGenuine(before) ? { ...record, event, before } : undefined;
}

export function deliveryOf(record: HeadRecord<NostrEvent>, relay: string): Delivery {
  return record.deliveries.get(relay) ?? 'pending';
}

export function isOwnHead(record: HeadRecord<NostrEvent>): boolean {
  return record.event !== undefined && record.event.id === record.own?.id;
}

/** How far a write has come: RELIABILITY section 1. */
export type Stage = 'saved' | 'delivered' | 'replicated';

export function stageOf(record: HeadRecord, relays: Iterable<string>): Stage {
  const deliveries = [...relays].map((relay) => deliveryOf(record, relay));
  if (deliveries.length > 0 && deliveries.every((delivery) => delivery === 'confirmed')) return 'replicated';
  return deliveries.some((delivery) => delivery === 'acknowledged' || delivery === 'confirmed')
    ? 'delivered'
    : 'saved';
}
