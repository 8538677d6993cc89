/** Runs histories of the script that `sim-bundle.mjs` has made, on a thread of its own. */

import { parentPort, workerData } from 'node:worker_threads';

const { traces } = await import(workerData);
parentPort.on('message', ({ from, count }) => {
  // A failure ends the thread, and is told there.
  void traces(from, count).then((found) => parentPort.postMessage(found));
});
