/** Relays of others as processes of their own, stopped after the test. What one has stored stays in its folder. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach } from 'vitest';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** The command that serves what is in a folder at a port of 127.0.0.1, or at any if it is 0. It prints the port, or an address that ends in it, once it listens. */
export type RelayCommand = (folder: string, port: number) => readonly [file: string, ...args: string[]];

export interface RelayProcess {
  readonly url: string;
  /** `kill -9`. */
  kill(): Promise<void>;
  /** The same folder and port again. */
  restart(): Promise<void>;
  /** The same port with nothing stored. */
  wipe(): Promise<void>;
}

async function start(
  command: RelayCommand,
  folder: string,
  port: number,
): Promise<{ child: ChildProcess; port: number }> {
  const [file, ...args] = command(folder, port);
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
  const line = await Promise.race([
    createInterface({ input: child.stdout })[Symbol.asyncIterator]().next(),
    failed,
  ]);
  if (line.done === true)
    throw new Error('The relay ended before it listened: run `npm run test:interop`, which installs it.');
  return { child, port: Number(line.value.split(':').at(-1)) };
}

export async function startRelayProcess(command: RelayCommand): Promise<RelayProcess> {
  const root = await mkdtemp(join(tmpdir(), 'nostr-sync-relay-'));
  const folder = join(root, 'data');
  await mkdir(folder);
  let running = await start(command, folder, 0);
  const { port } = running;

  async function kill(): Promise<void> {
    if (running.child.exitCode !== null || running.child.signalCode !== null) return;
    const gone = once(running.child, 'exit');
    running.child.kill('SIGKILL');
    await gone;
  }

  async function restart(): Promise<void> {
    await kill();
    running = await start(command, folder, port);
  }

  cleanups.push(async () => {
    await kill();
    await rm(root, { recursive: true });
  });
  return {
    url: `ws://127.0.0.1:${port}`,
    kill,
    restart,
    wipe: async () => {
      await kill();
      await rm(folder, { recursive: true });
      await mkdir(folder);
      await restart();
    },
  };
}
