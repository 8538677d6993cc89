/** Errors as they cross to the program and back: JSON. */

import { isNostrSyncError, messageOf, NostrSyncError, type ErrorCode } from '../errors.ts';

export interface WireError {
  /** Of `NostrSyncError`, or `INVALID_ARGUMENT` for misuse, or `UNKNOWN`. */
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
}

export function toWire(error: unknown): WireError {
  if (isNostrSyncError(error)) {
    const { code, message, details }: WireError = error;
    return details === undefined ? { code, message } : { code, message, details };
  }
  const message = messageOf(error, 'The engine failed');
  const isMisuse = ['TypeError', 'RangeError'].includes((Object(error) as Error).name);
  return { code: isMisuse ? 'INVALID_ARGUMENT' : 'UNKNOWN', message };
}

/** Of what the program's store and signer reject with. */
export function fromWire(text: string): Error {
  const { code, message, details } = JSON.parse(text) as WireError;
  // That the details fit the code was checked by the code that made the error.
  const options: object = { details };
  return new NostrSyncError(code as ErrorCode, message, options);
}
