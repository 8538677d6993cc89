/** `export` and `import`: what a device has, as a file. */

import { open, rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { isNostrSyncError, messageOf } from '../errors.ts';
import { codeOf } from '../keys/private-file.ts';
import { exportLines, importLines, type ImportReport, type LineFault } from '../backup.ts';
import type { NostrSync } from '../node.ts';
import { MAX_BACKUP_LINE_CHARS } from '../protocol/limits.ts';
import { linger, withEngine } from './engine.ts';
import { CommandError, EXIT } from './failure.ts';
import { here } from './history.ts';
import type { Output } from './output.ts';
import { requiredSigner, type GlobalOptions } from './settings.ts';

interface ExportFlags {
  readonly versions?: boolean;
  readonly plain?: true;
}

export function addExport(program: Command, output: Output): void {
  program
    .command('export')
    .argument('[file]', 'a new file, which only you can read; - or nothing: standard output')
    .description('write what this device has as lines of JSON: ciphertext, for which a key is not needed')
    .option('--versions', 'with the former values that this device keeps')
    .option(
      '--plain',
      'decrypted, for reading elsewhere: whoever has the file can read it, and it cannot be imported',
    )
    .action(async (file: string | undefined, { versions = false, plain }: ExportFlags, command: Command) => {
      if (plain === true) {
        await requiredSigner(command);
        output.note('nostr-sync: this export is not encrypted: whoever has it can read every value');
      }
      let unreadable = 0;
      const linesOf = (sync: NostrSync): AsyncIterable<string> =>
        plain === true
          ? plainLines(sync, versions, (error) => {
              output.error(error);
              unreadable++;
            })
          : exportLines(sync, { versions });
      const write = async (lineOut: (line: string) => unknown): Promise<number> =>
        here(command, output, async (sync) => {
          let count = 0;
          for await (const line of linesOf(sync)) {
            await lineOut(line);
            count++;
          }
          return count;
        });
      if (file === undefined || file === '-') await write(output.line);
      else {
        const lines = await toNewFile(file, write);
        output.result({ file, lines }, `wrote ${lines} ${lines === 1 ? 'line' : 'lines'} to ${file}`);
      }
      if (unreadable > 0) {
        const what = unreadable === 1 ? '1 value' : `${unreadable} values`;
        throw new CommandError(
          'UNDECODABLE',
          EXIT.failed,
          `${what} could not be read, and are not in the export`,
        );
      }
    });
}

/** All of it or nothing: what could not be written to its end is deleted. */
async function toNewFile(
  file: string,
  write: (lineOut: (line: string) => unknown) => Promise<number>,
): Promise<number> {
  const sink = await create(file);
  let isWritten = false;
  try {
    const lines = await write(async (line) => sink.write(`${line}\n`));
    await sink.sync();
    isWritten = true;
    return lines;
  } finally {
    await sink.close();
    if (!isWritten) await rm(file, { force: true });
  }
}

/** Never in place of another file: that may be the only backup. */
async function create(file: string): ReturnType<typeof open> {
  return open(file, 'wx', 0o600).catch((error: unknown) => {
    const why = codeOf(error) === 'EEXIST' ? 'it is there already' : messageOf(error);
    throw new CommandError('CANNOT_WRITE', EXIT.failed, `Cannot write ${file}: ${why}`);
  });
}

/** A value a line. What cannot be read is left out, and told. */
async function* plainLines(
  sync: NostrSync,
  hasVersions: boolean,
  onUnreadable: (error: unknown) => void,
): AsyncGenerator<string, void, undefined> {
  for (const { category, eventId } of await sync.inspect()) {
    const ids = hasVersions ? (await sync.history(category)).map((one) => one.eventId) : [eventId];
    for (const id of ids) {
      const found = await sync.readVersion(category, id).catch((error: unknown) => {
        if (!isNostrSyncError(error, 'UNDECODABLE') && !isNostrSyncError(error, 'INCOMPLETE')) throw error;
        onUnreadable(error);
        return undefined;
      });
      if (found === undefined || found.deleted === true) continue;
      const { source: _, pending: __, ...value } = found;
      yield JSON.stringify(value);
    }
  }
}

export function addImport(program: Command, output: Output): void {
  program
    .command('import')
    .argument('<file>', 'what export has written; -: standard input')
    .description(
      'take what an export holds: nothing of it beats what is newer; exit code 1 if it is not whole',
    )
    .action(async (file: string, _options: object, command: Command) => {
      const signer = await requiredSigner(command);
      const { relay: relays = [] } = command.optsWithGlobals<GlobalOptions>();
      const stream = file === '-' ? process.stdin : (await opened(file)).createReadStream();
      const report = await withEngine(command, { relays, signer, output }, async (sync) => {
        const found = await importLines(sync, linesOf(stream.setEncoding('utf8') as AsyncIterable<string>));
        if (relays.length > 0) await linger(sync, output.isWatched);
        return found;
      });
      output.result(report, textOf(report));
      for (const { line, fault } of report.faults)
        output.note(`nostr-sync: line ${line} is refused: ${FAULTS[fault]}`);
      if (!report.isWhole)
        throw new CommandError(
          'NOT_WHOLE',
          EXIT.failed,
          'The file is not whole: it was cut off or changed. What it holds and is right was taken',
        );
    });
}

async function opened(file: string): ReturnType<typeof open> {
  const failed = (why: string): never => {
    throw new CommandError('CANNOT_READ', EXIT.usage, `Cannot read ${file}: ${why}`);
  };
  const handle = await open(file, 'r').catch((error: unknown) => failed(messageOf(error)));
  if (!(await handle.stat()).isDirectory()) return handle;
  await handle.close();
  return failed('it is a folder');
}

/** Why a line is refused, for people. */
const FAULTS: Readonly<Record<LineFault, string>> = {
  json: 'it is no JSON, or was cut off',
  size: 'it is too long',
  shape: 'it is no event',
  author: 'it is of another key',
  kind: 'it is an event of another kind',
  'd-tag': 'it is of another namespace',
  id: 'it was changed: its id is not that of what it says',
  signature: 'its signature is wrong',
  incomplete: 'pieces of the value are missing',
  unreadable: 'it cannot be read which pieces the value has',
  ahead: 'it is stamped ahead of this clock: import it again then, or set the clock',
  void: 'it does not count any more, by a reset, or its write was withdrawn',
};

function textOf({ taken, known, older, refused }: ImportReport): string {
  return `${taken} taken, ${known} known, ${older} older than the value here, ${refused} refused`;
}

/** Of a line that is too long no more than shows that it is. */
async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let rest = '';
  for await (const chunk of chunks) {
    const parts = chunk.split('\n');
    const last = parts.pop()!;
    for (const part of parts) {
      yield (rest + part).slice(0, MAX_BACKUP_LINE_CHARS + 1);
      rest = '';
    }
    rest = (rest + last).slice(0, MAX_BACKUP_LINE_CHARS + 1);
  }
  if (rest !== '') yield rest;
}
