/** What the hosting window and Rust say to each other, and what every window hears. */

import type { FetchResult } from '../sync/events.ts';

/** What `engine_attach` answers. */
export interface Grant {
  /** Counts the attachments of this process; a reply of a former one is ignored. */
  readonly generation: number;
  readonly namespace: string;
  readonly relays: readonly string[];
  readonly deviceId: string | null;
  /** Bytes of JSON. */
  readonly maxPayloadSize: number;
  /** Of the signer that is set in Rust. */
  readonly pubkey: string | null;
  /** Categories that windows have subscribed to. */
  readonly subscriptions: readonly string[];
}

/** A call of some window, or of Rust code. */
export interface Request {
  readonly type: 'request';
  /** Stays the same when the call is repeated to a new host; unique over restarts of the app. */
  readonly id: string;
  /** The label of the calling webview; `null` for Rust code. */
  readonly from: string | null;
  readonly method: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export type HostMessage =
  | Request
  | { readonly type: 'signer'; readonly pubkey: string | null }
  /** Another attachment took over. */
  | { readonly type: 'detached' };

/** `nostr-sync://value`: the value of a watched category, for `subscribe`. */
export interface ValueEvent {
  /** The webview whose call wrote it; `null`: another device, or Rust code. */
  readonly from: string | null;
  readonly result: FetchResult;
}

/** Name of the event that carries a `ValueEvent`. */
export const VALUE_EVENT = 'nostr-sync://value';
