/**
 * Keys that a signer's own has taken the place of, and what is under them: the signer brings that along. The engine knows the interface
 * alone.
 */

import type { Store } from '../store/store.ts';
import type { Session } from '../sync/session.ts';

/** The key under which a signer has its `FormerKeys`. */
export const FORMER: unique symbol = Symbol('former keys');

/** The store of an engine, and which session is open in it. */
export interface Premises {
  readonly store: Store;
  readonly namespace: string;
  readonly session: () => Session | undefined;
  /** Opens the session of this public key in place of another. */
  readonly enter: (pubkey: string) => Promise<Session>;
}

export interface FormerKeys {
  readonly pubkeys: readonly string[];
  /**
   * Reads what this device has under these keys, before the session of the key itself is opened. What it returns takes that along once this
   * session is open and has the signer, and later what relays have. Rejects, as the former signer and the store do, rather than leave
   * something behind.
   */
  leave(from: Premises): Promise<(to: Session) => Promise<void>>;
}

export function formerKeysOf(signer: object): FormerKeys | undefined {
  return (signer as { readonly [FORMER]?: FormerKeys })[FORMER];
}
