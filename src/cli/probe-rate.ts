/** How many writes a relay takes at once, and how fast it then lets more through: as far as a handful of probes can tell. */

import { systemClock, type NostrEvent } from '../node.ts';
import type { Line, Trouble } from './line.ts';
import type { SmallProbes } from './probe-habits.ts';

export interface Rate {
  /** Writes that it took before it said `rate-limited:`; `null` if it never did. */
  readonly burst: number | null;
  /** Writes a minute that it let through after that, roughly; `null` if none got through in the time. */
  readonly perMinute: number | null;
  /** How many writes were tried. */
  readonly tried: number;
}

export interface RateMeter {
  /** Writes, and counts. Sends nothing more once the relay has said that it is too much. */
  write(event: NostrEvent): Promise<Trouble | undefined>;
  /** What the relay said when it was too much, or `null`. */
  said(): string | null;
  /** Writes until the relay says that it is too much, or until all are written; then finds out how long the refusals last. */
  finish(small: SmallProbes): Promise<Rate>;
}

/** Writes in all. A relay that takes so many at once takes most large values at once. */
const ENOUGH_WRITES = 24;
const REFILL_STEP_MS = 2_000;
const REFILL_STEPS = 5;

export function measureRate(line: Line): RateMeter {
  let taken = 0;
  let tried = 0;
  let limited: Trouble | undefined;
  let limitedAt = 0;

  async function write(event: NostrEvent): Promise<Trouble | undefined> {
    if (limited !== undefined) return limited;
    tried++;
    const trouble = await line.write(event);
    if (trouble === undefined) taken++;
    if (trouble?.type === 'rate-limited') {
      limited = trouble;
      limitedAt = systemClock.now();
    }
    return trouble;
  }

  return {
    write,
    said: () => limited?.reason ?? null,
    finish: async (small) => {
      while (limited === undefined && tried < ENOUGH_WRITES)
        if ((await write(await small())) !== undefined) break;
      if (limited === undefined) return { burst: null, perMinute: null, tried };
      const burst = taken;
      for (let step = 0; step < REFILL_STEPS; step++) {
        await new Promise<void>((resolve) => {
          systemClock.after(REFILL_STEP_MS, resolve);
        });
        tried++;
        if ((await line.write(await small())) !== undefined) continue;
        const minutes = (systemClock.now() - limitedAt) / 60_000;
        return { burst, perMinute: Math.max(1, Math.round(1 / minutes)), tried };
      }
      return { burst, perMinute: null, tried };
    },
  };
}

/** How long so many events take over a relay with this rate, in s; `undefined` if that is not known. */
export function secondsFor(events: number, { burst, perMinute }: Rate): number | undefined {
  if (burst === null || burst >= events) return 0;
  return perMinute === null ? undefined : Math.ceil(((events - burst) / perMinute) * 60);
}
