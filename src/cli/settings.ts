/** The options that every command knows, and what follows from them and the environment. */

import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { secretKeySigner, type Signer } from '../node.ts';
import { CommandError, EXIT } from './failure.ts';
import { keyOf, readKeyFile } from './key.ts';

export interface GlobalOptions {
  readonly relay?: readonly string[];
  readonly namespace: string;
  readonly keyFile?: string;
  readonly store?: string;
  readonly json?: true;
}

export function addGlobalOptions(program: Command): void {
  const collect = (value: string, earlier: readonly string[] = []): string[] => {
    const urls = value.split(',').map((url) => url.trim());
    return [...earlier, ...urls.filter((url) => url !== '')];
  };
  const folder = (value: string): string => {
    if (value === '') throw new InvalidArgumentError('Expected the path of a folder.');
    return value;
  };
  program
    .addOption(
      new Option('--relay <url>', 'a relay; repeat it for more').env('NOSTR_SYNC_RELAYS').argParser(collect),
    )
    .addOption(
      new Option('--namespace <name>', 'prefix of all categories, one per app')
        .env('NOSTR_SYNC_NAMESPACE')
        .default('default'),
    )
    .addOption(
      new Option('--key-file <path>', 'file with the key (nsec or hex), mode 0600').env(
        'NOSTR_SYNC_KEY_FILE',
      ),
    )
    .option(
      '--store <folder>',
      "this device's values and outbox (default: nostr-sync/NAMESPACE in the XDG data folder)",
      folder,
    )
    .option('--json', 'print JSON: results on stdout, {"error":{code,message,details}} on stderr');
}

/** The key given by option, else by NOSTR_SYNC_KEY, else by NOSTR_SYNC_KEY_FILE. */
async function keyFrom(command: Command): Promise<Uint8Array | undefined> {
  const { keyFile } = command.optsWithGlobals<GlobalOptions>();
  const inEnvironment = process.env['NOSTR_SYNC_KEY'];
  const isByOption = command.getOptionValueSourceWithGlobals('keyFile') === 'cli';
  if (inEnvironment !== undefined && inEnvironment !== '' && !isByOption)
    return keyOf(inEnvironment, 'NOSTR_SYNC_KEY');
  return keyFile === undefined || keyFile === '' ? undefined : readKeyFile(keyFile);
}

export async function signerFrom(command: Command): Promise<Signer | undefined> {
  const key = await keyFrom(command);
  return key && secretKeySigner(key);
}

export async function requiredKey(command: Command): Promise<Uint8Array> {
  const key = await keyFrom(command);
  if (key !== undefined) return key;
  throw new CommandError(
    'NO_KEY',
    EXIT.usage,
    'No key: give --key-file, or set NOSTR_SYNC_KEY_FILE or NOSTR_SYNC_KEY (nostr-sync keygen makes one)',
  );
}

export async function requiredSigner(command: Command): Promise<Signer> {
  return secretKeySigner(await requiredKey(command));
}

export function requiredRelays(command: Command): readonly string[] {
  const { relay = [] } = command.optsWithGlobals<GlobalOptions>();
  if (relay.length > 0) return relay;
  throw new CommandError('NO_RELAY', EXIT.usage, 'No relay: give --relay, or set NOSTR_SYNC_RELAYS');
}

export function storeFolder({ store, namespace }: GlobalOptions): string {
  if (store !== undefined) return store;
  const given = process.env['XDG_DATA_HOME'];
  const dataFolder = given === undefined || given === '' ? join(homedir(), '.local', 'share') : given;
  // A namespace may hold whatever is not "/": also "..", and more than a file name can.
  const isFileName = /^[\w-][\w.-]{0,99}$/.test(namespace);
  const name = isFileName ? namespace : createHash('sha256').update(namespace).digest('hex');
  return join(dataFolder, 'nostr-sync', name);
}
