/** What the hosting window tells all windows, in order: the engine's events, and values for their subscriptions. */

import type { FetchResult } from '../sync/events.ts';
import { toWire, type Ipc } from './ipc.ts';
import type { ValueEvent } from './wire.ts';

export interface Announcer {
  /** `payload` is asked for when the event is the next to go out. */
  emit(event: string, payload: () => unknown): void;
  error(error: unknown): void;
  /** A value that came from another device, or that a new window has not seen. */
  value(result: FetchResult): void;
  /** A value that the webview `from` wrote, or Rust code. Of several that wait, the last one alone goes out. */
  saved(from: string | null, result: FetchResult): void;
}

export function createAnnouncer(ipc: Ipc, generation: number): Announcer {
  /** Written values that the other windows have not been told of: by category, the last one. */
  const unsaid = new Map<string, { readonly from: string | null; readonly result: FetchResult }>();
  /** One after the other, so that no window hears an older value after a newer one. */
  let emitting: Promise<unknown> = Promise.resolve();

  function emit(event: string, payload: () => unknown): void {
    emitting = emitting
      .then(() => ipc.invoke('engine_emit', { generation, event, payload: payload() }))
      // Rust is gone, and with it all listeners.
      .catch(() => undefined);
  }

  const valueEvent = (from: string | null, result: FetchResult): ValueEvent => ({
    from,
    result: JSON.stringify(result),
  });

  return {
    emit,
    error: (error) => emit('error', () => toWire(error)),
    value: (result) => emit('value', () => valueEvent(null, result)),
    saved: (from, result) => {
      const isTold = unsaid.has(result.category);
      unsaid.set(result.category, { from, result });
      if (isTold) return;
      emit('value', () => {
        const last = unsaid.get(result.category)!;
        unsaid.delete(result.category);
        return valueEvent(last.from, last.result);
      });
    },
  };
}
