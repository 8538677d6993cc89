/** Edits whose page is gone are made by a handle of the engine's own, and not when a page shows the category again. */

import type { Clock } from '../clock.ts';
import type { NostrSync } from '../nostr-sync.ts';
import type { Keeping } from '../state/keeping.ts';
import { openState, type StateHost } from '../sync/state-host.ts';

/** How long they are waited for: a signer may ask a person. */
const MAKE_MS = 2_000;

/** Makes the edits of these drafts, which are in the store. Resolves when they are saved, or cannot be saved now: then they stay drafts. */
export type Make = (category: string, keys: readonly string[]) => Promise<void>;

export function createMaking(ports: {
  /** The engine, with writes of which all parts of the program are told. */
  readonly sync: NostrSync;
  readonly clock: Clock;
  readonly boxes: Pick<StateHost, 'primitives' | 'randomBytes'>;
  /** By name, what the program's script says of categories. */
  readonly definitions: ReadonlyMap<string, unknown>;
  readonly keepingOf: (category: string) => Promise<Keeping | undefined>;
  /** They are made, and gone from the store. */
  readonly onMade: (keys: readonly string[]) => void;
  readonly onLocal: (category: string) => void;
}): Make {
  const { sync, clock, boxes, definitions } = ports;

  async function keepingOf(category: string, onMade: Keeping['dropDrafts']): Promise<Keeping | undefined> {
    const own = await ports.keepingOf(category);
    if (own === undefined) return undefined;
    return {
      ...own,
      // Data from before syncing is where the pages are.
      wasAdopted: async () => true,
      writeLocal: async (document) => {
        await own.writeLocal(document);
        ports.onLocal(category);
      },
      dropDrafts: async (keys) => {
        await own.dropDrafts(keys);
        await onMade(keys);
      },
    };
  }

  return async (category, keys) => {
    const definition = definitions.get(category);
    if (definition === undefined || (await sync.getPubkey()) === null) return;
    const left = new Set(keys);
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const onMade = async (made: readonly string[]): Promise<void> => {
      ports.onMade(made);
      for (const key of made) left.delete(key);
      if (left.size === 0) finish();
    };
    // A handle that is open reads the drafts that there are.
    const host = {
      ...{ sync, clock, ...boxes, keeping: (name: string) => keepingOf(name, onMade) },
      ...{ emitter: { emit: () => undefined }, savers: new Set(), closers: new Set(), states: new Map() },
      define: () => undefined,
    } as unknown as StateHost;
    const handle = openState(definition, host);
    void handle.ready;
    const cancel = clock.after(MAKE_MS, finish);
    await finished;
    cancel();
    await handle.close();
  };
}
