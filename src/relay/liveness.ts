/** Whether the peer of an open socket is still there: asked after silence, and whenever it is doubtful. */

import type { Clock } from '../clock.ts';
import type { Ms } from '../protocol/address.ts';
import { PING_INTERVAL_MS, PONG_TIMEOUT_MS, SUSPECT_TIMEOUT_MS } from '../protocol/limits.ts';

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

/** `ask` makes a living peer send something. */
export function createLiveness(clock: Clock, ask: () => void, onDead: () => void): Liveness {
  /** In ms; `-Infinity` while an answer is due. */
  let lastHeard = 0;
  let cancel = (): void => undefined;

  function watch(): void {
    const dueAt = clock.now() + PING_INTERVAL_MS;
    cancel = clock.after(PING_INTERVAL_MS, () => {
      const now = clock.now();
      // A timer that fires much too late: the machine has slept, and the clock says nothing about the relay's silence.
      const slept = now > dueAt + PING_INTERVAL_MS;
      if (slept) prove(SUSPECT_TIMEOUT_MS);
      else if (now - lastHeard >= PING_INTERVAL_MS || now < lastHeard) prove(PONG_TIMEOUT_MS);
      else watch();
    });
  }

  function prove(withinMs: Ms): void {
    cancel();
    lastHeard = -Infinity;
    ask();
    cancel = clock.after(withinMs, () => {
      if (lastHeard === -Infinity) onDead();
      else watch();
    });
  }

  function heard(): void {
    lastHeard = clock.now();
  }

  return {
    start: () => {
      heard();
      watch();
    },
    heard,
    suspect: () => {
      if (lastHeard !== -Infinity) prove(SUSPECT_TIMEOUT_MS);
    },
    isProven: () => Math.abs(clock.now() - lastHeard) < PING_INTERVAL_MS,
    stop: () => cancel(),
  };
}
