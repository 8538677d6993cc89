/**
 * M2: of two edits of one field that had not seen each other one is beaten. A device that merged them tells of it, by `merged` or
 * `conflict` with that path and that value, and has it in its history. What may have kept it from that is known by device and time.
 */

import type { MergeClash } from '../../src/sync/merging/merger.ts';
import { docIn, valueIn, type Doc } from './documents.ts';
import type { Edit } from './merge-oracle.ts';
import { hasSeen, type Oracle, type Signed } from './oracle.ts';

export interface Beaten {
  /** What a merge may have given up, by its own word. */
  told(category: string, clashes: readonly Pick<MergeClash, 'path' | 'mine' | 'theirs'>[]): void;
  /** For so long, in ms, a device may not tell what it has saved: it crashes, sleeps, or its store or signer fails. */
  restless(device: string, forMs: number): void;
  /** Whether nothing kept it from telling what it knows, in all of that time, in ms. */
  isCalm(device: string, from: number, to: number): boolean;
  /** A former value of a category came onto a medium, or left it. */
  onVersion(device: string, id: string, isThere: boolean): void;
  /** At the end, of an edit that is not in the head. `category`: all edits of that. */
  check(edit: Edit, head: Signed, category: readonly Edit[]): void;
}

/** What was saved is told within, in ms: a signer is slow. */
export const TELLING_MS = 30_000;
/** As long as there are no more events, and no larger ones, each that was merged is in the history. */
const FEW = 16;
const FEW_BYTES = 400_000;

export function createBeaten(ports: {
  readonly oracle: Oracle;
  readonly devices: number;
  /** Since when its device had it on its medium, in ms. */
  readonly writtenAt: (entry: Signed) => number | undefined;
  readonly now: () => number;
  readonly count: (what: string) => void;
}): Beaten {
  const { oracle, count, now } = ports;
  const tolds: {
    readonly category: string;
    readonly sides: readonly Doc[];
    readonly path: readonly string[];
  }[] = [];
  const restless: { readonly device: string; readonly from: number; readonly to: number }[] = [];
  /** By device, ids on its medium. */
  const kept = new Map<string, Set<string>>();

  const isCalm = (device: string, from: number, to: number): boolean =>
    !oracle.isDestroyed(device) &&
    !restless.some((one) => one.device === device && one.from <= to && one.to >= from);

  /** Whether it took away what the edit in its place had never seen: then one side alone has changed the field. */
  function isUndone({ field, before }: Edit, winner: Edit | undefined, others: readonly Edit[]): boolean {
    const was = before.get(field);
    const one = others.find(({ id }) => id === was);
    if (one === undefined) return was === undefined;
    return (winner?.seen.get(one.series) ?? 0) < one.number && isUndone(one, winner, others);
  }

  /** Whether it took away what was gone by then in what it was written over, and the other had seen it go: then one side alone has changed the field. */
  function wasGone({ field, event }: Edit, winner: Edit | undefined, others: readonly Edit[]): boolean {
    const isRemoval = ({ asserts }: Edit): boolean => asserts.has(field) && asserts.get(field) === undefined;
    return others.some(
      (one) =>
        isRemoval(one) &&
        one.event !== undefined &&
        hasSeen(event!.event, one.event.event) &&
        (winner?.seen.get(one.series) ?? 0) >= one.number,
    );
  }

  /** Whether a later edit had seen it, or is of the same device: of two there the later is meant to stay, whatever it was made of. */
  const isFollowed = (edit: Edit, others: readonly Edit[]): boolean =>
    others.some(
      (one) =>
        one !== edit &&
        one.asserts.has(edit.field) &&
        ((one.seen.get(edit.series) ?? 0) >= edit.number ||
          (one.device === edit.device && one.at >= edit.at)),
    );

  /** What had seen it and has it no more, before any other: one of the devices that have written these has given it up. */
  function beatersOf({ category, field, asserts, event }: Edit): Signed[] {
    const isWithout = ({ text }: Signed): boolean => valueIn(docIn(text), field) !== asserts.get(field);
    // A write of several calls may have given it up itself.
    if (isWithout(event!)) return [event!];
    const isIt = (one: Signed): boolean =>
      one.category === category && hasSeen(one.event, event!.event) && isWithout(one);
    const all = [...oracle.signed.values()].filter(isIt);
    return all.filter((one) => !all.some((other) => other !== one && hasSeen(one.event, other.event)));
  }

  /** Whether some device that lives must have told of it. */
  function isOwed(edit: Edit): boolean {
    const beaters = beatersOf(edit);
    // It was merged, and nothing had to be written.
    if (beaters.length === 0)
      return Array.from({ length: ports.devices }, (_, i) => `device-${i}`).some((one) =>
        isCalm(one, edit.at, now()),
      );
    return beaters.some((one) => isCalm(one.device, edit.at, (ports.writtenAt(one) ?? now()) + TELLING_MS));
  }

  function isTold({ category, field, asserts }: Edit): boolean {
    const value = asserts.get(field);
    return tolds.some(
      (one) =>
        one.category === category &&
        (one.path.length === 0 || one.path[0] === field) &&
        one.sides.some((side) => valueIn(side, field) === value),
    );
  }

  function isKept({ category, field, asserts }: Edit): boolean {
    const holds = (id: string): boolean => {
      const entry = oracle.signed.get(id);
      return entry?.category === category && valueIn(docIn(entry.text), field) === asserts.get(field);
    };
    return [...kept].some(([device, ids]) => !oracle.isDestroyed(device) && [...ids].some(holds));
  }

  return {
    told: (category, clashes) => {
      for (const { path, mine, theirs } of clashes) {
        const [field] = path;
        // A removal has no fields.
        const docOf = (side: unknown): Doc =>
          field === undefined ? ((side ?? {}) as Doc) : side === undefined ? {} : { [field]: side };
        tolds.push({ category, path, sides: [docOf(mine), docOf(theirs)] });
      }
    },
    isCalm,
    restless: (device, forMs) => void restless.push({ device, from: now(), to: now() + forMs }),
    onVersion: (device, id, isThere) => {
      const ids = kept.get(device) ?? new Set();
      kept.set(device, ids);
      if (isThere) ids.add(id);
      else ids.delete(id);
    },
    check: (edit, head, others) => {
      const { category, field, text, asserts } = edit;
      const is = valueIn(docIn(head.text), field);
      if (is === asserts.get(field) || isFollowed(edit, others)) return;
      const winner = others.find(({ id }) => id === is);
      // What both sides took away, and one of them then set again, one side alone has changed as well.
      const isOnNothing = winner?.before.get(field) === undefined;
      const isNoChange = isOnNothing || isUndone(edit, winner, others) || wasGone(edit, winner, others);
      if (text === undefined && isNoChange) return;
      if (!isOwed(edit)) return count('merge: an edit beaten by a device that may not tell');
      count('merge: an edit beaten');
      const what = `${edit.id} set ${field} of ${category} to ${asserts.get(field) ?? 'nothing'} in ${edit.event!.event.id.slice(0, 8)}, ${head.event.id.slice(0, 8)} has ${is ?? 'nothing'}`;
      if (!isTold(edit)) return oracle.violate('M2', `${what}, and no device tells of it`);
      // What a write of several calls has given up before it was saved is in no event: its app has been told of both values.
      if (valueIn(docIn(edit.event!.text), field) !== asserts.get(field)) return;
      const events = [...oracle.signed.values()].filter((one) => one.category === category);
      const bytes = events.reduce((sum, one) => sum + (one.isInPieces ? Infinity : one.bytes), 0);
      if (events.length > FEW || bytes > FEW_BYTES) return;
      // What no socket has carried is not kept once another write has taken its place.
      const holds = (one: Signed): boolean => valueIn(docIn(one.text), field) === asserts.get(field);
      if (!events.some((one) => one.isCarried && holds(one))) return;
      count('merge: an edit beaten, and looked for in the history');
      if (!isKept(edit)) oracle.violate('M2', `${what}, and no history has it`);
    },
  };
}
