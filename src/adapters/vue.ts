/**
 * `nostr-sync/vue`: refs of what changes. In a component they listen once it is mounted, in any other effect scope at once; until it ends.
 */

import {
  computed,
  getCurrentInstance,
  onMounted,
  onScopeDispose,
  shallowRef,
  type ShallowRef,
  type WritableComputedRef,
} from 'vue';
import { initialOf, type Readable } from '../readable.ts';
import type { State, StateMeta } from '../state/state.ts';
import type { StatusSource, SyncStatus } from './status-source.ts';

/** Calls `listen` when this binding starts, never on a server, and what that returns when its scope ends. */
function whileInScope(listen: () => () => void): void {
  let stop: (() => void) | undefined;
  const start = (): void => {
    stop = listen();
  };
  if (getCurrentInstance() === null) start();
  else onMounted(start);
  // Vue warns if there is no scope: then it never ends.
  onScopeDispose(() => stop?.());
}

/**
 * What `readable` has now. With `select`, only this part of it: nothing runs again unless that is another one. What is in the ref is the
 * value itself, which must not be changed in place. On a server, and until a page has taken over what a server has rendered: of
 * `readable.initial`.
 */
export function useReadable<T>(readable: Readable<T>): Readonly<ShallowRef<T>>;
export function useReadable<T, S>(readable: Readable<T>, select: (value: T) => S): Readonly<ShallowRef<S>>;
export function useReadable<T>(
  readable: Readable<T>,
  select = (value: T): unknown => value,
): Readonly<ShallowRef<unknown>> {
  // The component that is set up has an element already: it takes over what a server has rendered.
  const element = getCurrentInstance()?.vnode.el;
  const ref = shallowRef(select(element ? initialOf(readable) : readable.get()));
  const show = (): void => {
    ref.value = select(readable.get());
  };
  whileInScope(() => {
    show();
    return readable.subscribe(show);
  });
  return ref;
}

/** What a binding to a category gives. */
export interface Synced<T, Input = T> {
  /** The value. To set it is `state.set`: what of it is not saved, and why, is in `meta`. */
  readonly value: WritableComputedRef<T>;
  /** As of the handle. */
  readonly update: State<T, Input>['update'];
  readonly meta: Readonly<ShallowRef<StateMeta>>;
  /** One field of it, to read and to write: for `v-model`. */
  field<K extends keyof T>(name: K): WritableComputedRef<T[K]>;
}

/** The value of a category, and what is known of it beside itself. */
export function useSync<T extends Input, Input>(state: State<T, Input>): Synced<T, Input> {
  const value = useReadable(state);
  const editable = <V>(get: () => V, edit: (next: V) => Promise<unknown>): WritableComputedRef<V> =>
    computed({
      get,
      // No caller can wait for an assignment: why an edit is not saved is in `meta`.
      set: (next) => void edit(next).catch(() => undefined),
    });
  return {
    value: editable(() => value.value, state.set),
    update: state.update,
    meta: useReadable(state.meta),
    field: (name) =>
      editable(
        () => value.value[name],
        (next) => state.update({ [name]: next } as unknown as Partial<Input>),
      ),
  };
}

/** The status of an engine, and each change of it. `undefined` until the engine has told it. */
export function useSyncStatus(sync: StatusSource): Readonly<ShallowRef<SyncStatus | undefined>> {
  const ref = shallowRef<SyncStatus>();
  whileInScope(() =>
    sync.on('status', (status) => {
      ref.value = status;
    }),
  );
  return ref;
}
