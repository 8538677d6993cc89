/** Calls to a signer: bounded in time, and nothing that it returns is believed. */

import type { Clock } from '../clock.ts';
import { NostrSyncError } from '../errors.ts';
import {
  isHex32,
  parseEvent,
  type EventTemplate,
  type EventVerifier,
  type VerifiedEvent,
} from '../protocol/event.ts';
import { SIGNER_TIMEOUT_MS } from '../protocol/limits.ts';
import { encryptedLength } from '../protocol/payload.ts';
import type { Signer } from '../signer/signer.ts';

/** One identity's key at work: the signer that is set now, and nothing where none is. */
export interface Hand {
  readonly pubkey: string;
  /** See `Signer.isRemote`. */
  isRemote(): boolean;
  /** Whether a signer is set. */
  isSet(): boolean;
  sign(template: EventTemplate): Promise<VerifiedEvent>;
  encrypt(plaintext: string): Promise<string>;
  decrypt(ciphertext: string): Promise<string>;
  /** The signer was dropped: ends what still waits for it. */
  drop(): void;
}

/** The call, unless it takes too long or is ended by the function that it adds to `drops`, because the signer was dropped. */
async function bounded<T>(
  clock: Clock,
  drops: Set<() => void>,
  what: string,
  call: () => Promise<T>,
): Promise<T> {
  let stop = (): void => undefined;
  const end = new Promise<never>((_, reject) => {
    const drop = (): void => reject(new Error('the signer was dropped'));
    const cancel = clock.after(SIGNER_TIMEOUT_MS, () =>
      reject(new Error(`the signer did not ${what} in time`)),
    );
    drops.add(drop);
    stop = (): void => {
      cancel();
      drops.delete(drop);
    };
  });
  try {
    return await Promise.race([call(), end]);
  } finally {
    stop();
  }
}

/** The public key of a signer. Rejects with `SIGNING_FAILED` where it gives none, or is dropped: see `bounded`. */
export async function publicKeyOf(signer: Signer, clock: Clock, drops: Set<() => void>): Promise<string> {
  let pubkey: unknown;
  try {
    pubkey = await bounded(clock, drops, 'tell its public key', () => signer.getPublicKey());
  } catch (cause) {
    throw new NostrSyncError('SIGNING_FAILED', 'Cannot use the signer: it gave no public key', { cause });
  }
  if (!isHex32(pubkey)) {
    throw new NostrSyncError(
      'SIGNING_FAILED',
      'Cannot use the signer: its public key is not 64 lower-case hex digits',
    );
  }
  return pubkey;
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
  const { pubkey, clock, verifier } = ports;
  const drops = new Set<() => void>();

  async function use<T>(
    what: string,
    code: 'SIGNING_FAILED' | 'ENCRYPTION_FAILED' | 'DECRYPTION_FAILED',
    call: (signer: Signer) => Promise<T>,
  ): Promise<T> {
    const signer = ports.current();
    if (signer === undefined) throw new NostrSyncError('SIGNER_NOT_SET', `Cannot ${what}: no signer is set`);
    let result: T;
    try {
      result = await bounded(clock, drops, what, () => call(signer));
    } catch (cause) {
      if (ports.current() !== signer)
        throw new NostrSyncError('SIGNER_NOT_SET', `Cannot ${what}: the signer was cleared`);
      throw new NostrSyncError(code, `Cannot ${what}: the signer failed`, { cause });
    }
    if (ports.current() !== signer)
      throw new NostrSyncError('SIGNER_NOT_SET', `Cannot ${what}: the signer was cleared`);
    return result;
  }

  return {
    pubkey,
    isSet: () => ports.current() !== undefined,
    isRemote: () => ports.current()?.isRemote === true,
    drop: () => {
      for (const drop of [...drops]) drop();
    },
    sign: async (template) => {
      const returned: unknown = await use('sign', 'SIGNING_FAILED', (signer) => signer.signEvent(template));
      const event = parseEvent(returned);
      const isOurs =
        event !== undefined &&
        event.pubkey === pubkey &&
        verifier.hash({ ...template, pubkey }) === event.id &&
        verifier.hash(event) === event.id &&
        verifier.verifySignature(event);
      if (!isOurs) {
        throw new NostrSyncError(
          'SIGNING_FAILED',
          'Cannot sign: the signer returned another event, another key or a bad signature',
        );
      }
      return event as VerifiedEvent;
    },
    encrypt: async (plaintext) => {
      const ciphertext: unknown = await use('encrypt', 'ENCRYPTION_FAILED', (signer) =>
        signer.nip44.encrypt(pubkey, plaintext),
      );
      // A signer that hands the text back would have us publish it.
      if (
        typeof ciphertext !== 'string' ||
        ciphertext.length !== encryptedLength(plaintext) ||
        !/^A[g-v][A-Za-z0-9+/]+=*$/.test(ciphertext)
      ) {
        throw new NostrSyncError(
          'ENCRYPTION_FAILED',
          'Cannot encrypt: what the signer returned is not NIP-44 version 2',
        );
      }
      return ciphertext;
    },
    decrypt: async (ciphertext) => {
      const plaintext: unknown = await use('decrypt', 'DECRYPTION_FAILED', (signer) =>
        signer.nip44.decrypt(pubkey, ciphertext),
      );
      if (typeof plaintext !== 'string')
        throw new NostrSyncError('DECRYPTION_FAILED', 'Cannot decrypt: the signer returned no text');
      return plaintext;
    },
  };
}
