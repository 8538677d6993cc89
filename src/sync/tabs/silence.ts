/** Notices that the leading tab has fallen silent: it may be suspended, and holds its lock all the same. */

import type { Clock } from '../../clock.ts';
import { LEADER_TICK_MS, MAX_SILENT_TICKS } from '../../protocol/limits.ts';

export interface Silence {
  /** Something came that the leader alone says. */
  heard(): void;
  /** Whether the leader was heard within the time after which it loses its place. */
  isFresh(): boolean;
  listen(): void;
  stop(): void;
}

export function createSilence(ports: {
  readonly clock: Clock;
  /** Asks the leader for a sign of life. */
  readonly ping: () => void;
  readonly onSilence: () => void;
}): Silence {
  const { clock } = ports;
  /** Looks at the leader since it last said something, and when (ms) it did. */
  let silentTicks = 0;
  let heardAt = -Infinity;
  let cancelTick = (): void => undefined;

  function tick(): void {
    cancelTick = clock.after(LEADER_TICK_MS, () => {
      silentTicks++;
      if (silentTicks >= MAX_SILENT_TICKS) {
        silentTicks = 0;
        ports.onSilence();
      } else if (silentTicks > 1) ports.ping();
      tick();
    });
  }

  return {
    heard: () => {
      silentTicks = 0;
      heardAt = clock.now();
    },
    isFresh: () => Math.abs(clock.now() - heardAt) < LEADER_TICK_MS * MAX_SILENT_TICKS,
    listen: tick,
    stop: () => cancelTick(),
  };
}
