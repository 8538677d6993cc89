/** Takes what an export holds: each event is checked as if a relay had sent it, and nothing of it beats what is newer. */

import { nowSeconds } from '../clock.ts';
import { NostrSyncError } from '../errors.ts';
import { isCategoryIn, type Address } from '../protocol/address.ts';
import { pieceOf } from '../protocol/chunks.ts';
import { checkEvent, type EventFault, type VerifiedEvent } from '../protocol/event.ts';
import {
  MAX_BACKUP_LINE_CHARS,
  MAX_BACKUP_PIECES_CHARS,
  MAX_REFUSED_LINES,
  SKEW_REPORT_SECONDS,
} from '../protocol/limits.ts';
import { isVoid } from '../protocol/voids.ts';
import { createLineHash, EXPORT_FORMAT } from './export.ts';
import { keptIn } from '../sync/heads/frontier.ts';
import { isInPieces } from '../sync/heads/version.ts';
import type { Opened } from '../sync/inside.ts';
import { isPassing } from '../sync/reading.ts';

/**
 * Why a line was not taken. `'size'`, `'json'`: it is too long, or no JSON. `'incomplete'`: pieces of it are missing. `'unreadable'`: which
 * pieces those are cannot be read. `'void'`: it does not count any more, by a `reset`, or its write was withdrawn. `'ahead'`: it is stamped
 * more than two minutes ahead of this clock. The others: the event is not well-formed, of another author, kind or namespace, or not
 * genuine.
 */
export type LineFault = EventFault | 'size' | 'json' | 'incomplete' | 'unreadable' | 'void' | 'ahead';

/** What became of the events of an export; pieces are not counted. */
export interface ImportReport {
  /** They are the newest value of their category now, and go to the relays. */
  readonly taken: number;
  /** They were here. */
  readonly known: number;
  /** They are below the newest value: former values now, as far as there is room. */
  readonly older: number;
  readonly refused: number;
  /** Of the first 100 refused, which line it was, the first being 1. */
  readonly faults: readonly { readonly line: number; readonly fault: LineFault }[];
  /** The last line is there, and is right: nothing was cut off, lost or changed. */
  readonly isWhole: boolean;
}

type Fate = 'taken' | 'known' | 'older' | LineFault | 'piece';

export async function imported(
  ports: Opened,
  lines: AsyncIterable<string> | Iterable<string>,
  signal: AbortSignal | undefined,
): Promise<ImportReport> {
  const counts = { taken: 0, known: 0, older: 0, refused: 0 };
  const faults: { line: number; fault: LineFault }[] = [];
  const hash = createLineHash();
  const take = createTaking(ports);
  let number = 0;
  let isWhole = false;
  for await (const line of lines) {
    signal?.throwIfAborted();
    number++;
    const value = parse(line);
    if (number === 1) checkHeader(value, ports);
    isWhole = isEnd(value, number - 1, hash.hex());
    if (isWhole) continue;
    // Hashing has no bound on its own.
    if (line.length <= MAX_BACKUP_LINE_CHARS) hash.add(line);
    if (number === 1 || 'end' in Object(value)) continue;
    const fate =
      line.length > MAX_BACKUP_LINE_CHARS ? 'size' : value === undefined ? 'json' : await take(value);
    if (fate === 'piece') continue;
    if (fate === 'taken' || fate === 'known' || fate === 'older') counts[fate]++;
    else {
      counts.refused++;
      if (faults.length < MAX_REFUSED_LINES) faults.push({ line: number, fault: fate });
    }
  }
  if (number === 0) checkHeader(undefined, ports);
  return { ...counts, faults, isWhole };
}

function parse(line: string): unknown {
  if (line.length > MAX_BACKUP_LINE_CHARS) return undefined;
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

function isEnd(value: unknown, count: number, hex: string): boolean {
  const { end, sha256 } = Object(value) as { readonly end?: unknown; readonly sha256?: unknown };
  return end === count && sha256 === hex;
}

function checkHeader(value: unknown, { namespace, pubkey }: Opened): void {
  const header = Object(value) as Readonly<Record<string, unknown>>;
  const fail = (why: string): never => {
    throw new NostrSyncError('INVALID_EXPORT', `Cannot import: ${why}`);
  };
  if (header['t'] !== EXPORT_FORMAT) fail(`its first line is not that of ${EXPORT_FORMAT}`);
  if (header['pubkey'] !== pubkey) fail('it was made with another key');
  if (header['namespace'] !== namespace) fail(`it is not of namespace ${JSON.stringify(namespace)}`);
}

/** Returns what takes one line, of which pieces wait for the value that they are part of. */
function createTaking(ports: Opened): (value: unknown) => Promise<Fate> {
  const { namespace } = ports;
  /** Of one category, by name. */
  const pieces = new Map<string, VerifiedEvent>();
  let piecesOf: Address | undefined;
  let piecesChars = 0;

  function hold(of: Address, name: string, event: VerifiedEvent): void {
    if (piecesOf !== of || piecesChars + event.content.length > MAX_BACKUP_PIECES_CHARS) {
      pieces.clear();
      piecesChars = 0;
    }
    piecesOf = of;
    piecesChars += event.content.length;
    pieces.set(name, event);
  }

  return async (value) => {
    const { version = value } = Object(value) as { readonly version?: unknown };
    const isAsked = (dTag: string): dTag is Address => isCategoryIn(namespace, pieceOf(dTag)?.of ?? dTag);
    const check = checkEvent(version, { ...ports, isAsked, known: () => undefined });
    if (check.type !== 'new') return check.type === 'rejected' ? check.fault : 'shape';
    const piece = pieceOf(check.dTag);
    if (piece === undefined)
      return settle(ports, check.dTag, check.event, piecesOf === check.dTag ? pieces : new Map());
    hold(piece.of, piece.name, check.event);
    return 'piece';
  };
}

/** One value that can never be read keeps no other out. What only fails for a time is the caller's. */
function unreadable(error: unknown): 'unreadable' {
  if (isPassing(error)) throw error;
  return 'unreadable';
}

async function settle(
  { clock, replica, content, relays }: Opened,
  dTag: Address,
  event: VerifiedEvent,
  offered: ReadonlyMap<string, VerifiedEvent>,
): Promise<Fate> {
  const { id } = event;
  const record = replica.get(dTag);
  const isHead = (): boolean => replica.get(dTag)?.head?.event.id === id;
  const isKept = (): boolean => keptIn(replica.get(dTag)).some((one) => one.id === id);
  if (isHead() || isKept()) return 'known';
  if (record !== undefined && (isVoid(record.voids, event) || record.own?.withdrawn?.includes(id) === true))
    return 'void';
  // Its writer gives it another stamp as soon as it hears that no relay takes it: what has seen this one would hide what follows.
  if (event.created_at > nowSeconds(clock) + SKEW_REPORT_SECONDS) return 'ahead';
  const stock = isInPieces(event)
    ? await content.piecesOf(event, dTag, offered).catch(unreadable)
    : undefined;
  if (stock === 'unreadable') return stock;
  if (stock !== undefined && stock.pieces.size < stock.total) return 'incomplete';
  const made = stock?.pieces;
  // In one save: the newest value without its pieces would be shown as incomplete, and a rival would not be found.
  const saved = [replica.apply(dTag, { type: 'shown', relay: undefined, event, relays: relays() })];
  if (made !== undefined)
    saved.push(
      replica.apply(dTag, { type: 'assembled', id, made, lacking: new Map() }),
      replica.apply(dTag, { type: 'gathered', id, made }),
    );
  await Promise.all(saved);
  if (isHead()) return 'taken';
  if (!isKept()) await replica.apply(dTag, { type: 'remembered', event, made });
  return 'older';
}
