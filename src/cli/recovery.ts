/** `key words`, `key encrypt` and `key import`: the key for the day when this computer is lost, and back. */

import { InvalidArgumentError, Option, type Command } from 'commander';
import { isNostrSyncError } from '../errors.ts';
import { textToKey } from '../keys/file-key-store.ts';
import { fromNcryptsec, toNcryptsec } from '../keys/passphrase.ts';
import { fromRecoveryPhrase, nearestWords, toRecoveryPhrase } from '../keys/recovery.ts';
import { secretKeySigner } from '../node.ts';
import { CommandError, EXIT } from './failure.ts';
import { writeKeyFile } from './key.ts';
import type { Output } from './output.ts';
import { withQuestions, type Questions } from './questions.ts';
import { giveOut } from './secrets.ts';
import { requiredKey, type GlobalOptions } from './settings.ts';

interface OutputOption {
  readonly output?: string;
}

export function addKey(program: Command, output: Output): void {
  const group = program.command('key').description('keep the key for the day when this computer is lost');
  const outputOption = (): Option =>
    new Option('--output <path>', 'write it to a new file, 0600, instead of to the terminal');

  group
    .command('words')
    .description('show the key as 24 words to write down; they are no wallet phrase')
    .addOption(outputOption())
    .action(async ({ output: file }: OutputOption, command: Command) => {
      const words = toRecoveryPhrase(await requiredKey(command));
      await giveOut({ name: 'words', text: words }, file, output);
    });

  group
    .command('encrypt')
    .description('show the key as text that a passphrase opens (ncryptsec, NIP-49)')
    .addOption(outputOption())
    .option('--log-n <number>', 'the work for each guess, 16 to 20: each step doubles it', Number, 16)
    .action(async ({ output: file, logN }: OutputOption & { readonly logN: number }, command: Command) => {
      if (!Number.isInteger(logN) || logN < 16 || logN > 20)
        throw new InvalidArgumentError('Cannot encrypt the key: --log-n must be an integer from 16 to 20');
      const key = await requiredKey(command);
      const passphrase = await withQuestions(newPassphrase);
      await giveOut({ name: 'ncryptsec', text: await toNcryptsec(key, passphrase, { logN }) }, file, output);
    });

  group
    .command('import')
    .description(
      'read words, an ncryptsec, an nsec or hex from the terminal or a pipe, and write --key-file (0600)',
    )
    .action(async (_options: object, command: Command) => {
      const { keyFile } = command.optsWithGlobals<GlobalOptions>();
      if (keyFile === undefined || keyFile === '')
        throw new InvalidArgumentError('Cannot import a key: expected --key-file');
      const key = await withQuestions(async (questions) => readKey(questions, output));
      const pubkey = await secretKeySigner(key).getPublicKey();
      await writeKeyFile(keyFile, key);
      output.result({ pubkey, keyFile }, pubkey);
    });
}

async function newPassphrase(questions: Questions): Promise<string> {
  const passphrase = await questions.ask('Passphrase: ', 'hidden');
  if (passphrase === '')
    throw new CommandError('EMPTY_PASSPHRASE', EXIT.usage, 'Cannot encrypt the key: the passphrase is empty');
  // What was not shown may be mistyped.
  if (questions.isTerminal && (await questions.ask('The same again: ', 'hidden')) !== passphrase)
    throw new CommandError(
      'PASSPHRASES_DIFFER',
      EXIT.usage,
      'Cannot encrypt the key: the two are not the same',
    );
  return passphrase;
}

async function readKey(questions: Questions, output: Output): Promise<Uint8Array> {
  const text = (await questions.ask('24 words, ncryptsec or nsec: ', 'shown')).trim();
  if (/^ncryptsec1/i.test(text)) return fromNcryptsec(text, await questions.ask('Passphrase: ', 'hidden'));
  const key = textToKey(text);
  if (key !== undefined) return key;
  // Words may stand one a line.
  const words = [text, ...(await questions.rest())].join('\n');
  try {
    return fromRecoveryPhrase(words);
  } catch (error) {
    if (questions.isTerminal && isNostrSyncError(error, 'RECOVERY_WORD'))
      for (const position of error.details.positions)
        output.note(`word ${position}: ${nearestWords(words, position).join(', ') || 'nothing is near'}`);
    throw error;
  }
}
