/** What each method does that a part of the program may call. */

import type { Clock } from '../clock.ts';
import type { NostrSync } from '../nostr-sync.ts';
import type { AdapterPublishOptions, PublishOptions } from '../options.ts';
import type { StateHost } from '../sync/state-host.ts';
import { NOTE } from '../sync/write.ts';
import type { UpdateReply } from '../wire.ts';
import { createKept, type KeptArgs } from './kept.ts';
import type { Listening } from './listening.ts';
import { createOwnNews, type Caller } from './own-news.ts';

/** What the methods take. Each uses its own members. Unchecked: the engine checks them. */
export interface Args {
  readonly category: string;
  readonly categories: readonly string[];
  readonly payload: unknown;
  readonly options?:
    | number
    | (PublishOptions & { readonly isDefined?: boolean; readonly notes?: unknown })
    | null;
  readonly url: string;
  readonly eventId: string;
  readonly subscription: number;
  /** Of `update`: what the function was given, as the answer before had it; absent in the first of its calls, which has no payload. */
  readonly now?: string | null;
  /** Of `gone`: all pages are, and not only those of the part that asks. */
  readonly isAll?: boolean;
}

const MOVED = new Error('The value is another one than the function was given');

/** `definitions`: by category, those that the program's script has given. */
export interface MethodPorts {
  readonly engine: NostrSync;
  readonly namespace: string;
  readonly listening: Listening;
  readonly definitions: ReadonlyMap<string, unknown>;
  readonly clock: Clock;
  readonly boxes: Pick<StateHost, 'primitives' | 'randomBytes'>;
}

type CarryOut = (
  method: string,
  args: Args & KeptArgs,
  caller: Caller & { readonly signal: AbortSignal },
) => Promise<unknown>;

export function createMethods(ports: MethodPorts): CarryOut {
  const { engine, listening, definitions } = ports;
  const { told, ownTold } = createOwnNews(engine, listening);
  const kept = createKept({
    ...ports,
    sync: {
      ...engine,
      update: async (category, change, options) =>
        engine.update(category, change, ownTold(category, options)),
      remove: async (category, options) => engine.remove(category, ownTold(category, options)),
    },
  });

  /** Carries out a write that a part of the program asks for. */
  function writing<T>(
    caller: Caller & { readonly signal: AbortSignal },
    args: Args,
    write: (options: AdapterPublishOptions) => Promise<T>,
  ): Promise<T> {
    const { category } = args;
    const { isDefined, notes, ...options } =
      typeof args.options === 'number'
        ? { expiration: args.options, isDefined: false, notes: undefined }
        : { ...args.options };
    // Values of which the engine does not know the form would be written as if they had the first.
    if (isDefined === true && !definitions.has(category))
      throw new TypeError(
        `Cannot write ${JSON.stringify(category)} by a handle: give its definition to the builder, by "categories"`,
      );
    const noted = notes === undefined ? [] : kept.checkNotes(category, notes);
    const work = write(
      told(caller, args, {
        signal: caller.signal,
        ...options,
        onSaved: () => kept.saved(noted),
        [NOTE]: () => kept.needed(noted),
      }),
    );
    kept.writing(noted, work);
    return work;
  }

  async function update(args: Args, options: AdapterPublishOptions): Promise<UpdateReply> {
    let found: string | null = null;
    const change = (now: unknown): unknown => {
      found = now === undefined ? null : JSON.stringify(now);
      if (found !== args.now) throw MOVED;
      return args.payload;
    };
    try {
      return { receipt: await engine.update(args.category, change, options) };
    } catch (error) {
      if (error === MOVED) return { now: found };
      throw error;
    }
  }

  async function carryOut(
    method: string,
    args: Args & KeptArgs,
    caller: Caller & { readonly signal: AbortSignal },
  ): Promise<unknown> {
    const { signal } = caller;
    switch (method) {
      case 'publish':
        return writing(caller, args, (options) => engine.publish(args.category, args.payload, options));
      case 'remove':
        return writing(caller, args, (options) => engine.remove(args.category, options));
      case 'update':
        return writing(caller, args, (options) => update(args, options));
      case 'restore':
        return writing(caller, args, (options) => engine.restore(args.category, args.eventId, options));
      case 'reset':
        return engine.reset(args.category, { ...(args.options as PublishOptions | null), signal });
      case 'fetch':
        return engine.fetch(args.category, { signal });
      case 'sync_all':
        return engine.syncAll(args.categories, { signal });
      case 'poll':
        return engine.poll(args.categories, { signal });
      case 'history':
        return engine.history(args.category);
      case 'read_version':
        return engine.readVersion(args.category, args.eventId, { signal });
      case 'inspect':
        return engine.inspect();
      case 'subscribe':
        return listening.subscribe(args.subscription, caller.origin, args.categories);
      case 'unsubscribe':
        return listening.unsubscribe(args.subscription);
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
      case 'kept':
        return kept.read(caller.origin, args);
      case 'keep':
        return kept.write(caller.origin, args);
      case 'gone':
        return kept.end(args.isAll === true ? undefined : caller.origin);
      case 'close':
        return kept.end().then(engine.close);
      default:
        throw new TypeError(`Unknown method: ${JSON.stringify(method)}`);
    }
  }

  return carryOut;
}
