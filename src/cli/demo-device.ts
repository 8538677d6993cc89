/** One device of the demo: an engine of its own in a process of its own, which does what the demo says and tells what it sees. */

import {
  createNostrSync,
  fileStore,
  secretKeySigner,
  type DeliveryReport,
  type FetchResult,
} from '../node.ts';

export type DeviceCall =
  | { readonly call: 'publish'; readonly category: string; readonly payload: unknown }
  | { readonly call: 'fetch'; readonly category: string }
  | { readonly call: 'status' };

export type DeviceMessage =
  | { readonly type: 'connection'; readonly connected: boolean }
  | ({ readonly type: 'delivery' } & DeliveryReport)
  | ({ readonly type: 'pushed' } & FetchResult)
  | { readonly type: 'answer'; readonly result: unknown }
  | { readonly type: 'error'; readonly code: string; readonly message: string };

const [relay = '', folder = '', ...categories] = process.argv.slice(2);

// While it closes, the demo listens no more.
function tell(message: DeviceMessage): void {
  if (process.connected) process.send!(message);
}

const sync = createNostrSync({
  namespace: 'demo',
  relays: [relay],
  store: fileStore(folder),
  signer: secretKeySigner(process.env['NOSTR_SYNC_KEY'] ?? ''),
});
let isConnected = false;
sync.on('relay-status', ({ connected }) => {
  if (connected !== isConnected) tell({ type: 'connection', connected });
  isConnected = connected;
});
sync.on('delivery', (report) => tell({ type: 'delivery', ...report }));
sync.on('error', ({ code, message }) => tell({ type: 'error', code, message }));
sync.subscribe(categories, (result) => tell({ type: 'pushed', ...result }));

async function answer(request: DeviceCall): Promise<unknown> {
  switch (request.call) {
    case 'publish':
      return sync.publish(request.category, request.payload);
    case 'fetch':
      return sync.fetch(request.category);
    case 'status':
      return sync.getStatus();
  }
}

process.on('message', (request: DeviceCall) => {
  answer(request).then(
    (result) => tell({ type: 'answer', result }),
    (error: unknown) => tell({ type: 'error', code: 'FAILED', message: String(error) }),
  );
});
// When the demo is gone, so is its device.
process.on('disconnect', () => void sync.close().finally(() => process.exit()));
