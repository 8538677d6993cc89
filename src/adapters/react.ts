'use client';
/** `nostr-sync/react`: hooks for what changes. Rendering starts nothing: a component subscribes once it is mounted. */

import { useEffect, useState, useSyncExternalStore } from 'react';
import { initialOf, type Readable } from '../readable.ts';
import type { State, StateMeta } from '../state/state.ts';
import type { StatusSource, SyncStatus } from './status-source.ts';

/** What `select` makes of the value: the same object until the value changes, also if the selector makes a new one each time. */
function selecting<T, S>(get: () => T, select: (value: T) => S): () => S {
  // Nothing that `get` returns.
  let last: unknown = selecting;
  let selected: S;
  return () => {
    const value = get();
    if (value !== last) {
      selected = select(value);
      last = value;
    }
    return selected;
  };
}

/**
 * What `readable` has now. With `select`, only this part of it: the component is rendered again if that is another one by `Object.is`.
 * On a server, and while a page takes over what a server has rendered: of `readable.initial`.
 */
export function useReadable<T>(readable: Readable<T>): T;
export function useReadable<T, S>(readable: Readable<T>, select: (value: T) => S): S;
export function useReadable<T>(readable: Readable<T>, select = (value: T): unknown => value): unknown {
  return useSyncExternalStore(
    readable.subscribe,
    selecting(readable.get, select),
    selecting(() => initialOf(readable), select),
  );
}

/** The value of a category, `state.update`, and what is known of the value beside itself. */
export function useSync<T, Input>(
  state: State<T, Input>,
): readonly [value: T, update: State<T, Input>['update'], meta: StateMeta] {
  return [useReadable(state), state.update, useReadable(state.meta)];
}

const never = () => (): void => undefined;

/**
 * Suspends until `state.ready`: until there is a value, or it is known that there is none, for 3 s at most. For a component inside of
 * `Suspense`. It does not suspend on a server, which has no key and would never be ready, nor hides what a server has rendered: there
 * `initial` is shown until then.
 */
export function useReady(state: Pick<State<unknown>, 'meta' | 'ready'>): void {
  const isRendered = useSyncExternalStore(
    never,
    () => false,
    () => true,
  );
  const [wasRendered] = useState(isRendered);
  if (wasRendered || state.meta.get().status !== 'loading') return;
  // Noted as React's own `use` does it, which React 18 has not.
  const ready: Promise<void> & { status?: string } = state.ready;
  if (ready.status === 'fulfilled') return;
  // oxlint-disable-next-line typescript/only-throw-error -- what suspends in every version of React
  throw ready.then(() => {
    ready.status = 'fulfilled';
  });
}

/** The status of an engine, and each change of it. `undefined` until the engine has told it. */
export function useSyncStatus(sync: StatusSource): SyncStatus | undefined {
  const [status, setStatus] = useState<SyncStatus>();
  useEffect(() => sync.on('status', setStatus), [sync]);
  return status;
}
