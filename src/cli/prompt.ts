/** Questions to a person at a terminal, or to what is piped in: a line each. Nothing of it is kept in a history. */

import { createInterface } from 'node:readline';
import { CommandError, EXIT } from './failure.ts';

/** More than any answer: an invitation has 2,048 characters. */
const MAX_ANSWER_CHARS = 3_072;

export interface Prompt {
  /** The next line. Rejects with `NO_INPUT` at the end of the input, and with the reason of `signal`. */
  ask(question: string, signal?: AbortSignal): Promise<string>;
  close(): void;
}

export function openPrompt(): Prompt {
  const input = createInterface({ input: process.stdin, historySize: 0, terminal: false });
  const lines: string[] = [];
  let isEnded = false;
  let changed = (): void => undefined;
  input.on('line', (line) => {
    lines.push(line);
    changed();
  });
  input.once('close', () => {
    isEnded = true;
    changed();
  });

  return {
    ask: (question, signal) => {
      // What is piped in needs no question, and a program reads standard error as JSON.
      if (process.stdin.isTTY) process.stderr.write(question);
      return new Promise((resolve, reject) => {
        const finish = (settle: () => void): void => {
          changed = () => undefined;
          signal?.removeEventListener('abort', abort);
          settle();
        };
        const abort = (): void => finish(() => reject(signal?.reason as Error));
        changed = () => {
          const line = lines.shift();
          if (line !== undefined && line.length <= MAX_ANSWER_CHARS) finish(() => resolve(line.trim()));
          else if (line !== undefined || isEnded) finish(() => reject(noAnswer(line)));
        };
        signal?.addEventListener('abort', abort);
        if (signal?.aborted === true) abort();
        else changed();
      });
    },
    close: () => {
      input.close();
      // What is not read any more must not keep the process alive.
      process.stdin.unref();
    },
  };
}

function noAnswer(line: string | undefined): CommandError {
  const what = line === undefined ? 'nothing was typed or piped in' : `it has ${line.length} characters`;
  return new CommandError('NO_INPUT', EXIT.usage, `Cannot read the answer: ${what}`);
}
