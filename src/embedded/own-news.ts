/** What one part of the program writes is told to the others, as soon as it is saved. */

import type { NostrSync } from '../nostr-sync.ts';
import type { AdapterPublishOptions } from '../options.ts';
import type { Receipt } from '../sync/events.ts';
import { NOTE, type Written } from '../sync/write.ts';
import type { Listening } from './listening.ts';

/** Who asks. */
export interface Caller {
  readonly id: number;
  readonly origin: string;
}

/** The origin of what the engine does of its own accord. No label of a window is empty characters. */
const OWN_ORIGIN = '\0';

interface Wanted {
  readonly category: string;
  /** `undefined`: what is written is not known before. */
  readonly payload: unknown;
}

export interface OwnNews {
  /** The options of a write of which the other parts are told. */
  told(caller: Caller, wanted: Wanted, options: AdapterPublishOptions): AdapterPublishOptions;
  /** The same, of a handle, whose options these are. */
  ownTold(category: string, options?: object): AdapterPublishOptions;
}

export function createOwnNews(engine: Pick<NostrSync, 'on'>, listening: Pick<Listening, 'written'>): OwnNews {
  /** By category, the last of the calls that the newest write was made for, and what that says. */
  const lastNoted = new Map<string, Written & { readonly eventId: string; readonly id: number }>();
  let deviceId = '';
  engine.on('status', (status) => {
    deviceId = status.deviceId;
  });

  /** The other parts of the program are told by the last call of those that became one event. */
  function tell(
    { id, origin }: Caller,
    { category, payload }: Wanted,
    { eventId, updatedAt }: Receipt,
  ): void {
    const last = lastNoted.get(category);
    if (last?.eventId !== eventId || last.id !== id) return;
    lastNoted.delete(category);
    const about = { category, updatedAt, deviceId, eventId, source: 'local' } as const;
    // A value into which another one was merged is news to the part that has written it, as well.
    const isKnown = last.isRemoval || payload === undefined || JSON.stringify(payload) === last.text;
    listening.written(
      isKnown ? origin : null,
      last.isRemoval
        ? { ...about, payload: null, deleted: true }
        : { ...about, payload: JSON.parse(last.text) },
    );
  }

  function told(
    caller: Caller,
    wanted: Wanted,
    { onSaved, [NOTE]: note, ...options }: AdapterPublishOptions,
  ): AdapterPublishOptions {
    return {
      ...options,
      onSaved: (receipt) => {
        onSaved?.(receipt);
        tell(caller, wanted, receipt);
      },
      [NOTE]: (saved, written) => {
        if (written !== undefined)
          lastNoted.set(wanted.category, { ...written, eventId: saved.eventId, id: caller.id });
        return note?.(saved, written) ?? [];
      },
    };
  }

  let ownCalls = 0;
  const ownTold = (category: string, options: object = {}): AdapterPublishOptions =>
    told(
      { id: --ownCalls, origin: OWN_ORIGIN },
      { category, payload: undefined },
      options as AdapterPublishOptions,
    );
  return { told, ownTold };
}
