/** The Ipc port: how a window reaches the Rust half of the plugin, and what errors look like on the way. */

import { isNostrSyncError, messageOf, NostrSyncError, type ErrorCode } from '../errors.ts';

export interface Ipc {
  /** The label of this webview. */
  readonly label: string;
  /** Calls a command of the plugin. Rejects with what `fromWire` makes of the refusal. */
  invoke(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Listens to an event of the app, whichever window it was sent to. Resolves with how to stop. */
  listen(event: string, onEvent: (payload: unknown) => void): Promise<() => void>;
  /** What a command takes as a `Channel`: Rust's messages to this window, in order. */
  channel(onMessage: (message: unknown) => void): unknown;
}

/** An error as it crosses between windows and Rust. */
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

export function fromWire(error: unknown): Error {
  if (Object.prototype.toString.call(error) === '[object Error]') return error as Error;
  if (typeof error === 'string') {
    // Tauri's own refusals are strings: of its access control, and of arguments that do not fit.
    if (error.includes('not allowed'))
      return new NostrSyncError('NOT_PERMITTED', `Tauri refused the call: ${error}`);
    return error.startsWith('invalid args') ? new TypeError(error) : new Error(error);
  }
  const { code, message, details } = (error ?? {}) as Partial<WireError>;
  if (typeof code !== 'string' || code === 'UNKNOWN')
    return new Error(message ?? 'The plugin failed and gave no reason');
  if (code === 'INVALID_ARGUMENT') return new TypeError(message);
  // That the details fit the code was checked by the code that made the error.
  const options: object = { details };
  return new NostrSyncError(code as ErrorCode, message ?? code, options);
}
