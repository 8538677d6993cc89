/** `keygen` and `pubkey`. */

import { InvalidArgumentError, type Command } from 'commander';
import { generateKey, nsecEncode, secretKeySigner } from '../node.ts';
import { writeKeyFile } from './key.ts';
import type { Output } from './output.ts';
import { requireTerminal } from './secrets.ts';
import { requiredSigner, type GlobalOptions } from './settings.ts';

export function addKeygen(program: Command, output: Output): void {
  program
    .command('keygen')
    .description('make a key, write it to --key-file (0600, never overwriting) and print its public key')
    .option('--stdout', 'show the secret key (nsec) on the terminal instead of writing it to a file')
    .action(async (options: { readonly stdout?: true }, command: Command) => {
      const { keyFile } = command.optsWithGlobals<GlobalOptions>();
      const isFileAsked = command.getOptionValueSourceWithGlobals('keyFile') === 'cli';
      if (options.stdout === true ? isFileAsked : keyFile === undefined) {
        throw new InvalidArgumentError('Cannot make a key: expected either --key-file or --stdout');
      }
      if (options.stdout === true) requireTerminal('key', '--key-file');
      const key = generateKey();
      const pubkey = await secretKeySigner(key).getPublicKey();
      if (options.stdout === true) {
        const nsec = nsecEncode(key);
        output.result({ pubkey, nsec }, nsec);
      } else {
        await writeKeyFile(keyFile!, key);
        output.result({ pubkey, keyFile }, pubkey);
      }
    });
}

export function addPubkey(program: Command, output: Output): void {
  program
    .command('pubkey')
    .description('print the public key in hex')
    .action(async (_options: object, command: Command) => {
      const pubkey = await (await requiredSigner(command)).getPublicKey();
      output.result({ pubkey }, pubkey);
    });
}
