/** One check of a `Store`, and what checks are made of: they need no test runner, and run in Node and browsers. */

import type { Store } from '../store/store.ts';

/** How a check gets its store. */
export interface StoreUnderTest {
  /** A new, empty store. */
  open(): Promise<Store>;
  /** Another store on what the last one from `open` left behind, after that was closed. Absent: nothing outlives it. */
  reopen?(): Promise<Store>;
}

/** One thing that a store must do. */
export interface StoreCheck {
  /** A sentence about what a store does. */
  readonly name: string;
  /** Rejects when the store does something else. One call of `open`, and its store is closed in the end. */
  run(subject: StoreUnderTest): Promise<void>;
}

export function check(
  name: string,
  body: (store: Store, subject: StoreUnderTest) => Promise<void>,
): StoreCheck {
  return {
    name,
    async run(subject) {
      const store = await subject.open();
      try {
        await body(store, subject);
      } finally {
        await store.close();
      }
    },
  };
}

export function put(store: Store, changes: Readonly<Record<string, string | null>>): Promise<void> {
  return store.update([], () => new Map(Object.entries(changes)));
}

export function valuesOf(keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(keys.map((key) => [key, `value of ${key}`]));
}

export function increment(store: Store, key: string): Promise<void> {
  return store.update([key], (current) => new Map([[key, String(Number(current.get(key) ?? '0') + 1)]]));
}

export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Order does not count: the port promises none. */
export async function assertEntries(
  store: Store,
  prefix: string,
  expected: Readonly<Record<string, string>>,
): Promise<void> {
  const sorted = (entries: Iterable<[string, string]>): string =>
    JSON.stringify([...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  assertEqual(sorted(await store.list(prefix)), sorted(Object.entries(expected)));
}

export function assertEqual(actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected)) throw new Error(`Expected ${show(expected)}, got ${show(actual)}`);
}

function show(value: unknown): string {
  return Object.prototype.toString.call(value) === '[object Error]'
    ? String(value)
    : (JSON.stringify(value) ?? 'undefined');
}
