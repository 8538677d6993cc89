/**
 * `nostr-sync/inspector`: `<nostr-sync-inspector>`, an element that shows what an engine does: values and how far each has come, relays,
 * conflicts, events. For developers, and for a page "Sync" that helps users. Importing it defines the element; on a server it does nothing.
 */

import { defineInspector, type NostrSyncInspector } from './inspector/element.ts';

export type { NostrSyncInspector } from './inspector/element.ts';
export type { Inspected } from './inspector/watching.ts';

declare global {
  interface HTMLElementTagNameMap {
    'nostr-sync-inspector': NostrSyncInspector;
  }
}

defineInspector();
