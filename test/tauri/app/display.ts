/** Xvfb for all windows of the lane, and the check that everything it needs is there. */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { BINARY } from './build.mjs';

export default async function setup(): Promise<() => Promise<void>> {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is not built: npm run test:tauri builds it`);
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1400x1000x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const display = await new Promise<string>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`Xvfb ended with ${code}`)));
    server.stdio[3]!.once('data', (data) => resolve(`:${String(data).trim()}`));
  });
  process.env.DISPLAY = display;
  return async () => {
    server.removeAllListeners('exit');
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill();
    await ended;
  };
}
