/** Devices and relays as processes that can be killed. They run the source under test, bundled once. */

import { mkdtempSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { killLineProcesses, startLineProcess, type LineProcess } from '../support/line-process.ts';
import { FILLER } from '../support/random.ts';
import { bundleSource } from '../support/source-bundle.ts';
import { tracesOf } from '../support/traces.ts';
import type { FetchResult, Receipt, RelayInfo, Stage } from '../../src/node.ts';

export type Command =
  | {
      readonly do: 'loop';
      readonly category: string;
      readonly from: number;
      /** Length of the text that goes with each value: `filler` of it. Default: some thousands, different each time. */
      readonly filler?: number;
    }
  | {
      readonly do: 'publish';
      readonly category: string;
      readonly value: number;
      readonly waitFor: Stage;
      /** Length of what goes with the value. Default 0. */
      readonly filler?: number;
    }
  | {
      /** An edit of some fields of the value, saved when it is answered. */
      readonly do: 'update';
      readonly category: string;
      readonly fields: Readonly<Record<string, string | number>>;
    }
  | { readonly do: 'fetch'; readonly category: string }
  | { readonly do: 'status' }
  | { readonly do: 'flush' };

export type Answer =
  | { readonly type: 'started' }
  | { readonly type: 'receipt'; readonly value: number; readonly receipt: Receipt }
  | { readonly type: 'updated'; readonly receipt: Receipt }
  | { readonly type: 'fetched'; readonly result: FetchResult | null }
  | {
      readonly type: 'status';
      readonly relays: readonly RelayInfo[];
      readonly errors: readonly string[];
      /** Categories of the conflicts that the app was told of. */
      readonly conflicts: readonly string[];
    }
  | { readonly type: 'flushed' }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };

/** The category that devices merge, by its fields. */
export const MERGED = 'ui-settings';

export const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';

/** Of this test file; removed after it. */
export const root: string = mkdtempSync(join(tmpdir(), 'nostr-sync-process-'));

beforeAll(() =>
  bundleSource(
    root,
    ['device-program', 'relay-program', 'worker-program'].map(
      (name) => new URL(`${name}.ts`, import.meta.url),
    ),
  ),
);
afterEach(killLineProcesses);
afterAll(async () => {
  // What devices have left on the disk: nothing there is the key, or what they published (`filler`).
  const secrets = tracesOf({ keys: [KEY], texts: [FILLER] });
  try {
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      // Programs, and what strace says of system calls, is not written by devices.
      if (!entry.isFile() || /\.(mjs|pem|strace)$/.test(entry.name)) continue;
      const bytes = await readFile(join(entry.parentPath, entry.name), 'latin1');
      expect(secrets.exec(bytes)?.[0], entry.name).toBeUndefined();
    }
  } finally {
    await rm(root, { recursive: true });
  }
});

/** How a process is started. */
export interface Surroundings {
  /** A command that runs it, with its arguments: `strace …`, `faketime …`. */
  readonly under?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

function run(
  name: string,
  args: readonly string[],
  { under = [], env = {} }: Surroundings = {},
): LineProcess {
  return startLineProcess([...under, process.execPath, join(root, `${name}.mjs`), ...args], env);
}

export interface DeviceProcess {
  readonly pid: number;
  tell(command: Command): void;
  /** The next answer; `undefined` when the process has ended. */
  answer(): Promise<Answer | undefined>;
  /** The answer to one command. */
  ask(command: Command): Promise<Answer | undefined>;
  kill(): Promise<void>;
  /** Resolves when the process is gone. */
  readonly ended: Promise<unknown>;
}

/** The first answer is `started`. */
export function startDevice(folder: string, url: string, surroundings?: Surroundings): DeviceProcess {
  const program = run('device-program', [folder, url, KEY], surroundings);
  async function answer(): Promise<Answer | undefined> {
    const line = await program.line();
    if (line === undefined) return undefined;
    try {
      return JSON.parse(line) as Answer;
    } catch {
      // The kill cut it: nobody was told.
      return undefined;
    }
  }
  const tell = (command: Command): void => program.say(JSON.stringify(command));
  return {
    pid: program.pid,
    tell,
    answer,
    ask: async (command) => {
      tell(command);
      return answer();
    },
    kill: program.kill,
    ended: program.ended,
  };
}

export interface RelayProcess {
  readonly url: string;
  readonly port: number;
  kill(): Promise<void>;
  readonly ended: Promise<unknown>;
}

export async function startRelayProcess(
  port = 0,
  death: 'never' | 'before-ok' | 'after-ok' = 'never',
): Promise<RelayProcess> {
  const program = run('relay-program', [String(port), death]);
  const listening = Number(await program.line());
  return { url: `ws://127.0.0.1:${listening}`, port: listening, kill: program.kill, ended: program.ended };
}
