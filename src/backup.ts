/** `nostr-sync/backup`: what a device has, as lines of ciphertext, and back. */

import { exported } from './backup/export.ts';
import { imported, type ImportReport } from './backup/import.ts';
import { misuse, NostrSyncError } from './errors.ts';
import type { NostrSync } from './nostr-sync.ts';
import { checkNames, checkReading, type ReadOptions } from './options.ts';
import { INSIDE, type Inside } from './sync/inside.ts';

export type { ImportReport, LineFault } from './backup/import.ts';

/** What `createNostrSync` returned, of whatever categories. */
export type Engine = Pick<NostrSync, 'close'>;

/** What of an engine is exported. */
export interface ExportOptions {
  /** With the former values that this device keeps. Default false. */
  readonly versions?: boolean;
}

/**
 * All that this device has, as lines of JSON without line feeds: the newest value of each category, with `versions` the former ones too.
 * Ciphertext; only with its last line it is whole. Needs no signer. The iterable throws `SIGNER_NOT_SET` if none was ever set,
 * `STORE_FAILED`, `CLOSED`.
 */
export function exportLines(sync: Engine, options?: ExportOptions): AsyncIterable<string> {
  const inside = insideOf(sync);
  const hasVersions = checkExport(options);
  return (async function* () {
    const session = await inside.known();
    if (session === undefined)
      throw new NostrSyncError('SIGNER_NOT_SET', 'Cannot export: no signer was ever set');
    yield* exported(session, hasVersions);
  })();
}

/**
 * Takes what an export of the same key and namespace holds. Nothing of it beats what is newer, so an old backup changes no newer
 * value: what is older goes into the history. Each line is checked as if a relay had sent it; one that is wrong is left out, and the report
 * says why. May be done again. Rejects with `INVALID_EXPORT`, `SIGNER_NOT_SET`, `STORE_FAILED`, `CLOSED`, `DECRYPTION_FAILED`, and with
 * what `lines` throws.
 */
export async function importLines(
  sync: Engine,
  lines: AsyncIterable<string> | Iterable<string>,
  options?: ReadOptions,
): Promise<ImportReport> {
  const inside = insideOf(sync);
  const signal = checkReading(options);
  checkLines(lines);
  return imported(await inside.signedIn('import'), lines, signal);
}

function insideOf(sync: unknown): Inside {
  const inside = (Object(sync) as { readonly [INSIDE]?: Inside })[INSIDE];
  if (inside === undefined) throw new TypeError(misuse('sync', 'what createNostrSync returned', sync));
  return inside;
}

/** Whether an export is to hold former values. */
function checkExport(options: unknown): boolean {
  if (options !== undefined && (typeof options !== 'object' || options === null))
    throw new TypeError(misuse('options', 'an object', options));
  const { versions = false, ...others }: ExportOptions = options ?? {};
  checkNames('versions', Object.keys(others));
  if (typeof versions !== 'boolean') throw new TypeError(misuse('versions', 'true or false', versions));
  return versions;
}

function checkLines(lines: unknown): void {
  const isIterable =
    typeof lines === 'object' &&
    lines !== null &&
    (Symbol.iterator in lines || Symbol.asyncIterator in lines);
  if (!isIterable) throw new TypeError(misuse('lines', 'an iterable of lines', lines));
}
