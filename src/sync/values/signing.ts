/**
 * Calls to a signer: bounded in time, one at a time if a person may be asked, and nothing that it returns is believed.
 *
 * Which account works behind a provider can change between any two calls. What it signs tells whose it is; what it encrypts does
 * not, and could replace a good value by one that can never be read. So a ciphertext is used only if the account was
 * ours before and after it was made, and if the first one, and the first after a pause, could be read again.
 */

import type { Clock } from '../../clock.ts';
import { isNostrSyncError, messageOf, NostrSyncError } from '../../errors.ts';
import { saysTooLarge } from '../../protocol/answer.ts';
import {
  isHex32,
  parseEvent,
  type EventTemplate,
  type EventVerifier,
  type VerifiedEvent,
} from '../../protocol/event.ts';
import {
  KIND_DELETION,
  LARGE_EVENT_BYTES,
  MAX_LATE_SECONDS,
  SIGNER_TIMEOUT_MS,
  SIGNER_TRUST_MS,
  SIGNER_TURN_MS,
  SIZES,
  MAX_AHEAD_SECONDS,
} from '../../protocol/limits.ts';
import { encryptedLength } from '../../protocol/payload.ts';
import type { Signer } from '../../signer/signer.ts';
import { takeTurn } from '../../signer/turns.ts';

/** How a call is made. */
export interface Asking {
  /** Ends the waiting for it, and its turn. */
  readonly signal?: AbortSignal | undefined;
  /** Goes before what waits. */
  readonly isUrgent?: boolean;
}

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
  decrypt(ciphertext: string): Promise<string>;
  /** The signer was dropped: ends what still waits for it. */
  drop(): void;
}

/** What a signer that failed has said. A NIP-46 client that asks over relays fails with what each of them said. */
function reasonsOf(cause: unknown): string[] {
  const { errors } = Object(cause) as { readonly errors?: unknown };
  const all: unknown[] = Array.isArray(errors) ? errors : [cause];
  return all.map((one) => (typeof one === 'string' ? one : messageOf(one)));
}

interface AskPorts {
  readonly clock: Clock;
  /** What ends each call that is under way, because its signer was dropped. */
  readonly drops: Set<() => void>;
}

/** One call to a signer, in its turn. Its time counts from there; after a while others may have theirs before it has ended. */
function ask<T>(
  { clock, drops }: AskPorts,
  signer: Signer,
  what: string,
  call: () => Promise<T>,
  { signal, isUrgent = false }: Asking = {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    let cancel = (): void => undefined;
    let leave = (): void => undefined;
    const settle = (act: () => void): void => {
      cancel();
      leave();
      drops.delete(drop);
      signal?.removeEventListener('abort', abort);
      act();
    };
    const fail = (error: Error): void => settle(() => reject(error));
    const drop = (): void => fail(new Error('the signer was dropped'));
    const abort = (): void => fail(signal!.reason as Error);
    const begin = (): void => {
      cancel = clock.after(SIGNER_TURN_MS, () => {
        leave();
        cancel = clock.after(SIGNER_TIMEOUT_MS - SIGNER_TURN_MS, () =>
          fail(new Error(`the signer did not ${what} in time`)),
        );
      });
      // In a function of its own: it may throw at once.
      (async () => call())().then((result) => settle(() => resolve(result)), fail);
    };
    if (signal?.aborted === true) return abort();
    drops.add(drop);
    signal?.addEventListener('abort', abort);
    if (signer.isLocal === true) begin();
    else leave = takeTurn(signer.provider?.() ?? signer, isUrgent, begin);
  });
}

/**
 * The public key of a signer. Rejects with `SIGNER_NOT_SET` if its provider is not there, with `SIGNING_FAILED` if
 * it gives none, or is dropped.
 */
export async function publicKeyOf(signer: Signer, ports: AskPorts): Promise<string> {
  let pubkey: unknown;
  try {
    pubkey = await ask(ports, signer, 'tell its public key', () => signer.getPublicKey());
  } catch (cause) {
    if (isNostrSyncError(cause, 'SIGNER_NOT_SET')) throw cause;
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
  /** When the signer last read what it had encrypted, in ms. */
  let provenAt = -Infinity;
  /** What that was. */
  let proven = '';
  /** Of `SIZES`, grown by what it has refused. */
  let learned = 0;

  const isLocal = (): boolean => ports.current()?.isLocal === true;
  const sizeIndex = (): number => Math.max(learned, ports.current()?.isRemote === true ? 1 : 0);

  async function use<T>(
    what: string,
    code: 'SIGNING_FAILED' | 'ENCRYPTION_FAILED' | 'DECRYPTION_FAILED',
    call: (signer: Signer) => Promise<T>,
    asking?: Asking,
  ): Promise<T> {
    const signer = ports.current();
    if (signer === undefined) throw new NostrSyncError('SIGNER_NOT_SET', `Cannot ${what}: no signer is set`);
    let result: T;
    try {
      const unlessCleared = async (): Promise<T> => {
        // Those before it may have been ended just now, because the signer was cleared.
        if (ports.current() !== signer) throw new Error('the signer was cleared');
        return call(signer);
      };
      result = await ask({ clock, drops }, signer, what, unlessCleared, asking);
    } catch (cause) {
      asking?.signal?.throwIfAborted();
      if (ports.current() !== signer)
        throw new NostrSyncError('SIGNER_NOT_SET', `Cannot ${what}: the signer was cleared`);
      throw new NostrSyncError(code, `Cannot ${what}: the signer failed`, { cause });
    }
    if (ports.current() !== signer)
      throw new NostrSyncError('SIGNER_NOT_SET', `Cannot ${what}: the signer was cleared`);
    return result;
  }

  function changed(what: string, why = 'the account behind it changed', cause?: unknown): NostrSyncError {
    return new NostrSyncError('SIGNER_CHANGED', `Cannot ${what} with this signer: ${why}`, { cause });
  }

  /** Whether the account behind the signer is still ours, as it says. */
  async function isSameAccount(asking?: Asking): Promise<boolean> {
    const call = (signer: Signer): Promise<string> => signer.getPublicKey();
    return isLocal() || (await use('tell its public key', 'SIGNING_FAILED', call, asking)) === pubkey;
  }

  /** The call, and what it teaches if it is refused: next time smaller ones are tried. */
  async function learnSize<T>(chars: number, call: Promise<T>): Promise<T> {
    const before = sizeIndex();
    return call.catch((error: unknown) => {
      const { cause } = error as { readonly cause?: unknown };
      if (chars > LARGE_EVENT_BYTES && reasonsOf(cause).some(saysTooLarge))
        learned = Math.min(before + 1, SIZES.length - 1);
      throw error;
    });
  }

  /** Proves that what was encrypted can be read, unless that was proven lately. */
  async function readBack(plaintext: string, ciphertext: string, asking?: Asking): Promise<void> {
    if (isLocal() || Math.abs(clock.now() - provenAt) < SIGNER_TRUST_MS) return;
    const call = (signer: Signer): Promise<string> => signer.nip44.decrypt(pubkey, ciphertext);
    const text = await use('decrypt', 'DECRYPTION_FAILED', call, asking).catch((error: unknown) => {
      if (!isNostrSyncError(error, 'DECRYPTION_FAILED')) throw error;
      throw changed(
        'encrypt',
        'it cannot read what it has just encrypted, as if the account had changed',
        error,
      );
    });
    if (text !== plaintext) throw changed('encrypt', 'what it has just encrypted says something else');
    provenAt = clock.now();
    proven = ciphertext;
  }

  return {
    pubkey,
    isSet: () => ports.current() !== undefined,
    isLocal,
    sizes: () => SIZES[sizeIndex()]!,
    drop: () => {
      provenAt = -Infinity;
      learned = 0;
      for (const drop of [...drops]) drop();
    },
    sign: async ({ kind, created_at, tags, content }, asking) => {
      const aheadSeconds = created_at - Math.floor(clock.now() / 1000);
      if (aheadSeconds > MAX_AHEAD_SECONDS) {
        const message = `Cannot sign: the event would be stamped ${aheadSeconds} s ahead of this clock`;
        throw new NostrSyncError('CLOCK_SKEW', message, { details: { aheadSeconds } });
      }
      // A copy: what a signer does to its own is not what we compare with, nor what we use.
      const copy = { kind, created_at, tags: tags.map((tag) => [...tag]), content, pubkey };
      const signing = use('sign', 'SIGNING_FAILED', (signer) => signer.signEvent(copy), asking);
      const returned = parseEvent(await learnSize(content.length, signing));
      if (returned !== undefined && returned.pubkey !== pubkey) throw changed('sign');
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
    },
    encrypt: async (plaintext, asking) => {
      if (!(await isSameAccount(asking))) throw changed('encrypt');
      const call = (signer: Signer): Promise<string> => signer.nip44.encrypt(pubkey, plaintext);
      const encrypting = use('encrypt', 'ENCRYPTION_FAILED', call, asking);
      const ciphertext: unknown = await learnSize(plaintext.length, encrypting);
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
      if (!(await isSameAccount(asking))) throw changed('encrypt');
      await readBack(plaintext, ciphertext, asking);
      return ciphertext;
    },
    isProven: (ciphertext) => isLocal() || ciphertext === proven,
    decrypt: async (ciphertext) => {
      const call = (signer: Signer): Promise<string> => signer.nip44.decrypt(pubkey, ciphertext);
      const plaintext: unknown = await use('decrypt', 'DECRYPTION_FAILED', call).catch(
        async (error: unknown) => {
          if (!isNostrSyncError(error, 'DECRYPTION_FAILED')) throw error;
          // Not the value's fault then, nor if the signer does not tell its account either.
          const isAnother = !(await isSameAccount().catch((other: unknown) => {
            throw isNostrSyncError(other, 'SIGNING_FAILED') ? error : other;
          }));
          throw isAnother ? changed('decrypt') : error;
        },
      );
      // NIP-44 encrypts one byte at least.
      if (typeof plaintext !== 'string' || plaintext === '')
        throw new NostrSyncError('DECRYPTION_FAILED', 'Cannot decrypt: the signer returned no text');
      return plaintext;
    },
  };
}
