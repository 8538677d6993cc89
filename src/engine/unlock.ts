/** A person with a Nostr key is asked once at the start: their key opens a secret of this app, and a key made of that does the rest. */

import type { Clock } from '../clock.ts';
import { NostrSyncError } from '../errors.ts';
import type { JsonPayloads, NostrSync } from '../nostr-sync.ts';
import type { NostrSyncOptions } from '../options.ts';
import { checkNamespace } from '../protocol/address.ts';
import { deriveSyncKey } from '../signer/derive.ts';
import type { Signer } from '../signer/signer.ts';
import { memoryStore } from '../store/memory.ts';

/** The namespace in which every app's secret is: each under a name that tells no app. */
const NAMESPACE = 'nostr-sync';
const HASH_DIGITS = 16;
const SECRET = /^[0-9a-f]{64}$/;
const SECRET_BYTES = 32;
/** How long the connections stay after that: relays that lack the secret get it. Slower ones get it at the next start. */
const REPAIR_MS = 5_000;

export interface UnlockOptions {
  /** Of the app. Another one has another secret. */
  readonly namespace: string;
  /** Where the secret is: the relays of the person's other devices. */
  readonly relays: readonly string[];
  /** As the engine's. */
  readonly allowInsecureRelays?: boolean;
  /** Ends the waiting: for relays, and for the person. */
  readonly signal?: AbortSignal;
}

export interface UnlockPlatform {
  readonly open: (options: NostrSyncOptions) => NostrSync<JsonPayloads<Record<string, unknown>>>;
  readonly clock: Clock;
  readonly sha256Hex: (text: string) => string;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly signerOf: (key: Uint8Array) => Signer;
}

type Vault = Pick<NostrSync, 'fetch' | 'publish' | 'getRelays' | 'on'>;

export async function unlock(
  signer: Signer,
  options: UnlockOptions,
  platform: UnlockPlatform,
): Promise<Signer> {
  const { namespace, relays, allowInsecureRelays = false, signal } = options;
  checkNamespace(namespace);
  const category = `key.${platform.sha256Hex(namespace).slice(0, HASH_DIGITS)}`;
  const sync: Vault & Pick<NostrSync, 'close'> = platform.open({
    namespace: NAMESPACE,
    relays,
    allowInsecureRelays,
    signer,
    // It is the app's.
    keepSigner: true,
    store: memoryStore(),
  });
  const waiting = signal === undefined ? {} : { signal };
  try {
    const found = await readSecret(sync, category, waiting);
    const secret = found ?? (await makeSecret(sync, category, platform.randomBytes, waiting));
    const bytes = Uint8Array.from({ length: SECRET_BYTES }, (_, i) =>
      Number.parseInt(secret.slice(2 * i, 2 * i + 2), 16),
    );
    const key = deriveSyncKey(bytes, { namespace, account: 0 });
    const unlocked = platform.signerOf(key);
    bytes.fill(0);
    key.fill(0);
    // A relay that had answered before the secret was known is asked again, and found to lack it. The value is known: nobody is asked.
    void sync.fetch(category).catch(() => undefined);
    platform.clock.after(REPAIR_MS, () => void sync.close());
    return unlocked;
  } catch (error) {
    await sync.close();
    throw error;
  }
}

type Waiting = { readonly signal?: AbortSignal };

/** `undefined`: every relay has said that there is none. */
async function readSecret(sync: Vault, category: string, waiting: Waiting): Promise<string | undefined> {
  // A relay that could not be connected to has no say in a `null`. So the second answer is from all: they were connected before it,
  // and are after it.
  for (let round = 0; round < 2; round++) {
    const value = await sync.fetch(category, waiting);
    if (value !== null) return secretOf(value.payload, category, value.eventId);
    const all = await sync.getRelays();
    const silent = all.filter(({ connected }) => !connected).map(({ url }) => url);
    if (all.length > 0 && silent.length === 0) continue;
    const answered = all.map(({ url }) => url).filter((url) => !silent.includes(url));
    const message = `Cannot unlock: a secret may be at a relay that was not reached: ${silent.join(', ') || 'none is known'}`;
    throw new NostrSyncError('NO_RELAYS_REACHABLE', message, { details: { answered, silent } });
  }
  return undefined;
}

/**
 * Makes the secret, and returns the one that counts: if two first devices make one at the same time, that of the older write, if it is known,
 * otherwise that of the newer.
 */
async function makeSecret(
  sync: Vault,
  category: string,
  randomBytes: UnlockPlatform['randomBytes'],
  waiting: Waiting,
): Promise<string> {
  const older: string[] = [];
  const stop = sync.on('conflict', ({ theirs, shown }) => {
    if (shown === 'mine' && theirs.payload !== null)
      older.push(secretOf(theirs.payload, category, theirs.eventId));
  });
  try {
    const made = Array.from(randomBytes(SECRET_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
    await publishSecret(sync, category, made, waiting);
    if (older[0] !== undefined) await publishSecret(sync, category, older[0], waiting);
    const counts = await readSecret(sync, category, waiting);
    if (counts !== undefined) return counts;
    throw new NostrSyncError('UNDECODABLE', 'Cannot unlock: the secret was removed while it was made', {
      details: { category, eventId: '' },
    });
  } finally {
    stop();
  }
}

/** A key of a secret that no relay has would be lost with this page. */
async function publishSecret(sync: Vault, category: string, secret: string, waiting: Waiting): Promise<void> {
  const { stage } = await sync.publish(category, { v: 1, secret }, { waitFor: 'replicated', ...waiting });
  if (stage !== 'saved') return;
  const silent = (await sync.getRelays()).map(({ url }) => url);
  const message = `Cannot unlock: no relay took the secret: ${silent.join(', ')}`;
  throw new NostrSyncError('NO_RELAYS_REACHABLE', message, { details: { answered: [], silent } });
}

/** What it is not, is never overwritten: another version of this library may know what to do with it. */
function secretOf(payload: unknown, category: string, eventId: string): string {
  const { v, secret } = Object(payload) as { readonly v?: unknown; readonly secret?: unknown };
  if (v === 1 && typeof secret === 'string' && SECRET.test(secret)) return secret;
  throw new NostrSyncError(
    'UNDECODABLE',
    'Cannot unlock: what is kept is no secret of a version known here',
    {
      details: { category, eventId },
    },
  );
}
