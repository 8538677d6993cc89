/**
 * The window that hosts the app's one engine: carries out what Rust passes on from all windows and from Rust code.
 *
 *     waiting for the lock ──held──▶ attaching ──granted──▶ hosting
 *                                     │  ▲ ▲               │
 *                                     │  └─┴─fails─ later ◀─┘ detached and still here
 *                                     └──not permitted──▶ over: this window only calls
 *
 * A window may die at any moment. Rust then repeats the calls that it had not answered to the next host, with the same ids.
 * A repeated write could do harm, since its value may have been replaced meanwhile. So a note is saved together with each
 * write, and removed with the write if that is withdrawn. A host that finds the note answers the call and writes nothing: a
 * repeated call never overwrites a newer value.
 */

import type { Clock } from '../clock.ts';
import { misuse, isNostrSyncError } from '../errors.ts';
import type { NostrSync } from '../nostr-sync.ts';
import { NOTE, type AdapterPublishOptions, type NostrSyncOptions, type PublishOptions } from '../options.ts';
import { STORE_RETRY_MS } from '../protocol/limits.ts';
import type { Store } from '../store/store.ts';
import { EVENT_TYPES, type FetchResult, type Receipt, type SyncEvents } from '../sync/events.ts';
import type { Tabs } from '../tabs/tabs.ts';
import { toWire, type Ipc } from './ipc.ts';
import { rustSigner } from './rust-signer.ts';
import { rustStore } from './rust-store.ts';
import type { Args, Grant, HostMessage, Request, ValueEvent } from './wire.ts';

const HOST_LOCK = 'nostr-sync/host';
/** Until it is attached again; doubled each time, up to what a failed store waits. */
const FIRST_RETRY_MS = 1_000;
/** How often the store is tried, a second apart, before calls are told that it fails. */
const STORE_TRIES = 6;
const NOTE_PREFIX = 'tauri/request/';

export interface HostPorts {
  readonly ipc: Ipc;
  readonly clock: Clock;
  /** `undefined` if the platform has no locks: then the last window that attaches is the host. */
  readonly tabs: Pick<Tabs, 'hold'> | undefined;
  readonly createEngine: (options: NostrSyncOptions) => NostrSync;
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
      let notes: Map<string, string> | undefined;
      // The process before this one may still be ending. A second process may run for long, and callers must not wait for it.
      for (let failures = 1; notes === undefined; failures++) {
        notes = await store.list(NOTE_PREFIX).catch((error: unknown) => {
          if (failures < STORE_TRIES) return undefined;
          const { generation } = grant;
          refuse = ({ id }) => {
            ipc.invoke('engine_reply', { generation, id, error: toWire(error) }).catch(() => undefined);
          };
          for (const message of early.splice(0)) receive(message);
          return undefined;
        });
        if (notes === undefined) await new Promise<void>((resolve) => clock.after(FIRST_RETRY_MS, resolve));
        if (isOver) return;
        if (isDetached) return later();
      }
      hosting = createHosting(ports, grant, store, notes, () => void detached());
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

interface Hosting {
  readonly receive: (message: HostMessage) => void;
  close(): Promise<void>;
}

function createHosting(
  { ipc, createEngine }: HostPorts,
  grant: Grant,
  store: Store,
  notes: Map<string, string>,
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
  /** By category, how to end the engine's subscription. */
  const watched = new Map<string, () => void>();
  /** Values that this engine saved and that the other windows have not been told of: by category, the last one. */
  const unsaid = new Map<string, { readonly from: string | null; readonly result: FetchResult }>();
  /** One after the other, so that no window hears an older value after a newer one. */
  let emitting: Promise<unknown> = Promise.resolve();
  /** By id, how to tell a call that its caller has gone. */
  const cancels = new Map<string, AbortController>();
  let deviceId = '';

  function emit(event: string, payload: () => unknown): void {
    emitting = emitting
      .then(() => ipc.invoke('engine_emit', { generation, event, payload: payload() }))
      // Rust is gone, and with it all listeners.
      .catch(() => undefined);
  }

  const valueEvent = (from: string | null, result: FetchResult): ValueEvent => ({
    from,
    result: JSON.stringify(result),
  });

  engine.on('status', (status) => {
    deviceId = status.deviceId;
  });
  /** A page before this one may have written it: a value that is new to this engine need not be new to the device. */
  const isNews = (result: FetchResult): boolean => result.deviceId !== deviceId;
  for (const type of EVENT_TYPES) {
    engine.on(type, (event: SyncEvents[typeof type]) => {
      if (type === 'updated' && !isNews(event as FetchResult)) return;
      emit(type, () => (isNostrSyncError(event) ? toWire(event) : event));
    });
  }

  /** Subscribes again even if it was subscribed to, so that a new window gets the current value; the others know it by its id. */
  function subscribe(categories: readonly string[]): void {
    if (!Array.isArray(categories))
      throw new TypeError(misuse('categories', 'an array of strings', categories));
    for (const category of new Set<string>(categories)) {
      const stop = engine.subscribe([category], (result) => emit('value', () => valueEvent(null, result)));
      watched.get(category)?.();
      watched.set(category, stop);
    }
  }

  function setSigner(pubkey: string | null): void {
    if (pubkey === null) return void engine.clearSigner();
    engine.setSigner(rustSigner(ipc, generation, pubkey)).catch((error: unknown) => {
      emit('error', () => toWire(error));
    });
    // Windows that came while it was locked have had no value yet.
    subscribe([...watched.keys()]);
  }

  async function write(id: string, args: Args, signal: AbortSignal, isRemoval: boolean): Promise<unknown> {
    const key = NOTE_PREFIX + id;
    const note = notes.get(key);
    if (note !== undefined) return JSON.parse(note) as Receipt;
    const { category, payload, options, from = null } = args;
    const onSaved = ({ eventId, updatedAt }: Receipt): void => {
      const result = { category, payload, updatedAt, deviceId, eventId, source: 'local' as const };
      tellOthers(from, isRemoval ? { ...result, payload: null, deleted: true } : result);
    };
    const wanted: AdapterPublishOptions = {
      signal,
      ...(typeof options === 'number' ? { expiration: options } : options),
      onSaved,
      [NOTE]: (saved) => [[key, JSON.stringify(saved)]],
    };
    return isRemoval ? engine.remove(category, wanted) : engine.publish(category, payload, wanted);
  }

  const forget = (...keys: readonly string[]): Promise<void> =>
    store.update([], () => new Map(keys.map((key) => [key, null]))).catch(() => undefined);

  /** Several writes of a category can be saved as one event, which has the value of the last one. */
  function tellOthers(from: string | null, result: FetchResult): void {
    if (!watched.has(result.category)) return;
    const isTold = unsaid.has(result.category);
    unsaid.set(result.category, { from, result });
    if (isTold) return;
    emit('value', () => {
      const last = unsaid.get(result.category)!;
      unsaid.delete(result.category);
      return valueEvent(last.from, last.result);
    });
  }

  async function carryOut({ id, method, args: text }: Request, signal: AbortSignal): Promise<unknown> {
    const args = JSON.parse(text) as Args;
    switch (method) {
      case 'publish':
      case 'remove':
        return write(id, args, signal, method === 'remove');
      case 'reset':
        return engine.reset(args.category, { ...(args.options as PublishOptions | null), signal });
      case 'fetch':
        return engine.fetch(args.category);
      case 'sync_all':
        return engine.syncAll(args.categories);
      case 'poll':
        return (await engine.poll(args.categories)).filter(isNews);
      case 'subscribe':
        return subscribe(args.categories);
      case 'add_relay':
        return engine.addRelay(args.url);
      case 'remove_relay':
        return engine.removeRelay(args.url);
      case 'get_relays':
        return engine.getRelays();
      case 'get_pubkey':
        return engine.getPubkey();
      case 'get_status':
        return engine.getStatus();
      case 'flush':
        return engine.flush({ signal });
      default:
        throw new TypeError(`Unknown method: ${JSON.stringify(method)}`);
    }
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
    // The answer was taken, so the call will not be repeated.
    const key = NOTE_PREFIX + id;
    notes.delete(key);
    await forget(key);
  }

  // A call of an earlier run of the app will not be repeated.
  void forget(...[...notes.keys()].filter((key) => !key.startsWith(NOTE_PREFIX + grant.run)));
  try {
    subscribe(grant.subscriptions);
  } catch (error) {
    emit('error', () => toWire(error));
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
