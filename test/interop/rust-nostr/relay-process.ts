/** rust-nostr's relay, as `install.mjs` has built it. */

import { startRelayProcess, type RelayProcess } from '../relay-process.ts';
import { PROGRAM } from './install.mjs';

/** `flags` as in `src/main.rs`. Unless they say otherwise, it takes events as fast as they come: by itself, 60 a minute. */
export function startRustNostr(...flags: readonly string[]): Promise<RelayProcess> {
  return startRelayProcess((folder, port) => [
    ...([PROGRAM, folder, String(port), '--events-per-minute', '100000'] as const),
    ...flags,
  ]);
}
