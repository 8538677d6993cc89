/** What both entry points export besides their platform's own. */

export { systemClock, type Clock } from './clock.ts';
export {
  isNostrSyncError,
  NostrSyncError,
  type AnyNostrSyncError,
  type ErrorCode,
  type ErrorDetails,
} from './errors.ts';
export type { JsonPayloads, NostrSync, SyncStatus } from './nostr-sync.ts';
export type { NostrSyncOptions, PublishOptions, ReadOptions } from './options.ts';
export type { EventTemplate, EventVerifier, NostrEvent } from './protocol/event.ts';
export type { Json } from './protocol/payload.ts';
export type { RelayInfo } from './relay/connection.ts';
export type { Connectivity } from './relay/connectivity.ts';
export type { Violation } from './relay/health.ts';
export type { OpenSocket, Socket, SocketHandlers } from './relay/socket.ts';
export { deriveSyncKey } from './signer/derive.ts';
export { nip07Signer } from './signer/nip07.ts';
export { nsecDecode, nsecEncode } from './signer/nsec.ts';
export type { Signer } from './signer/signer.ts';
export { memoryStore } from './store/memory.ts';
export type { Changes, Store } from './store/store.ts';
export type {
  Conflict,
  DeliveryReport,
  FetchedValue,
  FetchResult,
  Receipt,
  Removal,
  SyncEvents,
} from './sync/events.ts';
export type { Pacing } from './sync/relays/pacer.ts';
export type { Delivery, Stage } from './sync/heads/record.ts';
