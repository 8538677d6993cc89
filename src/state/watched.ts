/** A value that can be watched. */

import type { Readable } from '../readable.ts';

export interface Watched<T> extends Readable<T> {
  readonly initial: T;
  /** Takes it. What it returns tells it, if it is another object than before. */
  put(next: T): () => void;
  /** No listener is told any more. */
  end(): void;
}

export function createWatched<T>(first: T, onListener: () => void = () => undefined): Watched<T> {
  let value = first;
  const listeners = new Set<(value: T) => void>();
  return {
    initial: first,
    get: () => value,
    put: (next) => {
      if (Object.is(next, value)) return () => undefined;
      value = next;
      return () => {
        for (const listener of [...listeners]) {
          // It has changed meanwhile, and all were told of that.
          if (!Object.is(value, next)) return;
          // One that another listener has taken away is not told.
          if (listeners.has(listener)) callSafely(listener, next);
        }
      };
    },
    subscribe: (listener) => {
      // Its own function each time, so that the same listener can be added twice and taken away once.
      const added = (next: T): void => listener(next);
      listeners.add(added);
      onListener();
      return () => void listeners.delete(added);
    },
    end: () => listeners.clear(),
  };
}

/** What a listener throws is the app's own: it surfaces as an uncaught error and stops nothing here. */
function callSafely<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
