/** A command at a real terminal (a pty, by util-linux' `script`), and a person who waits for what it shows and types. */

import { spawn } from 'node:child_process';
import { afterEach } from 'vitest';

const LIMIT_MS = 30_000;

export interface Terminal {
  /** Waits for a text on the screen that was not waited for yet, and gives the match. */
  shows(pattern: RegExp): Promise<RegExpExecArray>;
  type(text: string): void;
  /** All that was shown. */
  screen(): string;
  readonly pid: number;
  readonly exit: Promise<number | null>;
}

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** `words` are one command line: none of them may hold a space. */
export function atTerminal(
  words: readonly string[],
  surroundings: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Terminal {
  const child = spawn('script', ['-qefc', words.join(' '), '/dev/null'], {
    ...{ cwd: surroundings.cwd, detached: true },
    env: { PATH: process.env['PATH'], HOME: surroundings.cwd, TERM: 'xterm', ...surroundings.env },
  });
  let screen = '';
  let from = 0;
  let changed = (): void => undefined;
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      screen += chunk;
      changed();
    });
  const exit = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  ends.push(() => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  });
  return {
    exit,
    pid: child.pid!,
    screen: () => screen,
    type: (text) => void child.stdin.write(text),
    shows: (pattern) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void): void => {
          clearTimeout(timer);
          changed = () => undefined;
          settle();
        };
        const fail = (): void =>
          finish(() => reject(new Error(`No ${String(pattern)} in: ${screen.slice(from)}`)));
        const timer = setTimeout(fail, LIMIT_MS);
        changed = () => {
          const match = pattern.exec(screen.slice(from));
          if (match === null) return;
          from += match.index + match[0].length;
          finish(() => resolve(match));
        };
        void exit.then(() => {
          changed();
          fail();
        });
        changed();
      }),
  };
}
