/** Whether the peer of an open socket is still there: asked after silence, and whenever it is doubtful. */

import type { Clock } from '../clock.ts';
import type { Ms } from '../protocol/address.ts';
import {
  HIDDEN_PING_INTERVAL_MS,
  PING_INTERVAL_MS,
  PONG_TIMEOUT_MS,
  SUSPECT_TIMEOUT_MS,
} from '../protocol/limits.ts';

/** How long from now to the next look at all peers. */
export type Beat = () => Ms;

export interface Liveness {
  /** The socket is open. */
  start(): void;
  /** Something came. */
  heard(): void;
  /** The peer must prove within 5 s that it is there, unless it has been asked already. */
  suspect(): void;
  /** Something came so lately that the peer need not be asked, and it is not being asked. */
  isProven(): boolean;
  stop(): void;
}

/** All peers are looked at in the same moments, so that the machine is woken once for all of them. */
export function createBeat(clock: Clock, isHidden: () => boolean | undefined): Beat {
  const startedAt = clock.now();
  return () => {
    const intervalMs = isHidden() ? HIDDEN_PING_INTERVAL_MS : PING_INTERVAL_MS;
    return intervalMs - ((clock.now() - startedAt) % intervalMs);
  };
}

/** `ask` makes a living peer send something. */
export function createLiveness(clock: Clock, beat: Beat, ask: () => void, onDead: () => void): Liveness {
  /** In ms; `-Infinity` while an answer is due. */
  let lastHeard = 0;
  let cancel = (): void => undefined;

  const silentMs = (): Ms => Math.abs(clock.now() - lastHeard);

  function watch(): void {
    lastHeard = clock.now();
    cancel();
    look();
  }

  function look(): void {
    cancel = clock.after(beat(), () => {
      // An answer comes a little after the beat, and is older than half an interval at the next one.
      if (silentMs() < PING_INTERVAL_MS / 2) look();
      // Longer than it takes until a peer is asked: the machine has slept, or the clock was set.
      else prove(silentMs() > 2 * PING_INTERVAL_MS ? SUSPECT_TIMEOUT_MS : PONG_TIMEOUT_MS);
    });
  }

  function prove(withinMs: Ms): void {
    cancel();
    lastHeard = -Infinity;
    ask();
    cancel = clock.after(withinMs, onDead);
  }

  return {
    start: watch,
    heard: () => {
      if (lastHeard === -Infinity) watch();
      else lastHeard = clock.now();
    },
    suspect: () => {
      if (lastHeard !== -Infinity) prove(SUSPECT_TIMEOUT_MS);
    },
    isProven: () => silentMs() < PING_INTERVAL_MS,
    stop: () => cancel(),
  };
}
