#!/usr/bin/env node
/** The command `nostr-sync`: its options and commands, and how it ends. */

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addExport, addImport } from './backup.ts';
import { addCompletion } from './completion.ts';
import { addDemo } from './demo.ts';
import { addDoctor } from './doctor.ts';
import { EXAMPLES } from './examples.ts';
import { EXIT, EXIT_CODES_HELP } from './failure.ts';
import { addHistory, addInspect, addRestore } from './history.ts';
import { addJoin } from './join.ts';
import { addKeygen, addPubkey } from './keys.ts';
import { createOutput, type Output } from './output.ts';
import { addList } from './list.ts';
import { addPair } from './pair.ts';
import { addKey } from './recovery.ts';
import { addRelay } from './relay.ts';
import { addGlobalOptions } from './settings.ts';
import { addFlush, addStatus } from './status.ts';
import { addFetch, addPublish, addRemove, addReset, addSync } from './values.ts';
import { addWatch } from './watch.ts';

const ENVIRONMENT_HELP = `
Environment:
  NOSTR_SYNC_RELAYS     relays, separated by commas
  NOSTR_SYNC_NAMESPACE  the namespace
  NOSTR_SYNC_KEY        the key, nsec or hex; never an argument, which every process could read
  NOSTR_SYNC_KEY_FILE   file with the key
  XDG_DATA_HOME         where values and outbox are kept (default: ~/.local/share)

A value that is published while no relay can be reached is saved on this device. The next publish, remove, sync or
flush delivers it; status tells how much waits.`;

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

function createProgram(output: Output): Command {
  const program = new Command('nostr-sync')
    .description('End-to-end encrypted state sync over Nostr relays.')
    .version(version())
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    // What fails is told once, in the form that was asked for, at the end.
    .configureOutput({ outputError: () => undefined })
    .addHelpText('after', ENVIRONMENT_HELP)
    .addHelpText('afterAll', EXIT_CODES_HELP);
  addGlobalOptions(program);
  const commands = [
    ...[addKeygen, addPubkey, addKey, addPublish, addFetch, addSync, addList, addWatch, addRemove, addReset],
    ...[addHistory, addRestore, addInspect, addExport, addImport],
    ...[addFlush, addStatus, addDoctor, addRelay, addDemo, addCompletion],
    ...[addPair, addJoin],
  ];
  for (const add of commands) add(program, output);
  addExamples(program);
  return program;
}

/** `name`: how the command is called, below `nostr-sync`. */
function addExamples(command: Command, name = ''): void {
  const examples = EXAMPLES[name]?.map((line) => `\n  ${line}`).join('');
  if (examples !== undefined) command.addHelpText('after', `\nExamples:${examples}`);
  for (const inner of command.commands) addExamples(inner, `${name} ${inner.name()}`.trim());
}

async function run(args: readonly string[]): Promise<number> {
  // Looked for before parsing, because a failure to parse is told in this form, too.
  const output = createOutput(args.includes('--json'));
  try {
    await createProgram(output).parseAsync(args, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // Help and version have been printed. Only help that was not asked for stands for wrong usage.
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage;
    return output.error(error);
  }
}

// `nostr-sync watch … | head -1` is no failure: the reader has gone.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed),
);
process.exitCode = await run(process.argv.slice(2));
