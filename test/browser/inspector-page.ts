/** What runs in the page: two engines over an embedded relay in memory, and the inspector of one of them. */

import { createNostrSync, memoryStore, secretKeySigner, type NostrSync } from 'nostr-sync';
import { connectTo, createRelay } from 'nostr-sync/testing';

const HTML = '<img src=x onerror="window.broken=1"><b>bold';
const relay = createRelay();
const URL_OF_RELAY = 'wss://relay.example';

function engine(deviceId: string, namespace = 'page'): NostrSync {
  return createNostrSync({
    ...{ deviceId, namespace, relays: [URL_OF_RELAY], store: memoryStore() },
    signer: secretKeySigner(new Uint8Array(32).fill(7)),
    openSocket: connectTo({ [URL_OF_RELAY]: relay }),
  });
}

const violations: string[] = [];
document.addEventListener('securitypolicyviolation', ({ violatedDirective }) =>
  violations.push(violatedDirective),
);

const sync = engine(HTML);
export interface InspectorPage {
  readonly sync: NostrSync;
  readonly engine: typeof engine;
  /** What the policy has forbidden. */
  readonly violations: readonly string[];
  readonly html: string;
}
const page: InspectorPage = { sync, engine, violations, html: HTML };
Object.assign(window, { page });

async function start(): Promise<void> {
  // Set before the element is defined, as in a page whose scripts come in any order.
  const element = document.querySelector('nostr-sync-inspector')!;
  element.sync = sync;
  await import('nostr-sync/inspector');
  await sync.publish(HTML, { secret: 'canary' });
  Object.assign(window, { isReady: true });
}
void start();
