/** What a call of `publish`, `remove` or `reset` asks to be written, and when it is answered. */

import type { Receipt } from './events.ts';
import type { Stage } from './heads/record.ts';

/**
 * Makes entries of the store that are saved together with a write, and removed together with it if it is withdrawn: both
 * or nothing. May be called more than once, always with the same keys.
 */
export type Note = (saved: Receipt) => readonly (readonly [key: string, text: string])[];

export interface Write {
  /** JSON text. */
  readonly text: string;
  /** NIP-40, Unix time in s. */
  readonly expiration: number | undefined;
  readonly isRemoval: boolean;
  /** Below what is from the future, which does not count any more. */
  readonly isReset?: boolean;
  readonly waitFor: Stage;
  /** Stops the waiting, not a write that was saved. */
  readonly signal: AbortSignal | undefined;
  /** Told as soon as the write is saved. */
  readonly onSaved: ((receipt: Receipt) => void) | undefined;
  readonly note?: Note | undefined;
}
