/** `nostr-sync/svelte`: what changes, for effects and templates. It is listened to as long as an effect reads it, and never on a server. */

import { createSubscriber } from 'svelte/reactivity';
import { toStore } from 'svelte/store';
import { initialOf, type Readable } from '../readable.ts';
import type { StatusSource, SyncStatus } from './status-source.ts';

/** Something that changes: `current` for runes, `subscribe` for `$` before its name. */
export interface Live<T> {
  /** What it is now. What reads it in an effect or a template runs again with each change. It may not be changed in place. */
  readonly current: T;
  /** The contract of Svelte's stores: `listener` is called at once, and with each change. */
  subscribe(listener: (value: T) => void): () => void;
}

function liveOf<T>(get: () => T, listen: (changed: () => void) => () => void): Live<T> {
  const read = createSubscriber(listen);
  const live = {
    get current() {
      read();
      return get();
    },
  };
  return Object.assign(
    live,
    toStore(() => live.current),
  );
}

/**
 * What `readable` has now: a value by `sync.state(category)`, or its `meta`. On a server, and until a page has taken over what a server has
 * rendered: `readable.initial`.
 */
export function live<T>(readable: Readable<T>): Live<T> {
  /** In the turn in which the first reader has come: a page may be taking over what a server has rendered. */
  let isFirst = false;
  return liveOf(
    () => (isFirst ? initialOf(readable) : readable.get()),
    (changed) => {
      isFirst = true;
      queueMicrotask(() => {
        isFirst = false;
        if (initialOf(readable) !== readable.get()) changed();
      });
      return readable.subscribe(() => {
        if (!isFirst) changed();
      });
    },
  );
}

/** The status of an engine, and each change of it. `undefined` until the engine has told it. */
export function liveStatus(sync: StatusSource): Live<SyncStatus | undefined> {
  let status: SyncStatus | undefined;
  return liveOf(
    () => status,
    (changed) =>
      sync.on('status', (next) => {
        status = next;
        changed();
      }),
  );
}
