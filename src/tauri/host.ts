/**
 * Competes for hosting the app's one engine: one window at a time, and the next one when that dies.
 *
 *     waiting for the lock ──held──▶ attaching ──granted──▶ hosting
 *                                     │  ▲ ▲               │
 *                                     │  └─┴─fails─ later ◀─┘ detached and still here
 *                                     └──not permitted──▶ over: this window only calls
 */

import type { Clock } from '../clock.ts';
import { isNostrSyncError } from '../errors.ts';
import { STORE_RETRY_MS } from '../protocol/limits.ts';
import type { Store } from '../store/store.ts';
import { parseRecord } from '../sync/heads/record-codec.ts';
import type { Tabs } from '../tabs/tabs.ts';
import { createHosting, type Found, type Hosting, type HostingPorts } from './hosting.ts';
import { toWire } from './ipc.ts';
import { rustStore } from './rust-store.ts';
import type { Grant, HostMessage, Request } from './wire.ts';
import { listNotes } from './write-notes.ts';

const HOST_LOCK = 'nostr-sync/host';
/** Until it is attached again; doubled each time, up to what a failed store waits. */
const FIRST_RETRY_MS = 1_000;
/** How often the store is tried, a second apart, before calls are told that it fails. */
const STORE_TRIES = 6;

export interface HostPorts extends HostingPorts {
  readonly clock: Clock;
  /** `undefined` if the platform has no locks: then the last window that attaches is the host. */
  readonly tabs: Pick<Tabs, 'hold'> | undefined;
}

async function findIn(store: Store, { categories = {} }: HostPorts): Promise<Found> {
  const notes = await listNotes(store);
  // Without merging, the device that wrote a value tells whether it is news.
  const hasMerging = Object.values(categories).some(({ merge }) => merge !== undefined);
  const records = hasMerging ? await store.list('head/') : new Map<string, string>();
  const heads = [...records.values()].flatMap((text) => parseRecord(text)?.head?.event.id ?? []);
  return { notes, heads: new Set(heads) };
}

/** Competes for hosting. Returns how to stop, which the end of the window does as well. */
export function startHost(ports: HostPorts): () => Promise<void> {
  const { ipc, clock } = ports;
  let isOver = false;
  let hosting: Hosting | undefined;
  let delayMs = FIRST_RETRY_MS;
  let cancelRetry = (): void => undefined;
  let release = (): void => undefined;

  async function attach(): Promise<void> {
    if (isOver) return;
    const early: HostMessage[] = [];
    let isDetached = false;
    let refuse: ((request: Request) => void) | undefined;
    let receive = (message: HostMessage): void => {
      if (message.type === 'detached') isDetached = true;
      else if (message.type === 'request' && refuse !== undefined) refuse(message);
      else early.push(message);
    };
    try {
      const channel = ipc.channel((message) => receive(message as HostMessage));
      const grant = (await ipc.invoke('engine_attach', { channel })) as Grant;
      const store = rustStore(ipc, grant.generation);
      let found: Found | undefined;
      // The process before this one may still be ending. A second process may run for long, and callers must not wait for it.
      for (let failures = 1; found === undefined; failures++) {
        found = await findIn(store, ports).catch((error: unknown) => {
          if (failures < STORE_TRIES) return undefined;
          const { generation } = grant;
          refuse = ({ id }) => {
            ipc.invoke('engine_reply', { generation, id, error: toWire(error) }).catch(() => undefined);
          };
          for (const message of early.splice(0)) receive(message);
          return undefined;
        });
        if (found === undefined) await new Promise<void>((resolve) => clock.after(FIRST_RETRY_MS, resolve));
        if (isOver) return;
        if (isDetached) return later();
      }
      hosting = createHosting(ports, grant, store, found, () => void detached());
      receive = hosting.receive;
      for (const message of early) receive(message);
    } catch (error) {
      if (isNostrSyncError(error, 'NOT_PERMITTED')) return stop();
      later();
    }
  }

  function later(): void {
    cancelRetry = clock.after(delayMs, () => void attach());
    delayMs = Math.min(2 * delayMs, STORE_RETRY_MS);
  }

  /** A page that is being left may stay, after a download for instance: then it attaches again. */
  async function detached(): Promise<void> {
    const former = hosting;
    hosting = undefined;
    await former?.close();
    if (!isOver) later();
  }

  async function stop(): Promise<void> {
    isOver = true;
    cancelRetry();
    await hosting?.close();
    release();
  }

  if (ports.tabs === undefined) void attach();
  else release = ports.tabs.hold(HOST_LOCK, () => void attach());
  return stop;
}
