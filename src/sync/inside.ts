/** What the subpaths of this package that work on an engine are given of it. No app can name it. */

import type { Clock } from '../clock.ts';
import type { RelayUrl } from '../protocol/address.ts';
import type { EventVerifier } from '../protocol/event.ts';
import type { Replica } from './heads/replica.ts';
import type { RelayPool } from '../relay/pool.ts';
import type { CarriedValue } from './values/carried-values.ts';
import type { Store } from '../store/store.ts';
import type { Content } from './values/content.ts';
import type { Hand } from './values/signing.ts';

/** The key under which an engine has its `Inside`. */
export const INSIDE: unique symbol = Symbol('inside');

/** One identity, as it is open now. */
export interface Opened {
  readonly clock: Clock;
  readonly verifier: EventVerifier;
  readonly namespace: string;
  readonly pubkey: string;
  readonly replica: Replica;
  readonly content: Pick<Content, 'piecesOf'>;
  readonly store: Store;
  readonly hand: Pick<Hand, 'decrypt' | 'isLocal'>;
  readonly relays: () => readonly RelayUrl[];
  readonly pool: Pick<RelayPool, 'gather'>;
  /** See `Session`. */
  readonly valuesToCarry: () => Promise<readonly CarriedValue[]>;
}

export interface Inside {
  /** The identity that was last signed in, with a signer or without; `undefined`: none ever was. Rejects with `STORE_FAILED`, `CLOSED`. */
  known(): Promise<Opened | undefined>;
  /** Once it has a signer. Rejects with `SIGNER_NOT_SET` too. */
  signedIn(what: string): Promise<Opened>;
}
