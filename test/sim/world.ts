/** What everything in a history shares. */

import type { Cipher } from './cipher.ts';
import type { MergeOracle } from './merge-oracle.ts';
import type { Merging } from './merging-scenario.ts';
import type { Network } from './network.ts';
import type { Oracle } from './oracle.ts';
import type { Schedule } from './schedule.ts';

export interface World {
  readonly seed: number;
  readonly schedule: Schedule;
  readonly cipher: Cipher;
  readonly network: Network;
  readonly oracle: Oracle;
  /** What some categories do, if they do. */
  readonly merging: Merging | undefined;
  readonly merges: MergeOracle;
  /** What the user has kept of all values, last. */
  readonly copy: { lines: readonly string[] };
  readonly urls: readonly string[];
  readonly categories: readonly string[];
  /** Whether one of the relays is hostile, or was before the faults stopped. */
  readonly hasHostile: boolean;
  count(what: string): void;
  /** Part of what two runs of one history must have in common. */
  trace(...what: readonly (string | number)[]): void;
}
