/**
 * What goes to one relay, one after the other and as fast as the relay lets it. Does not know what is owed: it sends what is
 * scheduled, by versions.
 *
 *     ready ──send──▶ in flight ──answered──▶ scheduled again, or forgotten
 *       └──── delayed ◀──────────────────────────┘
 */

import type { Clock } from '../../clock.ts';
import type { Ms } from '../../protocol/address.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import { MAX_IN_FLIGHT, MAX_PIECES_IN_FLIGHT } from '../../protocol/limits.ts';
import type { RandomBytes } from '../../relay/backoff.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import { createAgenda } from './agenda.ts';
import type { Item } from './item.ts';
import { createRelayPace } from './relay-pace.ts';
import { createResending, type Sent } from './resending.ts';

export interface Queue {
  isOpen(): boolean;
  open(): void;
  /** The connection is gone: nothing is scheduled any more. */
  shut(): void;
  /** Sends it after `delayMs`, once there is room. */
  schedule(item: Item, delayMs: Ms): void;
  /** At once, unless this version is under way; later if it was sent too often already. */
  scheduleOnce(item: Item, version: string): void;
  unschedule(item: Item): void;
  /** All that is delayed goes now. */
  hurry(): void;
  isScheduled(item: Item): boolean;
  /** Whether it is scheduled, or this version of it was sent and is not forgotten. */
  isUnderWay(item: Item, version: string): boolean;
  /** See `Resending.forget`. */
  forget(item: Item): void;
  /** From here on this version is in flight, and the next waits for its turn. */
  occupy(item: Item, version: string): void;
  /**
   * The send is over: either it did not go out, or its answer is saved. Before the answer is saved, it would seem owed, and go out again.
   */
  vacate(item: Item, version: string): void;
  /** Sends what has occupied its place. */
  transmit(item: Item, version: string, event: VerifiedEvent): Promise<Sent>;
  /** See `Resending.againMs`. */
  againMs(event: NostrEvent, sent: Sent): Ms;
  /** Sends what is ready, as far as there is room. */
  pump(): void;
}

export function createQueue(
  relay: Pick<RelayConnection, 'publish'>,
  ports: {
    readonly clock: Clock;
    readonly randomBytes: RandomBytes;
    readonly isWanted: (item: Item) => boolean;
    readonly send: (item: Item) => void;
  },
): Queue {
  const { clock } = ports;
  let isOpen = false;
  /** By key. */
  const ready = new Map<string, Item>();
  const delayed = createAgenda<Item>(
    clock,
    0,
    (items) => {
      for (const item of items) schedule(item, 0);
    },
    ({ key }) => key,
  );
  /** By key: sent and not answered. */
  const inFlight = new Map<string, { readonly item: Item; readonly version: string }>();
  const resending = createResending(ports);
  const pace = createRelayPace(clock, pump);

  const isScheduled = (item: Item): boolean => ready.has(item.key) || delayed.has(item);
  const isInFlight = ({ key }: Item, version: string): boolean => inFlight.get(key)?.version === version;

  function unschedule(item: Item): void {
    ready.delete(item.key);
    delayed.remove(item);
  }

  function schedule(item: Item, delayMs: Ms): void {
    unschedule(item);
    if (!isOpen || !ports.isWanted(item)) return;
    if (delayMs > 0) return delayed.put(item, delayMs);
    ready.set(item.key, item);
    pump();
  }

  function hasRoom({ piece }: Item): boolean {
    if (piece === undefined) return true;
    const pieces = [...inFlight.values()].filter(({ item }) => item.piece !== undefined);
    return pieces.length < MAX_PIECES_IN_FLIGHT;
  }

  function pump(): void {
    while (isOpen && inFlight.size < MAX_IN_FLIGHT && !pace.isPaused()) {
      const [item] = ready.values();
      if (item === undefined || !hasRoom(item)) return;
      ready.delete(item.key);
      ports.send(item);
    }
  }

  return {
    isOpen: () => isOpen,
    open: () => {
      isOpen = true;
      delayed.start();
      pace.start();
    },
    shut: () => {
      isOpen = false;
      delayed.stop();
      pace.stop();
      for (const item of [...ready.values(), ...delayed.items()]) unschedule(item);
    },
    schedule,
    scheduleOnce: (item, version) => {
      if (isInFlight(item, version)) return;
      if (!resending.wasSent(item, version)) schedule(item, 0);
      else if (!isScheduled(item)) schedule(item, resending.lostMs(item));
    },
    unschedule,
    hurry: () => {
      for (const item of delayed.items()) schedule(item, 0);
    },
    isScheduled,
    isUnderWay: (item, version) => isScheduled(item) || resending.wasSent(item, version),
    forget: resending.forget,
    occupy: (item, version) => {
      pace.space();
      inFlight.set(item.key, { item, version });
    },
    vacate: (item, version) => {
      // A newer version may have taken the place.
      if (isInFlight(item, version)) inFlight.delete(item.key);
    },
    transmit: async (item, version, event) => {
      const count = resending.count(item, version);
      const answered = pace.sending();
      const answer = await relay.publish(event);
      answered(answer);
      return { answer, count };
    },
    againMs: resending.againMs,
    pump,
  };
}
