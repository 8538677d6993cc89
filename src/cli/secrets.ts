/** How secrets come into the command, and leave it: by a terminal, a pipe, or a file that only the user can read; never by an argument. */

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { readPrivateFile, reasonOf, writePrivateFile } from '../keys/private-file.ts';
import { isNostrSyncError } from '../errors.ts';
import { CommandError, EXIT } from './failure.ts';
import type { Output } from './output.ts';

/** More than 24 words with their numbers, and a passphrase. */
const MAX_INPUT_LENGTH = 8_192;

export interface Questions {
  /** Whether a person answers. */
  readonly isTerminal: boolean;
  /** The next line that a person types, or that was piped in. A hidden one is not shown while it is typed. */
  ask(question: string, how: 'hidden' | 'shown'): Promise<string>;
  /** The lines that are left of what was piped in. */
  rest(): readonly string[];
}

/** Lets `work` ask, and leaves the terminal as it was. */
export async function withQuestions<T>(work: (questions: Questions) => Promise<T>): Promise<T> {
  if (process.stdin.isTTY) return withPerson(work);
  const lines = await readPiped();
  return work({
    isTerminal: false,
    ask: async () => {
      const line = lines.shift();
      if (line !== undefined) return line;
      throw new CommandError('NO_INPUT', EXIT.usage, 'Cannot read the answer: nothing was typed or piped in');
    },
    rest: () => lines.splice(0),
  });
}

async function readPiped(): Promise<string[]> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > MAX_INPUT_LENGTH) {
      const message = `Cannot read the answer: expected at most ${MAX_INPUT_LENGTH} characters`;
      throw new CommandError('INPUT_TOO_LARGE', EXIT.usage, message);
    }
  }
  const lines = text.split(/\r?\n/);
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

async function withPerson<T>(work: (questions: Questions) => Promise<T>): Promise<T> {
  let isHidden = false;
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (!isHidden) process.stderr.write(chunk);
      done();
    },
  });
  // One for all questions: what is typed ahead is not lost. It keeps no history.
  const typed = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  const lines = typed[Symbol.asyncIterator]();
  // Ctrl-C.
  typed.once('SIGINT', () => typed.close());
  try {
    return await work({
      isTerminal: true,
      ask: async (question, how) => {
        process.stderr.write(question);
        isHidden = how === 'hidden';
        const { value, done } = (await lines.next()) as IteratorResult<string, undefined>;
        if (isHidden) process.stderr.write('\n');
        isHidden = false;
        if (done === true) throw new CommandError('CANCELLED', EXIT.failed, 'Cancelled');
        return value;
      },
      rest: () => [],
    });
  } finally {
    typed.close();
  }
}

/** What stands in a file that only the user can read; `what` says what it is for. */
export async function readSecretFile(path: string, what: string): Promise<string> {
  return readPrivateFile(path, what, MAX_INPUT_LENGTH).catch((error: unknown) => {
    const message = isNostrSyncError(error, 'KEY_STORE_EXPOSED')
      ? error.message
      : `Cannot read the ${what} ${JSON.stringify(path)}: ${reasonOf(error)}`;
    throw new CommandError('INPUT_FAILED', EXIT.usage, message);
  });
}

/** Writes a new file that only the user can read. Never replaces anything. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  await writePrivateFile(path, `${text}\n`).catch((error: unknown) => {
    const message = `Cannot write ${JSON.stringify(path)}: ${reasonOf(error)}`;
    throw new CommandError('OUTPUT_FAILED', EXIT.failed, message);
  });
}

/** Gives a secret out: into a new file, 0600, or to a terminal. Anything else, a pipe or a log, may be read by others. */
export async function giveOut(
  secret: { readonly name: string; readonly text: string },
  file: string | undefined,
  output: Output,
): Promise<void> {
  if (file !== undefined) {
    await writeSecretFile(file, secret.text);
    output.result({ output: file }, file);
    return;
  }
  if (process.stdout.isTTY) return output.result({ [secret.name]: secret.text }, secret.text);
  throw new CommandError(
    'NO_TERMINAL',
    EXIT.usage,
    `Cannot show the ${secret.name}: standard output is no terminal; give --output for a file that only you can read`,
  );
}
