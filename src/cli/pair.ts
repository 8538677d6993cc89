/** `pair`: gives the key to another device of the user. It only shows: no code of another device is taken here. */

import { hostname } from 'node:os';
import type { Command } from 'commander';
import { secretKeySigner } from '../node.ts';
import { deviceName } from '../pair/message.ts';
import { createInvitation, type Invitation } from '../pair/node.ts';
import { interrupted } from './engine.ts';
import { CommandError, EXIT } from './failure.ts';
import { writeSecretFile } from './secrets.ts';
import type { Output } from './output.ts';
import { withQuestions } from './questions.ts';
import { qrRows } from './qr.ts';
import { requiredKey, requiredRelays, type GlobalOptions } from './settings.ts';

interface PairFlags {
  readonly name: string;
  readonly output?: string;
}

/** What the other device shows of this one if nothing else is said. */
export function defaultName(): string {
  return deviceName(hostname()) || 'this computer';
}

export function addPair(program: Command, output: Output): void {
  program
    .command('pair')
    .description(
      'share the key with another device: shows a QR code, a link and a code, and asks for its six digits',
    )
    .option('--name <name>', 'what the other device shows of this one', defaultName())
    .option('--output <path>', 'write link and code to a new file, 0600, instead of to the terminal')
    .action(async (flags: PairFlags, command: Command) => {
      const { namespace } = command.optsWithGlobals<GlobalOptions>();
      const [relays, key] = [requiredRelays(command), await requiredKey(command)];
      if (flags.output === undefined && !output.isWatched)
        throw new CommandError(
          'NO_TERMINAL',
          EXIT.usage,
          'Cannot show the invitation: standard error is no terminal; give --output for a file that only you can read',
        );
      const stop = new AbortController();
      void interrupted().then(() => stop.abort());
      const { signal } = stop;
      const invitation = await createInvitation({
        ...{ namespace, key, relays, name: flags.name, carrier: 'code', signal },
      });
      const pubkey = await secretKeySigner(key).getPublicKey();
      key.fill(0);
      try {
        await show(invitation, flags.output, output);
        await confirm(invitation, output);
        output.note('The digits are right. Say yes on the other device.');
        const { name, deviceId } = await invitation.done;
        output.result({ pubkey, name, deviceId }, `${name} has joined`);
      } finally {
        invitation.cancel();
      }
    });
}

async function show({ uri, code }: Invitation, file: string | undefined, output: Output): Promise<void> {
  if (file !== undefined) {
    await writeSecretFile(file, `${uri}\n${code}`);
    return output.note(`The invitation is in ${JSON.stringify(file)}: link and code, for five minutes.`);
  }
  output.picture(qrRows(uri));
  output.note(`link  ${uri}\ncode  ${code}\n`);
  output.note(
    'Scan or type one of them on the other device within five minutes. Show them to no other person.',
  );
}

/** Asks as soon as a device has answered. */
async function confirm(invitation: Invitation, output: Output): Promise<void> {
  const over = new AbortController();
  const end = (reason: unknown): void => over.abort(reason);
  await new Promise<void>((resolve, reject) => {
    invitation.on('joining', resolve);
    invitation.done.catch(reject);
  });
  invitation.done.catch(end);
  await withQuestions(async (questions) => {
    for (;;) {
      const digits = await questions.ask('Six digits on the other device: ', 'shown', over.signal);
      if (/^\d{6}$/.test(digits.replace(/[\s-]/g, ''))) return invitation.confirm(digits);
      output.note('Expected six digits.');
    }
  });
}
