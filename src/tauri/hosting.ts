/** Hosts the engine: carries out what Rust passes on from all windows and from Rust code, and tells the windows what happens. */

import { isNostrSyncError } from '../errors.ts';
import type { NostrSync } from '../nostr-sync.ts';
import type { CategoryOptions, NostrSyncOptions } from '../options.ts';
import type { Store } from '../store/store.ts';
import { createAnnouncer } from './announcer.ts';
import { createCallee, NOTED } from './callee.ts';
import { toWire, type Ipc } from './ipc.ts';
import { rustSigner } from './rust-signer.ts';
import { createWatch } from './watch.ts';
import type { Grant, HostMessage, Request } from './wire.ts';
import { createWriteNotes } from './write-notes.ts';

export interface HostingPorts {
  readonly ipc: Ipc;
  readonly createEngine: (options: NostrSyncOptions) => NostrSync;
  /** What is special about single categories, by name. */
  readonly categories?: Readonly<Record<string, CategoryOptions>>;
}

/** What the store holds of the pages that hosted before. */
export interface Found {
  readonly notes: Map<string, string>;
  /** The events that are the newest of their categories. */
  readonly heads: ReadonlySet<string>;
}

export interface Hosting {
  readonly receive: (message: HostMessage) => void;
  close(): Promise<void>;
}

export function createHosting(
  { ipc, createEngine, categories = {} }: HostingPorts,
  grant: Grant,
  store: Store,
  found: Found,
  onDetached: () => void,
): Hosting {
  const { generation } = grant;
  const engine = createEngine({
    namespace: grant.namespace,
    relays: grant.relays,
    maxPayloadSize: grant.maxPayloadSize,
    store,
    categories,
    ...(grant.deviceId === null ? {} : { deviceId: grant.deviceId }),
  });
  /** By id, how to tell a call that its caller has gone. */
  const cancels = new Map<string, AbortController>();
  const notes = createWriteNotes(store, found.notes, grant.run);
  const announcer = createAnnouncer(ipc, generation);
  const isMerged = (category: string): boolean =>
    Object.hasOwn(categories, category) && categories[category]?.merge !== undefined;
  const watch = createWatch(engine, announcer, { isMerged, heads: found.heads });
  const carryOut = createCallee(engine, notes, watch);

  function setSigner({ pubkey, isLocal }: Pick<Grant, 'pubkey' | 'isLocal'>): void {
    if (pubkey === null) return void engine.clearSigner();
    engine.setSigner(rustSigner(ipc, generation, { pubkey, isLocal })).catch(announcer.error);
    // Windows that came while it was locked have had no value yet.
    watch.again();
  }

  async function answer(request: Request): Promise<void> {
    const { id } = request;
    const cancel = new AbortController();
    cancels.set(id, cancel);
    let reply: Readonly<Record<string, unknown>>;
    try {
      reply = { ok: (await carryOut(request, cancel.signal)) ?? null };
    } catch (error) {
      // The host failed, not the call: the next host carries it out.
      if (isNostrSyncError(error, 'CLOSED')) return;
      reply = { error: toWire(error) };
    } finally {
      cancels.delete(id);
    }
    await ipc.invoke('engine_reply', { generation, id, ...reply });
    if (NOTED.has(request.method)) await notes.forget(id);
  }

  try {
    watch.subscribe(grant.subscriptions);
  } catch (error) {
    announcer.error(error);
  }
  if (grant.pubkey !== null) setSigner(grant);

  return {
    receive: (message) => {
      switch (message.type) {
        case 'request':
          // If the reply does not arrive, Rust asks the next host, or the caller has gone.
          answer(message).catch(() => undefined);
          return;
        case 'cancel':
          cancels.get(message.id)?.abort();
          return;
        case 'signer':
          setSigner(message);
          return;
        case 'detached':
          onDetached();
          return;
        default:
          message satisfies never;
      }
    },
    close: () => engine.close(),
  };
}
