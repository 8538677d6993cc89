/** Completion in the shells themselves, by the scripts that the command prints. */

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { computer } from './support.ts';

/** What a shell offers for a line that ends where the cursor stands. */
const ASK: Record<string, (script: string, words: readonly string[]) => readonly string[]> = {
  bash: (script, words) => [
    '-c',
    `. ${script}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _nostr_sync; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  zsh: (script, words) => [
    '-fc',
    `compdef() { }; _files() { }; compadd() { shift; print -rl -- $@ }; . ${script}; words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}; _nostr_sync`,
  ],
  fish: (script, words) => ['--no-config', '-c', `source ${script}; complete -C '${words.join(' ')}'`],
};

test.each(['bash', 'zsh', 'fish'])('%s completes commands, options and choices', async (shell) => {
  const laptop = await computer();
  const { exit, stdout } = await laptop.run(['completion', shell]);
  expect(exit).toBe(0);
  const script = join(laptop.folder, 'completion');
  await writeFile(script, stdout);
  const offered = async (...words: string[]): Promise<string[]> => {
    const args = ASK[shell]!(script, ['nostr-sync', ...words]);
    const { stdout: text } = await promisify(execFile)(shell, [...args], {
      env: { PATH: process.env['PATH'], HOME: laptop.folder },
    });
    return text.split('\n').map((line) => line.split('\t')[0]!);
  };
  expect(await offered('pub')).toEqual(expect.arrayContaining(['publish', 'pubkey']));
  expect(await offered('--rel')).toContain('--relay');
  expect(await offered('publish', '--')).toEqual(
    expect.arrayContaining(['--wait', '--expiration', '--json']),
  );
  expect(await offered('export', '--')).toEqual(expect.arrayContaining(['--versions', '--plain']));
  expect(await offered('fetch', '--')).not.toContain('--wait');
  expect(await offered('publish', '--wait', '')).toEqual(
    expect.arrayContaining(['saved', 'delivered', 'replicated']),
  );
});
