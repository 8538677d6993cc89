/** What a device has, as lines of JSON: signed events as relays have them. Ciphertext, so it can be kept anywhere. docs/HISTORY.md. */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { toIso } from '../clock.ts';
import type { Address } from '../protocol/address.ts';
import type { VerifiedEvent } from '../protocol/event.ts';
import { keptIn } from '../sync/heads/frontier.ts';
import type { Replica } from '../sync/heads/replica.ts';
import type { Opened } from '../sync/inside.ts';

/** What the first line says it is. */
export const EXPORT_FORMAT = 'nostr-sync/export/1';

/** In ASCII alone: no terminal, editor or transport changes a byte of it. */
function toLine(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** How often a category is read again that changes while it is read. */
const MAX_TRIES = 5;

/** Of which a running hash is made, as the last line has it: each line with its line feed. */
export function createLineHash(): { add(line: string): void; hex(): string } {
  const hash = sha256.create();
  return {
    add: (line) => void hash.update(utf8ToBytes(`${line}\n`)),
    hex: () => bytesToHex(hash.clone().digest()),
  };
}

/** Line by line, without line feeds. Pieces come before the value that they are part of. */
export async function* exported(
  { clock, replica, namespace, pubkey }: Opened,
  hasVersions: boolean,
): AsyncGenerator<string, void, undefined> {
  const hash = createLineHash();
  let count = 0;
  const told = (line: string): string => {
    hash.add(line);
    count++;
    return line;
  };
  yield told(toLine({ t: EXPORT_FORMAT, namespace, pubkey, made: toIso(clock.now()) }));
  for (const dTag of [...replica.dTags()].sort())
    for (const line of await linesOf(replica, dTag, hasVersions)) yield told(line);
  yield toLine({ end: count, sha256: hash.hex() });
}

/** Of one category, as it is at one time. */
async function linesOf(replica: Replica, dTag: Address, hasVersions: boolean): Promise<readonly string[]> {
  for (let tries = 1; ; tries++) {
    // It goes out, as if a socket carried it: what is written next must not take its stamp.
    const id = replica.get(dTag)?.head?.event.id;
    const isOurs = replica.isUncarried(dTag);
    const isBeingWritten = replica.claim(dTag) === undefined && id !== undefined;
    // Another tab may be the one that writes.
    if (id !== undefined && !isOurs) await replica.apply(dTag, { type: 'exported', id });
    const record = replica.get(dTag);
    if ((isBeingWritten || record?.head?.event.id !== id) && tries < MAX_TRIES) {
      await replica.reload([]);
      continue;
    }
    const written = new Set<string>();
    const lines: string[] = [];
    const add = async (line: unknown, names: readonly string[]): Promise<void> => {
      for (const name of names) {
        const piece = written.has(name) ? undefined : await replica.piece(dTag, name);
        if (piece !== undefined) lines.push(toLine(piece));
        written.add(name);
      }
      lines.push(toLine(line));
    };
    if (record?.head !== undefined)
      await add(
        record.head.event,
        (record.head.pieces ?? []).map(({ name }) => name),
      );
    for (const { id, pieces = [] } of hasVersions ? keptIn(record) : []) {
      const version: VerifiedEvent | undefined = await replica.version(dTag, id);
      if (version !== undefined) await add({ version }, pieces);
    }
    if (replica.get(dTag) === record || tries === MAX_TRIES) return lines;
  }
}
