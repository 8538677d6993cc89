/** A person with a Nostr key is asked once at the start: their key opens a secret of this app, and a key made of that does the rest. */

import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { nowSeconds, type Clock } from '../clock.ts';
import { NostrSyncError } from '../errors.ts';
import type { JsonPayloads, NostrSync } from '../nostr-sync.ts';
import type { NostrSyncOptions } from '../options.ts';
import { checkNamespace, toDTag } from '../protocol/address.ts';
import { MAX_LAPS } from '../protocol/limits.ts';
import { deriveSyncKey } from '../signer/derive.ts';
import type { Signer } from '../signer/signer.ts';
import type { Store } from '../store/store.ts';
import { INSIDE, type Inside } from '../sync/inside.ts';
import type { Merger } from '../sync/merging/merger.ts';
import { createMerging } from '../sync/merging/merging.ts';
import { bringing, type FormerKey, type Reading } from './moving.ts';
import { joinVaults, payloadOf, vaultOf, type Secret, type Vault } from './vault.ts';
import { memoryStore } from '../store/memory.ts';

/** The namespace in which every app's secret is: each under a name that tells no app. */
const NAMESPACE = 'nostr-sync';
const HASH_DIGITS = 16;
const SECRET_BYTES = 32;
/** How long the connections stay after that: relays that lack the secret get it. Slower ones get it at the next start. */
const REPAIR_MS = 5_000;

/** What `unlockWithSigner` takes beside the signer. */
export interface UnlockOptions {
  /** Of the app. Another one has another secret. */
  readonly namespace: string;
  /** Where the secret is: the relays of the person's other devices. */
  readonly relays: readonly string[];
  /**
   * Keeps the secret on this device, encrypted as on the relays: it starts offline then, and knows what another first device has
   * overwritten. Not the store of the app's engine. Default as the engine's: IndexedDB in a browser; memory on Node.
   */
  readonly store?: Store;
  /** As the engine's. */
  readonly allowInsecureRelays?: boolean;
  /** Ends the waiting: for relays, and for the person. */
  readonly signal?: AbortSignal;
}

/** A signer of the app's key. */
export interface UnlockedSigner extends Signer {
  /**
   * Public keys of former secrets: devices that were the first one at the same time had made one each. What is under them comes along when
   * an engine gets this signer; see `unlockWithSigner`. Empty as a rule.
   */
  readonly former: readonly string[];
}

export interface UnlockPlatform {
  readonly open: (options: NostrSyncOptions) => NostrSync<JsonPayloads<Record<string, unknown>>>;
  readonly clock: Clock;
  readonly sha256Hex: (text: string) => string;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly signerOf: (key: Uint8Array) => Signer;
}

type Engine = NostrSync<JsonPayloads<Record<string, unknown>>>;

export async function unlock(
  signer: Signer,
  options: UnlockOptions,
  platform: UnlockPlatform,
): Promise<UnlockedSigner> {
  const { namespace, relays, store, allowInsecureRelays = false, signal } = options;
  checkNamespace(namespace);
  const category = `key.${platform.sha256Hex(namespace).slice(0, HASH_DIGITS)}`;
  const sync = platform.open({
    namespace: NAMESPACE,
    relays,
    allowInsecureRelays,
    signer,
    // It is the app's.
    keepSigner: true,
    ...(store !== undefined && { store }),
    categories: { [category]: { merge: merger(category), settle: 'auto', removal: 'edit-wins' } },
  });
  const kept = { sync, category, ...(signal !== undefined && { signal }) };
  try {
    if ((await readVault(kept)) === undefined) await makeSecret(kept, platform);
    await mergeVaults(kept);
    const vault = await readVault(kept);
    if (vault === undefined) throw undecodable(category, 'the secret was removed while it was made');
    const [key, ...former] = await Promise.all(vault.map((one) => keyOf(one, namespace, platform)));
    const unlocked = bringing(key!.signer, former, {
      open: async (of) => openInMemory(of, { namespace, relays, allowInsecureRelays }, platform),
    });
    // A relay that had answered before the secret was known is asked again, and found to lack it. The value is known: the person is not
    // asked.
    void sync.fetch(category).catch(() => undefined);
    platform.clock.after(REPAIR_MS, () => void sync.close());
    return { ...unlocked, former: former.map(({ pubkey }) => pubkey) };
  } catch (error) {
    await sync.close();
    throw error;
  }
}

/** The vault of one app, in an engine of its own. */
interface Kept {
  readonly sync: Engine;
  readonly category: string;
  readonly signal?: AbortSignal;
}

const waitingOf = ({ signal }: Kept): { readonly signal?: AbortSignal } =>
  signal === undefined ? {} : { signal };

/** `undefined`: every relay has said that there is none. */
async function readVault(kept: Kept): Promise<Vault | undefined> {
  const { sync, category } = kept;
  // A relay that could not be connected to has no say in a `null`. So the second answer is from all: they were connected before it,
  // and are after it.
  for (let round = 0; round < 2; round++) {
    const value = await sync.fetch(category, waitingOf(kept));
    if (value !== null) return known(value.payload, category, value.eventId);
    const all = await sync.getRelays();
    const silent = all.filter(({ connected }) => !connected).map(({ url }) => url);
    if (all.length > 0 && silent.length === 0) continue;
    const answered = all.map(({ url }) => url).filter((url) => !silent.includes(url));
    const message = `Cannot unlock: a secret may be at a relay that was not reached: ${silent.join(', ') || 'none is known'}`;
    throw new NostrSyncError('NO_RELAYS_REACHABLE', message, { details: { answered, silent } });
  }
  return undefined;
}

const FOUND = new Error('another device was faster');

/**
 * Makes the secret, unless that of another device comes in while the person is asked. A secret that no relay has would be lost with this
 * page.
 */
async function makeSecret(kept: Kept, { randomBytes, clock }: UnlockPlatform): Promise<void> {
  const { sync, category } = kept;
  const secret = bytesToHex(randomBytes(SECRET_BYTES));
  const made = payloadOf([{ secret, made: nowSeconds(clock) }]);
  const change = (now: unknown): unknown => {
    if (now !== undefined) throw FOUND;
    return made;
  };
  try {
    const { stage } = await sync.update(category, change, { waitFor: 'replicated', ...waitingOf(kept) });
    if (stage !== 'saved') return;
  } catch (error) {
    if (error === FOUND) return;
    throw error;
  }
  const silent = (await sync.getRelays()).map(({ url }) => url);
  const message = `Cannot unlock: no relay took the secret: ${silent.join(', ')}`;
  throw new NostrSyncError('NO_RELAYS_REACHABLE', message, { details: { answered: [], silent } });
}

/** What devices wrote without seeing each other becomes one vault, before any of its secrets is used. */
async function mergeVaults(kept: Kept): Promise<void> {
  const { sync, category } = kept;
  const inside = (sync as unknown as { readonly [INSIDE]: Inside })[INSIDE];
  for (let lap = 0; lap < MAX_LAPS; lap++) {
    const record = (await inside.known())?.replica.get(toDTag(NAMESPACE, category));
    if (record === undefined || record.rivals.length === 0) return;
    await sync.update(category, (now) => now, { waitFor: 'replicated', ...waitingOf(kept) });
  }
}

function merger(category: string): Merger {
  const join = (mine: unknown, theirs: unknown): unknown =>
    payloadOf(joinVaults(known(mine, category), known(theirs, category)));
  return {
    merge: ({ mine, theirs }) => {
      if (mine === undefined || theirs === undefined) return { value: mine ?? theirs, clashes: [] };
      return { value: join(mine, theirs), clashes: [] };
    },
    isEqual: (a, b) => JSON.stringify(a) === JSON.stringify(b),
    createMerging,
  };
}

/** What it is not, is never overwritten: another version of this library may know what to do with it. */
function known(payload: unknown, category: string, eventId = ''): Vault {
  const vault = vaultOf(payload);
  if (vault !== undefined) return vault;
  throw undecodable(category, 'what is kept is no secret of a version known here', eventId);
}

function undecodable(category: string, why: string, eventId = ''): NostrSyncError {
  return new NostrSyncError('UNDECODABLE', `Cannot unlock: ${why}`, { details: { category, eventId } });
}

async function keyOf(
  { secret }: Secret,
  namespace: string,
  { signerOf }: UnlockPlatform,
): Promise<FormerKey> {
  const bytes = hexToBytes(secret);
  const key = deriveSyncKey(bytes, { namespace, account: 0 });
  const signer = signerOf(key);
  bytes.fill(0);
  key.fill(0);
  return { pubkey: await signer.getPublicKey(), signer };
}

/** To read what relays have under a former key. */
async function openInMemory(
  signer: Signer,
  options: Pick<NostrSyncOptions, 'namespace' | 'relays' | 'allowInsecureRelays'>,
  platform: UnlockPlatform,
): Promise<Reading> {
  const sync = platform.open({ ...options, signer, keepSigner: true, store: memoryStore() });
  try {
    const inside = (sync as unknown as { readonly [INSIDE]: Inside })[INSIDE];
    return {
      opened: await inside.signedIn('carry over'),
      syncAll: (categories) => sync.syncAll(categories),
      close: sync.close,
    };
  } catch (error) {
    await sync.close();
    throw error;
  }
}
