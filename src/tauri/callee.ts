/** Carries out the calls of windows and of Rust code on the engine. */

import type { NostrSync } from '../nostr-sync.ts';
import type { AdapterPublishOptions, PublishOptions } from '../options.ts';
import type { Receipt } from '../sync/events.ts';
import { NOTE, type Written } from '../sync/write.ts';
import type { Watch } from './watch.ts';
import type { Args, Request, UpdateReply } from './wire.ts';
import type { WriteNotes } from './write-notes.ts';

const MOVED = new Error('The value is another one than the function was given');

/** Calls whose writes are noted. */
export const NOTED: ReadonlySet<string> = new Set(['publish', 'remove', 'update', 'restore']);

/** Returns what carries out one call. `signal` ends it for a caller that has gone. */
export function createCallee(
  engine: NostrSync,
  notes: WriteNotes,
  watch: Watch,
): (request: Request, signal: AbortSignal) => Promise<unknown> {
  /** By category, the last of the calls that the newest write was made for, and what that says. */
  const lastNoted = new Map<string, Written & { readonly eventId: string; readonly id: string }>();

  /** The windows are told by the last call of those that became one event. */
  function tell(id: string, args: Args, { eventId, updatedAt }: Receipt): void {
    const { category, from = null } = args;
    const last = lastNoted.get(category);
    if (last?.eventId !== eventId || last.id !== id) return;
    lastNoted.delete(category);
    const [deviceId, source] = [watch.deviceId(), 'local' as const];
    const about = { category, updatedAt, deviceId, eventId, source };
    // A value into which another one was merged is news to the window that has written it, as well.
    const isKnown =
      last.isRemoval || args.payload === undefined || JSON.stringify(args.payload) === last.text;
    watch.written(
      isKnown ? from : null,
      last.isRemoval
        ? { ...about, payload: null, deleted: true }
        : { ...about, payload: JSON.parse(last.text) },
    );
  }

  function writing(id: string, args: Args, signal: AbortSignal): AdapterPublishOptions {
    const { category, options } = args;
    return {
      signal,
      ...(typeof options === 'number' ? { expiration: options } : options),
      onSaved: (receipt) => tell(id, args, receipt),
      [NOTE]: (saved, written) => {
        if (written !== undefined) lastNoted.set(category, { ...written, eventId: saved.eventId, id });
        return notes.noteOf(id)(saved);
      },
    };
  }

  async function update(id: string, args: Args, signal: AbortSignal): Promise<UpdateReply> {
    let found: string | null = null;
    const change = (now: unknown): unknown => {
      found = now === undefined ? null : JSON.stringify(now);
      if (found !== args.now) throw MOVED;
      return args.payload;
    };
    try {
      return { receipt: await engine.update(args.category, change, writing(id, args, signal)) };
    } catch (error) {
      if (error === MOVED) return { now: found };
      throw error;
    }
  }

  /** A write that a host before this one has saved is answered by its note. */
  async function write(
    method: 'publish' | 'remove' | 'update' | 'restore',
    id: string,
    args: Args,
    signal: AbortSignal,
  ): Promise<Receipt | UpdateReply> {
    const receipt = notes.receiptOf(id);
    const { category } = args;
    if (method === 'update') return receipt === undefined ? update(id, args, signal) : { receipt };
    if (receipt !== undefined) return receipt;
    const wanted = writing(id, args, signal);
    if (method === 'publish') return engine.publish(category, args.payload, wanted);
    if (method === 'restore') return engine.restore(category, args.eventId, wanted);
    return engine.remove(category, wanted);
  }

  return async ({ id, method, args: text }, signal) => {
    const args = JSON.parse(text) as Args;
    switch (method) {
      case 'publish':
      case 'remove':
      case 'update':
      case 'restore':
        return write(method, id, args, signal);
      case 'reset':
        return engine.reset(args.category, { ...(args.options as PublishOptions | null), signal });
      case 'fetch':
        return engine.fetch(args.category);
      case 'sync_all':
        return engine.syncAll(args.categories);
      case 'poll':
        return (await engine.poll(args.categories)).filter(watch.isNews);
      case 'history':
        return engine.history(args.category);
      case 'read_version':
        return engine.readVersion(args.category, args.eventId);
      case 'inspect':
        return engine.inspect();
      case 'subscribe':
        return watch.subscribe(args.categories);
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
  };
}
