/** A device that runs the published reference plugin, in a process of its own: what `src/main.rs` answers, with types. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { PROGRAM } from './build.mjs';

export interface ReferenceResult {
  readonly category: string;
  readonly payload: unknown;
  readonly updatedAt: string;
  readonly deviceId: string;
}

export interface ReferencePeer {
  /** Each rejects with the text of the plugin's error. */
  publish(category: string, payload: unknown, expiration?: number): Promise<void>;
  fetch(category: string): Promise<ReferenceResult | null>;
  syncAll(categories: readonly string[]): Promise<ReferenceResult[]>;
  poll(categories: readonly string[]): Promise<ReferenceResult[]>;
  status(): Promise<unknown>;
  pubkey(): Promise<string | null>;
  /** Ends the process. */
  close(): Promise<void>;
}

export interface PeerOptions {
  readonly key: string;
  readonly namespace: string;
  readonly deviceId: string;
  /** Bytes of a payload. */
  readonly limit?: number;
}

export function startPeer(relay: string, options: PeerOptions): ReferencePeer {
  const { key, namespace, deviceId, limit = 65_536 } = options;
  const child = spawn(PROGRAM, [relay, key, namespace, deviceId, String(limit)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = [];
  const ended = new Promise<void>((resolve) => {
    const end = (error: Error): void => {
      for (const call of waiting.splice(0)) call.reject(error);
      resolve();
    };
    child.once('error', end);
    child.once('close', (code) => end(new Error(`The reference peer ended with ${code}`)));
  });
  child.stdin.on('error', () => {});
  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = JSON.parse(line) as { readonly ok: unknown } | { readonly error: string };
    const call = waiting.shift();
    if ('error' in answer) call?.reject(new Error(answer.error));
    else call?.resolve(answer.ok);
  });

  function ask<T>(...request: readonly unknown[]): Promise<T> {
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  }

  return {
    publish: (category, payload, expiration) => ask('publish', category, payload, expiration ?? null),
    fetch: (category) => ask('fetch', category),
    syncAll: (categories) => ask('syncAll', ...categories),
    poll: (categories) => ask('poll', ...categories),
    status: () => ask('status'),
    pubkey: () => ask('pubkey'),
    close: async () => {
      child.stdin.end();
      const kill = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await ended;
      clearTimeout(kill);
    },
  };
}
