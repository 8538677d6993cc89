/** `nostr-sync/passphrase`: a key as text that only a passphrase opens (NIP-49), for a file or a password manager. */

import {
  NONCE_BYTES,
  openNcryptsec,
  parseNcryptsec,
  SALT_BYTES,
  sealNcryptsec,
} from '../crypto/ncryptsec.ts';
import { describe, NostrSyncError } from '../errors.ts';
import { checkedKey, isSecretKey } from '../crypto/key-bytes.ts';

/** The least of NIP-49's table: 64 MiB, about a second in a browser. */
const MIN_LOG_N = 16;
/** 1 GiB. The text says itself how much work it takes to read it, so there must be a limit. */
const MAX_LOG_N = 20;
const VERSION = 2;
/** The key security byte: this library does not know how the key was handled. */
const NOT_TRACKED = 2;
const MAX_PASSPHRASE_LENGTH = 1_024;

/** What a guess at the passphrase costs. */
export interface PassphraseWork {
  /**
   * How much work a guess costs: scrypt with N = 2^logN, 16 to 20. Each step doubles time and memory: 16 takes 64 MiB and about a
   * second in a browser, 18 takes 256 MiB, which not every phone has. Default: 16.
   */
  readonly logN?: number;
}

/**
 * `key` under `passphrase` as an `ncryptsec1…` (NIP-49). All that protects it is the passphrase: let a person choose a long one, and
 * keep the text away from relays. Throws `TypeError` or `RangeError`.
 */
export async function toNcryptsec(
  key: Uint8Array,
  passphrase: string,
  { logN = MIN_LOG_N }: PassphraseWork = {},
): Promise<string> {
  const doing = 'encrypt a key';
  const own = checkedKey(key, doing);
  checkPassphrase(passphrase, doing);
  if (passphrase === '') throw new RangeError(`Cannot ${doing}: passphrase must not be empty`);
  if (!Number.isInteger(logN) || logN < MIN_LOG_N || logN > MAX_LOG_N) {
    const expected = `an integer from ${MIN_LOG_N} to ${MAX_LOG_N}`;
    throw new RangeError(`Cannot ${doing}: logN must be ${expected}, got ${describe(logN)}`);
  }
  try {
    return await sealNcryptsec(own, passphrase, {
      logN,
      salt: crypto.getRandomValues(new Uint8Array(SALT_BYTES)),
      nonce: crypto.getRandomValues(new Uint8Array(NONCE_BYTES)),
      security: Uint8Array.of(NOT_TRACKED),
    });
  } finally {
    own.fill(0);
  }
}

/**
 * The 32-byte key of an `ncryptsec1…` (NIP-49), in lower or upper case.
 *
 * `NCRYPTSEC_INVALID`: the text is none, is damaged, or of a version that is not known here. `NCRYPTSEC_TOO_COSTLY`: it asks for more
 * than 2^20 rounds (1 GiB); nothing was tried. `WRONG_PASSPHRASE`. `INVALID_KEY`: what is in it is no key. Throws `TypeError` or
 * `RangeError` for other misuse.
 */
export async function fromNcryptsec(ncryptsec: string, passphrase: string): Promise<Uint8Array> {
  const doing = 'decrypt a key';
  if (typeof ncryptsec !== 'string')
    throw new TypeError(`Cannot ${doing}: ncryptsec must be a string, got type ${typeof ncryptsec}`);
  checkPassphrase(passphrase, doing);
  const box = parseNcryptsec(ncryptsec);
  if (box?.version !== VERSION) {
    const found =
      box === undefined ? 'the text is no ncryptsec, or damaged' : `unknown version ${box.version}`;
    throw new NostrSyncError('NCRYPTSEC_INVALID', `Cannot ${doing}: ${found}`);
  }
  const { logN } = box;
  if (logN < 1 || logN > MAX_LOG_N) {
    const message = `Cannot ${doing}: it asks for 2^${logN} rounds, and at most 2^${MAX_LOG_N} are done`;
    throw new NostrSyncError('NCRYPTSEC_TOO_COSTLY', message, { details: { logN, max: MAX_LOG_N } });
  }
  const key = await openNcryptsec(box, passphrase);
  if (key === undefined)
    throw new NostrSyncError('WRONG_PASSPHRASE', `Cannot ${doing}: the passphrase is another one`);
  if (isSecretKey(key)) return key;
  throw new NostrSyncError('INVALID_KEY', `Cannot ${doing}: what is in it is a number that is no key`);
}

function checkPassphrase(passphrase: unknown, doing: string): void {
  if (typeof passphrase !== 'string')
    throw new TypeError(`Cannot ${doing}: passphrase must be a string, got type ${typeof passphrase}`);
  if (passphrase.length > MAX_PASSPHRASE_LENGTH) {
    const expected = `at most ${MAX_PASSPHRASE_LENGTH} characters`;
    throw new RangeError(`Cannot ${doing}: passphrase must have ${expected}, got ${passphrase.length}`);
  }
  // Encoded, a lone surrogate would become another character, and many passphrases the same one.
  if (/\p{Cs}/u.test(passphrase))
    throw new RangeError(`Cannot ${doing}: passphrase must not hold half a character (a lone surrogate)`);
}
