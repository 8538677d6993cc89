/** What crosses between an engine that a Rust program carries and those that call it: errors, and the answer to an `update`. */

import { isNostrSyncError, messageOf, NostrSyncError, type ErrorCode } from './errors.ts';
import type { Receipt } from './sync/events.ts';

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

export function fromWire({ code, message, details }: WireError): Error {
  if (code === 'UNKNOWN') return new Error(message);
  if (code === 'INVALID_ARGUMENT') return new TypeError(message);
  // That the details fit the code was checked by the code that made the error.
  const options: object = { details };
  return new NostrSyncError(code as ErrorCode, message, options);
}

/**
 * A function does not cross over. So `update` is a call that asks what the value is, and one that says what the function makes of it;
 * if the value is another one by then, the function is called with that, and so on.
 */
export type UpdateReply =
  | { readonly receipt: Receipt }
  /** Nothing was written. The value, as JSON text, which is compared as it is; `null`: there is none. */
  | { readonly now: string | null };
