/** Values of another key, signed with this one and kept in the store until it is decided what becomes of them. */

import type { Primitives } from '../../crypto/primitives.ts';
import { NostrSyncError, type AnyNostrSyncError } from '../../errors.ts';
import { asAddress, categoryOf, type Address, type EventId, type Seconds } from '../../protocol/address.ts';
import { deviceHash, vectorAt } from '../../protocol/causality.ts';
import { isPieceName } from '../../protocol/chunks.ts';
import type { Compression } from '../../protocol/compression.ts';
import { checkEvent, type EventVerifier, type VerifiedEvent } from '../../protocol/event.ts';
import { tagsOf } from '../../protocol/header.ts';
import { KIND_APP_DATA } from '../../protocol/limits.ts';
import type { Schema } from '../../protocol/schema.ts';
import type { RandomBytes } from '../../relay/backoff.ts';
import type { Changes, Store } from '../../store/store.ts';
import type { Keys } from '../heads/keys.ts';
import type { Replica } from '../heads/replica.ts';
import type { Content } from './content.ts';
import { makePieces } from './pieces.ts';
import type { Hand } from './signing.ts';

/** A value as the app had it under the former key. */
export interface CarriedValue {
  readonly dTag: Address;
  /** Of the event, or of what was shown merged. */
  readonly of: EventId;
  /** JSON. */
  readonly text: string;
  /** When it was written, in s: it is no newer under this key. */
  readonly stamp: Seconds;
  /** NIP-40, Unix time in s. */
  readonly expiration: number | undefined;
  /** The former key was of the same person: of two values the newer counts. */
  readonly isOfPerson?: boolean | undefined;
  readonly schema?: Schema | undefined;
}

/** One of them, signed. `names`: of its pieces, which are in the store. */
export interface Sealed extends Pick<CarriedValue, 'isOfPerson'> {
  readonly event: VerifiedEvent;
  readonly names?: readonly string[] | undefined;
}

export interface Sealing {
  /** What waits, by category. */
  readonly sealed: ReadonlyMap<Address, Sealed>;
  /** Signs and saves these, all or none, together with `also`. `now`: in s. */
  seal(values: readonly CarriedValue[], now: Seconds, also?: Changes): Promise<void>;
  /** The pieces of one, by name; `undefined` if it is not in pieces. Rejects with `INCOMPLETE` if the store has lost some. */
  piecesOf(dTag: Address): Promise<ReadonlyMap<string, VerifiedEvent> | undefined>;
  /** It is decided about. `isKept`: a record has it, and its pieces. */
  drop(dTag: Address, isKept: boolean): Promise<void>;
}

interface SealingPorts {
  readonly pubkey: string;
  readonly store: Store;
  readonly keys: Keys;
  readonly verifier: EventVerifier;
  readonly replica: Pick<Replica, 'get' | 'piece'>;
  readonly hand: Hand;
  readonly content: Pick<Content, 'layOut'>;
  readonly primitives: Primitives;
  readonly compression: Compression;
  readonly randomBytes: RandomBytes;
  readonly deviceId: () => string;
}

/** Reads what waits from the store, and checks it like what a relay sends. */
export async function loadSealed(
  ports: Pick<SealingPorts, 'pubkey' | 'store' | 'keys' | 'verifier'>,
  onError: (error: AnyNostrSyncError) => void,
): Promise<Map<Address, Sealed>> {
  const prefix = ports.keys.carriedPrefix;
  const sealed = new Map<Address, Sealed>();
  for (const [key, text] of await ports.store.list(prefix)) {
    const dTag = asAddress(key.slice(`carried/${ports.pubkey}/`.length));
    const one = parseSealed(text, dTag, ports);
    if (one !== undefined) sealed.set(dTag, one);
    else
      onError(new NostrSyncError('STORE_FAILED', `A stored value cannot be read, and is left alone: ${key}`));
  }
  return sealed;
}

function parseSealed(
  text: string,
  dTag: Address,
  { pubkey, verifier }: Pick<SealingPorts, 'pubkey' | 'verifier'>,
): Sealed | undefined {
  try {
    const { event, names, isOfPerson } = Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
    const isAsked = (address: string): address is Address => address === dTag;
    const check = checkEvent(event, { pubkey, isAsked, known: () => undefined, verifier });
    const areNames = names === undefined || (Array.isArray(names) && names.every(isPieceName));
    if (check.type !== 'new' || !areNames) return undefined;
    return {
      event: check.event,
      names: names as readonly string[] | undefined,
      isOfPerson: isOfPerson === true,
    };
  } catch {
    return undefined;
  }
}

export function createSealing(ports: SealingPorts, sealed: Map<Address, Sealed>): Sealing {
  const { store, keys, hand, replica } = ports;

  async function sign(
    value: CarriedValue,
    now: Seconds,
  ): Promise<Sealed & { readonly made: ReadonlyMap<string, VerifiedEvent> }> {
    const { dTag, expiration, schema } = value;
    const stamp = Math.min(value.stamp, now);
    const deviceId = ports.deviceId();
    // Under a new chunk key: relays have none of its pieces.
    const layout = await ports.content.layOut(dTag, value.text, true);
    const content = await hand.encrypt(layout.text);
    const vector = vectorAt(new Map(), deviceHash(deviceId), stamp);
    const tags = tagsOf({ address: dTag, deviceId, expiration, format: layout.format, schema, vector });
    const event = await hand.sign({ kind: KIND_APP_DATA, created_at: stamp, tags, content });
    const { made = new Map<string, VerifiedEvent>(), names } = await makePieces(
      ports,
      dTag,
      layout,
      event.created_at,
    );
    return { event, names, isOfPerson: value.isOfPerson, made };
  }

  function entriesOf(
    dTag: Address,
    one: Awaited<ReturnType<typeof sign>>,
  ): (readonly [string, string | null])[] {
    const { made, ...kept } = one;
    const former = sealed.get(dTag)?.names ?? [];
    return [
      ...former.map((name) => [keys.piece(dTag, name), null] as const),
      [keys.carried(dTag), JSON.stringify(kept)],
      ...[...made].map(([name, piece]) => [keys.piece(dTag, name), JSON.stringify(piece)] as const),
    ];
  }

  return {
    sealed,
    seal: async (values, now, also) => {
      const signed: (readonly [Address, Awaited<ReturnType<typeof sign>>])[] = [];
      for (const value of values) signed.push([value.dTag, await sign(value, now)]);
      const changes = new Map([...(also ?? []), ...signed.flatMap(([dTag, one]) => entriesOf(dTag, one))]);
      await store.update([], () => changes);
      for (const [dTag, { made: _, ...kept }] of signed) sealed.set(dTag, kept);
    },
    piecesOf: async (dTag) => {
      const names = sealed.get(dTag)?.names;
      if (names === undefined) return undefined;
      const pieces = new Map<string, VerifiedEvent>();
      for (const name of names) {
        const piece = await replica.piece(dTag, name);
        if (piece !== undefined) pieces.set(name, piece);
      }
      const [have, total] = [pieces.size, names.length];
      if (have === total) return pieces;
      const details = { category: categoryOf(dTag), eventId: sealed.get(dTag)!.event.id, have, total };
      const message = `Cannot carry over ${JSON.stringify(details.category)}: ${have} of its ${total} pieces are here`;
      throw new NostrSyncError('INCOMPLETE', message, { details });
    },
    drop: async (dTag, isKept) => {
      const names = isKept ? [] : (sealed.get(dTag)?.names ?? []);
      const all = [keys.carried(dTag), ...names.map((name) => keys.piece(dTag, name))];
      await store.update([], () => new Map(all.map((key) => [key, null])));
      sealed.delete(dTag);
    },
  };
}
