/** What a handle knows beside the documents, and how it stands by that. Pure. */

import type { AnyNostrSyncError } from '../errors.ts';
import type { MergeClash } from '../sync/merging/merger.ts';
import type { StateIssue, StateMeta, StateStatus } from './state.ts';

/** Of the newest value. */
export interface Source {
  readonly eventId: string;
  readonly updatedAt: string;
  readonly deviceId: string | undefined;
  /** No relay has it. */
  readonly isPending: boolean;
  /** It was removed, by that device. */
  readonly isRemoval: boolean;
}

export interface Facts {
  /** The public key of the signer; `null`: none is set; `undefined`: not known yet. */
  readonly signer: string | null | undefined;
  /** Whether it is known what there is: `'unreachable'` if nothing is here and no relay has answered. */
  readonly known: 'unknown' | 'unreachable' | 'absent' | 'value';
  readonly source?: Source | undefined;
  /** Why nothing may be written over what is stored: a newer app has locked this one out, or a migration failed. */
  readonly blocked?: AnyNostrSyncError | undefined;
  readonly error?: AnyNostrSyncError | undefined;
  readonly issues: readonly StateIssue[];
  readonly clashes: readonly MergeClash[];
  /** Edits that are not saved. */
  readonly isEdited: boolean;
  /** It never leaves the device. */
  readonly isLocal: boolean;
}

function statusOf(facts: Facts): StateStatus {
  const { signer, known, source, isLocal } = facts;
  if (signer === null) return 'locked';
  if (facts.blocked?.code === 'SCHEMA_NEWER') return 'outdated';
  if (facts.blocked !== undefined || facts.error !== undefined) return 'error';
  if (facts.clashes.length > 0) return 'conflict';
  if (facts.issues.length > 0) return 'invalid';
  if (facts.isEdited) return 'pending';
  if (known === 'unknown') return 'loading';
  if (isLocal) return 'synced';
  return known === 'unreachable' || source?.isPending === true ? 'local' : 'synced';
}

export function metaOf(facts: Facts): StateMeta {
  const { source, issues, clashes } = facts;
  const error = facts.error ?? facts.blocked;
  const { updatedAt, deviceId, isRemoval = false } = source ?? {};
  return {
    status: statusOf(facts),
    ...(updatedAt !== undefined && { updatedAt }),
    ...(deviceId !== undefined && { deviceId, ...(isRemoval && { deletedBy: deviceId }) }),
    ...(error !== undefined && { error }),
    ...(issues.length > 0 && { issues }),
    ...(clashes.length > 0 && { clashes }),
  };
}

/** With those that are not there yet. */
export function withClashes(
  clashes: readonly MergeClash[],
  more: readonly MergeClash[],
): readonly MergeClash[] {
  const texts = new Set(clashes.map((clash) => JSON.stringify(clash)));
  const fresh = more.filter((clash) => !texts.has(JSON.stringify(clash)));
  return fresh.length === 0 ? clashes : [...clashes, ...fresh];
}
