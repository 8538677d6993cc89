/** `key words | encrypt | import`: secrets go to a terminal or to a file that only the user can read, and come from there. */

import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decrypt, encrypt } from 'nostr-tools/nip49';
import { expect, test } from 'vitest';
import { nsecEncode } from '../../src/node.ts';
import { computer, KEY, type Computer } from './support.ts';

const BYTES = Uint8Array.from(Buffer.from(KEY, 'hex'));
const PASSPHRASE = 'correct horse battery staple';
const errorOf = (stderr: string): { code: string; message: string } => JSON.parse(stderr).error;

async function laptopWithKey(): Promise<Computer & { readonly words: string }> {
  const laptop = await computer({ NOSTR_SYNC_KEY: KEY });
  const { exit } = await laptop.run(['key', 'words', '--output', 'words.txt']);
  expect(exit).toBe(0);
  return { ...laptop, words: (await readFile(join(laptop.folder, 'words.txt'), 'utf8')).trim() };
}

/** What a key file of this name holds. */
const keyIn = async ({ folder }: Computer, name: string): Promise<string> =>
  (await readFile(join(folder, name), 'utf8')).trim();

test('words go to a terminal', async () => {
  const laptop = await laptopWithKey();
  const shown = await laptop.run(['key', 'words'], { isTerminal: true });
  expect(shown.exit).toBe(0);
  expect(shown.stdout.trim()).toBe(laptop.words);
  expect(laptop.words.split(' ')).toHaveLength(24);
});

test.each([
  ['words', ['key', 'words']],
  ['an ncryptsec', ['key', 'encrypt']],
])('%s: not into a pipe, nor into a log', async (_what, args) => {
  const laptop = await computer({ NOSTR_SYNC_KEY: KEY });
  const { exit, stdout, stderr } = await laptop.run([...args, '--json'], { input: `${PASSPHRASE}\n` });
  expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
  expect(errorOf(stderr).code).toBe('NO_TERMINAL');
});

test('a file for them is new, and only its owner may read it', async () => {
  const laptop = await laptopWithKey();
  expect((await stat(join(laptop.folder, 'words.txt'))).mode & 0o777).toBe(0o600);
  const again = await laptop.run(['key', 'words', '--output', 'words.txt', '--json']);
  expect([again.exit, errorOf(again.stderr).code]).toEqual([1, 'OUTPUT_FAILED']);
});

test('a passphrase is typed twice and never shown; nostr-tools opens what comes of it', async () => {
  const laptop = await computer({ NOSTR_SYNC_KEY: KEY });
  const { exit, stdout } = await laptop.run(['key', 'encrypt', '--output', 'sync.ncryptsec'], {
    answers: [
      ['Passphrase: ', `${PASSPHRASE}\r`],
      ['The same again: ', `${PASSPHRASE}\r`],
    ],
  });
  expect({ exit, stdout }).toMatchObject({ exit: 0 });
  expect(stdout).not.toContain('horse');
  expect(decrypt(await keyIn(laptop, 'sync.ncryptsec'), PASSPHRASE)).toEqual(BYTES);
});

test('two passphrases that differ, and an empty one, encrypt nothing', async () => {
  const laptop = await computer({ NOSTR_SYNC_KEY: KEY });
  const differ = await laptop.run(['key', 'encrypt'], {
    answers: [
      ['Passphrase: ', `${PASSPHRASE}\r`],
      ['The same again: ', `${PASSPHRASE}x\r`],
    ],
  });
  expect(differ).toMatchObject({ exit: 2, stdout: expect.stringContaining('not the same') as string });
  const empty = await laptop.run(['key', 'encrypt', '--output', 'x', '--json'], { input: '\n' });
  expect([empty.exit, errorOf(empty.stderr).code]).toEqual([2, 'EMPTY_PASSPHRASE']);
  expect(await readdir(laptop.folder)).toEqual([]);
});

test('Ctrl-C at a question ends it, and leaves nothing', async () => {
  const laptop = await computer({ NOSTR_SYNC_KEY: KEY });
  const { exit } = await laptop.run(['key', 'encrypt', '--output', 'x'], {
    answers: [['Passphrase: ', '\u0003']],
  });
  expect(exit).toBe(1);
  expect(await readdir(laptop.folder)).toEqual([]);
});

test('words typed at a terminal become a key file; a typo is named by its place, with what is near', async () => {
  const laptop = await laptopWithKey();
  const typo = laptop.words.split(' ').with(4, 'zzebra').join(' ');
  const question = '24 words, ncryptsec or nsec: ';
  const wrong = await laptop.run(['key', 'import', '--key-file', 'copy'], {
    answers: [[question, `${typo}\r`]],
  });
  expect(wrong).toMatchObject({
    exit: 2,
    stdout: expect.stringMatching(/word 5: .*zebra[^]*not in the list: 5/) as string,
  });
  const right = await laptop.run(['key', 'import', '--key-file', 'copy'], {
    answers: [[question, `${laptop.words}\r`]],
  });
  expect(right.exit).toBe(0);
  expect(await keyIn(laptop, 'copy')).toBe(nsecEncode(BYTES));
  expect((await stat(join(laptop.folder, 'copy'))).mode & 0o777).toBe(0o600);
});

test('what is piped in becomes a key file: words one a line, an nsec, hex, an ncryptsec and its passphrase', async () => {
  const laptop = await laptopWithKey();
  const numbered = laptop.words
    .split(' ')
    .map((word, i) => `${i + 1}. ${word}`)
    .join('\n');
  const inputs = [numbered, nsecEncode(BYTES), KEY, `${encrypt(BYTES, PASSPHRASE, 2)}\n${PASSPHRASE}`];
  for (const [i, input] of inputs.entries()) {
    const args = ['key', 'import', '--key-file', `copy-${i}`];
    const { exit, stdout, stderr } = await laptop.run(args, { input: `${input}\n` });
    expect({ i, exit, stderr }).toEqual({ i, exit: 0, stderr: '' });
    expect(stdout).toBe((await laptop.run(['pubkey'])).stdout);
    expect(await keyIn(laptop, `copy-${i}`)).toBe(nsecEncode(BYTES));
  }
});

test.each([
  ['nothing', '', 'NO_INPUT'],
  ['too few words', 'legal zebra aunt', 'RECOVERY_LENGTH'],
  ['a book', 'legal '.repeat(5_000), 'INPUT_TOO_LARGE'],
  ['a wrong passphrase', `${encrypt(BYTES, PASSPHRASE, 2)}\nno`, 'WRONG_PASSPHRASE'],
  ['an ncryptsec without passphrase', encrypt(BYTES, PASSPHRASE, 2), 'NO_INPUT'],
  ['a damaged ncryptsec', `${encrypt(BYTES, PASSPHRASE, 2)}q\n${PASSPHRASE}`, 'NCRYPTSEC_INVALID'],
])('%s is no key: usage, and no file', async (_what, input, code) => {
  const laptop = await computer();
  const { exit, stdout, stderr } = await laptop.run(['key', 'import', '--key-file', 'copy', '--json'], {
    input,
  });
  expect({ exit, stdout, code: errorOf(stderr).code }).toEqual({ exit: 2, stdout: '', code });
  expect(stderr).not.toMatch(/legal|horse|ncryptsec1/);
  expect(await readdir(laptop.folder)).toEqual([]);
});

test('an import never replaces another key', async () => {
  const laptop = await laptopWithKey();
  await laptop.run(['keygen', '--key-file', 'mine']);
  const mine = await keyIn(laptop, 'mine');
  const { exit, stderr } = await laptop.run(['key', 'import', '--key-file', 'mine', '--json'], {
    input: laptop.words,
  });
  expect([exit, errorOf(stderr).code]).toEqual([1, 'KEY_FILE_FAILED']);
  expect(await keyIn(laptop, 'mine')).toBe(mine);
});

test('words and ncryptsecs given as arguments are not taken, and not repeated', async () => {
  const laptop = await laptopWithKey();
  await writeFile(join(laptop.folder, 'empty'), '');
  const ncryptsec = encrypt(BYTES, PASSPHRASE, 2);
  for (const args of [
    ['key', laptop.words],
    ['key', ...laptop.words.split(' ')],
    ['key', 'import', laptop.words],
    ['key', 'import', ...laptop.words.split(' ')],
    ['key', 'import', `--words=${laptop.words}`],
    ['key', 'import', ncryptsec],
    ['key', ncryptsec],
  ]) {
    const { exit, stdout, stderr } = await laptop.run(args);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr).not.toContain(ncryptsec.slice(10));
    for (const word of laptop.words.split(' ').slice(1))
      expect(stderr).not.toMatch(new RegExp(`\\b${word}\\b`));
  }
});
