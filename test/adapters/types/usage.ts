/** An app that uses the bindings, in types alone: it is compiled, never run. What must not compile stands under `@ts-expect-error`. */

import type { NostrSync, State, StateMeta, SyncStatus } from 'nostr-sync';
import { syncStores } from 'nostr-sync/pinia';
import { useReadable, useReady, useSync, useSyncStatus } from 'nostr-sync/react';
import { live, liveStatus } from 'nostr-sync/svelte';
import * as vue from 'nostr-sync/vue';
import { bind, synced } from 'nostr-sync/zustand';
import { createPinia } from 'pinia';
import type { StateCreator, StoreApi } from 'zustand/vanilla';

/** As both versions have it, under different names. */
declare function createStore<T extends object>(): <Mos extends [never, unknown][] = []>(
  creator: StateCreator<T, [], Mos>,
) => StoreApi<T>;

/** Compiles if `value` is a `T`. */
const is = <T>(value: T): T => value;

interface Settings {
  readonly theme: 'light' | 'dark';
  readonly size: number;
  readonly panes: { readonly left: readonly string[] };
  readonly nickname?: string;
}
/** What the schema of an app takes: it has defaults. */
type Input = Partial<Settings>;
/** One that makes something else of what it takes. */
interface Parsed {
  readonly due: Date;
}

export async function react(
  state: State<Settings>,
  filled: State<Settings, Input>,
  parsed: State<Parsed, { readonly due: string }>,
  sync: NostrSync<{ settings: Settings }>,
): Promise<void> {
  const [value, update, meta] = useSync(state);
  is<'light' | 'dark'>(value.theme);
  is<StateMeta>(meta);
  await update({ theme: 'dark' });
  await update((now) => ({ ...now, size: now.size + 1 }));
  // @ts-expect-error: no such theme
  await update({ theme: 'blue' });
  // @ts-expect-error: no such field
  await update({ tehme: 'dark' });
  // @ts-expect-error: a value is changed by an edit, not in place
  value.theme = 'dark';
  // @ts-expect-error: it is the first of three
  is<Settings>(useSync(state));

  is<number>(useReadable(state, ({ size }) => size));
  is<Settings>(useReadable(state));
  is<string | undefined>(useReadable(state.meta, ({ updatedAt }) => updatedAt));
  // @ts-expect-error: no such field
  useReadable(state, ({ tehme }) => tehme);

  is<Settings>(useSync(filled)[0]);
  const [{ due }, plan] = useSync(parsed);
  is<Date>(due);
  await plan({ due: '2027-01-01' });
  // @ts-expect-error: the schema takes a string
  await plan({ due });

  is<void>(useReady(state));
  is<SyncStatus | undefined>(useSyncStatus(sync));
  // @ts-expect-error: a handle is no engine
  useSyncStatus(state);
}

export async function vueApp(
  state: State<Settings>,
  filled: State<Settings, Input>,
  parsed: State<Parsed, { readonly due: string }>,
  sync: NostrSync,
): Promise<void> {
  const { value, meta, update, field } = vue.useSync(state);
  is<number>(value.value.size);
  is<StateMeta>(meta.value);
  value.value = { theme: 'dark', size: 1, panes: { left: [] } };
  // @ts-expect-error: a field is missing
  value.value = { theme: 'dark', size: 1 };
  // @ts-expect-error: a value is changed by an edit, not in place
  value.value.size = 2;
  field('size').value = 2;
  // @ts-expect-error: no such size
  field('size').value = 'large';
  // @ts-expect-error: no such field
  field('tehme');
  await update({ theme: 'dark' });

  is<number>(vue.useReadable(state, ({ size }) => size).value);
  // @ts-expect-error: it is told, not set
  vue.useReadable(state).value = value.value;
  is<Settings>(vue.useSync(filled).value.value);
  // @ts-expect-error: what comes out of this schema cannot be put into it: use `useReadable` and `state.update`
  vue.useSync(parsed);
  is<SyncStatus | undefined>(vue.useSyncStatus(sync).value);
}

export function svelte(state: State<Settings>, sync: NostrSync): void {
  const settings = live(state);
  is<Settings>(settings.current);
  is<StateMeta>(live(state.meta).current);
  is<() => void>(settings.subscribe((value) => is<Settings>(value)));
  // @ts-expect-error: a value is changed by an edit, not in place
  settings.current.size = 2;
  // @ts-expect-error: it is told, not set
  settings.current = state.get();
  is<SyncStatus | undefined>(liveStatus(sync).current);
}

interface Ui {
  readonly theme: 'light' | 'dark';
  readonly size: string;
  readonly isMenuOpen: boolean;
  readonly open: () => void;
}

export function zustand(
  state: State<Settings>,
  filled: State<Settings, Input>,
  parsed: State<Parsed, { readonly due: string }>,
  store: StoreApi<Ui>,
): void {
  bind(store, filled, ['theme']);
  // @ts-expect-error: what comes out of this schema cannot be put into it
  bind(store, parsed, []);
  is<() => void>(bind(store, state, ['theme']));
  // @ts-expect-error: of another type in the category
  bind(store, state, ['size']);
  // @ts-expect-error: the category has no such field
  bind(store, state, ['isMenuOpen']);
  createStore<Ui>()(
    synced(
      (set) => ({ theme: 'dark', size: 'large', isMenuOpen: false, open: () => set({ isMenuOpen: true }) }),
      state,
      ['theme'],
    ),
  );
  const create = (): Ui => ({ theme: 'dark', size: 'large', isMenuOpen: false, open: () => undefined });
  is<StateCreator<Ui>>(synced(create, filled, ['theme']));
  // @ts-expect-error: of another type in the category
  synced(create, state, ['size']);
  // @ts-expect-error: the category has no such field
  synced(create, state, ['isMenuOpen']);
}

export function pinia(state: State<Settings, Input>, other: State<{ readonly tone: string }>): void {
  createPinia().use(
    syncStores({ ui: { state, keys: ['theme', 'size'] }, sound: { state: other, keys: ['tone'] } }),
  );
  // @ts-expect-error: the category has no such field
  syncStores({ ui: { state, keys: ['tone'] } });
}
