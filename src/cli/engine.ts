/** The engine as commands use it: opened from the options, closed whatever happens, given a moment to deliver what waits. */

import type { Command } from 'commander';
import {
  createNostrSync,
  fileStore,
  systemClock,
  type NostrSync,
  type RelayInfo,
  type Signer,
  type Store,
} from '../node.ts';
import { MAX_PAYLOAD_BYTES } from '../protocol/limits.ts';
import type { Output } from './output.ts';
import { storeFolder, type GlobalOptions } from './settings.ts';

/** How long a command that is done waits for the slower relays. */
const LINGER_MS = 2_000;
/** The same while a person watches many pieces go to relays that may take some a minute. */
const WATCHED_MS = 1_800_000;

/** Opens an engine, does the work and closes it. Without a signer, the engine delivers what waits and can read nothing. */
export async function withEngine<T>(
  command: Command,
  given: {
    readonly relays: readonly string[];
    readonly signer: Signer | undefined;
    readonly output: Output;
    /** Default: the file store that the options name, which one process at a time can use. */
    readonly store?: Store;
  },
  work: (sync: NostrSync) => Promise<T>,
): Promise<T> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const sync = createNostrSync({
    namespace: options.namespace,
    relays: given.relays,
    store: given.store ?? fileStore(storeFolder(options)),
    maxPayloadSize: MAX_PAYLOAD_BYTES,
  });
  sync.on('error', given.output.error);
  sync.on('delivery', ({ category, pieces, relays }) => {
    if (pieces === undefined) return;
    // A relay that has refused it gets no more.
    const open = Object.entries(pieces.done).filter(([url]) => relays[url] !== 'refused');
    const done = open.reduce((sum, [, count]) => sum + count, 0) / (pieces.total * open.length);
    given.output.progress(category, open.length === 0 ? 1 : done);
  });
  try {
    if (given.signer !== undefined) await sync.setSigner(given.signer);
    return await work(sync);
  } finally {
    await sync.close();
  }
}

/** Waits until every relay has all that this device has. `false`: not within `withinMs`, or `isHopeless` said so. */
export async function deliver(
  sync: NostrSync,
  withinMs: number,
  isHopeless: (relays: readonly RelayInfo[]) => boolean = () => false,
): Promise<boolean> {
  const giveUp = new AbortController();
  const cancel = systemClock.after(withinMs, () => giveUp.abort());
  const stop = await followRelays(sync, (relays) => {
    if (isHopeless(relays)) giveUp.abort();
  });
  try {
    await sync.flush({ signal: giveUp.signal });
    return true;
  } catch (error) {
    if (giveUp.signal.aborted) return false;
    throw error;
  } finally {
    cancel();
    stop();
  }
}

/** `publish` resolves at the first relay: this gives the others that are there a moment as well. */
export async function linger(sync: NostrSync, isWatched = false): Promise<boolean> {
  return deliver(sync, isWatched ? WATCHED_MS : LINGER_MS, (relays) =>
    relays.every((relay) => relay.state === 'waiting'),
  );
}

/** Resolves once every relay is connected or has failed to, at most after `withinMs`. */
export async function connectionsTried(sync: NostrSync, withinMs: number): Promise<void> {
  await settled(sync, withinMs, (relays) => relays.every(isTried));
}

/** Whether a relay can be reached: known once one is connected, or every one has failed to, at most after `withinMs`. */
export async function reachesRelay(sync: NostrSync, withinMs: number): Promise<boolean> {
  let isReached = false;
  await settled(sync, withinMs, (relays) => {
    isReached = relays.some((relay) => relay.connected);
    return isReached || relays.every(isTried);
  });
  return isReached;
}

function isTried(relay: RelayInfo): boolean {
  return relay.state !== 'connecting';
}

/** Looks at the relays until `isSettled`, at most for `withinMs`. */
async function settled(
  sync: NostrSync,
  withinMs: number,
  isSettled: (relays: readonly RelayInfo[]) => boolean,
): Promise<void> {
  let resolve = (): void => undefined;
  const done = new Promise<void>((end) => {
    resolve = end;
  });
  const cancel = systemClock.after(withinMs, resolve);
  const stop = await followRelays(sync, (relays) => {
    if (isSettled(relays)) resolve();
  });
  await done;
  cancel();
  stop();
}

/** Calls `look` with all relays now and at each change. Resolves with what ends it. */
export async function followRelays(
  sync: NostrSync,
  look: (relays: readonly RelayInfo[]) => void,
): Promise<() => void> {
  const relays = new Map((await sync.getRelays()).map((relay) => [relay.url, relay]));
  look([...relays.values()]);
  return sync.on('relay-status', (relay) => {
    relays.set(relay.url, relay);
    look([...relays.values()]);
  });
}

/** Resolves at Ctrl-C or `kill`; the next one ends the process the usual way. */
export function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
