/** Whether a relay carries an invitation to pair, found out as one does: by an echo, with keys that are thrown away. */

import { generateKey } from '../node.ts';
import { isNostrSyncError } from '../errors.ts';
import { createInvitation } from '../pair/node.ts';

export interface Pairing {
  readonly carries: boolean;
  /** Why not, in the relay's words. */
  readonly reason: string | null;
}

/** `allowInsecureRelays`: the URL was checked before. */
export async function tryPairing(url: string): Promise<Pairing> {
  const key = generateKey();
  const namespace = 'nostr-sync-doctor';
  try {
    const given = { namespace, name: 'doctor', key, relays: [url], allowInsecureRelays: true };
    (await createInvitation(given)).cancel();
    return { carries: true, reason: null };
  } catch (error) {
    if (!isNostrSyncError(error, 'PAIRING_NO_RELAY')) throw error;
    return { carries: false, reason: Object.values(error.details.reasons)[0] ?? null };
  } finally {
    key.fill(0);
  }
}
