/** Store in the app's data folder, kept by the Rust half: durable, and locked against a second process. */

import { isNostrSyncError, messageOf, NostrSyncError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { Ipc } from './ipc.ts';

const MAX_LAPS = 100;

const entriesOf = (answer: unknown): Map<string, string> =>
  new Map(Object.entries(answer as Record<string, string>));

/**
 * Only the page that hosts the engine has it open. Updates run one after the other. Rust refuses those of a former generation:
 * so a page that is no longer the host, and does not know it yet, cannot write.
 */
export function rustStore(ipc: Ipc, generation: number): Store {
  let last: Promise<unknown> = Promise.resolve();
  const reads = new Set<Promise<unknown>>();
  let isClosed = false;

  async function call(command: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    try {
      return await ipc.invoke(command, { generation, ...args });
    } catch (cause) {
      if (isNostrSyncError(cause, 'STORE_FAILED')) throw cause;
      const reason = messageOf(cause, 'no reason given');
      throw new NostrSyncError('STORE_FAILED', `Cannot use the store: ${reason}`, { cause });
    }
  }

  function assertOpen(): void {
    if (isClosed) throw new NostrSyncError('CLOSED', 'Cannot use the store: it is closed');
  }

  function read(command: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    assertOpen();
    const reading = call(command, args);
    const settled: Promise<unknown> = reading.catch(() => undefined).then(() => reads.delete(settled));
    reads.add(settled);
    return reading;
  }

  async function attempt(
    keys: readonly string[],
    decide: Parameters<Store['update']>[1],
  ): Promise<'done' | 'changed'> {
    const current =
      keys.length === 0 ? new Map<string, string>() : entriesOf(await call('store_read', { keys }));
    const changes = decide(current);
    if (changes.size === 0) return 'done';
    const isDone = await call('store_update', {
      expected: Object.fromEntries(keys.map((key) => [key, current.get(key) ?? null])),
      changes: Object.fromEntries(changes),
    });
    return isDone === true ? 'done' : 'changed';
  }

  return {
    get: async (key) => {
      const value = await read('store_get', { key });
      return typeof value === 'string' ? value : undefined;
    },
    list: async (prefix) => entriesOf(await read('store_list', { prefix })),
    update: async (keys, decide) => {
      assertOpen();
      const updating = last.then(async () => {
        // Tauri has two ways to send a call. If one fails, it uses the other: the first copy may still come, late, and is refused.
        for (let lap = 0; lap < MAX_LAPS; lap++) if ((await attempt(keys, decide)) === 'done') return;
        throw new NostrSyncError('STORE_FAILED', 'Cannot use the store: its entries change all the time');
      });
      last = updating.catch(() => undefined);
      return updating;
    },
    close: async () => {
      isClosed = true;
      await Promise.all([last, ...reads]);
    },
  };
}
