/** The Store port: small string values under string keys, atomic and durable. */

/** What one `update` writes: a string sets the key, `null` deletes it. Keys that are absent stay as they are. */
export type Changes = ReadonlyMap<string, string | null>;

/**
 * Keeps what a device knows; docs/STORE.md lists the keys. Values are ciphertext or metadata, never plaintext or keys.
 * Every method rejects with `STORE_FAILED` (with `cause`) when the medium fails, and with `CLOSED` after `close`. The
 * engine waits 20 s for an answer.
 */
export interface Store {
  /** A name under which other tabs of this origin open the same store; absent if no other tab can. */
  readonly sharedName?: string;
  /** The value of `key`, or `undefined`. */
  get(key: string): Promise<string | undefined>;
  /** Every entry whose key starts with `prefix`. A snapshot: later updates do not show in it. */
  list(prefix: string): Promise<Map<string, string>>;
  /**
   * One transaction: reads `keys`, hands their values to `decide`, applies all changes that it returns or none.
   * Isolated from every other update of the same store, also from other tabs and processes that may open it.
   * Resolves after the changes are on the medium (the memory store: in memory). `decide` is synchronous, must not
   * touch the store, may be called more than once, and may throw: then nothing is changed and the promise rejects
   * with what it threw. It may change keys it did not ask to read.
   */
  update(keys: readonly string[], decide: (current: ReadonlyMap<string, string>) => Changes): Promise<void>;
  /**
   * For a page that is going, which is promised no answer: when it returns `true`, the next call of any process that has this store open
   * finds the changes. `false`: they are not kept. Never throws.
   */
  updateSync?(changes: Changes): boolean;
  /** A call has waited for too long: gives up the handle or connection that hangs, so that the next call opens another. */
  drop?(): void;
  /** Finishes what was started, then releases files, handles and locks. Idempotent. */
  close(): Promise<void>;
}
