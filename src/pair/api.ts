/** What both entries of `nostr-sync/pair` export besides the calls. */

export { isNostrSyncError, NostrSyncError, type AnyNostrSyncError } from '../errors.ts';
export type { Invitation, JoinedDevice } from './invitation.ts';
export type { Inviter, Joined, Joining } from './joining.ts';
export type { InvitationOptions, JoiningOptions, PairingOptions } from './options.ts';
export type { Metadata, SharedKey } from './payload.ts';
