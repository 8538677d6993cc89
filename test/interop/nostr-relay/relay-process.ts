/** @nostr-relay/core, as `install.mjs` has installed it. */

import { join } from 'node:path';
import { startRelayProcess, type RelayProcess } from '../relay-process.ts';

const PROGRAM = new URL('relay.mjs', import.meta.url).pathname;

/** `hostname`: it asks for AUTH under this name. */
export function startNostrRelay({ hostname }: { hostname?: string } = {}): Promise<RelayProcess> {
  return startRelayProcess((folder, port) => [
    ...([process.execPath, PROGRAM] as const),
    ...[join(folder, 'events.sqlite'), String(port)],
    ...(hostname === undefined ? [] : [hostname]),
  ]);
}
