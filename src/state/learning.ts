/** What an engine tells, taken in: under the edits that wait. */

import type { AnyNostrSyncError } from '../errors.ts';
import { messageOf } from '../errors.ts';
import { FIRST_SCHEMA, type Schema } from '../protocol/schema.ts';
import type { DeliveryReport, FetchResult } from '../sync/events.ts';
import type { MergeClash } from '../sync/merging/merger.ts';
import type { StateHost } from '../sync/state-host.ts';
import { joined, type Board, type Now } from './board.ts';
import type { Document } from './document.ts';
import { withClashes, type Facts } from './facts.ts';
import { lastGoodOf } from './last-good.ts';
import { told } from './layers.ts';
import { invalidValue, schemaNewer, type Model } from './model.ts';

export interface Learning {
  value(result: FetchResult): void;
  absent(): void;
  unreachable(): void;
  unreadable(error: AnyNostrSyncError): void;
  delivery(report: DeliveryReport): void;
  clashes(clashes: readonly MergeClash[]): void;
  /** What this device alone has was read. */
  local(document: Document): void;
}

export function createLearning<T>(ports: {
  readonly model: Model<T>;
  readonly board: Board<T>;
  readonly host: StateHost;
  /** Changes with each signer, and without one. */
  readonly epoch: () => number;
  /** Something is known of what there is. */
  readonly onKnown: () => void;
}): Learning {
  const { model, board, host } = ports;
  /** The value of which it was last told that it does not fit. */
  let complainedOf: string | undefined;

  /** Edits that wait go over it. */
  function put(changes: Partial<Pick<Now, 'synced' | 'local'>>, facts: Partial<Facts>): void {
    const now = board.now();
    const parts = { synced: now.synced, local: now.local, ...changes };
    const next = told(now.layers, joined(parts, model), model.merge);
    const clashes = withClashes(now.facts.clashes, next.clashes);
    board.change({
      ...{ ...parts, layers: next.layers, fallback: undefined },
      facts: { ...now.facts, ...facts, clashes },
    });
    ports.onKnown();
  }

  /** The newest value that can be shown, in the place of one that cannot. */
  async function fallBack(): Promise<void> {
    const epoch = ports.epoch();
    const { source } = board.now().facts;
    const good = await lastGoodOf(model, host.sync);
    if (
      good !== undefined &&
      epoch === ports.epoch() &&
      source?.eventId === board.now().facts.source?.eventId
    )
      board.change({ fallback: good });
  }

  /** The newest value. */
  function take(result: FetchResult): void {
    const { eventId, updatedAt, deviceId, deleted, schema = FIRST_SCHEMA } = result;
    const source = {
      eventId,
      updatedAt,
      deviceId,
      isPending: result.pending === true,
      isRemoval: deleted === true,
    };
    if (deleted === true) return put({ synced: undefined }, { source, blocked: undefined, known: 'absent' });
    const read = readable(model, result.payload as Document, schema);
    if ('document' in read) {
      put({ synced: read.document }, { source, blocked: undefined, known: 'value' });
      return complain(eventId);
    }
    // What is shown stays; a device that has just started has its former values.
    board.facts({ source, blocked: read.blocked, known: 'value' });
    ports.onKnown();
    if (board.now().synced === undefined) void fallBack();
  }

  async function readAgain(eventId: string): Promise<void> {
    const epoch = ports.epoch();
    // What is gone was replaced, and that is told.
    const result = await host.sync.readVersion(model.name, eventId).catch(() => undefined);
    const { source } = board.now().facts;
    if (result !== undefined && epoch === ports.epoch() && result.updatedAt >= (source?.updatedAt ?? ''))
      take(result);
  }

  function complain(eventId: string): void {
    const { issues } = board.view();
    if (issues.length === 0 || complainedOf === eventId) return;
    complainedOf = eventId;
    host.emitter.emit('error', invalidValue(model.name, 'Cannot show all of', issues));
    if (board.view().isLost) void fallBack();
  }

  return {
    value: take,
    absent: () => put({ synced: undefined }, { known: 'absent', blocked: undefined, source: undefined }),
    unreachable: () => {
      board.facts({ known: 'unreachable' });
      ports.onKnown();
    },
    unreadable: (error) => {
      board.facts({ error });
      ports.onKnown();
    },
    delivery: ({ eventId, stage }) => {
      const { layers, facts } = board.now();
      if (facts.source?.eventId === eventId) {
        board.facts({ source: { ...facts.source, isPending: stage === 'saved' } });
        ports.onKnown();
      } else if (layers.saving === undefined && facts.known !== 'unknown') {
        // Written past this handle, or said again under another stamp. No subscription tells of it.
        void readAgain(eventId);
      }
    },
    clashes: (clashes) => board.facts({ clashes: withClashes(board.now().facts.clashes, clashes) }),
    local: (document) =>
      put(
        { local: document },
        model.local === true ? { known: document === undefined ? 'absent' : 'value' } : {},
      ),
  };
}

/** In the form of this version, or why it cannot be brought into it. */
function readable<T>(
  { name, schema, upgrade }: Model<T>,
  payload: Document,
  stored: Schema,
): { readonly document: Document } | { readonly blocked: AnyNostrSyncError } {
  if (stored.writableBy > schema.version) return { blocked: schemaNewer(name, stored) };
  try {
    return { document: upgrade(payload, stored.version) };
  } catch (error) {
    return { blocked: invalidValue(name, 'Cannot migrate', [{ path: [], message: messageOf(error) }]) };
  }
}
