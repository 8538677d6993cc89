/** Carries out the calls of the program's parts on the engine. */

import type { Clock } from '../clock.ts';
import type { NostrSync } from '../nostr-sync.ts';
import type { AdapterPublishOptions, PublishOptions } from '../options.ts';
import type { Receipt } from '../sync/events.ts';
import type { StateHost } from '../sync/state-host.ts';
import { NOTE, type Written } from '../sync/write.ts';
import { toWire, type UpdateReply } from '../wire.ts';
import { createKept, type KeptArgs } from './kept.ts';
import type { Listening } from './listening.ts';
import { native } from './native.ts';

/** What the methods take. Each uses its own members. Unchecked: the engine checks them. */
interface Args {
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

/** Who asks. */
interface Caller {
  readonly id: number;
  readonly origin: string;
}

/** The origin of what the engine does of its own accord. No label of a window is empty characters. */
const OWN_ORIGIN = '\0';

const MOVED = new Error('The value is another one than the function was given');

export interface Callee {
  call(id: number, origin: string, method: string, args: string): void;
  cancel(id: number): void;
  /** Answers the call `id` with what comes of `work`. */
  answer(id: number, work: Promise<unknown>): void;
}

/** `definitions`: by category, those that the program's script has given. */
export function createCallee(ports: {
  readonly engine: NostrSync;
  readonly namespace: string;
  readonly listening: Listening;
  readonly definitions: ReadonlyMap<string, unknown>;
  readonly clock: Clock;
  readonly boxes: Pick<StateHost, 'primitives' | 'randomBytes'>;
}): Callee {
  const { engine, listening, definitions } = ports;
  /** By id, how to tell a call that its caller has gone. */
  const cancels = new Map<number, AbortController>();
  /** By category, the last of the calls that the newest write was made for, and what that says. */
  const lastNoted = new Map<string, Written & { readonly eventId: string; readonly id: number }>();
  let deviceId = '';
  engine.on('status', (status) => {
    deviceId = status.deviceId;
  });

  /** The other parts of the program are told by the last call of those that became one event. */
  function tell(
    { id, origin }: Caller,
    { category, payload }: Pick<Args, 'category' | 'payload'>,
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

  /** The options of a write of which the other parts are told. */
  function told(
    caller: Caller,
    args: Pick<Args, 'category' | 'payload'>,
    { onSaved, [NOTE]: note, ...options }: AdapterPublishOptions,
  ): AdapterPublishOptions {
    return {
      ...options,
      onSaved: (receipt) => {
        onSaved?.(receipt);
        tell(caller, args, receipt);
      },
      [NOTE]: (saved, written) => {
        if (written !== undefined)
          lastNoted.set(args.category, { ...written, eventId: saved.eventId, id: caller.id });
        return note?.(saved, written) ?? [];
      },
    };
  }

  let ownCalls = 0;
  /** Of a handle, whose options these are. */
  const ownTold = (category: string, options: object = {}): AdapterPublishOptions =>
    told(
      { id: --ownCalls, origin: OWN_ORIGIN },
      { category, payload: undefined },
      options as AdapterPublishOptions,
    );
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
      answer(
        id,
        carryOut(method, JSON.parse(args) as Args & KeptArgs, { id, origin, signal: cancel.signal }),
      );
    },
    cancel: (id) => cancels.get(id)?.abort(),
    answer,
  };
}
