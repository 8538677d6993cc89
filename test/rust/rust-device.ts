/** A device that is a Rust process: the example `headless`, spoken to by lines. */

import { startLineProcess, type LineProcess } from '../support/line-process.ts';
import { HEADLESS } from './headless.mjs';

export interface Told {
  readonly event: 'started' | 'published' | 'failed' | 'value' | 'relay' | 'error' | 'closed';
  readonly payload?: unknown;
  readonly deleted?: boolean;
  readonly deviceId?: string;
  readonly eventId?: string;
  readonly stage?: string;
  readonly connected?: boolean;
  readonly url?: string;
  readonly error?: unknown;
}

export interface RustDevice {
  readonly process: LineProcess;
  /** All that it has told so far. */
  readonly told: readonly Told[];
  /** Publishes; `undefined` removes. Resolves with what it tells of that. */
  publish(payload: unknown): Promise<Told>;
  /** The first of what it has told, or tells, that fits. */
  next(event: Told['event'], fits?: (told: Told) => boolean): Promise<Told>;
}

export interface RustDeviceOptions {
  readonly key: string;
  readonly category: string;
  readonly relays: readonly string[];
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs it, with its arguments: `strace …`. */
  readonly under?: readonly string[];
}

export function startRustDevice(options: RustDeviceOptions): RustDevice {
  const { key, category, relays, folder, env, under = [] } = options;
  const process = startLineProcess([...under, HEADLESS, category, ...relays], {
    NOSTR_SYNC_KEY: key,
    ...(folder !== undefined && { NOSTR_SYNC_DIR: folder }),
    ...env,
  });
  const told: Told[] = [];
  const waiting = new Set<() => void>();
  let isOver = false;
  const reading = (async () => {
    for (let line = await process.line(); line !== undefined; line = await process.line()) {
      told.push(JSON.parse(line) as Told);
      for (const look of [...waiting]) look();
    }
    isOver = true;
    for (const look of [...waiting]) look();
  })();
  reading.catch(() => undefined);

  function from(start: number, fits: (told: Told) => boolean): Promise<Told> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = told.slice(start).find(fits);
        if (found === undefined && !isOver) return;
        waiting.delete(look);
        if (found === undefined) reject(new Error(`The process is over: ${JSON.stringify(told.slice(-3))}`));
        else resolve(found);
      };
      waiting.add(look);
      look();
    });
  }

  return {
    process,
    told,
    next: (event, fits = () => true) => from(0, (one) => one.event === event && fits(one)),
    publish: (payload) => {
      const start = told.length;
      process.say(payload === undefined ? '' : JSON.stringify(payload));
      return from(start, ({ event }) => event === 'published' || event === 'failed');
    },
  };
}
