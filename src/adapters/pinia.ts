/** `nostr-sync/pinia`: a plugin that makes fields of a store fields of a category. All other fields of the store stay in it. */

import type { PiniaPluginContext } from 'pinia';
import { getCurrentInstance, onBeforeUnmount, onMounted, onScopeDispose, watch } from 'vue';
import type { Editable } from './editable.ts';

/** Of a store: the category, and the fields that both have. */
export interface StoreBinding<T> {
  readonly state: Editable<T>;
  readonly keys: readonly (keyof T & string)[];
}

type Fields = Record<string, unknown>;

/**
 * `pinia.use(syncStores({ settings: { state, keys: ['theme'] } }))`, by the ids of stores. The store shows what the category has, and what
 * is changed in the store is an edit. It starts when the first component that uses the store is mounted, and ends with the store. Until
 * then the store has its own values, as on a server: these should be the defaults of the category.
 */
export function syncStores<Types extends Readonly<Fields>>(bindings: {
  readonly [Id in keyof Types]: StoreBinding<Types[Id]>;
}): (context: PiniaPluginContext) => void {
  return ({ store }) => {
    const binding = (bindings as Readonly<Record<string, StoreBinding<Fields>>>)[store.$id];
    if (!binding) return;
    const { state, keys } = binding;
    /** What both had when they were last the same, as JSON: values of a store are changed in place. */
    const base: Record<string, string | undefined> = {};
    /** Gives `use` copies of the fields that `from` has and `base` has not. From now on it has. */
    function take(from: Fields, use: (taken: Fields) => unknown): void {
      const taken: Fields = {};
      for (const key of keys) {
        const text = JSON.stringify(from[key]);
        // `undefined` has no JSON.
        if (text !== base[key]) taken[key] = (base[key] = text) && JSON.parse(text);
      }
      if (Object.keys(taken).length > 0) use(taken);
    }
    take(store.$state, () => undefined);

    function carry(): void {
      take(store.$state, (edit) => {
        // Why it is not saved is in `state.meta`. What the category does not take is not shown either.
        state.update(edit).catch(carry);
      });
      take(state.get(), (news) => Object.assign(store.$state, news));
    }
    let stop: (() => void) | undefined;
    function start(): void {
      stop ??= state.subscribe(carry);
      carry();
    }
    // After the turn: what is changed in it is one edit. `$subscribe` would miss what is assigned in the turn of a `$patch`.
    watch(() => store.$state, carry, { deep: true });
    if (getCurrentInstance()) {
      onMounted(start);
      // It may be given up before it is mounted, and others may have the store.
      onBeforeUnmount(start);
    } else start();
    onScopeDispose(() => stop?.());
  };
}
