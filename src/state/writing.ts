/** How edits of a handle become a write of the engine: over the newest value, whatever has come in since they were made. */

import { isNostrSyncError } from '../errors.ts';
import { equalJson } from '../merge/json.ts';
import type { Clash } from '../merge/rule.ts';
import type { AdapterPublishOptions } from '../options.ts';
import { decodePayload } from '../protocol/payload.ts';
import type { Receipt } from '../sync/events.ts';
import { NOTE } from '../sync/write.ts';
import type { StateHost } from '../sync/state-host.ts';
import type { Document } from './document.ts';
import { rebased, type Layer } from './layers.ts';
import type { Model } from './model.ts';

export interface Written {
  /** What is stored now. */
  readonly document: Document;
  /** `undefined`: there was nothing to write. */
  readonly receipt: Receipt | undefined;
  readonly clashes: readonly Clash[];
}

/** Thrown by a change that changes nothing. */
const UNCHANGED = new Error('nothing is changed');

/**
 * Resolves as soon as it is saved. `onWithdrawn`: it was saved, and every relay has refused it for good since. `notes`: keys of the store that
 * are emptied, and marks that are set, together with the write.
 */
export async function write<T>(
  layer: Layer,
  model: Model<T>,
  { sync }: Pick<StateHost, 'sync'>,
  notes: readonly (readonly [key: string, text: string])[],
  onWithdrawn: (error: unknown) => void,
): Promise<Written> {
  let made: { readonly value: Document; readonly clashes: readonly Clash[] } = {
    value: undefined,
    clashes: [],
  };
  const change = (now: unknown): unknown => {
    const { layer: over, clashes } = rebased(layer, now as Document, model.merge);
    made = { value: over.value, clashes };
    // Of what is removed as a whole nothing is left to be said.
    if (equalJson(over.value, now as Document) || over.value === undefined) throw UNCHANGED;
    return over.value;
  };
  return new Promise((resolve, reject) => {
    let isSaved = false;
    const done = (receipt: Receipt | undefined): void => {
      isSaved = true;
      resolve({ document: made.value, receipt, clashes: made.clashes });
    };
    const options: AdapterPublishOptions = {
      onSaved: done,
      [NOTE]: (_, written) => {
        // Other calls may have become part of the same write.
        if (written !== undefined && !written.isRemoval)
          made = { ...made, value: decodePayload(written.text) as Document };
        return notes;
      },
    };
    const writing =
      layer.value === undefined ? sync.remove(model.name, options) : sync.update(model.name, change, options);
    writing.then(done, (reason: unknown) => {
      const error = reason as Error;
      if (error === UNCHANGED) done(undefined);
      else if (!isSaved) reject(error);
      else if (isNostrSyncError(error, 'NO_RELAYS_ACCEPTED')) onWithdrawn(error);
    });
  });
}
