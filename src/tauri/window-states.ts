/** Handles on categories in a window: what an engine gives them elsewhere, over the calls and the events of the window. */

import type { Clock } from '../clock.ts';
import { NostrSyncError } from '../errors.ts';
import type { AdapterPublishOptions, ReadOptions } from '../options.ts';
import type { Category } from '../state/definition.ts';
import type { Keeping } from '../state/keeping.ts';
import type { State } from '../state/state.ts';
import { callListener, type FetchResult, type Receipt, type SyncEvents } from '../sync/events.ts';
import { openState, type StateHost } from '../sync/state-host.ts';
import { NOTE, type Note } from '../sync/write.ts';
import type { Calls } from './calls.ts';
import type { Ipc } from './ipc.ts';
import { createKeepings } from './window-keeping.ts';

export interface WindowStates {
  /** The handle of this window, the same each time. Throws as `NostrSync.state`. */
  state<T, Input>(category: Category<T, Input>): State<T, Input>;
  /** As the call, once what the handles wait with is saved. */
  flush(options?: ReadOptions): Promise<void>;
}

/** What is saved is waited for: the callback that tells of it does not cross windows. Nor does the one that says what is saved with it. */
const optionsOf = ({ [NOTE]: note }: AdapterPublishOptions) => ({
  ...({ waitFor: 'saved', isDefined: true } as const),
  notes: (note as (() => ReturnType<Note>) | undefined)?.(),
});

async function saved(
  writing: Promise<Receipt>,
  { onSaved }: Pick<AdapterPublishOptions, 'onSaved'>,
): Promise<Receipt> {
  const receipt = await writing;
  onSaved?.(receipt);
  return receipt;
}

/** Starts what can be stopped before it has started. What fails is told by the calls that follow. */
function started(start: (isStopped: () => boolean) => Promise<() => void>): () => void {
  let isStopped = false;
  const starting = start(() => isStopped);
  starting.catch(() => undefined);
  return () => {
    isStopped = true;
    starting.then((stop) => stop()).catch(() => undefined);
  };
}

export function createWindowStates(calls: Calls, ipc: Ipc, clock: Clock): WindowStates {
  const keepingOf = createKeepings(ipc);
  /** Who is signed in, as this window was last told. */
  let pubkey: string | null = null;
  /** Values as this window was last told of them or has written them, as JSON: a page that goes has no time to ask first. */
  const seen = new Map<string, string | null>();
  const see = (category: string, result: FetchResult | null): void =>
    void seen.set(
      category,
      result === null || result.deleted === true ? null : JSON.stringify(result.payload),
    );

  function on<K extends keyof SyncEvents>(type: K, listener: (event: SyncEvents[K]) => void): () => void {
    return started(async (isStopped) => {
      const tell = (event: unknown): void => {
        if (type === 'status') {
          ({ pubkey } = event as SyncEvents['status']);
          if (pubkey === null) seen.clear();
        }
        if (!isStopped()) callListener(listener, event as SyncEvents[K]);
      };
      const stop = await calls.on(type, tell);
      // The status is told at once, too.
      if (type === 'status') calls.getStatus().then(tell, () => undefined);
      return stop;
    });
  }

  /** What another window has written comes without the version of its form, which this device has noted with the value. */
  async function whole(result: FetchResult): Promise<FetchResult> {
    if (result.deleted === true || result.schema !== undefined) return result;
    return calls.readVersion(result.category, result.eventId).catch(() => result);
  }

  function subscribe(categories: readonly string[], listener: (result: FetchResult) => void): () => void {
    /** In the order in which they came. */
    let last: Promise<unknown> = Promise.resolve();
    return started((isStopped) =>
      calls.subscribe(categories, (result) => {
        see(result.category, result);
        const next = Promise.all([whole(result), last]);
        last = next.then(([value]) => isStopped() || callListener(listener, value));
      }),
    );
  }

  async function fetch(category: string, options?: ReadOptions): Promise<FetchResult | null> {
    const result = await calls.fetch(category, options);
    see(category, result);
    return result;
  }

  async function update(
    category: string,
    change: (now: unknown) => unknown,
    given: AdapterPublishOptions,
  ): Promise<Receipt> {
    let payload: unknown;
    const noted = (now: unknown): unknown => (payload = change(now));
    const receipt = await saved(calls.update(category, noted, optionsOf(given), seen.get(category)), given);
    seen.set(category, JSON.stringify(payload));
    return receipt;
  }

  /** This window hears of another identity a moment later than the process. */
  async function keeping(category: string): Promise<Keeping | undefined> {
    const found = await keepingOf(category);
    if (pubkey === null || found === undefined || found.pubkey === pubkey) return found;
    throw new NostrSyncError(
      'SIGNER_CHANGED',
      'Cannot read what is kept here: another key has taken the place',
    );
  }

  const savers = new Set<() => Promise<void>>();
  // What only an engine has is not asked for, as there is `keeping`.
  const host = {
    sync: {
      ...calls,
      ...{ on, subscribe, fetch, update },
      remove: (category: string, given: AdapterPublishOptions) =>
        saved(calls.remove(category, optionsOf(given)), given),
    },
    ...{ clock, keeping },
    emitter: { emit: () => undefined },
    ...{ closers: new Set(), savers },
    states: new Map(),
    define: () => undefined,
  } as unknown as StateHost;

  return {
    state: (category) => openState(category, host),
    flush: async (options) => {
      await Promise.all([...savers].map((save) => save()));
      return calls.flush(options);
    },
  };
}
