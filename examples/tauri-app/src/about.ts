/** A window without the plugin's permissions: whatever it asks is refused. */

import { getStatus, isNostrSyncError } from 'nostr-sync/tauri';
import { byId } from './dom.ts';

getStatus().then(
  () => {
    byId('refusal').textContent = 'nothing was refused';
  },
  (error: unknown) => {
    byId('refusal').textContent = isNostrSyncError(error) ? error.code : String(error);
  },
);
