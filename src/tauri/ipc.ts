/** The Ipc port: how a window reaches the Rust half of the plugin, and what its refusals become. */

import { NostrSyncError } from '../errors.ts';
import { fromWire, type WireError } from '../wire.ts';

export interface Ipc {
  /** Names this page: a reloaded one has another name. */
  readonly page: string;
  /** Calls a command of the plugin. Rejects with what `fromRefusal` makes of the refusal. */
  invoke(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** What a command takes as a `Channel`: Rust's messages to this window, in order. */
  channel(onMessage: (message: unknown) => void): unknown;
}

export function fromRefusal(error: unknown): Error {
  if (Object.prototype.toString.call(error) === '[object Error]') return error as Error;
  if (typeof error === 'string') {
    // Tauri's own refusals are strings: of its access control, and of arguments that do not fit.
    if (error.includes('not allowed'))
      return new NostrSyncError('NOT_PERMITTED', `Tauri refused the call: ${error}`);
    return error.startsWith('invalid args') ? new TypeError(error) : new Error(error);
  }
  const {
    code = 'UNKNOWN',
    message = 'The plugin failed and gave no reason',
    details,
  } = (error ?? {}) as Partial<WireError>;
  return fromWire({ code, message, details });
}
