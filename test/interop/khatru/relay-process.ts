/** khatru in two ways, as `install.mjs` has built them. */

import { startRelayProcess, type RelayProcess } from '../relay-process.ts';

const program = (name: string): string => new URL(`../installed/${name}`, import.meta.url).pathname;

/** The relay of `examples/relay-khatru`, on LMDB; `flags` as there. */
export function startKhatru(...flags: readonly string[]): Promise<RelayProcess> {
  return startRelayProcess((folder, port) => [
    ...([program('khatru'), '-data', folder, '-listen', `127.0.0.1:${port}`] as const),
    ...flags,
  ]);
}

/** As khatru's own example has it: on badger, open to anybody. */
export function startKhatruOnBadger(): Promise<RelayProcess> {
  return startRelayProcess((folder, port) => [program('khatru-badger'), folder, `127.0.0.1:${port}`, 'true']);
}
