/** The one error class of the library: what can fail in good use, with a stable `code`. */

/** What each code carries in `details`. Misuse that no code names throws `TypeError` or `RangeError`. */
export interface ErrorDetails {
  /** A call needs a signer and none is set. */
  readonly SIGNER_NOT_SET: undefined;
  /** The payload's JSON is larger than this engine accepts. Both in bytes of UTF-8. */
  readonly PAYLOAD_TOO_LARGE: { readonly size: number; readonly limit: number };
  /** `maxPayloadSize` is out of range. Both in bytes. */
  readonly INVALID_PAYLOAD_LIMIT: { readonly requested: number; readonly max: number };
  readonly INVALID_NAMESPACE: undefined;
  readonly INVALID_CATEGORY: undefined;
  /** The payload is not a JSON value: `undefined`, a function, a cycle, a BigInt, a lone surrogate, too deep. */
  readonly INVALID_PAYLOAD: undefined;
  readonly INVALID_EXPIRATION: undefined;
  readonly INVALID_RELAY_URL: undefined;
  /** Every configured relay refused the write for good; it was withdrawn. Reasons by relay URL. */
  readonly NO_RELAYS_ACCEPTED: { readonly reasons: Readonly<Record<string, string>> };
  /**
   * The value is unknown, not absent: this device holds no copy, and a relay that it reached has not answered completely, or
   * it reached none. Relay URLs.
   */
  readonly NO_RELAYS_REACHABLE: { readonly answered: readonly string[]; readonly silent: readonly string[] };
  /** A write whose `publish` rejected is the newest value after all: a relay that had refused it kept it, and shows it. */
  readonly WITHDRAWN_WRITE_SHOWN: { readonly category: string; readonly eventId: string };
  readonly ENCRYPTION_FAILED: undefined;
  readonly DECRYPTION_FAILED: undefined;
  readonly SIGNING_FAILED: undefined;
  /** The account behind the signer is not the one that it was set with. Nothing was saved. */
  readonly SIGNER_CHANGED: undefined;
  /** The store could not read or save; nothing was changed. */
  readonly STORE_FAILED: undefined;
  /** The newest event of a category cannot be decrypted or parsed. */
  readonly UNDECODABLE: { readonly category: string; readonly eventId: string };
  /** The newest value of a category is larger than one event, and not all of its pieces were found yet. */
  readonly INCOMPLETE: {
    readonly category: string;
    readonly eventId: string;
    /** Pieces that are here, of `total`. */
    readonly have: number;
    readonly total: number;
  };
  /** This device does not keep that version: it never had it, or has let it go to make room for others. */
  readonly VERSION_NOT_KEPT: { readonly category: string; readonly eventId: string };
  /** What the app wants to store does not fit the schema of its category, or what is stored does not: then only `error` tells. */
  readonly INVALID_VALUE: {
    readonly category: string;
    /** `path`: names of fields and indexes of items, from the outside in. `message`: the schema's words. */
    readonly issues: readonly { readonly path: readonly (string | number)[]; readonly message: string }[];
  };
  /** A newer version of the app wrote the category, and said that older ones than `writableBy` must not write it. */
  readonly SCHEMA_NEWER: {
    readonly category: string;
    /** Of what is stored. */
    readonly version: number;
    readonly writableBy: number;
  };
  /** What is to be imported is no export of this library, or one of another key or namespace. Nothing was taken. */
  readonly INVALID_EXPORT: undefined;
  /**
   * A stamp is further ahead of this device's clock than allowed, or this clock is ahead of what relays say of the time: by
   * `aheadSeconds`. Or a relay refuses AUTH for its time, and does not say how far this clock is off, nor which way.
   */
  readonly CLOCK_SKEW: { readonly aheadSeconds?: number };
  /** Another device writes under this device's id, as a copied profile or a restored backup does. This device has a new id since. */
  readonly DEVICE_ID_TAKEN: {
    readonly category: string;
    /** The event that this device's store has not written. */
    readonly eventId: string;
    readonly formerDeviceId: string;
    readonly deviceId: string;
  };
  /** Pairing: the invitation or code is over, or the other device has not answered in time. What relays last said against it, by URL. */
  readonly PAIRING_EXPIRED: { readonly reasons: Readonly<Record<string, string>> };
  /** Pairing: ended by this device, or by the other one. */
  readonly PAIRING_CANCELLED: { readonly by: 'this-device' | 'other-device' };
  /** Pairing: the digits are not those of the other device. Another device may have answered in its place. The invitation is void. */
  readonly PAIRING_DIGITS: undefined;
  /** Pairing: no relay carries its messages (kind 24134). Why not, by relay URL. */
  readonly PAIRING_NO_RELAY: { readonly reasons: Readonly<Record<string, string>> };
  /** Pairing: the other device is of another app, or shares what this version cannot read. Its namespace, if it says one. */
  readonly PAIRING_OTHER_APP: { readonly namespace: string | null };
  /** Pairing: the other device syncs under another public key than this device's signer has. */
  readonly PAIRING_OTHER_KEY: { readonly pubkey: string };
  /** Pairing: neither an invitation nor a code, or one with a typing error. */
  readonly PAIRING_BAD_CODE: undefined;
  /** Words to recover a key: not 24, but so many. */
  readonly RECOVERY_LENGTH: { readonly words: number };
  /** Words to recover a key: some are not in the list. Their places, from 1. */
  readonly RECOVERY_WORD: { readonly positions: readonly number[] };
  /** Words to recover a key: all are in the list, and together they are no key. */
  readonly RECOVERY_CHECKSUM: undefined;
  /** The text is no `ncryptsec` (NIP-49), is damaged, or of an unknown version. */
  readonly NCRYPTSEC_INVALID: undefined;
  /** An `ncryptsec` that asks for more work than is done for one: scrypt with N = 2^logN. */
  readonly NCRYPTSEC_TOO_COSTLY: { readonly logN: number; readonly max: number };
  readonly WRONG_PASSPHRASE: undefined;
  /** A key store could not read, save or delete; nothing was changed. */
  readonly KEY_STORE_FAILED: undefined;
  /** A key was not saved, because another one is kept there. */
  readonly KEY_EXISTS: undefined;
  /** Others may use the file with the key. */
  readonly KEY_STORE_EXPOSED: undefined;
  /** What was read is no secret key: not 32 bytes, 0, or not below the order of secp256k1. */
  readonly INVALID_KEY: undefined;
  /**
   * What devices wrote apart cannot be one value: together it is too large, or the app's function gave no JSON. Told once; `cause` says
   * which.
   */
  readonly MERGE_FAILED: { readonly category: string };
  /** Devices merge a category again and again, as two versions of an app do that undo each other's work. Told once; the waits grow. */
  readonly MERGE_LOOP: { readonly category: string; readonly times: number };
  /** The engine, store or connection was closed. */
  readonly CLOSED: undefined;
  /** Rust: the engine ended in the middle of the call, and is started again. Whether a write was saved is unknown: the history tells. */
  readonly ENGINE_FAILED: undefined;
  /** Rust and Tauri: too many calls wait for the engine. */
  readonly ENGINE_BUSY: undefined;
  /** Tauri: no capability allows this window the command. */
  readonly NOT_PERMITTED: undefined;
}

export type ErrorCode = keyof ErrorDetails;

/**
 * An error with a stable `code`. `message` never holds keys or payloads. What a call or an event gives is an
 * `AnyNostrSyncError`, of which `switch (error.code)` tells what `details` holds.
 */
export class NostrSyncError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'NostrSyncError';
  readonly code: C;
  readonly details: ErrorDetails[C];

  constructor(
    code: C,
    message: string,
    ...rest: undefined extends ErrorDetails[C]
      ? [options?: { readonly cause?: unknown }]
      : [options: { readonly details: ErrorDetails[C]; readonly cause?: unknown }]
  ) {
    const options: { readonly details?: ErrorDetails[C]; readonly cause?: unknown } = rest[0] ?? {};
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.details = options.details as ErrorDetails[C];
  }
}

/** Any error of the library, as a union: `switch (error.code)`, or `if (error.code === …)`, narrows `details` too. */
export type AnyNostrSyncError = { [C in ErrorCode]: NostrSyncError<C> }[ErrorCode];

/** Whether an error is of this library, and, if a code is given, whether it has that code. */
export function isNostrSyncError(error: unknown): error is AnyNostrSyncError;
export function isNostrSyncError<C extends ErrorCode>(error: unknown, code: C): error is NostrSyncError<C>;
export function isNostrSyncError(error: unknown, code?: ErrorCode): boolean {
  // By its name: a test runner, a frame or a second copy of this package has a class of its own.
  const { name, code: found } = Object(error) as { readonly name?: unknown; readonly code?: unknown };
  return name === 'NostrSyncError' && (code === undefined ? typeof found === 'string' : found === code);
}

// An object may come from another realm, whose classes are not ours: `instanceof` would say no.

export function isBytes(value: unknown): value is Uint8Array {
  return Object.prototype.toString.call(value) === '[object Uint8Array]';
}

/** What a thrown value says; `otherwise` if it says nothing. */
export function messageOf(error: unknown, otherwise: string = describe(error)): string {
  const { message } = Object(error) as { readonly message?: unknown };
  return typeof message === 'string' ? message : otherwise;
}

/** A short description of an unexpected argument for error messages: its type and, when harmless, its value. */
export function describe(value: unknown): string {
  const type = typeof value;
  if (typeof value === 'string')
    return value.length > 80 ? `a string of ${value.length} characters` : JSON.stringify(value);
  if (value === null || ['undefined', 'number', 'boolean', 'bigint'].includes(type)) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return type === 'object' ? 'an object' : `a ${type}`;
}

/** The words for an argument that is not what it should be. */
export function misuse(what: string, expected: string, got: unknown): string {
  return `Invalid ${what}: expected ${expected}, got ${describe(got)}`;
}
