/** Tells the app what was merged, and of an own write what may have been given up. */

import { categoryOf, type Address } from '../../protocol/address.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { deviceIdOf } from '../../protocol/header.ts';
import type { Emitter } from '../events.ts';
import type { Reading } from '../reading.ts';
import type { Merged } from './composing.ts';

export interface MergeNews {
  /** This value, which is saved, contains what was merged. Resolves once that is told. */
  merged(dTag: Address, merged: Merged, saved: VerifiedEvent): Promise<void>;
}

export function createMergeNews(ports: {
  readonly emitter: Emitter;
  readonly decode: Reading['decode'];
  readonly deviceId: () => string;
}): MergeNews {
  const { emitter, decode } = ports;
  return {
    merged: async (dTag, { joined, settles }, saved) => {
      if (joined === undefined) return;
      const { base, clashes, head, parts } = joined;
      if ((settles !== undefined || parts.length === 0) && clashes.length === 0) return;
      const read = async (event: VerifiedEvent): ReturnType<Reading['decode']> =>
        decode(event, dTag, 'local');
      try {
        const category = categoryOf(dTag);
        const value = await read(saved);
        const all = await Promise.all([head, ...parts].map(read));
        // A base that cannot be read any more was none for the merge either.
        const common = joined.baseEvent && (await read(joined.baseEvent).catch(() => undefined));
        const isOurs = (event: VerifiedEvent): boolean => deviceIdOf(event) === ports.deviceId();
        const own = parts.findIndex(isOurs);
        // The writer of the newer value has lost nothing.
        if (clashes.length > 0 && own >= 0)
          emitter.emit('conflict', {
            ...{ category, clashes, ...(common && { base: common }) },
            ...{ mine: all[own + 1]!, theirs: all[0]!, shown: 'theirs' },
          });
        emitter.emit('merged', { category, value, parts: all, base, clashes });
      } catch {
        // The signer was cleared meanwhile, or the store fails: what was merged is in the history.
      }
    },
  };
}
