/** Runs the built command as a user does: a process of its own, a home of its own, and nothing of ours in its environment. */

import { type ChildProcess, spawn } from 'node:child_process';
import { on } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import { startRelay, type RunningRelay, type StartRelayOptions } from '../../src/testing/relay-server.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
export const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const LIMIT_MS = 30_000;

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

export interface Outcome {
  readonly exit: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Standard output and error are a terminal, whose text comes on stdout. */
  readonly isTerminal?: boolean;
  /** At a terminal: what a person types once each text is seen. */
  readonly answers?: readonly (readonly [question: string, answer: string])[];
}

export interface Running {
  /** The next line on stdout; rejects where there is none in time. */
  line(): Promise<string>;
  /** Resolves once stderr holds this text; the command is killed where that takes too long. */
  heard(text: string): Promise<void>;
  interrupt(): Promise<Outcome>;
  readonly ended: Promise<Outcome>;
}

/** A computer: its folder is HOME, where the command's default store lies. */
export interface Computer {
  readonly folder: string;
  run(args: readonly string[], surroundings?: Surroundings): Promise<Outcome>;
  start(args: readonly string[], surroundings?: Surroundings): Running;
  /** A line as a user types it: `nostr-sync` is the built command. */
  shell(line: string, surroundings?: Surroundings): Running;
  /** The same at a terminal. */
  terminal(line: string): Running;
}

export async function relay(options: StartRelayOptions = {}): Promise<RunningRelay> {
  const running = await startRelay(options);
  cleanups.push(() => running.close());
  return running;
}

/** The URL of a loopback port where nobody listens. */
export async function deadRelay(): Promise<string> {
  const { url, close } = await startRelay();
  await close();
  return url;
}

export async function computer(defaults: Readonly<Record<string, string>> = {}): Promise<Computer> {
  const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-cli-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));

  function start(args: readonly string[], surroundings: Surroundings = {}): Running {
    const { env = {}, input = '', answers, isTerminal = answers !== undefined } = surroundings;
    const words = [process.execPath, MAIN, ...args];
    return spawned(
      isTerminal ? ['script', '-qefc', words.join(' '), '/dev/null'] : words,
      env,
      answers ?? input,
    );
  }

  function spawned(
    words: readonly string[],
    env: Surroundings['env'],
    input: string | NonNullable<Surroundings['answers']> = '',
  ): Running {
    const [command, ...args] = words;
    const child = spawn(command!, args, {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, ...defaults, ...env },
      // A shell does not pass signals on: they go to the whole group.
      detached: true,
    });
    return follow(child, input);
  }

  function shell(line: string, { env }: Surroundings = {}): Running {
    const ours = `nostr-sync() { "${process.execPath}" "${MAIN}" "$@"; }`;
    return spawned(['bash', '-c', `${ours}; ${line}`], env);
  }

  function terminal(line: string): Running {
    const ours = line.replaceAll('nostr-sync ', `"${process.execPath}" "${MAIN}" `);
    return spawned(['script', '-qefc', ours, '/dev/null'], {});
  }

  return {
    folder,
    start,
    shell,
    terminal,
    run: async (args, surroundings) => start(args, surroundings).ended,
  };
}

/** Types each answer once its question is seen, after what was seen of the one before. */
function answer(child: ChildProcess, answers: NonNullable<Surroundings['answers']>): void {
  const open = [...answers];
  let seen = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
    const [question, text] = open[0] ?? [];
    if (question === undefined || !seen.includes(question)) return;
    open.shift();
    seen = '';
    // A person is no faster than the command, which has just asked and now begins to listen.
    setTimeout(() => child.stdin!.write(text), 100);
  });
}

function follow(child: ChildProcess, input: string | NonNullable<Surroundings['answers']>): Running {
  let [stdout, stderr] = ['', ''];
  child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const signalAll = (signal: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, signal);
  };
  const timer = setTimeout(() => signalAll('SIGKILL'), LIMIT_MS);
  const ended = new Promise<Outcome>((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ exit: code ?? signal ?? 'SIGKILL', stdout, stderr });
    });
  });
  // A command that reads no input may be gone before it is written.
  child.stdin!.on('error', () => undefined);
  if (typeof input === 'string') child.stdin!.end(input);
  else answer(child, input);
  cleanups.push(async () => {
    signalAll('SIGKILL');
    await ended;
  });
  return {
    ended,
    line: async () => {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`The command ended before another line. It said: ${stderr}`);
      return value;
    },
    heard: async (text) => {
      const chunks = on(child.stderr!, 'data', { close: ['close'] });
      while (!stderr.includes(text)) {
        if ((await chunks.next()).done === true)
          throw new Error(`The command ended without "${text}". It said: ${stderr}`);
      }
    },
    interrupt: async () => {
      signalAll('SIGINT');
      return ended;
    },
  };
}
