/** What a signer signs, and nothing that it returns is believed: what it gives must be the event that it was asked for. */

import { nowSeconds, type Clock } from '../../clock.ts';
import { NostrSyncError } from '../../errors.ts';
import type { Seconds } from '../../protocol/address.ts';
import {
  parseEvent,
  type EventTemplate,
  type EventVerifier,
  type NostrEvent,
  type VerifiedEvent,
} from '../../protocol/event.ts';
import { KIND_DELETION, MAX_AHEAD_SECONDS, MAX_LATE_SECONDS, type SIZES } from '../../protocol/limits.ts';
import type { Signer } from '../../signer/signer.ts';
import { createAccount, signerChanged } from './account.ts';
import type { Asking } from './asking.ts';
import { createEncryption } from './encryption.ts';
import { createSignerSizes } from './signer-sizes.ts';

/** One identity's key at work: the signer that is set now, or nothing if none is. */
export interface Hand {
  readonly pubkey: string;
  /** See `Signer.isLocal`. */
  isLocal(): boolean;
  /** How large texts and pieces may be: less for a signer that is remote, or has refused some for their size. */
  sizes(): (typeof SIZES)[number];
  /** Whether a signer is set. */
  isSet(): boolean;
  /** The event may be a few seconds later than the template, if the signer says its own time, unless it is a deletion. */
  sign(template: EventTemplate, asking?: Asking): Promise<VerifiedEvent>;
  encrypt(plaintext: string, asking?: Asking): Promise<string>;
  /** Whether it is certain that what it has just encrypted can be read: the key is here, or it has read this very text back. */
  isProven(ciphertext: string): boolean;
  /** What this key has encrypted, or `peer` to it. */
  decrypt(ciphertext: string, peer?: string): Promise<string>;
  /** The signer was dropped: ends what still waits for it. */
  drop(): void;
}

/** Throws `CLOCK_SKEW`: nothing is signed so far ahead of this clock. */
function refuseFuture(stamp: Seconds, clock: Clock): void {
  const aheadSeconds = stamp - nowSeconds(clock);
  if (aheadSeconds <= MAX_AHEAD_SECONDS) return;
  const message = `Cannot sign: the event would be stamped ${aheadSeconds} s ahead of this clock`;
  throw new NostrSyncError('CLOCK_SKEW', message, { details: { aheadSeconds } });
}

/** The event of a template with what the signer has added, if that is its own; throws if it is not. */
function signedOf(
  { kind, created_at, tags, content }: EventTemplate,
  returned: NostrEvent | undefined,
  { pubkey, verifier }: { readonly pubkey: string; readonly verifier: EventVerifier },
): VerifiedEvent {
  if (returned !== undefined && returned.pubkey !== pubkey) throw signerChanged('sign');
  const { id = '', created_at: stamp = 0, sig = '' } = returned ?? {};
  const event = { id, pubkey, created_at: stamp, kind, tags, content, sig };
  const lateSeconds = stamp - created_at;
  const isOurs =
    lateSeconds >= 0 &&
    // A deletion that is later than meant would delete the tombstone that it follows.
    lateSeconds <= (kind === KIND_DELETION ? 0 : MAX_LATE_SECONDS) &&
    verifier.hash(event) === id &&
    verifier.verifySignature(event);
  if (!isOurs) {
    throw new NostrSyncError(
      'SIGNING_FAILED',
      'Cannot sign: the signer returned another event or a bad signature',
    );
  }
  return event as unknown as VerifiedEvent;
}

/**
 * The hand of `pubkey`. `current` is asked before and after each call: once the signer is cleared or changed no other
 * call is made, and a result that comes later is dropped with `SIGNER_NOT_SET`.
 */
export function createHand(ports: {
  readonly pubkey: string;
  readonly current: () => Signer | undefined;
  readonly verifier: EventVerifier;
  readonly clock: Clock;
}): Hand {
  const { pubkey, current, clock } = ports;
  const account = createAccount(ports);
  const sizes = createSignerSizes(() => current()?.isRemote === true);
  const { encrypt, decrypt, isProven, forget } = createEncryption({ pubkey, account, sizes, clock });
  return {
    pubkey,
    isSet: () => current() !== undefined,
    isLocal: account.isLocal,
    sizes: sizes.now,
    drop: () => {
      forget();
      sizes.forget();
      account.drop();
    },
    sign: async (template, asking) => {
      const { kind, created_at, tags, content } = template;
      refuseFuture(created_at, clock);
      // A copy: what a signer does to its own is not what we compare with, nor what we use.
      const copy = { kind, created_at, tags: tags.map((tag) => [...tag]), content, pubkey };
      const signing = account.use('sign', 'SIGNING_FAILED', (signer) => signer.signEvent(copy), asking);
      return signedOf(template, parseEvent(await sizes.learn(content.length, signing)), ports);
    },
    encrypt,
    decrypt,
    isProven,
  };
}
