/** Tells the app what was merged, and of an own write what may have been given up. */

import { categoryOf, type Address } from '../../protocol/address.ts';
import type { VerifiedEvent } from '../../protocol/event.ts';
import { deviceIdOf } from '../../protocol/header.ts';
import type { Emitter } from '../events.ts';
import { decodePayload } from '../../protocol/payload.ts';
import { isInPieces } from '../heads/version.ts';
import { isPassing, writtenBy, type Reading } from '../reading.ts';
import type { Merged } from './composing.ts';
import type { Joined } from './joining.ts';

export interface MergeNews {
  /** This value, which is saved, contains what was merged. Resolves once that is told, or waits for a signer. */
  merged(dTag: Address, merged: Merged, saved: VerifiedEvent): Promise<void>;
  /** What could not be read is read again. */
  signerChanged(): void;
}

export function createMergeNews(ports: {
  readonly emitter: Emitter;
  readonly decode: Reading['decode'];
  readonly deviceId: () => string;
}): MergeNews {
  const { emitter, decode } = ports;
  /** Each reads once more what it tells of, and tells it. */
  const untold = new Set<() => Promise<void>>();

  function newsOf(dTag: Address, text: string, joined: Joined, saved: VerifiedEvent): () => Promise<void> {
    const { base, clashes, head, parts } = joined;
    const read = async (event: VerifiedEvent): ReturnType<Reading['decode']> => decode(event, dTag, 'local');
    /** Replaced since, it may have lost its pieces: what it says is known. */
    const known = async (event: VerifiedEvent, payload: unknown): ReturnType<Reading['decode']> =>
      read(event).catch((error: unknown) => {
        if (isPassing(error) || !isInPieces(event)) throw error;
        return { ...writtenBy(event, dTag, 'local', undefined), payload };
      });
    const tell = async (): Promise<void> => {
      try {
        const category = categoryOf(dTag);
        const value = await known(saved, decodePayload(text));
        const all = await Promise.all([known(head, joined.headValue), ...parts.map(read)]);
        // A base that cannot be read any more was none for the merge either.
        const common = joined.baseEvent && (await read(joined.baseEvent).catch(() => undefined));
        const isOurs = (event: VerifiedEvent): boolean => deviceIdOf(event) === ports.deviceId();
        const own = parts.findIndex(isOurs);
        // It may have been read twice meanwhile, for two signers.
        if (!untold.delete(tell)) return;
        // The writer of the newer value has lost nothing.
        if (clashes.length > 0 && own >= 0)
          emitter.emit('conflict', {
            ...{ category, clashes, ...(common && { base: common }) },
            ...{ mine: all[own + 1]!, theirs: all[0], shown: 'theirs' },
          });
        emitter.emit('merged', { category, value, parts: all, base, clashes });
      } catch (error) {
        // What cannot be read at all is in the history.
        if (!isPassing(error)) untold.delete(tell);
      }
    };
    return tell;
  }

  return {
    merged: async (dTag, { text, joined, settles }, saved) => {
      if (joined === undefined) return;
      if ((settles !== undefined || joined.parts.length === 0) && joined.clashes.length === 0) return;
      const tell = newsOf(dTag, text, joined, saved);
      untold.add(tell);
      await tell();
    },
    signerChanged: () => untold.forEach((tell) => void tell()),
  };
}
