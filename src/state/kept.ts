/** What a handle has once edits of it are saved. Pure. */

import { joined, split, type Now } from './board.ts';
import { withClashes } from './facts.ts';
import { saved, shownIn } from './layers.ts';
import type { Model } from './model.ts';
import type { Written } from './writing.ts';

/** What a save has made of edits that waited. `isLocal`: it has written what this device alone has. */
export type Made = Written & { readonly isLocal: boolean };

/** What was saved is what is stored, unless something newer is by now. */
export function kept<T>(
  now: Now,
  { document, receipt, clashes, isLocal }: Made,
  model: Model<T>,
): Pick<Now, 'layers' | 'synced' | 'local' | 'facts'> {
  const { source, known } = now.facts;
  const isOlder = receipt !== undefined && source !== undefined && source.updatedAt > receipt.updatedAt;
  const synced = isOlder ? now.synced : document;
  // Another tab may have written its own meanwhile.
  const local = isLocal
    ? split(shownIn({ ...now.layers, draft: undefined }), now.synced, model).local
    : now.local;
  const after = saved(now.layers, joined({ synced, local }, model), model.merge);
  return {
    ...{ layers: after.layers, synced, local },
    facts: {
      ...now.facts,
      error: undefined,
      known: receipt === undefined && !isLocal ? known : 'value',
      clashes: withClashes(now.facts.clashes, [...clashes, ...after.clashes]),
      ...(receipt !== undefined &&
        !isOlder && {
          source: {
            ...{ eventId: receipt.eventId, updatedAt: receipt.updatedAt, deviceId: undefined },
            ...{ isPending: receipt.stage === 'saved', isRemoval: false },
          },
        }),
    },
  };
}
