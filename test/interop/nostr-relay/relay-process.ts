/** Starts @nostr-relay/core as a process of its own, and stops it; what it has stored stays in its file. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach } from 'vitest';

const PROGRAM = new URL('relay.mjs', import.meta.url).pathname;
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

export interface RelayProcess {
  readonly url: string;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** The same file and port again. */
  restart(): Promise<void>;
}

async function start(
  file: string,
  port: number,
  hostname?: string,
): Promise<{ child: ChildProcess; port: number }> {
  const args = [PROGRAM, file, String(port), ...(hostname === undefined ? [] : [hostname])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (line.done === true)
    throw new Error('The relay ended before it listened: run `npm run test:interop`, which installs it.');
  return { child, port: Number(line.value) };
}

/** Stopped, and its file removed, after the test. `hostname`: it asks for AUTH under this name. */
export async function startNostrRelay({ hostname }: { hostname?: string } = {}): Promise<RelayProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-relay-'));
  const file = join(folder, 'events.sqlite');
  let running = await start(file, 0, hostname);
  const { port } = running;

  async function kill(): Promise<void> {
    if (running.child.exitCode !== null || running.child.signalCode !== null) return;
    const gone = once(running.child, 'exit');
    running.child.kill('SIGKILL');
    await gone;
  }

  cleanups.push(async () => {
    await kill();
    await rm(folder, { recursive: true });
  });
  return {
    url: `ws://127.0.0.1:${port}`,
    kill,
    restart: async () => {
      await kill();
      running = await start(file, port, hostname);
    },
  };
}
