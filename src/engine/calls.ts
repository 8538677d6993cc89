/** The calls that write and read: their arguments are checked at once, then they wait for the signer, then the session does the work. */

import { nowSeconds, type Clock } from '../clock.ts';
import { misuse } from '../errors.ts';
import type { NostrSync } from '../nostr-sync.ts';
import { checkCategories, checkEventId, checkReading, checkWrite, type Settings } from '../options.ts';
import { toDTag, type Address } from '../protocol/address.ts';
import { MAX_LAPS } from '../protocol/limits.ts';
import type { Receipt } from '../sync/events.ts';
import type { Reader } from '../sync/reader.ts';
import { OVERTAKEN } from '../sync/saving.ts';
import type { Session } from '../sync/session.ts';
import type { Subscription } from '../sync/telling.ts';
import type { Edit, Write } from '../sync/write.ts';
import { heard } from '../sync/heard.ts';

export type Calls = Pick<
  NostrSync,
  | 'publish'
  | 'update'
  | 'remove'
  | 'reset'
  | 'fetch'
  | 'syncAll'
  | 'poll'
  | 'subscribe'
  | 'history'
  | 'readVersion'
  | 'restore'
  | 'inspect'
>;

const OTHER_IDENTITY = new Error('another identity was signed in');

/** One closure: the list of the calls, each a few lines, and what these have in common. */
export function createCalls(ports: {
  readonly clock: Clock;
  readonly settings: Settings;
  readonly subscriptions: Set<Subscription>;
  readonly session: () => Session | undefined;
  /** The session, once it has a signer. Rejects with `SIGNER_NOT_SET`. */
  readonly signedIn: (what: string) => Promise<Session>;
  /** The session of the identity that was last signed in, with a signer or without; `undefined` if none ever was. */
  readonly known: () => Promise<Session | undefined>;
}): Calls {
  const { clock, settings, subscriptions, signedIn } = ports;
  const { namespace } = settings;

  /** A value is made of what is here at the call, though the signer may take its time. `read`: gives what is to be written. */
  async function publish(
    dTag: Address,
    wanted: Write,
    what: string,
    read?: (session: Session) => Promise<Pick<Write, 'text' | 'isRemoval' | 'expiration'>>,
  ): Promise<Receipt> {
    const had = ports.session();
    const signed = heard(wanted.signal, signedIn(what));
    const publishBy = async (session: Session): Promise<Receipt> =>
      session.writer.publish(dTag, wanted, undefined, read && (async () => read(session)));
    if (had === undefined) return publishBy(await signed);
    const ready = signed.then((to) => {
      if (to !== had) throw OTHER_IDENTITY;
    });
    try {
      return await had.writer.publish(dTag, wanted, ready, read && (async () => read(had)));
    } catch (error) {
      if (error !== OTHER_IDENTITY) throw error;
      return publishBy(await signed);
    }
  }

  function write(category: unknown, payload: unknown, given: unknown, isRemoval: boolean): Promise<Receipt> {
    const dTag = toDTag(namespace, category);
    const wanted = checkWrite(payload, given, settings, nowSeconds(clock));
    const edit: Edit = isRemoval
      ? { type: 'remove' }
      : { type: 'whole', payload: JSON.parse(wanted.text), basedOn: undefined };
    return publish(dTag, { ...wanted, isRemoval, edit }, isRemoval ? 'remove' : 'publish');
  }

  async function update(category: unknown, change: unknown, given: unknown): Promise<Receipt> {
    const dTag = toDTag(namespace, category);
    if (typeof change !== 'function') throw new TypeError(misuse('change', 'a function', change));
    const wanted = checkWrite(null, given, settings, nowSeconds(clock));
    if (wanted.basedOn !== undefined)
      throw new TypeError('Invalid basedOn: an update is based on the newest value');
    const edit: Edit = { type: 'update', change: change as (now: unknown) => unknown };
    return publish(dTag, { ...wanted, edit }, 'update');
  }

  // Results hold what devices wrote. Only the app can know that it is of the types of `Categories`, hence `never`.
  async function read<T>(
    what: string,
    given: unknown,
    work: (reader: Reader, signal?: AbortSignal) => Promise<T>,
  ): Promise<never> {
    const signal = checkReading(given);
    const reading = signedIn(what).then(({ reader }) => {
      signal?.throwIfAborted();
      return work(reader, signal);
    });
    return heard(signal, reading) as Promise<never>;
  }

  return {
    publish: async (category, payload, given) => write(category, payload, given, false),
    update: async (category, change, given) => update(category, change, given),
    remove: async (category, removeOptions) => write(category, null, removeOptions, true),
    reset: async (category, given) => {
      const dTag = toDTag(namespace, category);
      const wanted = checkWrite(null, given, settings, nowSeconds(clock));
      return heard(
        wanted.signal,
        signedIn('reset').then(async (session) => resetBy(session, dTag, wanted)),
      );
    },
    fetch: async (category, given) => {
      const dTag = toDTag(namespace, category);
      return read('fetch', given, (reader) => reader.fetch(dTag));
    },
    syncAll: async (categories, given) => {
      const dTags = checkCategories(namespace, categories);
      return read('sync', given, (reader) => reader.syncAll(dTags));
    },
    poll: async (categories, given) => {
      const dTags = checkCategories(namespace, categories);
      return read('poll', given, (reader, signal) => reader.poll(dTags, signal));
    },
    history: async (category) => {
      const dTag = toDTag(namespace, category);
      return (await ports.known())?.reader.history.versions(dTag) ?? [];
    },
    readVersion: async (category, eventId, given) => {
      const dTag = toDTag(namespace, category);
      checkEventId(eventId);
      return read('read a version', given, ({ history }) => history.read(dTag, eventId));
    },
    restore: async (category, eventId, given) => {
      const dTag = toDTag(namespace, category);
      checkEventId(eventId);
      const wanted = checkWrite(null, given, settings, nowSeconds(clock));
      return publish(dTag, wanted, 'restore', async ({ reader }) => reader.history.again(dTag, eventId));
    },
    inspect: async () => (await ports.known())?.rows() ?? [],
    subscribe: (categories, listener) => {
      const dTags = new Set(checkCategories(namespace, categories));
      if (typeof listener !== 'function') throw new TypeError(misuse('listener', 'a function', listener));
      const subscription: Subscription = {
        dTags,
        listener: listener as Subscription['listener'],
        delivered: new Map(),
      };
      subscriptions.add(subscription);
      const session = ports.session();
      session?.rewatch();
      if (session?.signer() !== undefined) session.reader.present(subscription);
      return () => {
        if (subscriptions.delete(subscription)) ports.session()?.rewatch();
      };
    },
  };
}

/** `null`: nothing is ahead any more. */
async function resetBy(
  { reader, writer }: Session,
  dTag: Address,
  wanted: ReturnType<typeof checkWrite>,
): Promise<Receipt | null> {
  for (let left = MAX_LAPS; ; left--) {
    const value = await reader.latest(dTag);
    wanted.signal?.throwIfAborted();
    if (!writer.isAhead(dTag)) return null;
    try {
      return await writer.publish(dTag, { ...wanted, ...value, isReset: true });
    } catch (error) {
      // What was written since then stays.
      if (error !== OVERTAKEN || left === 0) throw error;
    }
  }
}
