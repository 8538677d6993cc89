/** The one call by which an app has its user's key: it is loaded, or made at the first start, and kept. */

import { describe, NostrSyncError } from '../errors.ts';
import { checkNamespace } from '../protocol/address.ts';
import type { Signer } from '../signer/signer.ts';
import { isSameKey, type KeyStore } from './key-store.ts';

/** What `identity` takes: whose key it is, and where it is kept. */
export interface IdentityOptions {
  /** As the engine's. */
  readonly namespace: string;
  readonly keyStore: KeyStore;
}

/** The key of a person on this device: it signs, invites other devices, and gives way to that of another device. */
export interface Identity {
  /** For `createNostrSync` or `setSigner`. */
  readonly signer: Signer;
  /** 32 bytes in hex. */
  readonly pubkey: string;
  /** Whether this call has made the key: then no other device has it, and its words were never shown. */
  readonly isNew: boolean;
  /**
   * Whether the browser may delete the key without asking, as far as it was known at the start. Until there is a second device, or the
   * words are written down, the user's values are then lost with it.
   */
  readonly mayBeEvicted: boolean;
  /**
   * The key as 24 words, to show once and write down: `words(toRecoveryPhrase)`. The function comes from `nostr-sync/recovery`, so that
   * an app which shows no words does not load 2,048 of them. The key comes from its store, which may ask the user. Rejects with
   * `SIGNER_CHANGED` if another key, or none, is kept by now.
   */
  words(toRecoveryPhrase: (key: Uint8Array) => string): Promise<string>;
  /**
   * Invites a second device: `pair(createInvitation, { relays, name })`, with the function and the other options of `nostr-sync/pair`.
   * Rejects as that does, and with `SIGNER_CHANGED` if another key, or none, is kept by now.
   */
  pair<Options extends object, Invitation>(
    createInvitation: (options: Options) => Promise<Invitation>,
    options: Omit<Options, 'namespace' | 'key' | 'pubkey'>,
  ): Promise<Invitation>;
  /**
   * Joins another device of the user, by its invitation or code: `join(joinByInvitation, text, { name }, { sync })`, with the function and
   * the other options of `nostr-sync/pair`. Nothing changes before `accept`.
   *
   * `accept` resolves with the identity that this device has from then on. What `sync` has under the former key is carried over first (see
   * `SignerOptions`); only then the new key takes the place of the former one in the store, and the other device is told. If it rejects,
   * the former key is kept and at work: with what `setSigner` and the store reject with, and `PAIRING_…`. The relays of the other device
   * are added to `sync`: whether it has a value is asked of them.
   */
  join<Options extends object, Joining extends JoiningDevice>(
    joinByInvitation: (text: string, options: Options) => Joining,
    text: string,
    options: Omit<Options, 'namespace' | 'pubkey' | 'deviceId'>,
    into: JoinInto,
  ): Promise<Omit<Joining, 'accept'> & AcceptedJoining>;
  /**
   * Deletes the key from this device and wipes the signer. Only for a user who asks for it here: without a second device or words, all that
   * was written under the key can never be read again.
   */
  forget(): Promise<void>;
}

/** How joining ends, once the user has said yes. */
export interface AcceptedJoining {
  /** Takes the key of the other device, and what this device has along. */
  accept(): Promise<JoinedIdentity>;
}

/** As `joinByInvitation` of `nostr-sync/pair` gives it. */
export interface JoiningDevice {
  /** Takes the key of the other device: `keep` saves it before the other device is told. */
  accept(
    keep: (joined: {
      readonly key: Uint8Array | null;
      readonly pubkey: string;
      readonly relays: readonly string[];
    }) => Promise<void>,
  ): Promise<unknown>;
}

/** What joins. */
export interface JoinInto {
  /** The engine that works with the identity's signer; it gets the new one. */
  readonly sync: {
    /** As of the engine. */
    getStatus(): Promise<{ readonly deviceId: string }>;
    /** As of the engine. */
    addRelay(url: string): Promise<void>;
    /** As of the engine. */
    setSigner(signer: Signer, options: { readonly carryOver: CarryingOver }): Promise<void>;
  };
  /** See `SignerOptions`. Default `'missing'`. */
  readonly carryOver?: CarryingOver;
}

type CarryingOver = 'none' | 'missing' | ((category: string, mine: unknown, theirs: unknown) => unknown);

/** The identity after this device has joined another one. */
export interface JoinedIdentity extends Identity {
  /** Of the other device; added to the engine. Keep them for the next start. */
  readonly relays: readonly string[];
}

/** What a platform's entry has. */
export interface IdentityPlatform {
  readonly generateKey: () => Uint8Array;
  readonly signerOf: (key: Uint8Array) => Signer;
}

/**
 * Loads the key, or makes one if it is certain that there is none. Two that start at once on one store have the same key. Rejects with what
 * the store rejects with, and with `KEY_STORE_FAILED` if the store does not give back what was saved: then nothing was written under it.
 */
export async function openIdentity(options: IdentityOptions, platform: IdentityPlatform): Promise<Identity> {
  const { namespace, keyStore } = checked(options);
  const { key, isNew } = await keptKey(keyStore, platform.generateKey);
  const signer = platform.signerOf(key);
  key.fill(0);
  return identityOf(signer, isNew, { namespace, keyStore }, platform);
}

async function identityOf(
  signer: Signer,
  isNew: boolean,
  { namespace, keyStore }: IdentityOptions,
  platform: IdentityPlatform,
): Promise<Identity> {
  const pubkey = await signer.getPublicKey();

  /** The key itself, while it is still the one that is kept, as long as `work` takes. */
  async function withKey<T>(work: (key: Uint8Array) => T | Promise<T>): Promise<T> {
    const current = await keyStore.load();
    try {
      if (current !== undefined && (await publicKeyOf(current, platform)) === pubkey)
        return await work(current);
    } finally {
      current?.fill(0);
    }
    throw new NostrSyncError(
      'SIGNER_CHANGED',
      `Cannot use the key of ${JSON.stringify(namespace)}: ${current === undefined ? 'none' : 'another one'} is kept by now`,
    );
  }

  return {
    signer,
    pubkey,
    isNew,
    mayBeEvicted: (await keyStore.mayBeEvicted?.()) ?? false,
    words: (toRecoveryPhrase) => withKey(toRecoveryPhrase),
    pair: (createInvitation, more) =>
      withKey((current) => createInvitation({ ...more, namespace, key: current } as never)),
    join: async (joinByInvitation, text, more, into) => {
      const { sync, carryOver = 'missing' } = checkedInto(into);
      const { deviceId } = await sync.getStatus();
      const joining = joinByInvitation(text, { ...more, namespace, pubkey, deviceId } as never);
      const accept = async (): Promise<JoinedIdentity> => {
        let joined: Signer | undefined;
        let relays: readonly string[] = [];
        await joining.accept(async (shared) => {
          relays = shared.relays;
          for (const url of relays) await sync.addRelay(url);
          // Without a key the other device has the same signer as this one.
          if (shared.key === null || shared.pubkey === pubkey) return;
          const next = platform.signerOf(shared.key);
          await withKey((former) => replaceKey(former, shared.key!, next));
          shared.key.fill(0);
          joined = next;
        });
        const now = joined ?? signer;
        return { ...(await identityOf(now, false, { namespace, keyStore }, platform)), relays };
      };
      return { ...joining, accept };

      /** In this order: killed in between, the device has its values under the key that is kept. */
      async function replaceKey(former: Uint8Array, key: Uint8Array, next: Signer): Promise<void> {
        await sync.setSigner(next, { carryOver });
        try {
          await keyStore.save(key, former);
        } catch (error) {
          await sync.setSigner(platform.signerOf(former), { carryOver: 'none' });
          throw error;
        }
      }
    },
    forget: async () => {
      await keyStore.clear();
      signer.wipe?.();
    },
  };
}

async function publicKeyOf(key: Uint8Array, { signerOf }: IdentityPlatform): Promise<string> {
  const signer = signerOf(key);
  const pubkey = await signer.getPublicKey();
  signer.wipe?.();
  return pubkey;
}

async function keptKey(
  keyStore: KeyStore,
  generateKey: () => Uint8Array,
): Promise<{ readonly key: Uint8Array; readonly isNew: boolean }> {
  const kept = await keyStore.load();
  if (kept !== undefined) return { key: kept, isNew: false };
  const made = generateKey();
  try {
    await keyStore.save(made);
  } catch (error) {
    // Another tab was faster: its key is the one.
    const other = isKeyExists(error) ? await keyStore.load() : undefined;
    if (other === undefined) throw error;
    return { key: other, isNew: false };
  }
  // Before anything is written under it.
  if (isSameKey(await keyStore.load(), made)) return { key: made, isNew: true };
  throw new NostrSyncError(
    'KEY_STORE_FAILED',
    'Cannot keep a key: the store does not give back what was saved',
  );
}

function isKeyExists(error: unknown): boolean {
  return (Object(error) as { readonly code?: unknown }).code === 'KEY_EXISTS';
}

function checked(options: IdentityOptions): IdentityOptions {
  const { namespace, keyStore } = Object(options) as IdentityOptions;
  checkNamespace(namespace);
  const store = Object(keyStore) as Partial<KeyStore>;
  if ([store.load, store.save, store.clear].every((call) => typeof call === 'function'))
    return { namespace, keyStore };
  throw new TypeError(
    `Cannot open an identity: keyStore must have load, save and clear, got ${describe(keyStore)}`,
  );
}

function checkedInto(into: JoinInto): JoinInto {
  const { sync } = Object(into) as Partial<JoinInto>;
  const { getStatus, addRelay, setSigner } = Object(sync) as Partial<JoinInto['sync']>;
  if ([getStatus, addRelay, setSigner].every((call) => typeof call === 'function')) return into;
  throw new TypeError(
    `Cannot join: sync must be the engine that works with this identity, got ${describe(sync)}`,
  );
}
