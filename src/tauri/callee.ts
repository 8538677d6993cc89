/** Carries out the calls of windows and of Rust code on the engine. */

import type { NostrSync } from '../nostr-sync.ts';
import { NOTE, type AdapterPublishOptions, type PublishOptions } from '../options.ts';
import type { Receipt } from '../sync/events.ts';
import type { Watch } from './watch.ts';
import type { Args, Request } from './wire.ts';
import type { WriteNotes } from './write-notes.ts';

/** Returns what carries out one call. `signal` ends it for a caller that has gone. */
export function createCallee(
  engine: NostrSync,
  notes: WriteNotes,
  watch: Watch,
): (request: Request, signal: AbortSignal) => Promise<unknown> {
  async function write(id: string, args: Args, signal: AbortSignal, isRemoval: boolean): Promise<unknown> {
    const receipt = notes.receiptOf(id);
    if (receipt !== undefined) return receipt;
    const { category, payload, options, from = null } = args;
    const onSaved = ({ eventId, updatedAt }: Receipt): void => {
      const [deviceId, source] = [watch.deviceId(), 'local' as const];
      const result = { category, payload, updatedAt, deviceId, eventId, source };
      watch.written(from, isRemoval ? { ...result, payload: null, deleted: true } : result);
    };
    const wanted: AdapterPublishOptions = {
      signal,
      ...(typeof options === 'number' ? { expiration: options } : options),
      onSaved,
      [NOTE]: notes.noteOf(id),
    };
    return isRemoval ? engine.remove(category, wanted) : engine.publish(category, payload, wanted);
  }

  return async ({ id, method, args: text }, signal) => {
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
        return (await engine.poll(args.categories)).filter(watch.isNews);
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
