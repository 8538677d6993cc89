/** How fast one relay is written to. One that is asked too much of is left alone for a while, then written to more slowly. */

import type { Clock } from '../../clock.ts';
import type { Ms } from '../../protocol/address.ts';
import type { Answer } from '../../protocol/answer.ts';
import { RATE_LIMIT_PAUSE_CAP_MS, RATE_LIMIT_PAUSE_MS } from '../../protocol/limits.ts';
import { createAgenda } from './agenda.ts';

export interface RelayPace {
  /** Nothing goes out while it is. */
  isPaused(): boolean;
  /** Something goes out: the next waits for its turn. */
  space(): void;
  /** An event is sent. The function takes its answer. */
  sending(): (answer: Answer) => void;
  start(): void;
  stop(): void;
}

const PAUSE = 'pause';

export function createRelayPace(clock: Clock, onOver: () => void): RelayPace {
  let pauses = 0;
  /** Grows with each pause: what was sent before one began does not make it longer. */
  let pauseEpoch = 0;
  let intervalMs = 0;
  /** Nothing goes out while `PAUSE` is on it. */
  const agenda = createAgenda(clock, 0, onOver);

  function pause(ms: Ms): void {
    agenda.remove(PAUSE);
    if (ms > 0) agenda.put(PAUSE, ms);
  }

  function answered(answer: Answer): void {
    if (answer.type === 'acknowledged' || answer.type === 'superseded') {
      intervalMs = intervalMs < 1_000 ? 0 : intervalMs * 0.9;
      pauses = 0;
    } else if (answer.type === 'rate-limited') {
      intervalMs = Math.min(120_000, Math.max(5_000, intervalMs * 2));
      pause(Math.min(RATE_LIMIT_PAUSE_CAP_MS, RATE_LIMIT_PAUSE_MS * 2 ** pauses++));
      pauseEpoch++;
    }
  }

  return {
    isPaused: () => agenda.has(PAUSE),
    space: () => pause(intervalMs),
    sending: () => {
      const epoch = pauseEpoch;
      return (answer) => {
        if (epoch === pauseEpoch) answered(answer);
      };
    },
    start: agenda.start,
    stop: agenda.stop,
  };
}
