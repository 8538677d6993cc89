/** The newest former value that can be shown, if what is stored now cannot. */

import type { NostrSync } from '../nostr-sync.ts';
import { FIRST_SCHEMA } from '../protocol/schema.ts';
import type { Document } from './document.ts';
import type { Model } from './model.ts';

/** `undefined`: this device keeps none. Never rejects. */
export async function lastGoodOf<T>(
  model: Model<T>,
  sync: Pick<NostrSync, 'history' | 'readVersion'>,
): Promise<{ readonly document: Document } | undefined> {
  const versions = await sync.history(model.name).catch(() => []);
  for (const { eventId, isCurrent, why } of versions) {
    if (isCurrent || why === 'removed') continue;
    try {
      const { payload, schema = FIRST_SCHEMA } = await sync.readVersion(model.name, eventId);
      if (schema.writableBy > model.schema.version) continue;
      const document = model.upgrade(payload as Document, schema.version);
      if (model.view(document).issues.length === 0) return { document };
    } catch {
      // One that is gone, or cannot be read: there may be another.
    }
  }
  return undefined;
}
