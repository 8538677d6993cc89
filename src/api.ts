/** What both entry points export besides their platform's own. */

export * from './api-common.ts';
export { systemClock, type Clock } from './clock.ts';
export { defineCategory } from './state/category.ts';
export type { JsonPayloads } from './nostr-sync.ts';
export type { PublishOptions } from './options.ts';
export type { Compression } from './protocol/compression.ts';
export type {
  EventFault,
  EventTemplate,
  EventVerifier,
  SignedEvent as NostrEvent,
} from './protocol/event.ts';
export type { UnlockedSigner, UnlockOptions } from './unlock/unlock.ts';
export type {
  AcceptedJoining,
  Identity,
  IdentityOptions,
  JoinedIdentity,
  JoinInto,
  JoiningDevice,
} from './keys/identity.ts';
export type { KeyStore } from './keys/key-store.ts';
export type { RandomBytes } from './relay/backoff.ts';
export type { Connectivity } from './relay/connectivity.ts';
export type { Violation } from './relay/health.ts';
export type { OpenSocket, Socket, SocketHandlers } from './relay/socket.ts';
export { nip07Signer } from './signer/nip07.ts';
export { nsecDecode, nsecEncode } from './signer/nsec.ts';
export { memoryStore } from './store/memory.ts';
export type { Changes, Store } from './store/store.ts';
export type { SyncEvents } from './sync/events.ts';
export type { Pacing } from './sync/relays/token-bucket.ts';
export type { Delivery, Stage } from './sync/heads/record.ts';
export type { Channel, Tabs } from './tabs/tabs.ts';
