/** An app in types alone: it is compiled, never run. What must not compile stands under `@ts-expect-error`. */

import {
  createNostrSync,
  defineCategory,
  isNostrSyncError,
  type AnyNostrSyncError,
  type FetchResult,
  type Json,
  type MergeClash,
  type NostrSync,
  type Readable,
  type RelayInfo,
  type Removal,
  type StandardSchema,
  type State,
  type Store,
  type SyncEvents,
  type SyncStatus,
} from 'nostr-sync';
import { exportLines, importLines, type ImportReport } from 'nostr-sync/backup';
import { fileStore } from 'nostr-sync/file-store';
import { indexedDbStore } from 'nostr-sync/indexeddb-store';
import 'nostr-sync/inspector';
import { counters, fields, items, max, merge3, mergeBy, set, whole, type MergeRules } from 'nostr-sync/merge';
import { text } from 'nostr-sync/merge/text';
import { createInvitation, joinByInvitation } from 'nostr-sync/pair';

/** Compiles if `value` is a `T`. */
const is = <T>(value: T): T => value;

// Interfaces have no index signature, as `Json` must allow.
interface Settings {
  theme: 'light' | 'dark';
  fontSize?: number;
  panes: readonly Pane[];
}
interface Pane {
  size: [number, number];
  inside: Pane | null;
}
type Tree = { pane: Pane; next: Tree[] } | Tree[];
type AnyJson = string | number | boolean | null | AnyJson[] | { [key: string]: AnyJson };
interface Categories {
  'ui-settings': Settings;
  wallet: { accounts: string[]; owner: string & { readonly brand: 'owner' } };
  tree: Tree;
  any: AnyJson;
}
const settings: Settings = { theme: 'dark', panes: [{ size: [1, 2], inside: null }] };

// Stores are reached under every resolution.

export const stores: readonly Store[] = [fileStore('./state'), indexedDbStore('state')];

// The inspector takes an engine of any categories, and nothing else.

export function inspected(sync: NostrSync<Categories>, others: NostrSync): void {
  const inspector = document.createElement('nostr-sync-inspector');
  inspector.sync = sync;
  inspector.sync = others;
  inspector.sync = null;
  // @ts-expect-error: no engine
  inspector.sync = { inspect: async () => [] };
}

// Events and results, typed by `Categories`.

export async function typed(sync: NostrSync<Categories>): Promise<void> {
  sync.on('updated', (result) => {
    is<keyof Categories>(result.category);
    if (result.deleted) {
      is<null>(result.payload);
    } else if (result.category === 'wallet') {
      is<Categories['wallet']>(result.payload);
    } else if (result.category === 'ui-settings') {
      is<Settings>(result.payload);
    }
    // @ts-expect-error: a removal holds nothing, and which category it is was not asked
    console.log(result.payload.accounts);
  });
  sync.on('conflict', (conflict) => {
    if (conflict.category === 'wallet' && !conflict.mine.deleted)
      is<Categories['wallet']>(conflict.mine.payload);
  });
  sync.on('conflict', ({ category, theirs, shown, base, clashes }) => {
    is<keyof Categories>(category);
    is<'mine' | 'theirs'>(shown);
    is<string>((base ?? theirs).eventId);
    is<readonly MergeClash[] | undefined>(clashes);
    // @ts-expect-error: which category it is was not asked
    console.log(theirs.payload.accounts);
  });
  sync.on('merged', (merged) => {
    is<keyof Categories>(merged.category);
    is<'exact' | 'older' | 'absent'>(merged.base);
    for (const { path, reason } of merged.clashes) is<string>(`${path.join('.')}: ${reason}`);
    if (merged.category !== 'wallet') return;
    for (const part of [merged.value, ...merged.parts])
      if (!part.deleted) is<Categories['wallet']>(part.payload);
    // @ts-expect-error: a merge may be a removal
    console.log(merged.value.payload.accounts);
    // @ts-expect-error: of a conflict alone
    console.log(merged.mine);
  });
  sync.on('status', (status) => {
    is<SyncStatus>(status);
    is<string | null>(status.pubkey);
    is<boolean>(status.ready && status.online);
    is<number>(status.pendingChanges + status.outboxDepth + status.relayCount + status.connectedRelayCount);
    is<string>(status.deviceId);
    // @ts-expect-error: a status names no category
    console.log(status.category);
  });
  sync.on('relay-status', (info) => {
    is<RelayInfo>(info);
    is<string>(info.url);
    is<boolean>(info.connected);
    is<'none' | 'required' | 'accepted'>(info.auth);
    // @ts-expect-error: how a relay stands, and not what it has
    console.log(info.payload);
  });
  sync.on('error', (error) => is<AnyNostrSyncError>(error));
  sync.on('delivery', ({ category, eventId, updatedAt, stage, relays, pieces }) => {
    is<keyof Categories>(category);
    is<string>(eventId + updatedAt);
    is<'saved' | 'delivered' | 'replicated'>(stage);
    is<readonly string[]>(Object.keys(relays));
    is<number | undefined>(pieces?.total);
  });
  // @ts-expect-error: an event that there is none
  sync.on('delivered', () => undefined);
  is<() => void>(sync.on('status', () => undefined));
  sync.subscribe(['ui-settings', 'wallet'], (result) => {
    is<'ui-settings' | 'wallet'>(result.category);
    if (result.category === 'wallet' && result.deleted !== true) console.log(result.payload.accounts[0]);
  });

  const fetched = await sync.fetch('ui-settings');
  is<Settings | undefined>(fetched?.payload);
  for (const result of await sync.syncAll(['ui-settings', 'wallet'])) {
    if (result.category === 'wallet') is<Categories['wallet']>(result.payload);
    else is<Settings>(result.payload);
  }
  for (const result of await sync.poll(['ui-settings', 'wallet'])) {
    if (result.deleted) is<Removal<'ui-settings'> | Removal<'wallet'>>(result);
    else if (result.category === 'ui-settings') is<Settings>(result.payload);
  }

  await sync.publish('ui-settings', settings);
  await sync.publish('ui-settings', { theme: 'light', panes: [] });
  // @ts-expect-error: no such category
  await sync.publish('ui-setings', settings);
  // @ts-expect-error: no such theme
  await sync.publish('ui-settings', { theme: 'blue', panes: [] });
  // @ts-expect-error: a property that the category does not have
  await sync.publish('ui-settings', { theme: 'light', panes: [], extra: 1 });
}

// Errors: their code tells what `details` holds.

/** What an app tells its user of an error. A code that is new here does not compile until it has its words. */
export function words(error: AnyNostrSyncError): string {
  switch (error.code) {
    case 'RECOVERY_LENGTH':
      return `${error.details.words} words`;
    case 'RECOVERY_WORD':
      return error.details.positions.join();
    case 'NCRYPTSEC_TOO_COSTLY':
      return `2^${error.details.logN}`;
    case 'PAYLOAD_TOO_LARGE':
      return `${is<number>(error.details.size)} of ${is<number>(error.details.limit)} bytes`;
    case 'INVALID_PAYLOAD_LIMIT':
      return `at most ${is<number>(error.details.max)}`;
    case 'NO_RELAYS_ACCEPTED':
    case 'PAIRING_EXPIRED':
    case 'PAIRING_NO_RELAY':
      return Object.values(is<Readonly<Record<string, string>>>(error.details.reasons)).join();
    case 'NO_RELAYS_REACHABLE':
      return is<readonly string[]>(error.details.silent).join();
    case 'INVALID_VALUE':
      return error.details.issues.map(({ path }) => is<readonly (string | number)[]>(path).join('.')).join();
    case 'SCHEMA_NEWER':
      return `${is<number>(error.details.version)} of ${is<string>(error.details.category)}`;
    case 'UNDECODABLE':
    case 'INCOMPLETE':
    case 'VERSION_NOT_KEPT':
    case 'MERGE_FAILED':
    case 'MERGE_LOOP':
    case 'WITHDRAWN_WRITE_SHOWN':
    case 'DEVICE_ID_TAKEN':
      // @ts-expect-error: only one of these says how many pieces there are
      console.log(error.details.total);
      return is<string>(error.details.category);
    case 'CLOCK_SKEW':
      return `${is<number | undefined>(error.details.aheadSeconds) ?? 'unknown'} s`;
    case 'PAIRING_CANCELLED':
      return is<'this-device' | 'other-device'>(error.details.by);
    case 'PAIRING_OTHER_APP':
      return is<string | null>(error.details.namespace) ?? 'another app';
    case 'PAIRING_OTHER_KEY':
      return is<string>(error.details.pubkey);
    case 'SIGNER_NOT_SET':
    case 'SIGNER_CHANGED':
    case 'INVALID_NAMESPACE':
    case 'INVALID_CATEGORY':
    case 'INVALID_PAYLOAD':
    case 'INVALID_EXPIRATION':
    case 'INVALID_RELAY_URL':
    case 'INVALID_EXPORT':
    case 'ENCRYPTION_FAILED':
    case 'DECRYPTION_FAILED':
    case 'SIGNING_FAILED':
    case 'STORE_FAILED':
    case 'PAIRING_DIGITS':
    case 'PAIRING_BAD_CODE':
    case 'CLOSED':
    case 'RECOVERY_CHECKSUM':
    case 'NCRYPTSEC_INVALID':
    case 'WRONG_PASSPHRASE':
    case 'INVALID_KEY':
    case 'KEY_STORE_FAILED':
    case 'KEY_STORE_EXPOSED':
    case 'KEY_EXISTS':
    case 'ENGINE_FAILED':
    case 'ENGINE_BUSY':
    case 'NOT_PERMITTED':
      is<undefined>(error.details);
      return error.message;
    default:
      return is<never>(error);
  }
}

/** Errors come by the event, and by calls that reject. */
export async function failing(sync: NostrSync<Categories>): Promise<void> {
  sync.on('error', (error) => {
    words(error);
    if (error.code === 'INCOMPLETE') is<number>(error.details.total);
    // @ts-expect-error: not every error has it
    console.log(error.details.total);
  });
  try {
    await sync.publish('ui-settings', settings, 1_800_000_000);
    await sync.publish('ui-settings', settings, { expiration: 1_800_000_000, waitFor: 'saved' });
    // @ts-expect-error: what is read by others is a matter of the whole engine
    await sync.publish('ui-settings', settings, { interop: 'strict' });
  } catch (error) {
    if (!isNostrSyncError(error)) throw error;
    words(error);
    if (isNostrSyncError(error, 'PAYLOAD_TOO_LARGE')) is<number>(error.details.limit);
  }
}

/** What a wrapper for one category or another needs. */
export async function generic<C extends keyof Categories>(
  sync: NostrSync<Categories>,
  category: C,
  value: Categories[C],
): Promise<Categories[C] | undefined> {
  await sync.publish(category, value);
  return (await sync.fetch(category))?.payload;
}

// Payloads are JSON, in apps that say nothing of their categories as well.

export async function untyped(sync: NostrSync, unknown: unknown): Promise<void> {
  await sync.publish('x', settings);
  await sync.publish('x', { list: [1, 'a', null, { deep: true }], absent: undefined });
  await sync.publish('x', null);
  await sync.publish('x', unknown);
  const save = <T>(value: T & Json<T>): Promise<unknown> => sync.publish<string, T>('x', value);
  await save(settings);

  // @ts-expect-error: a Date would become a string
  await sync.publish('x', new Date());
  // @ts-expect-error: also within
  await sync.publish('x', { list: [{ when: new Date() }] });
  // @ts-expect-error: a Map would become {}
  await sync.publish('x', new Map([['a', 1]]));
  // @ts-expect-error: so would a Set
  await sync.publish('x', { tags: new Set(['a']) });
  // @ts-expect-error: bytes would become an object of numbers
  await sync.publish('x', new Uint8Array(1));
  // @ts-expect-error: a function is no JSON
  await sync.publish('x', () => 1);
  // @ts-expect-error: nor is it as a property
  await sync.publish('x', { run: () => 1 });
  // @ts-expect-error: nor a BigInt
  await sync.publish('x', 1n);
  // @ts-expect-error: nor nothing at all
  await sync.publish('x', undefined);
  // @ts-expect-error: which is not even an item of a list
  await sync.publish('x', [undefined]);

  const results: FetchResult[] = await sync.poll(['x']);
  sync.on('updated', (result: SyncEvents['updated']) => results.push(result));
}

// `createNostrSync` refuses categories that JSON cannot hold.

export const created: NostrSync<Categories> = createNostrSync<Categories>();
createNostrSync<Record<string, Settings>>();
// @ts-expect-error: a Date in it
createNostrSync<{ log: { when: Date } }>();
// @ts-expect-error: a Map
createNostrSync<{ log: Map<string, string> }>();
// @ts-expect-error: a value that may be absent cannot be published
createNostrSync<{ log: string | undefined }>();

// Rules of merging, typed by the value that they are for.

interface Wallet {
  theme: 'light' | 'dark';
  opened: number;
  note?: string;
  tags: string[];
  accounts: readonly Account[];
  counts: Record<string, number>;
  pane: Pane | null;
}
interface Account {
  id: string;
  name: string;
  used: number;
}
export const walletRules: MergeRules<Wallet> = {
  theme: whole,
  opened: max,
  note: text,
  tags: set,
  accounts: items('id', {
    used: max,
    name: (base, mine, theirs) => is<string | undefined>(mine ?? theirs ?? base),
  }),
  counts: counters,
  pane: { size: whole },
  '*': fields,
};
export const wholeRules: readonly MergeRules<Wallet>[] = [
  whole,
  fields,
  (base, mine, theirs, { path, isExact, clash }) => {
    is<Wallet | undefined>(base);
    is<readonly string[]>(path);
    is<boolean>(isExact);
    return mine === undefined ? theirs : clash();
  },
];
// @ts-expect-error: there is no such field
is<MergeRules<Wallet>>({ them: whole });
// @ts-expect-error: nor one inside another
is<MergeRules<Wallet>>({ pane: { width: max } });
// @ts-expect-error: nor one of the items
is<MergeRules<Wallet>>({ accounts: items('id', { nam: whole }) });
// @ts-expect-error: items have no such id
is<MergeRules<Wallet>>({ accounts: items('key') });
// @ts-expect-error: a number is no set
is<MergeRules<Wallet>>({ opened: set });
// @ts-expect-error: a list has no greater one
is<MergeRules<Wallet>>({ tags: max });
// @ts-expect-error: a number has no lines
is<MergeRules<Wallet>>({ opened: text });
// @ts-expect-error: a list has no fields
is<MergeRules<Wallet>>({ tags: { a: whole } });
// @ts-expect-error: the result is of another type
is<MergeRules<Wallet>>({ opened: () => 'now' });
// Of no type is known: anything goes.
is<MergeRules>({
  any: max,
  other: { '*': set },
  list: items('id', { n: max }),
  own: (base, mine) => mine ?? base,
});
is<MergeRules<AnyJson>>({ any: max, other: { '*': set } });

export function merged(base: Settings, mine: Settings, theirs: Settings | undefined): Settings | undefined {
  const { value, clashes } = merge3({ base, mine, theirs, rules: { theme: whole } });
  for (const { path, reason, error } of clashes) {
    is<readonly string[]>(path);
    is<'both-changed' | 'uncertain' | 'rule-failed'>(reason);
    is<unknown>(error);
  }
  return value;
}
// @ts-expect-error: there is no such field
merge3({ base: settings, mine: settings, theirs: settings, rules: { size: max } });

// Rules go into an engine by `mergeBy`, which brings what merges.
createNostrSync<Categories>({
  categories: { 'ui-settings': { merge: mergeBy<Settings>({ theme: whole }) } },
});
createNostrSync({ categories: { any: { merge: mergeBy((base, mine) => mine ?? base) } } });
// @ts-expect-error: bare rules cannot merge anything
createNostrSync({ categories: { any: { merge: { theme: whole } } } });

// A backup is of an engine, whatever its categories.
export async function backup(typed: NostrSync<Categories>, plain: NostrSync): Promise<ImportReport> {
  const lines: AsyncIterable<string> = exportLines(typed, { versions: true });
  // @ts-expect-error: an option that there is none
  exportLines(plain, { plain: true });
  // @ts-expect-error: not an engine
  exportLines({});
  return importLines(plain, lines, { signal: AbortSignal.timeout(1) });
}

// Pairing: the key comes from the app that has it, and goes to the one that has said yes.

export async function pairing(key: Uint8Array): Promise<void> {
  const invitation = await createInvitation({
    ...{ namespace: 'my-app', name: 'laptop', relays: ['wss://relay.example.com'], key, carrier: 'code' },
  });
  is<string | undefined>(invitation.code);
  is<() => void>(invitation.on('joining', () => undefined));
  // @ts-expect-error: an event that there is none
  invitation.on('joined', () => undefined);
  await invitation.confirm('863346');
  is<string>((await invitation.done).deviceId);
  // @ts-expect-error: a device that has the key takes no invitation
  invitation.accept();
  // @ts-expect-error: without the key, or `null` for one that the signer keeps, there is nothing to share
  await createInvitation({ namespace: 'my-app', name: 'laptop', relays: [] });

  const joining = joinByInvitation(invitation.uri, {
    namespace: 'my-app',
    name: 'phone',
    deviceId: 'phone-1',
  });
  is<string>(await joining.digits);
  is<string>((await joining.inviter).pubkey);
  const joined = await joining.accept(async ({ key }) => void is<Uint8Array | null>(key));
  // @ts-expect-error: the other device may have no key to share
  is<Uint8Array>(joined.key);
  // @ts-expect-error: relays are those of the other device
  joined.relays.push('wss://relay.example.net');
}

// State: the types of a category come from its schema, or from its default.

declare const schema: StandardSchema<
  { theme: 'light' | 'dark'; at: string; tags: { id: string }[]; note?: string },
  { theme: 'light' | 'dark'; at: Date; tags: { id: string }[]; note?: string }
>;
const look = defineCategory({
  name: 'look',
  schema,
  default: { theme: 'light', at: '', tags: [] },
  version: 2,
  migrate: { 2: (before) => before },
  merge: { tags: items('id') },
  local: ['at'],
  adopt: {
    value: () => ({ theme: 'dark' as const }),
    policy: (had, theirs) => ({ theme: had.theme ?? theirs.theme }),
  },
});
// @ts-expect-error: a default of a wrong value
defineCategory({ name: 'look', schema, default: { theme: 'blue', at: '', tags: [] } });
// @ts-expect-error: a default that lacks a field
defineCategory({ name: 'look', schema, default: { theme: 'light', at: '' } });
const base = { name: 'look', schema, default: { theme: 'light' as const, at: '', tags: [] } };
// @ts-expect-error: a rule for a field that there is none
defineCategory({ ...base, merge: { tag: set } });
// @ts-expect-error: a rule for another type
defineCategory({ ...base, merge: { theme: counters } });
// @ts-expect-error: a local field that there is none
defineCategory({ name: 'look', schema, default: { theme: 'light', at: '', tags: [] }, local: ['windw'] });
// @ts-expect-error: a default is needed
defineCategory({ name: 'look', schema });
// @ts-expect-error: an option that there is none
defineCategory({ name: 'look', default: { a: 1 }, debounce: 3 });

export async function stated(sync: NostrSync<Categories>): Promise<void> {
  const state = sync.state(look);
  is<Readable<{ theme: 'light' | 'dark'; at: Date }>>(state);
  is<Date>(state.get().at);
  is<Date>(state.initial.at);
  is<string | undefined>(state.meta.get().updatedAt);
  state.subscribe(({ theme }) => is<'light' | 'dark'>(theme));
  await state.update({ theme: 'dark', note: undefined as never });
  await state.update((now) => ({ ...now, at: is<string>(now.at) }));
  await state.set({ theme: 'dark', at: '', tags: [] });
  await state.reset('theme');
  // @ts-expect-error: a field that there is none
  await state.update({ them: 'dark' });
  // @ts-expect-error: a value that the field cannot have
  await state.update({ theme: 'blue' });
  // @ts-expect-error: what the schema gives is not what it takes
  await state.update({ at: new Date() });
  // @ts-expect-error: all of it is needed
  await state.set({ theme: 'dark' });
  // @ts-expect-error: a field that there is none
  await state.reset('them');
  // @ts-expect-error: what a function makes is checked, too
  await state.update((now) => ({ ...now, theme: 'blue' }));
  // @ts-expect-error: a snapshot has no other field
  console.log(state.get().them);
  // @ts-expect-error: no definition
  sync.state({ name: 'look', initial: { theme: 'light' }, of: 3 });

  const counter = sync.state(defineCategory({ name: 'counter', default: { n: 1 } }));
  is<State<{ n: number }>>(counter);
  // @ts-expect-error: not a number
  await counter.update({ n: 'one' });
}
