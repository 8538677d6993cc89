/** What the hosting window and Rust say to each other, and what every window hears. */

import type { PublishOptions } from '../options.ts';
import type { Receipt } from '../sync/events.ts';

/** What `engine_attach` answers. */
export interface Grant {
  /**
   * Counts the attachments of this process. Everything that the host sends to Rust carries it. From a former host, Rust
   * ignores replies and events, and refuses calls of the store and the signer (`ENGINE_GONE`).
   */
  readonly generation: number;
  /** What the ids of this process's calls begin with. */
  readonly run: string;
  readonly namespace: string;
  readonly relays: readonly string[];
  readonly deviceId: string | null;
  /** Bytes of JSON. */
  readonly maxPayloadSize: number;
  /** Of the signer that is set in Rust. */
  readonly pubkey: string | null;
  /** See `Signer.isLocal`. */
  readonly isLocal: boolean;
  /** Categories that windows have subscribed to. */
  readonly subscriptions: readonly string[];
}

/** A call of some window, or of Rust code. */
export interface Request {
  readonly type: 'request';
  /** Stays the same when the call is repeated to a new host; unique over restarts of the app. */
  readonly id: string;
  readonly method: string;
  /** JSON text of `Args`: as part of the message a key `__proto__` would be lost on the way. */
  readonly args: string;
}

/** What the methods take. Each uses its own members. Unchecked: a window has sent it. */
export interface Args {
  /** The label of the calling webview; absent for Rust code. */
  readonly from?: string;
  readonly category: string;
  readonly categories: readonly string[];
  readonly payload: unknown;
  readonly options?: number | PublishOptions | null;
  readonly url: string;
  readonly eventId: string;
  /** Of `update`: what the function was given, as the answer before had it; absent in the first of its calls, which has no payload. */
  readonly now?: string | null;
}

/**
 * A function does not cross windows. So `update` is a call that asks what the value is, and one that says what the function makes of it;
 * if the value is another one by then, the function is called with that, and so on.
 */
export type UpdateReply =
  | { readonly receipt: Receipt }
  /** Nothing was written. The value, as JSON text, which is compared as it is; `null`: there is none. */
  | { readonly now: string | null };

export type HostMessage =
  | Request
  /** The caller went away, and waits for no answer. */
  | { readonly type: 'cancel'; readonly id: string }
  | { readonly type: 'signer'; readonly pubkey: string | null; readonly isLocal: boolean }
  /** Another window attached, or this page was to be left. */
  | { readonly type: 'detached' };

/** `nostr-sync://value`: the value of a watched category, for `subscribe`. */
export interface ValueEvent {
  /** The webview whose call wrote it; `null`: another device, or Rust code. */
  readonly from: string | null;
  /** JSON text of a `FetchResult`, for the same reason. */
  readonly result: string;
}

/** Name of the event that carries a `ValueEvent`. */
export const VALUE_EVENT = 'nostr-sync://value';
