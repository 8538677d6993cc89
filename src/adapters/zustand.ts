/** `nostr-sync/zustand`: fields of a store that are fields of a category. All other fields of the store stay in it. */

import type { StateCreator, StoreApi, StoreMutatorIdentifier } from 'zustand/vanilla';
import type { Editable } from './editable.ts';

/** The fields of a store whose values a category takes. */
export type SharedField<S, T> = {
  [K in keyof S & keyof T]: S[K] extends T[K] ? K : never;
}[keyof S & keyof T];

type Store<S extends object> = Pick<StoreApi<S>, 'getState' | 'setState' | 'subscribe'>;
type Fields = Record<PropertyKey, unknown>;

const pick = (from: unknown, keys: readonly PropertyKey[]): object =>
  Object.fromEntries(keys.map((key) => [key, (from as Fields)[key]]));

/** Edits are made from now on; the store shows what the category has once it is started, by a call or by an edit. */
function connect<S extends object, T>(
  store: Store<S>,
  state: Editable<T>,
  keys: readonly SharedField<S, T>[],
): { readonly start: () => void; readonly stop: () => void } {
  const differs = (key: SharedField<S, T>): boolean =>
    (store.getState() as Fields)[key] !== (state.get() as Fields)[key];
  function show(): void {
    const news = keys.filter(differs);
    if (news.length > 0) store.setState(pick(state.get(), news));
  }
  let stopShowing: (() => void) | undefined;
  function start(): void {
    if (stopShowing !== undefined) return;
    show();
    stopShowing = state.subscribe(show);
  }
  const stopSaving = store.subscribe((now, before) => {
    // What `show` has put there is no edit. Other listeners may have changed the store since.
    const edited = keys.filter((key) => now[key] !== before[key] && differs(key));
    if (edited.length === 0) return;
    // Why it is not saved is in `state.meta`. What the category does not take is not shown either.
    state.update(pick(store.getState(), edited) as Partial<T>).catch(show);
    start();
  });
  return {
    start,
    stop: () => {
      stopSaving();
      stopShowing?.();
    },
  };
}

/**
 * Binds the fields `keys` of a store to those of a category: the store shows what the category has, at once and with each change, and what
 * is changed in the store is an edit. Returns the function that ends it. For stores that are not made by `synced`.
 */
export function bind<S extends object, T>(
  store: Store<S>,
  state: Editable<T>,
  keys: readonly SharedField<S, T>[],
): () => void {
  const { start, stop } = connect(store, state, keys);
  start();
  return stop;
}

/**
 * The same as a middleware, for a store that is made when a module is imported: it starts with the first subscriber to the store, or the
 * first edit. Until then the store has `state.initial`, as on a server.
 */
export function synced<
  S extends object,
  T,
  Mis extends [StoreMutatorIdentifier, unknown][] = [],
  Mos extends [StoreMutatorIdentifier, unknown][] = [],
>(
  create: StateCreator<S, Mis, Mos>,
  state: Editable<T>,
  keys: readonly SharedField<S, T>[],
): StateCreator<S, Mis, Mos> {
  const creator: StateCreator<S, Mis, Mos> = (set, get, api, ...rest) => {
    const store = api as unknown as StoreApi<S>;
    const { subscribe } = store;
    const { start } = connect({ ...store }, state, keys);
    // Other middlewares take more arguments.
    store.subscribe = (...args) => {
      start();
      return subscribe(...args);
    };
    return { ...create(set, get, api, ...rest), ...pick(state.initial, keys) };
  };
  return creator;
}
