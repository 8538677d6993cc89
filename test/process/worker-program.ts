/** A thread that writes ten values to a store that other threads want as well; tells how often it was refused. */

import { setTimeout } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { createNostrSync, fileStore, isNostrSyncError, secretKeySigner } from '../../src/node.ts';

const { folder, key, category } = workerData as { folder: string; key: string; category: string };
const counts = { saved: 0, refused: 0, others: 0 };
// Each attempt is an engine of its own, as each tab or job would have.
for (let attempt = 0; counts.saved < 10 && attempt < 5_000; attempt++) {
  const sync = createNostrSync({ store: fileStore(folder), signer: secretKeySigner(key) });
  try {
    await sync.publish(category, counts.saved + 1, { waitFor: 'saved' });
    counts.saved++;
  } catch (error) {
    if (isNostrSyncError(error, 'STORE_FAILED')) counts.refused++;
    else counts.others++;
  } finally {
    await sync.close();
  }
  await setTimeout(1);
}
parentPort!.postMessage(counts);
