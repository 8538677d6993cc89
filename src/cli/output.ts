/** What the command prints: results on stdout, everything else on stderr, each for people or for programs. */

import { failureOf, type ExitCode } from './failure.ts';

export interface Output {
  readonly isJson: boolean;
  /** A result: `value` for programs, as one line of JSON; `text` for people. */
  result(value: unknown, text: string): void;
  /** For people only: what is going on. */
  note(text: string): void;
  /** Tells of an error, each one once. Returns the exit code that it stands for. */
  error(error: unknown): ExitCode;
}

export function createOutput(isJson: boolean): Output {
  const told = new WeakSet<object>();
  const line = (stream: NodeJS.WriteStream, text: string): void => void stream.write(`${text}\n`);
  return {
    isJson,
    result: (value, text) => line(process.stdout, isJson ? JSON.stringify(value) : text),
    note: (text) => {
      if (!isJson) line(process.stderr, text);
    },
    error: (error) => {
      const { exitCode, ...failure } = failureOf(error);
      // The engine reports some errors by an event and then rejects with the same ones.
      if (typeof error === 'object' && error !== null) {
        if (told.has(error)) return exitCode;
        told.add(error);
      }
      line(
        process.stderr,
        isJson ? JSON.stringify({ error: failure }) : `nostr-sync: ${printable(failure.message)}`,
      );
      return exitCode;
    },
  };
}

/** Text that came from a relay, without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ');
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(printable));
  const widths = (clean[0] ?? []).map((_, column) =>
    Math.max(...clean.map((row) => row[column]?.length ?? 0)),
  );
  return clean
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
