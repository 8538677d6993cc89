/**
 * What the command prints: results on stdout, everything else on stderr, each for people or for programs. All of it goes
 * through `write`, so that no byte which came from a relay, a store or another device acts on a terminal.
 */

import { failureOf, type ExitCode } from './failure.ts';

export interface Output {
  readonly isJson: boolean;
  /** A result: `value` for programs, as one line of JSON; `text` for people. */
  result(value: unknown, text: string): void;
  /** A line of JSON, which is the result in either form. */
  line(json: string): void;
  /** For people only: what is going on. */
  note(text: string): void;
  /** For people at a terminal only: rows of a picture, black on white, whatever the colours of the terminal. */
  picture(rows: readonly string[]): void;
  /** Whether a person is watching. */
  readonly isWatched: boolean;
  /** How far something is, from 0 to 1, in place of what it said before; for people at a terminal only. */
  progress(what: string, done: number): void;
  /** Tells of an error, each one once. Returns the exit code that it stands for. */
  error(error: unknown): ExitCode;
}

export function createOutput(isJson: boolean): Output {
  const told = new WeakSet<object>();
  const write = (stream: NodeJS.WriteStream, text: string): void =>
    void stream.write(`${text.split('\n').map(escaped).join('\n')}\n`);
  const isWatched = !isJson && process.stderr.isTTY;
  let hasBar = false;
  const clear = (): void => {
    if (hasBar) process.stderr.write('\r\x1b[K');
    hasBar = false;
  };
  return {
    isJson,
    isWatched,
    result: (value, text) => {
      clear();
      write(process.stdout, isJson ? JSON.stringify(value) : text);
    },
    line: (json) => {
      clear();
      write(process.stdout, json);
    },
    note: (text) => {
      clear();
      if (!isJson) write(process.stderr, text);
    },
    picture: (rows) => {
      if (!isWatched) return;
      clear();
      process.stderr.write(rows.map((row) => `\x1b[30;107m${escaped(row)}\x1b[0m\n`).join(''));
    },
    progress: (what, done) => {
      if (!isWatched) return;
      clear();
      process.stderr.write(bar(what, done));
      hasBar = true;
    },
    error: (error) => {
      const { exitCode, ...failure } = failureOf(error);
      // The engine reports some errors by an event and then rejects with the same ones.
      if (typeof error === 'object' && error !== null) {
        if (told.has(error)) return exitCode;
        told.add(error);
      }
      clear();
      write(
        process.stderr,
        isJson ? JSON.stringify({ error: failure }) : `nostr-sync: ${escaped(failure.message)}`,
      );
      return exitCode;
    },
  };
}

const BAR_CHARS = 30;

function bar(what: string, done: number): string {
  const full = Math.floor(done * BAR_CHARS);
  return `${escaped(what)} [${'#'.repeat(full)}${'.'.repeat(BAR_CHARS - full)}] ${Math.floor(done * 100)} %`;
}

/**
 * Text without what a terminal obeys or hides: control characters, line breaks among them, and format characters such as
 * those for the direction of writing or of no width. They are written as JSON escapes, so that JSON keeps its value.
 */
export function escaped(text: string): string {
  const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (found) =>
    found.split('').map(escapeUnit).join(''),
  );
}

/** Below this a cell that is cut says nothing. */
const MIN_CELL_CHARS = 12;

/**
 * Columns as wide as their widest cell. With `spare`, each row stays one line of a terminal: of what is too wide for it, these columns
 * are left out, in this order, and then the last one is cut. What is not for a terminal has it all.
 */
export function table(
  rows: readonly (readonly string[])[],
  spare?: readonly number[],
  roomChars: number = process.stdout.isTTY ? process.stdout.columns || Infinity : Infinity,
): string {
  let left: readonly number[] = (rows[0] ?? []).map((_, column) => column);
  const lay = (): string[] => aligned(rows.map((row) => left.map((column) => row[column] ?? '')));
  for (const column of spare ?? []) {
    if (lay().every((line) => line.length <= roomChars)) break;
    left = left.filter((one) => one !== column);
  }
  const isCut = (line: string): boolean =>
    spare !== undefined && line.length > roomChars && roomChars >= MIN_CELL_CHARS;
  return lay()
    .map((line) => (isCut(line) ? `${line.slice(0, roomChars - 1)}…` : line))
    .join('\n');
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const clean = rows.map((row) => row.map(escaped));
  const widths = (clean[0] ?? []).map((_, column) =>
    Math.max(...clean.map((row) => row[column]?.length ?? 0)),
  );
  return clean.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
