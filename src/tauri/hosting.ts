/** Hosts the engine: carries out what Rust passes on from all windows and from Rust code, and tells the windows what happens. */

import { isNostrSyncError } from '../errors.ts';
import type { NostrSync } from '../nostr-sync.ts';
import type { NostrSyncOptions } from '../options.ts';
import type { Store } from '../store/store.ts';
import { createAnnouncer } from './announcer.ts';
import { createCallee } from './callee.ts';
import { toWire, type Ipc } from './ipc.ts';
import { rustSigner } from './rust-signer.ts';
import { createWatch } from './watch.ts';
import type { Grant, HostMessage, Request } from './wire.ts';
import { createWriteNotes } from './write-notes.ts';

export interface HostingPorts {
  readonly ipc: Ipc;
  readonly createEngine: (options: NostrSyncOptions) => NostrSync;
}

export interface Hosting {
  readonly receive: (message: HostMessage) => void;
  close(): Promise<void>;
}

/** `found` is what the store holds of notes. */
export function createHosting(
  { ipc, createEngine }: HostingPorts,
  grant: Grant,
  store: Store,
  found: Map<string, string>,
  onDetached: () => void,
): Hosting {
  const { generation } = grant;
  const engine = createEngine({
    namespace: grant.namespace,
    relays: grant.relays,
    maxPayloadSize: grant.maxPayloadSize,
    store,
    ...(grant.deviceId === null ? {} : { deviceId: grant.deviceId }),
  });
  /** By id, how to tell a call that its caller has gone. */
  const cancels = new Map<string, AbortController>();
  const notes = createWriteNotes(store, found, grant.run);
  const announcer = createAnnouncer(ipc, generation);
  const watch = createWatch(engine, announcer);
  const carryOut = createCallee(engine, notes, watch);

  function setSigner(pubkey: string | null): void {
    if (pubkey === null) return void engine.clearSigner();
    engine.setSigner(rustSigner(ipc, generation, pubkey)).catch(announcer.error);
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
    if (request.method !== 'publish' && request.method !== 'remove') return;
    await notes.forget(id);
  }

  try {
    watch.subscribe(grant.subscriptions);
  } catch (error) {
    announcer.error(error);
  }
  if (grant.pubkey !== null) setSigner(grant.pubkey);

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
          setSigner(message.pubkey);
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
