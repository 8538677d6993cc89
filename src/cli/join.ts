/** `join`: gets the key from another device of the user. */

import { access } from 'node:fs/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { joinByInvitation, type Joined, type Joining } from '../pair/node.ts';
import { interrupted, withEngine } from './engine.ts';
import { CommandError, EXIT } from './failure.ts';
import { writeKeyFile } from './key.ts';
import { readSecretFile } from './secrets.ts';
import type { Output } from './output.ts';
import { defaultName } from './pair.ts';
import { withQuestions, type Questions } from './questions.ts';
import type { GlobalOptions } from './settings.ts';

interface JoinFlags {
  readonly name: string;
  readonly input?: string;
}

export function addJoin(program: Command, output: Output): void {
  program
    .command('join')
    .description(
      'get the key from another device: reads its link or code from the terminal or a pipe, and writes --key-file (0600)',
    )
    .option('--name <name>', 'what the other device shows of this one', defaultName())
    .option('--input <path>', 'file with the link or the code, mode 0600')
    .action(async (flags: JoinFlags, command: Command) => {
      const { keyFile, namespace, relay: relays = [] } = command.optsWithGlobals<GlobalOptions>();
      if (keyFile === undefined || keyFile === '')
        throw new InvalidArgumentError('Cannot join: expected --key-file, to write the key to');
      await refuseExisting(keyFile);
      const deviceId = await withEngine(command, { relays: [], signer: undefined, output }, async (sync) => {
        return (await sync.getStatus()).deviceId;
      });
      const stop = new AbortController();
      void interrupted().then(() => stop.abort());
      await withQuestions(async (questions) => {
        const text = await readInvitation(flags.input, questions, stop.signal);
        const joining = joinByInvitation(text, {
          ...{ namespace, relays, name: flags.name, deviceId, signal: stop.signal },
        });
        const joined = await join(joining, questions, keyFile, output);
        const { pubkey } = joined;
        output.note(`Its relays: ${joined.relays.join(' ')}`);
        output.result({ pubkey, keyFile, relays: joined.relays }, pubkey);
      });
    });
}

/** Before anybody is asked anything: a key is never overwritten. */
async function refuseExisting(path: string): Promise<void> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  if (isThere)
    throw new CommandError(
      'KEY_FILE_FAILED',
      EXIT.usage,
      `Cannot join: the key file ${JSON.stringify(path)} exists already, and a key is never overwritten`,
    );
}

/** The first line of the file, or what is typed. */
async function readInvitation(
  file: string | undefined,
  questions: Questions,
  signal: AbortSignal,
): Promise<string> {
  if (file === undefined) return questions.ask('Link or code of the other device: ', 'shown', signal);
  const [first = ''] = (await readSecretFile(file, 'invitation')).split('\n');
  return first;
}

async function join(
  joining: Joining,
  questions: Questions,
  keyFile: string,
  output: Output,
): Promise<Joined> {
  const digits = await joining.digits;
  const shown = `${digits.slice(0, 3)} ${digits.slice(3)}`;
  if (output.isJson) output.result({ digits }, digits);
  else output.note(`Type these digits on the other device:  ${shown}`);
  const { name, pubkey } = await joining.inviter;
  output.note(`${JSON.stringify(name)} shares the key of ${pubkey.slice(0, 8)} with this computer.`);
  const answer = await questions.ask('Join? [y/N] ', 'shown');
  if (!/^y(es)?$/i.test(answer.trim())) {
    joining.cancel();
    throw new CommandError('PAIRING_CANCELLED', EXIT.failed, 'Cannot join: you said no');
  }
  return joining.accept(async ({ key }) => {
    if (key === null)
      throw new CommandError(
        'NO_KEY',
        EXIT.failed,
        'Cannot join: the key is in a signer that does not give it away',
      );
    await writeKeyFile(keyFile, key);
    key.fill(0);
  });
}
