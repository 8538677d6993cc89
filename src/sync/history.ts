/** What is kept of a category's former values, for the app: which there are, and what each of them says. */

import { toIso } from '../clock.ts';
import type { Address, EventId } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { deviceIdOf, isTombstone } from '../protocol/header.ts';
import type { FetchResult } from './events.ts';
import { keptIn } from './heads/frontier.ts';
import { compareKept } from './heads/kept.ts';
import type { Replica } from './heads/replica.ts';

/** A value that a category has, or had. */
export interface VersionInfo {
  readonly eventId: EventId;
  /** When it was written by the writer's clock, ISO 8601. */
  readonly updatedAt: string;
  /** The device that wrote it; the sync pubkey if it did not say. */
  readonly deviceId: string;
  /** Of its event as JSON, without the pieces of a large value. */
  readonly bytes: number;
  /** It is the newest one. */
  readonly isCurrent: boolean;
  /** `'lost'`: what took its place had not seen it. */
  readonly why: 'own' | 'received' | 'lost' | 'removed';
}

export interface History {
  /** Newest first. Needs no signer. Leaves out what the store has lost. Rejects if the store fails. */
  versions(dTag: Address): Promise<readonly VersionInfo[]>;
  /** The event of one of them, the newest included; `undefined` if it is not kept. Rejects if the store fails. */
  eventOf(dTag: Address, id: string): Promise<VerifiedEvent | undefined>;
  /** What it says; `undefined` if it is not kept. Rejects as `Reading.decode` does. */
  read(dTag: Address, id: string): Promise<FetchResult | undefined>;
}

export function createHistory(ports: {
  readonly replica: Pick<Replica, 'get' | 'version'>;
  readonly decode: (
    event: VerifiedEvent,
    dTag: Address,
    source: FetchResult['source'],
  ) => Promise<FetchResult>;
  readonly deviceId: () => string;
}): History {
  const { replica } = ports;

  async function eventOf(dTag: Address, id: string): Promise<VerifiedEvent | undefined> {
    const record = replica.get(dTag);
    if (record?.head?.event.id === id) return record.head.event;
    const kept = keptIn(record).find((one) => one.id === id);
    return kept && replica.version(dTag, kept.id);
  }

  return {
    versions: async (dTag) => {
      const record = replica.get(dTag);
      const infoOf = (event: VerifiedEvent, isCurrent: boolean, isLost: boolean): VersionInfo => {
        const isOwn = deviceIdOf(event) === ports.deviceId();
        const why = isTombstone(event) ? 'removed' : isLost ? 'lost' : isOwn ? 'own' : 'received';
        return {
          ...{ eventId: event.id, updatedAt: toIso(event.created_at * 1000), deviceId: deviceIdOf(event) },
          ...{ bytes: JSON.stringify(event).length, isCurrent, why },
        };
      };
      const former = await Promise.all(
        [...keptIn(record)].sort(compareKept).map(async ({ id, isOverwritten }) => {
          const event = await replica.version(dTag, id);
          return event && infoOf(event, false, isOverwritten);
        }),
      );
      const head = record?.head && infoOf(record.head.event, true, false);
      return [head, ...former].filter((one) => one !== undefined);
    },
    eventOf,
    read: async (dTag, id) => {
      const event = await eventOf(dTag, id);
      return event && ports.decode(event, dTag, 'local');
    },
  };
}
