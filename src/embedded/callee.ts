/** Carries out the calls of the program's parts on the engine. */

import type { NostrSync } from '../nostr-sync.ts';
import type { AdapterPublishOptions, PublishOptions } from '../options.ts';
import type { Receipt } from '../sync/events.ts';
import { NOTE, type Written } from '../sync/write.ts';
import { toWire, type UpdateReply } from '../wire.ts';
import type { Listening } from './listening.ts';
import { native } from './native.ts';

/** What the methods take. Each uses its own members. Unchecked: the engine checks them. */
interface Args {
  readonly category: string;
  readonly categories: readonly string[];
  readonly payload: unknown;
  readonly options?: number | (PublishOptions & { readonly isDefined?: boolean }) | null;
  readonly url: string;
  readonly eventId: string;
  readonly subscription: number;
  /** Of `update`: what the function was given, as the answer before had it; absent in the first of its calls, which has no payload. */
  readonly now?: string | null;
}

/** Who asks, and how it says that it does not wait any more. */
interface Caller {
  readonly id: number;
  readonly origin: string;
  readonly signal: AbortSignal;
}

const MOVED = new Error('The value is another one than the function was given');

export interface Callee {
  call(id: number, origin: string, method: string, args: string): void;
  cancel(id: number): void;
  /** Answers the call `id` with what comes of `work`. */
  answer(id: number, work: Promise<unknown>): void;
}

/** `defined`: the categories of which the program's script has given definitions. */
export function createCallee(engine: NostrSync, listening: Listening, defined: ReadonlySet<string>): Callee {
  /** By id, how to tell a call that its caller has gone. */
  const cancels = new Map<number, AbortController>();
  /** By category, the last of the calls that the newest write was made for, and what that says. */
  const lastNoted = new Map<string, Written & { readonly eventId: string; readonly id: number }>();
  let deviceId = '';
  engine.on('status', (status) => {
    deviceId = status.deviceId;
  });

  /** The other parts of the program are told by the last call of those that became one event. */
  function tell({ id, origin }: Caller, args: Args, { eventId, updatedAt }: Receipt): void {
    const { category } = args;
    const last = lastNoted.get(category);
    if (last?.eventId !== eventId || last.id !== id) return;
    lastNoted.delete(category);
    const about = { category, updatedAt, deviceId, eventId, source: 'local' } as const;
    // A value into which another one was merged is news to the part that has written it, as well.
    const isKnown =
      last.isRemoval || args.payload === undefined || JSON.stringify(args.payload) === last.text;
    listening.written(
      isKnown ? origin : null,
      last.isRemoval
        ? { ...about, payload: null, deleted: true }
        : { ...about, payload: JSON.parse(last.text) },
    );
  }

  function writing(caller: Caller, args: Args): AdapterPublishOptions {
    const { category } = args;
    const { isDefined, ...options } =
      typeof args.options === 'number' ? { expiration: args.options, isDefined: false } : { ...args.options };
    // Values of which the engine does not know the form would be written as if they had the first.
    if (isDefined === true && !defined.has(category))
      throw new TypeError(
        `Cannot write ${JSON.stringify(category)} by a handle: give its definition to the builder, by "categories"`,
      );
    return {
      signal: caller.signal,
      ...options,
      onSaved: (receipt) => tell(caller, args, receipt),
      [NOTE]: (saved, written) => {
        if (written !== undefined)
          lastNoted.set(category, { ...written, eventId: saved.eventId, id: caller.id });
        return [];
      },
    };
  }

  async function update(caller: Caller, args: Args): Promise<UpdateReply> {
    let found: string | null = null;
    const change = (now: unknown): unknown => {
      found = now === undefined ? null : JSON.stringify(now);
      if (found !== args.now) throw MOVED;
      return args.payload;
    };
    try {
      return { receipt: await engine.update(args.category, change, writing(caller, args)) };
    } catch (error) {
      if (error === MOVED) return { now: found };
      throw error;
    }
  }

  async function carryOut(method: string, args: Args, caller: Caller): Promise<unknown> {
    const { signal } = caller;
    switch (method) {
      case 'publish':
        return engine.publish(args.category, args.payload, writing(caller, args));
      case 'remove':
        return engine.remove(args.category, writing(caller, args));
      case 'update':
        return update(caller, args);
      case 'restore':
        return engine.restore(args.category, args.eventId, writing(caller, args));
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
      case 'close':
        return engine.close();
      default:
        throw new TypeError(`Unknown method: ${JSON.stringify(method)}`);
    }
  }

  function answer(id: number, work: Promise<unknown>): void {
    work
      .then(
        (value) => native.answer(id, null, JSON.stringify(value ?? null)),
        (error: unknown) => native.answer(id, JSON.stringify(toWire(error)), null),
      )
      .finally(() => cancels.delete(id))
      .catch(() => undefined);
  }

  return {
    call: (id, origin, method, args) => {
      const cancel = new AbortController();
      cancels.set(id, cancel);
      answer(id, carryOut(method, JSON.parse(args) as Args, { id, origin, signal: cancel.signal }));
    },
    cancel: (id) => cancels.get(id)?.abort(),
    answer,
  };
}
