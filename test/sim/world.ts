/** What everything in a history shares. */

import type { Cipher } from './cipher.ts';
import type { Network } from './network.ts';
import type { Oracle } from './oracle.ts';
import type { Schedule } from './schedule.ts';

export interface World {
  readonly seed: number;
  readonly schedule: Schedule;
  readonly cipher: Cipher;
  readonly network: Network;
  readonly oracle: Oracle;
  readonly urls: readonly string[];
  readonly categories: readonly string[];
  /** Whether one of the relays is hostile, or was before the faults stopped. */
  readonly hasHostile: boolean;
  count(what: string): void;
  /** Part of what two runs of one history must have in common. */
  trace(...what: readonly (string | number)[]): void;
}
