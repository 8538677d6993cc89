/** Processes that are spoken to by lines: on their stdin what they are told, on their stdout what they answer. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';

export interface LineProcess {
  readonly pid: number;
  /** The next line that it prints; `undefined` when it has ended. */
  line(): Promise<string | undefined>;
  say(line: string): void;
  /** To the process, and to all that it has started. */
  signal(signal: NodeJS.Signals): void;
  /** `kill -9`; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
}

const children = new Set<ChildProcess>();

function signalGroup(child: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-child.pid!, signal);
  } catch {
    return false;
  }
}

export function startLineProcess(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): LineProcess {
  const [command, ...args] = words;
  const child = spawn(command!, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
    // A group of its own: what it runs under goes with it.
    detached: true,
  });
  children.add(child);
  const ended = once(child, 'exit').then(async () => {
    children.delete(child);
    // What it ran may die a moment after it.
    while (signalGroup(child, 0)) await setTimeout(5);
  });
  // A line to a process that was just killed is lost, as it should be.
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid!,
    line: async () => {
      const { value, done } = await lines.next();
      return done === true ? undefined : value;
    },
    say: (line) => void child.stdin.write(`${line}\n`),
    signal: (signal) => void signalGroup(child, signal),
    kill: async () => {
      signalGroup(child, 'SIGKILL');
      await ended;
    },
    ended,
  };
}

/** `kill -9` to all that this test file has started. */
export function killLineProcesses(): void {
  for (const child of children) signalGroup(child, 'SIGKILL');
}
