/** What the inspector asks of an engine, and when: by its public calls alone. */

import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { NostrSync } from '../nostr-sync.ts';
import type { FetchResult, SyncEvents } from '../sync/events.ts';
import type { VersionInfo } from '../sync/history.ts';
import type { CategoryRow } from '../sync/inspecting.ts';
import { EMPTY, heard, locked, textOf, type Acts, type Model } from './model.ts';

/** The part of an engine that the inspector uses, whatever its categories are. */
export interface Inspected extends Pick<NostrSync, 'getRelays' | 'getStatus'> {
  /** As of the engine. */
  inspect(): Promise<readonly CategoryRow[]>;
  /** As of the engine. */
  history(category: string): Promise<readonly VersionInfo[]>;
  /** As of the engine. */
  readVersion(category: string, eventId: string): Promise<FetchResult>;
  /** As of the engine. */
  restore(category: string, eventId: string, options: { readonly waitFor: 'saved' }): Promise<unknown>;
  /** As of the engine. */
  on(type: keyof SyncEvents, listener: (event: object) => void): () => void;
}

export interface Watching extends Acts {
  model(): Model;
  /** Hears and asks nothing more, and forgets what it knew. */
  stop(): void;
}

const EVENTS: readonly (keyof SyncEvents)[] = [
  'updated',
  'delivery',
  'conflict',
  'merged',
  'relay-status',
  'status',
  'error',
];
/** What comes close together is asked for once. */
const REFRESH_MS = 150;
/** How often is asked for what no event tells, such as latencies; and a screen reader is told one thing in this time, the last one. */
const TICK_MS = 2_000;

/** `changed`: there is something else to show. */
export function watch(sync: Inspected, clock: Clock, changed: () => void): Watching {
  let model = EMPTY;
  let isStopped = false;
  let isDue = false;
  let cancel = (): void => undefined;
  let unsaid = '';
  let silence = (): void => undefined;

  function set(part: Partial<Model>): void {
    if (isStopped) return;
    model = { ...model, ...part };
    changed();
  }

  function say(text: string): void {
    unsaid = text;
    if (model.said === '') sayNext();
  }

  /** What has been said is taken away: only so is the same said again. */
  function sayNext(): void {
    set({ said: unsaid });
    unsaid = '';
    if (model.said !== '') silence = clock.after(TICK_MS, sayNext);
  }

  function askIn(ms: number): void {
    if (isDue || isStopped) return;
    isDue = ms < TICK_MS;
    cancel();
    cancel = clock.after(ms, () => void ask());
  }

  async function ask(): Promise<void> {
    isDue = false;
    try {
      const asked = [...model.histories.keys()];
      const [relays, status, rows, ...lists] = await Promise.all([
        sync.getRelays(),
        sync.getStatus(),
        sync.inspect(),
        ...asked.map((category) => sync.history(category)),
      ]);
      // What was folded or unfolded meanwhile stays so.
      const histories = new Map(
        [...model.histories].map(([category, before]) => [
          category,
          lists[asked.indexOf(category)] ?? before,
        ]),
      );
      // No signer is set, or another one.
      if (status.pubkey === null || status.pubkey !== model.status?.pubkey) model = locked(model);
      set({ relays, status, rows, histories, problem: undefined });
    } catch (error) {
      set({ problem: messageOf(error) });
    }
    askIn(TICK_MS);
  }

  const stops = EVENTS.map((type) =>
    sync.on(type, (event: object) => {
      set(heard(model, type, event, clock.now()));
      if (type === 'conflict') say(`Conflict in ${(event as SyncEvents['conflict']).category}`);
      askIn(REFRESH_MS);
    }),
  );
  void ask();

  return {
    model: () => model,
    choose: (tab) => set({ tab }),
    fold: (category) => {
      const histories = new Map(model.histories);
      if (!histories.delete(category)) histories.set(category, []);
      // What is folded away is not on the screen when it is unfolded again.
      set({ histories, shown: new Map() });
      askIn(0);
    },
    show: (category, id) => {
      const shown = new Map(model.shown);
      const isHidden = !shown.delete(id);
      const put = (text: string): void => set({ shown: new Map(model.shown).set(id, text) });
      if (!isHidden) set({ shown });
      else if (category === '') put('');
      else void sync.readVersion(category, id).then(textOf).catch(messageOf).then(put);
    },
    restore: (category, eventId) => {
      void sync
        .restore(category, eventId, { waitFor: 'saved' })
        .then(() => `Restored in ${category}`)
        .catch(messageOf)
        .then(say);
    },
    stop: () => {
      isStopped = true;
      for (const stop of [...stops, cancel, silence]) stop();
      model = EMPTY;
    },
  };
}
