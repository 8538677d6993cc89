/** `history`, `restore` and `inspect`: what this device keeps of its categories. */

import type { Command } from 'commander';
import type { CategoryRow, NostrSync, VersionInfo } from '../node.ts';
import { withEngine } from './engine.ts';
import { table, type Output } from './output.ts';
import { requiredSigner, signerFrom, type GlobalOptions } from './settings.ts';
import { deviceName, lineOf, waitOption, withDeviceId, write, type WriteFlags } from './values.ts';
import { idOf, toIdPrefix } from './version-id.ts';

const SHOWN_DIGITS = 16;

export function addHistory(program: Command, output: Output): void {
  program
    .command('history')
    .argument('<category>')
    .argument('[version]', 'the id of one of them, or its first 8 digits or more', toIdPrefix)
    .description(
      'show the values of a category that this device keeps, newest first, or what one of them says; for the list a key is not needed',
    )
    .action(async (category: string, prefix: string | undefined, _options: object, command: Command) => {
      if (prefix !== undefined) return readVersion(command, output, category, prefix);
      const versions = await here(command, output, async (sync) => sync.history(category));
      if (output.isJson) output.result(versions.map(withDeviceId), '');
      else if (versions.length > 0) output.result(versions, table(versions.map(rowOf), [3]));
      else output.note(`this device keeps nothing of ${JSON.stringify(category)}`);
    });
}

async function readVersion(
  command: Command,
  output: Output,
  category: string,
  prefix: string,
): Promise<void> {
  const signer = await requiredSigner(command);
  const result = await withEngine(command, { relays: [], signer, output }, async (sync) =>
    sync.readVersion(category, await idOf(sync, category, prefix)),
  );
  output.result(
    withDeviceId(result),
    result.deleted === true ? lineOf(result) : JSON.stringify(result.payload, null, 2),
  );
}

export function addRestore(program: Command, output: Output): void {
  program
    .command('restore')
    .argument('<category>')
    .argument('<version>', 'its id as history shows it, or the first 8 digits or more', toIdPrefix)
    .description('write a former value again, on all devices; history then has what it replaces')
    .addOption(waitOption())
    .action(async (category: string, prefix: string, { wait: waitFor }: WriteFlags, command: Command) =>
      write(command, output, waitFor, async (sync) =>
        sync.restore(category, await idOf(sync, category, prefix), { waitFor }),
      ),
    );
}

export function addInspect(program: Command, output: Output): void {
  program
    .command('inspect')
    .description('show what this device knows of each category; decrypts nothing, and a key is not needed')
    .action(async (_options: object, command: Command) => {
      const rows = await here(command, output, async (sync) => sync.inspect());
      const { namespace } = command.optsWithGlobals<GlobalOptions>();
      if (output.isJson) output.result(rows, '');
      else if (rows.length > 0) output.result(rows, table([HEADINGS, ...rows.map(cellsOf)], [4, 6]));
      else output.note(`this device knows of nothing in namespace ${JSON.stringify(namespace)}`);
    });
}

/** What the store says: no relay is waited for. Those that are configured are opened, so that it is known what they have. */
export async function here<T>(
  command: Command,
  output: Output,
  work: (sync: NostrSync) => Promise<T>,
): Promise<T> {
  const { relay: relays = [] } = command.optsWithGlobals<GlobalOptions>();
  return withEngine(command, { relays, signer: await signerFrom(command), output }, work);
}

function rowOf({ eventId, updatedAt, deviceId, bytes, isCurrent, why }: VersionInfo): string[] {
  const state = !isCurrent ? why : why === 'removed' ? 'current, removed' : 'current';
  return [eventId.slice(0, SHOWN_DIGITS), updatedAt, state, `${bytes} bytes`, deviceName(deviceId)];
}

const HEADINGS = ['CATEGORY', 'VERSION', 'WRITTEN', 'STAGE', 'BYTES', 'KEPT', 'RIVALS', 'STATE'];

function cellsOf(row: CategoryRow): string[] {
  const isReadable = row.isWhole && row.reading !== 'unreadable';
  const state = row.isRemoval ? 'removed' : isReadable ? 'value' : row.isWhole ? 'unreadable' : 'incomplete';
  return [
    ...[row.category, row.eventId.slice(0, SHOWN_DIGITS), row.updatedAt, row.stage],
    ...[`${row.bytes}`, `${row.kept}`, `${row.rivals}`, state],
  ];
}
