/**
 * What goes to one relay, one after the other and as fast as the relay lets it. Knows neither heads nor pieces: what is to
 * be sent goes by its d-tag, what was sent by its version.
 *
 *     ready ──send──▶ in flight ──answered──▶ scheduled again, or forgotten
 *       └──── delayed ◀──────────────────────────┘
 */

import type { Clock } from '../../clock.ts';
import type { Answer } from '../../protocol/answer.ts';
import { parsePieceDTag } from '../../protocol/chunks.ts';
import type { NostrEvent, VerifiedEvent } from '../../protocol/event.ts';
import {
  MAX_IN_FLIGHT,
  MAX_PIECES_IN_FLIGHT,
  RATE_LIMIT_PAUSE_CAP_MS,
  RATE_LIMIT_PAUSE_MS,
  RETRY_CAP_MS,
} from '../../protocol/limits.ts';
import { retryMs, type RandomBytes } from '../../relay/backoff.ts';
import type { RelayConnection } from '../../relay/connection.ts';
import { createAgenda } from './agenda.ts';

/** The answer to one event, and how often its version was sent by then. */
export interface Sent {
  readonly answer: Answer;
  readonly count: number;
}

export interface Queue {
  isOpen(): boolean;
  open(): void;
  /** The connection is gone: nothing is scheduled any more. */
  shut(): void;
  /** Sends it after `delayMs`, once there is room. */
  schedule(dTag: string, delayMs: number): void;
  /** At once, unless this version is under way; later if it was sent too often already. */
  scheduleOnce(dTag: string, version: string): void;
  unschedule(dTag: string): void;
  /** All that is delayed goes now. */
  hurry(): void;
  isScheduled(dTag: string): boolean;
  /** Whether it is scheduled, or this version of it was sent and is not forgotten. */
  isUnderWay(dTag: string, version: string | undefined): boolean;
  /** It got through, or is not wanted any more: how often it was sent does not count any more. */
  forget(dTag: string): void;
  /** From here on this version is in flight, and the next waits for its turn. */
  occupy(dTag: string, version: string): void;
  /** The send is over: either it did not go out, or its answer is saved. Before the answer is saved, it would seem owed, and go out again. */
  vacate(dTag: string, version: string): void;
  /** Sends what has occupied its place. */
  transmit(dTag: string, version: string, event: VerifiedEvent): Promise<Sent>;
  /** When to send again what was neither taken nor refused for good, in ms. */
  againMs(event: NostrEvent, sent: Sent): number;
  /** Sends what is ready, as far as there is room. */
  pump(): void;
}

const PAUSE = 'pause';

export function createQueue(
  relay: RelayConnection,
  ports: {
    readonly clock: Clock;
    readonly randomBytes: RandomBytes;
    readonly isWanted: (dTag: string) => boolean;
    readonly send: (dTag: string) => void;
  },
): Queue {
  const { clock, randomBytes } = ports;
  let isOpen = false;
  const ready = new Set<string>();
  const delayed = createAgenda(clock, 0, (dTags) => {
    for (const dTag of dTags) schedule(dTag, 0);
  });
  const attempts = new Map<string, { readonly version: string; readonly count: number }>();
  /** Sent and not answered: the version by d-tag. */
  const inFlight = new Map<string, string>();

  /** After `rate-limited:` a relay is left alone, then written to more slowly. In ms. */
  let pauses = 0;
  /** Grows with each pause: what was sent before one began does not make it longer. */
  let pauseEpoch = 0;
  let intervalMs = 0;
  /** Nothing goes out while `PAUSE` is on it. */
  const pause = createAgenda(clock, 0, pump);

  const isScheduled = (dTag: string): boolean => ready.has(dTag) || delayed.has(dTag);

  function unschedule(dTag: string): void {
    ready.delete(dTag);
    delayed.remove(dTag);
  }

  function schedule(dTag: string, delayMs: number): void {
    unschedule(dTag);
    if (!isOpen || !ports.isWanted(dTag)) return;
    if (delayMs > 0) return delayed.put(dTag, delayMs);
    ready.add(dTag);
    pump();
  }

  function pump(): void {
    while (isOpen && inFlight.size < MAX_IN_FLIGHT && !pause.has(PAUSE)) {
      const [dTag] = ready;
      if (dTag === undefined) return;
      const isPiece = (one: string): boolean => parsePieceDTag(one) !== undefined;
      if (isPiece(dTag) && [...inFlight.keys()].filter(isPiece).length >= MAX_PIECES_IN_FLIGHT) return;
      ready.delete(dTag);
      ports.send(dTag);
    }
  }

  function hold(ms: number): void {
    pause.remove(PAUSE);
    if (ms > 0) pause.put(PAUSE, ms);
  }

  /** A relay that is asked too much of is left alone for a while, then written to more slowly. */
  function pace(answer: Answer): void {
    if (answer.type === 'acknowledged' || answer.type === 'superseded') {
      intervalMs = intervalMs < 1_000 ? 0 : intervalMs * 0.9;
      pauses = 0;
    } else if (answer.type === 'rate-limited') {
      intervalMs = Math.min(120_000, Math.max(5_000, intervalMs * 2));
      hold(Math.min(RATE_LIMIT_PAUSE_CAP_MS, RATE_LIMIT_PAUSE_MS * 2 ** pauses++));
      pauseEpoch++;
    }
  }

  return {
    isOpen: () => isOpen,
    open: () => {
      isOpen = true;
      for (const agenda of [delayed, pause]) agenda.start();
    },
    shut: () => {
      isOpen = false;
      for (const agenda of [delayed, pause]) agenda.stop();
      for (const dTag of [...ready, ...delayed.keys()]) unschedule(dTag);
    },
    schedule,
    scheduleOnce: (dTag, version) => {
      if (inFlight.get(dTag) === version) return;
      const sent = attempts.get(dTag);
      if (sent?.version !== version) return schedule(dTag, 0);
      // It was sent before: the relay has lost it, or the connection. Twice that may happen, then it looks like a habit.
      if (!isScheduled(dTag)) schedule(dTag, sent.count < 3 ? 0 : retryMs(sent.count - 3, randomBytes));
    },
    unschedule,
    hurry: () => {
      for (const dTag of [...delayed.keys()]) schedule(dTag, 0);
    },
    isScheduled,
    isUnderWay: (dTag, version) => isScheduled(dTag) || attempts.get(dTag)?.version === version,
    forget: (dTag) => void attempts.delete(dTag),
    occupy: (dTag, version) => {
      hold(intervalMs);
      inFlight.set(dTag, version);
    },
    vacate: (dTag, version) => {
      // A newer version may have taken the place.
      if (inFlight.get(dTag) === version) inFlight.delete(dTag);
    },
    transmit: async (dTag, version, event) => {
      const previous = attempts.get(dTag);
      const count = previous?.version === version ? previous.count + 1 : 1;
      attempts.set(dTag, { version, count });
      const epoch = pauseEpoch;
      const answer = await relay.publish(event);
      if (epoch === pauseEpoch) pace(answer);
      return { answer, count };
    },
    againMs: (event, { answer, count }) => {
      switch (answer.type) {
        case 'clock':
          return Math.max(retryMs(count + 2, randomBytes), event.created_at * 1000 - clock.now());
        case 'auth-required':
          return RETRY_CAP_MS;
        case 'retry':
          return retryMs(count - 1, randomBytes);
        default:
          return 0;
      }
    },
    pump,
  };
}
