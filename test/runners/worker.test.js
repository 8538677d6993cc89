import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

test('an engine works in a worker thread, and the thread ends by itself', async () => {
  const worker = new Worker(fileURLToPath(new URL('worker.js', import.meta.url)));
  const said = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  expect(await said).toEqual({ theme: 'dark' });
  expect(await ended).toBe(0);
});
