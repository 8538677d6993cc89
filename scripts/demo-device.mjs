/** One device of the demo: an engine of its own in a process of its own, which does what the demo says and tells what it sees. */

import { createNostrSync, fileStore, secretKeySigner } from 'nostr-sync';

const [relay, folder, ...categories] = process.argv.slice(2);
// While it closes there is nobody to tell any more.
const tell = (message) => process.connected && process.send(message);

const sync = createNostrSync({
  namespace: 'demo',
  relays: [relay],
  store: fileStore(folder),
  signer: secretKeySigner(process.env.NOSTR_SYNC_KEY),
});
let isConnected = false;
sync.on('relay-status', ({ connected }) => {
  if (connected !== isConnected) tell({ type: 'connection', connected });
  isConnected = connected;
});
sync.on('delivery', (report) => tell({ type: 'delivery', ...report }));
sync.on('error', ({ code, message }) => tell({ type: 'error', code, message }));
sync.subscribe(categories, (result) => tell({ type: 'pushed', ...result }));

const CALLS = {
  publish: ({ category, payload, options }) => sync.publish(category, payload, options),
  fetch: ({ category }) => sync.fetch(category),
  status: () => sync.getStatus(),
};

process.on('message', ({ call, ...request }) => {
  CALLS[call](request).then(
    (result) => tell({ type: 'answer', result }),
    ({ code, message }) => tell({ type: 'error', code, message }),
  );
});
// When the demo is gone, so is its device.
process.on('disconnect', () => void sync.close().finally(() => process.exit()));
