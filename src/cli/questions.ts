/** Questions to a person at a terminal, or to what is piped in: a line each. Nothing of it is kept in a history. */

import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { CommandError, EXIT } from './failure.ts';

/** More than an invitation, a passphrase, or 24 words with their numbers. */
const MAX_ANSWER_CHARS = 8_192;

export interface Questions {
  /** Whether a person answers. */
  readonly isTerminal: boolean;
  /**
   * The next line that a person types, or that was piped in. A hidden one is not shown while it is typed. Rejects with `CANCELLED` at
   * Ctrl-C, with `NO_INPUT` at the end of what was piped in, with `INPUT_TOO_LARGE`, and with the reason of `signal`.
   */
  ask(question: string, how: 'hidden' | 'shown', signal?: AbortSignal): Promise<string>;
  /** The lines that are left of what was piped in. */
  rest(): Promise<readonly string[]>;
}

/** Lets `work` ask, and leaves the terminal as it was. */
export async function withQuestions<T>(work: (questions: Questions) => Promise<T>): Promise<T> {
  const isTerminal = process.stdin.isTTY;
  let isHidden = false;
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (!isHidden) process.stderr.write(chunk);
      done();
    },
  });
  const input = createInterface({ input: process.stdin, output, terminal: isTerminal, historySize: 0 });
  // While a terminal is read, Ctrl-C is a key like any other: every caller that waits for the signal is told.
  input.once('SIGINT', () => {
    input.close();
    process.emit('SIGINT');
  });
  const lines = createLines(input);
  try {
    return await work({
      isTerminal,
      ask: async (question, how, signal) => {
        // What is piped in needs no question, and a program reads standard error as JSON.
        if (isTerminal) process.stderr.write(question);
        isHidden = isTerminal && how === 'hidden';
        const line = await lines.next(signal).finally(() => {
          if (isHidden) process.stderr.write('\n');
          isHidden = false;
        });
        if (line === undefined) throw noAnswer(isTerminal);
        if (line.length > MAX_ANSWER_CHARS) throw tooLarge();
        return line;
      },
      rest: async () => (isTerminal ? [] : lines.rest()),
    });
  } finally {
    input.close();
    // What is not read any more must not keep the process alive.
    process.stdin.destroy();
  }
}

interface Lines {
  /** `undefined` at the end. Rejects with the reason of the signal. */
  next(signal: AbortSignal | undefined): Promise<string | undefined>;
  rest(): Promise<readonly string[]>;
}

/** What was typed ahead is not lost. */
function createLines(input: Interface): Lines {
  const waiting: string[] = [];
  let isEnded = false;
  let changed = (): void => undefined;
  input.on('line', (line) => {
    waiting.push(line);
    changed();
  });
  input.once('close', () => {
    isEnded = true;
    changed();
  });

  const next: Lines['next'] = (signal) =>
    new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        changed = () => undefined;
        signal?.removeEventListener('abort', abort);
        settle();
      };
      const abort = (): void => finish(() => reject(signal?.reason as Error));
      changed = () => {
        if (waiting.length > 0 || isEnded) finish(() => resolve(waiting.shift()));
      };
      signal?.addEventListener('abort', abort);
      if (signal?.aborted === true) abort();
      else changed();
    });

  return {
    next,
    rest: async () => {
      const lines: string[] = [];
      for (let size = 0; size <= MAX_ANSWER_CHARS; size += lines.at(-1)!.length + 1) {
        const line = await next(undefined);
        if (line === undefined) return lines;
        lines.push(line);
      }
      throw tooLarge();
    },
  };
}

function noAnswer(isTerminal: boolean): CommandError {
  return isTerminal
    ? new CommandError('CANCELLED', EXIT.failed, 'Cancelled')
    : new CommandError('NO_INPUT', EXIT.usage, 'Cannot read the answer: nothing was typed or piped in');
}

function tooLarge(): CommandError {
  const message = `Cannot read the answer: expected at most ${MAX_ANSWER_CHARS} characters`;
  return new CommandError('INPUT_TOO_LARGE', EXIT.usage, message);
}
