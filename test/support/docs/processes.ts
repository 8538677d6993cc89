/** Runs programs for the documentation's tests: bounded in time, in an empty folder, with placeholders filled in. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bech32 } from '@scure/base';

export const ROOT: string = fileURLToPath(new URL('../../../', import.meta.url));

export interface Surroundings {
  /** The embedded relay's URL for a relay that the documentation names. */
  readonly relayFor: (documented: string) => Promise<string>;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export interface Outcome {
  /** The exit code, or the signal that ended it. */
  readonly exit: number | NodeJS.Signals;
  /** Standard output and error, as they came. */
  readonly output: string;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs?: number | undefined;
  /** Sends SIGINT as soon as the program has written something. */
  readonly interruptAfterOutput?: boolean;
}

/** Runs to the end. Past `timeoutMs` (default 15 s) the program and what it started are killed: exit `SIGKILL`. */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    // To the whole group: a shell does not pass signals on.
    const signalAll = (signal: NodeJS.Signals): void => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
    };
    const timer = setTimeout(() => signalAll('SIGKILL'), options.timeoutMs ?? 15_000);
    let output = '';
    const collect = (chunk: Buffer): void => {
      if (output === '' && options.interruptAfterOutput === true) signalAll('SIGINT');
      output += chunk.toString('utf8');
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ exit: code ?? signal ?? 'SIGKILL', output });
    });
  });
}

export async function inEmptyFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'nostr-sync-docs-')));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const RELAY_URL = /wss?:\/\/[^\s'"`,;)\]}>\\]+/g;
const DOCUMENTED_RELAY =
  /^(?:wss:\/\/(?:[\w-]+\.)*example\.(?:com|net|org)(?![\w.-])|wss:\/\/…|ws:\/\/localhost:7447$)/;

/** Puts embedded relays and a fresh key where the documentation has placeholders. */
export async function fillIn(text: string, relayFor: Surroundings['relayFor']): Promise<string> {
  const nsec = bech32.encode('nsec', bech32.toWords(randomBytes(32)), 90);
  const replacements = new Map<string, string>();
  for (const [url] of text.matchAll(RELAY_URL)) {
    if (!DOCUMENTED_RELAY.test(url)) {
      throw new Error(
        `Cannot run documentation against ${url}: use wss://relay.example.com or ws://localhost:7447`,
      );
    }
    replacements.set(url, await relayFor(url));
  }
  return text
    .replaceAll(RELAY_URL, (url) => replacements.get(url) ?? url)
    .replaceAll(/nsec1(?:\.\.\.|…)/g, nsec);
}
