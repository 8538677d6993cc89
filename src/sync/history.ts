/** What is kept of a category's former values, for the app: which there are, and what each of them says. */

import { nowSeconds, toIso, type Clock } from '../clock.ts';
import { NostrSyncError } from '../errors.ts';
import { categoryOf, type Address } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { deviceIdOf, expirationOf, isExpired, isTombstone, schemaOf } from '../protocol/header.ts';
import type { FetchResult } from './events.ts';
import { keptIn } from './heads/frontier.ts';
import { compareKept, type Kept } from './heads/kept.ts';
import type { Replica } from './heads/replica.ts';
import { isInPieces } from './heads/version.ts';
import { isPassing, writtenBy } from './reading.ts';
import type { Content } from './values/content.ts';
import type { Write } from './write.ts';

/** A value that a category has, or had. */
export interface VersionInfo {
  readonly eventId: string;
  /** When it was written by the writer's clock, ISO 8601. */
  readonly updatedAt: string;
  /** The device that wrote it; the sync pubkey if it did not say. */
  readonly deviceId: string;
  /** Of its event as JSON, without the pieces of a large value. */
  readonly bytes: number;
  /** It is the newest one. */
  readonly isCurrent: boolean;
  /**
   * `'lost'`: what took its place had not seen it. `'before-joining'`: it is of another key, and this device had it before it joined this
   * one's.
   */
  readonly why: 'own' | 'received' | 'lost' | 'removed' | 'before-joining';
}

export interface History {
  /** Newest first. Needs no signer. Leaves out what the store has lost. Rejects if the store fails. */
  versions(dTag: Address): Promise<readonly VersionInfo[]>;
  /** The event of one of them, the newest included; `undefined` if it is not kept. Rejects if the store fails. */
  eventOf(dTag: Address, id: string): Promise<VerifiedEvent | undefined>;
  /** What it says. Rejects with `VERSION_NOT_KEPT`, and as `Reading.decode` does: with `INCOMPLETE` if pieces of it are gone. */
  read(dTag: Address, id: string): Promise<FetchResult>;
  /** What would write it again. Rejects as `read` does. */
  again(dTag: Address, id: string): Promise<Pick<Write, 'text' | 'isRemoval' | 'expiration' | 'schema'>>;
}

export function createHistory(ports: {
  readonly clock: Clock;
  readonly replica: Pick<Replica, 'get' | 'version'>;
  readonly content: Pick<Content, 'payloadOf' | 'piecesOf'>;
  readonly decode: (
    event: VerifiedEvent,
    dTag: Address,
    source: FetchResult['source'],
  ) => Promise<FetchResult>;
  readonly deviceId: () => string;
  /** See `createReading`. */
  readonly carried: (dTag: Address) => VerifiedEvent | undefined;
}): History {
  const { replica } = ports;

  async function eventOf(dTag: Address, id: string): Promise<VerifiedEvent | undefined> {
    const record = replica.get(dTag);
    const known = [record?.head?.event, ports.carried(dTag)].find((event) => event?.id === id);
    if (known !== undefined) return known;
    const kept = keptIn(record).find((one) => one.id === id);
    return kept && replica.version(dTag, kept.id);
  }

  async function keptEvent(dTag: Address, id: string): Promise<VerifiedEvent> {
    const event = await eventOf(dTag, id);
    if (event !== undefined) return event;
    const category = categoryOf(dTag);
    throw new NostrSyncError(
      'VERSION_NOT_KEPT',
      `Cannot read a former value of ${JSON.stringify(category)}: this device does not keep ${id}`,
      { details: { category, eventId: id } },
    );
  }

  async function valueOf(event: VerifiedEvent, dTag: Address): Promise<FetchResult> {
    const record = replica.get(dTag);
    if (record?.head?.event.id === event.id) return ports.decode(event, dTag, 'local');
    const about = writtenBy(event, dTag, 'local', record?.own);
    if (isTombstone(event)) return { ...about, payload: null, deleted: true };
    try {
      return { ...about, payload: await ports.content.payloadOf(event, dTag) };
    } catch (cause) {
      throw await failed(event, dTag, cause);
    }
  }

  /** What is thrown for a former value that cannot be read. It is no news, so it is reported to the caller alone. */
  async function failed(event: VerifiedEvent, dTag: Address, cause: unknown): Promise<unknown> {
    if (isPassing(cause)) return cause;
    const details = { category: categoryOf(dTag), eventId: event.id };
    const what = `Cannot read a former value of ${JSON.stringify(details.category)}`;
    const stock = isInPieces(event)
      ? await ports.content.piecesOf(event, dTag).catch((error: unknown) => {
          if (isPassing(error)) throw error;
        })
      : undefined;
    if (stock === undefined || stock.pieces.size === stock.total)
      return new NostrSyncError('UNDECODABLE', what, { details, cause });
    const [have, { total }] = [stock.pieces.size, stock];
    const message = `${what}: ${have} of its ${total} pieces are here`;
    return new NostrSyncError('INCOMPLETE', message, { details: { ...details, have, total } });
  }

  return {
    versions: async (dTag) => {
      const record = replica.get(dTag);
      const infoOf = (event: VerifiedEvent, isCurrent: boolean, is?: Kept | 'carried'): VersionInfo => {
        const isOwn = deviceIdOf(event) === ports.deviceId();
        const isBefore = is === 'carried' || is?.isBeforeJoining === true;
        const why = isBefore ? 'before-joining' : isTombstone(event) ? 'removed' : undefined;
        const isLost = is !== 'carried' && is?.isOverwritten === true;
        return {
          ...{ eventId: event.id, updatedAt: toIso(event.created_at * 1000), deviceId: deviceIdOf(event) },
          ...{ bytes: JSON.stringify(event).length, isCurrent },
          why: why ?? (isLost ? 'lost' : isOwn ? 'own' : 'received'),
        };
      };
      const former = await Promise.all(
        [...keptIn(record)].sort(compareKept).map(async (kept) => {
          const event = await replica.version(dTag, kept.id);
          return event && infoOf(event, false, kept);
        }),
      );
      const head = record?.head && infoOf(record.head.event, true);
      const carried = ports.carried(dTag);
      const isKnown = [head, ...former].some((one) => one?.eventId === carried?.id);
      const waiting = carried && !isKnown ? [infoOf(carried, false, 'carried')] : [];
      return [head, ...waiting, ...former].filter((one) => one !== undefined);
    },
    eventOf,
    read: async (dTag, id) => valueOf(await keptEvent(dTag, id), dTag),
    again: async (dTag, id) => {
      const event = await keptEvent(dTag, id);
      const { payload, deleted } = await valueOf(event, dTag);
      // What has ended would be gone again at once.
      const isEnded = isExpired(event, nowSeconds(ports.clock));
      return {
        text: JSON.stringify(payload),
        isRemoval: deleted === true,
        expiration: isEnded ? undefined : expirationOf(event),
        schema: schemaOf(event),
      };
    },
  };
}
