/** Of an engine, what tells its status. */

import type { SyncStatus } from '../sync/status.ts';

export type { SyncStatus } from '../sync/status.ts';

export interface StatusSource {
  /** Tells the status at once, and each change of it. Returns the function that ends it. */
  on(type: 'status', listener: (status: SyncStatus) => void): () => void;
}
