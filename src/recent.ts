/** A bounded memory of what was dealt with lately: the oldest goes first. */

export interface Recent<T> {
  get(id: string): T | undefined;
  set(id: string, value: T): void;
  clear(): void;
}

/** Keeps at most `maxSize` in all, as `sizeOf` measures; one entry may be larger than that. */
export function createRecent<T>(maxSize: () => number, sizeOf: (value: T) => number): Recent<T> {
  const values = new Map<string, T>();
  let size = 0;
  return {
    get: (id) => values.get(id),
    set: (id, value) => {
      if (values.has(id)) return;
      values.set(id, value);
      size += sizeOf(value);
      for (const [oldest, old] of values) {
        if (size <= maxSize() || oldest === id) return;
        values.delete(oldest);
        size -= sizeOf(old);
      }
    },
    clear: () => {
      values.clear();
      size = 0;
    },
  };
}
