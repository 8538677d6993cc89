/** What a write says that is made of the value that is the newest then, and not of what the app had at the call. */

import { nowSeconds, type Clock } from '../clock.ts';
import { isNostrSyncError, NostrSyncError } from '../errors.ts';
import type { VersionVector } from '../protocol/causality.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { categoryOf, type Address, type EventId } from '../protocol/address.ts';
import { isExpired, isTombstone, schemaOf } from '../protocol/header.ts';
import { MAX_PAYLOAD_BYTES } from '../protocol/limits.ts';
import { decodePayload, encodePayload } from '../protocol/payload.ts';
import type { Schema } from '../protocol/schema.ts';
import type { Wanted } from './drafts.ts';
import { containedIn } from './heads/frontier.ts';
import type { Replica } from './heads/replica.ts';
import type { Merging } from './merging/merging.ts';
import type { Content } from './values/content.ts';
import type { Edit, Write } from './write.ts';

export interface Composed {
  /** The head that it is made on: if that is another by now, it is made again. */
  readonly on: EventId | undefined;
  readonly text: string;
  readonly seen: VersionVector;
  readonly isRemoval: boolean;
  readonly expiration: number | undefined;
  /** Of what it is made of. */
  readonly schema: Schema | undefined;
  /** Nothing is to be written: the head says all of it, once it is said to contain these rivals. */
  readonly settles?: { readonly head: VerifiedEvent; readonly ids: ReadonlySet<EventId> } | undefined;
  /** It says more than the app knows. */
  readonly isNews: boolean;
  /** Called once it is so on this device, with what says so: by then another event may be the head. */
  readonly onDone?: (saved: VerifiedEvent) => void;
}

/** An `update` whose function throws, or gives what cannot be written: it fails alone, and what waits beside it is composed again. */
export interface Refusal {
  readonly refused: Wanted;
  readonly error: unknown;
}

/** `undefined`: the last of the calls says all that there is to write. */
export type Compose = (dTag: Address, wanted: readonly Wanted[]) => Promise<Composed | Refusal | undefined>;

/** Those of calls of the app: without any, there is only something to merge. */
export function askedFor(wanted: readonly Wanted[]): readonly Wanted[] {
  return wanted.filter(({ write }) => write.edit?.type !== 'merge');
}

const LIMIT = { bytes: MAX_PAYLOAD_BYTES, why: 'the largest value' };

/** What an event says, for what is made of it; `undefined` if it was removed or has ended. */
export async function valueAt(
  dTag: Address,
  event: VerifiedEvent,
  { clock, content }: { readonly clock: Clock; readonly content: Pick<Content, 'payloadOf'> },
): Promise<unknown> {
  if (isTombstone(event) || isExpired(event, nowSeconds(clock))) return undefined;
  try {
    return await content.payloadOf(event, dTag);
  } catch (cause) {
    if (isNostrSyncError(cause)) throw cause;
    const details = { category: categoryOf(dTag), eventId: event.id };
    const message = `Cannot read what ${JSON.stringify(details.category)} is to be made of`;
    throw new NostrSyncError('UNDECODABLE', message, { details, cause });
  }
}

/** What all calls together make of a value, in their order. `whole`: what a whole value makes of it. */
export async function fold(
  wanted: readonly Wanted[],
  from: unknown,
  whole: (edit: Extract<Edit, { readonly type: 'whole' }>, now: unknown) => unknown,
): Promise<{ readonly value: unknown } | Refusal> {
  let value = from;
  for (const one of wanted) {
    const { edit, text, isRemoval, limit = LIMIT } = one.write;
    if (edit === undefined) value = isRemoval ? undefined : decodePayload(text);
    else if (edit.type === 'whole') value = await whole(edit, value);
    else if (edit.type === 'update') {
      try {
        value = edit.change(value === undefined ? value : structuredClone(value));
        // Nothing is no removal: it is what a function returns that has only changed its argument.
        encodePayload(value, limit);
      } catch (error) {
        return { refused: one, error };
      }
    } else if (edit.type === 'remove') value = undefined;
  }
  return { value };
}

/** Whether the engine itself has made an update: then the app does not know its value. */
export function isNews({ edit }: Write): boolean {
  return edit?.type === 'update' && edit.isNews === true;
}

/** The text of what was made, as a call wants it. */
export function textOf(value: unknown, limit: Write['limit'] = LIMIT): Pick<Composed, 'text' | 'isRemoval'> {
  const isRemoval = value === undefined;
  return { text: isRemoval ? 'null' : encodePayload(value, limit), isRemoval };
}

export function createComposing(ports: {
  readonly clock: Clock;
  readonly replica: Pick<Replica, 'get'>;
  readonly content: Pick<Content, 'payloadOf'>;
  readonly mergingOf: (dTag: Address) => Merging | undefined;
}): Compose {
  return async (dTag, wanted) => {
    const merging = ports.mergingOf(dTag);
    if (merging !== undefined) return merging.compose(dTag, wanted);
    const said = wanted.filter(({ write }) => write.edit?.type !== 'update');
    if (said.length === wanted.length) return undefined;
    const record = ports.replica.get(dTag);
    const head = record?.head?.event;
    const now = head && (await valueAt(dTag, head, ports));
    const folded = await fold(wanted, now, ({ payload }) => payload);
    if ('refused' in folded) return folded;
    const last = wanted.at(-1)!.write;
    const contained = record === undefined ? new Map<string, number>() : containedIn(record);
    return {
      ...textOf(folded.value, last.limit),
      // What it is made of may be a value that is not saved yet, and has not seen the head.
      ...{ on: head?.id, seen: said.at(-1)?.seen ?? contained },
      ...{ expiration: last.expiration, schema: head && schemaOf(head), isNews: isNews(last) },
    };
  };
}
