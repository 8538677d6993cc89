/** What every entry exports, `nostr-sync/tauri` too: errors, and the types of what calls take and give. */

export {
  isNostrSyncError,
  NostrSyncError,
  type AnyNostrSyncError,
  type ErrorCode,
  type ErrorDetails,
} from './errors.ts';
export type { NostrSync, SyncStatus } from './nostr-sync.ts';
export type { CategoryOptions, NostrSyncOptions, ReadOptions, SignerOptions } from './options.ts';
export type { Json, JsonValue } from './protocol/payload.ts';
export type { Schema } from './protocol/schema.ts';
export type { Readable } from './readable.ts';
export type { AuthState } from './relay/auth.ts';
export type { RelayInfo } from './relay/connection.ts';
export type { LinkState } from './relay/link.ts';
export { deriveSyncKey, type SyncKeyPath } from './signer/derive.ts';
export type { Signer } from './signer/signer.ts';
export type { Adoption, Category, CategoryDefinition, Migration } from './state/definition.ts';
export type { SchemaIssue, SchemaResult, StandardSchema } from './state/standard-schema.ts';
export type {
  DehydratedState,
  Edit,
  EditReceipt,
  State,
  StateIssue,
  StateMeta,
  StateStatus,
} from './state/state.ts';
export type { CarryOver } from './sync/carrying.ts';
export type { VersionInfo } from './sync/history.ts';
export type { Reading } from './sync/heads/version.ts';
export type { CategoryRow } from './sync/inspecting.ts';
export type {
  Conflict,
  DeliveryReport,
  FetchedValue,
  FetchResult,
  MergedValues,
  Receipt,
  Removal,
} from './sync/events.ts';
export type { MergeClash, Merger, MergeSides } from './sync/merging/merger.ts';
