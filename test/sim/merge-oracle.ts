/**
 * What must hold where edits of several devices become one value: M1 to M11 of docs/RELIABILITY.md. Values are documents (documents.ts),
 * and each edit knows what its app had before it, so that none of the engine's own code, and no vector, decides what was lost.
 */

import type { Changes } from '../../src/store/store.ts';
import type { Conflict, MergedValues } from '../../src/sync/events.ts';
import { MAX_MERGE_WAIT_MS } from '../../src/protocol/limits.ts';
import { createBeaten, TELLING_MS, type Beaten } from './beaten.ts';
import {
  BIG,
  docIn,
  EXTRA,
  extraOf,
  FIELDS,
  isExtraWhole,
  mayHold,
  seenIn,
  valueIn,
  withFields,
  type Doc,
  type FieldEdit,
} from './documents.ts';
import type { Chance } from './chance.ts';
import { hasSeen, order, type Call, type Oracle, type Signed } from './oracle.ts';
import { rivalsIn, takenIn } from './records.ts';
import { expirationIn, hasTag, vectorIn } from './tags.ts';

/** One edit of an app: it sets one field, or takes it away. */
export interface Edit extends FieldEdit {
  readonly id: string;
  readonly device: string;
  readonly category: string;
  readonly field: string;
  /** `undefined`: the field is taken away. */
  readonly text: string | undefined;
  readonly version: 1 | 2;
  /** When it was asked for, in ms. */
  readonly at: number;
  /** By field that it sets, what was there before it. */
  before: ReadonlyMap<string, string | undefined>;
  call: Call | undefined;
  /** The value that the app made its own of, if it says so. */
  base: Signed | undefined;
  /** The first event on the medium of its device that holds it. */
  event: Signed | undefined;
}

/** What a merge has told of. */
interface Told {
  readonly category: string;
  readonly path: readonly string[];
  readonly isExact: boolean;
  /** Both sides there, as `valueIn` reads them. */
  readonly sides: readonly (string | undefined)[];
  /** In ms. */
  readonly at: number;
}

interface Whole {
  readonly device: string;
  readonly category: string;
  readonly doc: Doc | undefined;
  readonly at: number;
}

/** A field of a document that does not hold what an edit has set, nor what may have taken the place of that. */
interface Miss {
  readonly edit: Edit;
  readonly field: string;
  readonly now: string | undefined;
  readonly in: Signed;
  /** When it was seen, in ms. */
  readonly at: number;
}

export interface MergeOracle {
  isMerged(category: string): boolean;
  /** A call of an app; `filler` makes its field large. */
  edit(
    who: Pick<Edit, 'series' | 'device' | 'category' | 'version'>,
    chance: Chance,
    filler: string | undefined,
  ): Edit;
  /** What the edit makes of a value. The last time counts. */
  made(edit: Edit, now: Doc | undefined): Doc;
  /** A whole value that stands for all of its fields: written by the original plugin, or restored; `undefined`: a removal. */
  whole(device: string, category: string, doc: Doc | undefined): void;
  /** How often apps of other devices have written there what the last edit of this one had not seen. */
  unseenWrites(device: string, category: string): number;
  /** Whether there are rivals on its medium. */
  isRivalled(device: string, category: string): boolean;
  /** What an app was told that was merged. */
  merged(device: string, merged: MergedValues): void;
  conflict(conflict: Conflict): void;
  readonly restless: Beaten['restless'];
  onFlush(device: string, changes: Changes): void;
  /** The head of a medium. */
  onHead(device: string, category: string, after: Signed, before: Signed | undefined): void;
  /** A head is shown with more than its event says. */
  onView(device: string, entry: Signed, text: string): void;
  /** Whether this, which an app was told last, shows all rivals that its device has. */
  shows(
    device: string,
    category: string,
    view: { readonly of: Signed; readonly text: string } | undefined,
  ): void;
  /** The faults stop. */
  healed(): void;
  /** At the end, of a category of which all have this head. */
  final(category: string, head: Signed): void;
  /** At the end, of all. */
  finalWrites(): void;
}

/** M4: how long after the last edit and the last fault a merge may come, in ms. */
const QUIET_MS = 600_000;
/** M10: former values, rivals, and rivals that a write took in and that may come back. */
const MOST_VERSIONS = 20 + 16 + 16;

/** As long as there are no more events, each is in the ring of every device that had it. */
const FEW = 16;

/** Equal whatever the order of their fields. */
const canonical = (doc: Doc | undefined): string =>
  JSON.stringify(Object.entries(doc ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));

export function createMergeOracle(ports: {
  readonly pubkey: string;
  readonly merged: ReadonlySet<string>;
  readonly devices: number;
  /** Whether an app merges by a function of its own. */
  readonly hasOwnRules: boolean;
  readonly oracle: Oracle;
  readonly now: () => number;
  readonly count: (what: string) => void;
  /** Whether something like that has happened. */
  readonly has: (what: string) => boolean;
  /** Whether a piece of this value is nowhere any more, by its id. */
  readonly isTorn: (id: string) => boolean;
}): MergeOracle {
  const { oracle, count, has } = ports;
  const beaten = createBeaten({
    ...ports,
    writtenAt: ({ device, event }) => heads.get(`${device} ${event.id}`),
  });
  const edits: Edit[] = [];
  const numbers = new Map<string, number>();
  const wholes: Whole[] = [];
  /** By device, ids of what was its head, a rival of that or a former value; and where the head shows more than its event says. */
  const hadOn = new Set<string>();
  const joint = new Set<string>();
  const clashes: Told[] = [];
  const misses: Miss[] = [];
  /** Merges that were saved, by id, and whether that was told. */
  const writes = new Map<string, { readonly entry: Signed; isTold: boolean }>();
  /** By category, what was ever a rival. */
  const rivals = new Map<string, Set<string>>();
  /** By device and category: what is a rival on its medium, and since when no other was, in ms. */
  const rivalsOn = new Map<string, { readonly ids: readonly string[]; readonly since: number }>();
  /** By device and category, the entries of former values. */
  const versions = new Map<string, number>();
  /** By device and id, since when it had been the head on its medium, in ms. */
  const heads = new Map<string, number>();
  let lastEditAt = 0;
  /** The latest stamp of an edit, and of what there was when the faults stopped, in ms: no relay shows it before. */
  let lastStampAt = 0;
  let healedAt = Infinity;
  let lastWriteAt = 0;

  const describe = ({ event, device }: Signed): string =>
    `${event.id.slice(0, 8)}@${event.created_at} by ${device}`;
  const headPrefix = `head/${ports.pubkey}/default/`;
  const versionPrefix = `version/${ports.pubkey}/default/`;

  /** Whether a field may hold this though an edit has set it otherwise, by what was known by then. */
  function isExplained(edit: Edit, field: string, now: string | undefined, until = Infinity): boolean {
    const isOf = (one: { readonly category: string }): boolean => one.category === edit.category;
    const isWhole = (one: Whole): boolean => isOf(one) && one.at <= until && valueIn(one.doc, field) === now;
    if (wholes.some((one) => isWhole(one) && isUnseen(one, edit, field))) return true;
    const others = edits.filter((one) => isOf(one) && !isWeaker(one, edit, field));
    return mayHold(edit, field, now, others);
  }

  /**
   * An edit wins over one that took away what was there before both. An app's own function may see it otherwise, and what was
   * restored may be taken away again.
   */
  function isWeaker(other: Edit, edit: Edit, field: string): boolean {
    if (ports.hasOwnRules || wholes.some(({ category }) => category === edit.category)) return false;
    if (edit.asserts.get(field) === undefined) return false;
    if (!other.asserts.has(field) || other.asserts.get(field) !== undefined) return false;
    const was = other.before.get(field);
    const one = edits.find(({ id }) => id === was);
    return one === undefined ? was === undefined : (edit.seen.get(one.series) ?? 0) >= one.number;
  }

  /** Whether the device has written what it held there, perhaps with edits about it, and the edit had not seen that. */
  function isUnseen({ device, category, doc, at }: Whole, edit: Edit, field: string): boolean {
    const { event } = edit.base ?? edit.event!;
    return ofCategory(category).some(
      (one) =>
        one.device === device &&
        valueIn(docIn(one.text), field) === valueIn(doc, field) &&
        (one === (edit.base ?? edit.event)
          ? at >= edit.at
          : !hasSeen(event, one.event) || isReplacedBy(one, edit.event!)),
    );
  }

  /** Whether it took the place of what no socket had carried, under the same stamp. */
  const isReplacedBy = (after: Signed, { device, event, isCarried }: Signed): boolean =>
    after.device === device &&
    !isCarried &&
    after.event.created_at === event.created_at &&
    heads.get(`${device} ${after.event.id}`)! > heads.get(`${device} ${event.id}`)!;

  function missesIn(edit: Edit, head: Signed): Miss[] {
    const doc = docIn(head.text);
    return [...edit.asserts.keys()]
      .map((field) => ({ edit, field, now: valueIn(doc, field), in: head, at: ports.now() }))
      .filter(({ field, now }) => !isExplained(edit, field, now));
  }

  /** Whether a merge of which not all was known has told by then that it may have given this field up, or died before it could. */
  function isTold(miss: Miss, until: number): boolean {
    if (isCutOff(miss)) return true;
    const { edit, field } = miss;
    const { category, asserts } = edit;
    const isIn = ({ path }: Told): boolean => path.length === 0 || path[0] === field;
    const isUntold = [...writes.values()].some(
      ({ entry, isTold }) =>
        !isTold &&
        entry.category === category &&
        hasSeen(entry.event, edit.event!.event) &&
        valueIn(docIn(entry.text), field) !== asserts.get(field),
    );
    const counts = (one: Told): boolean => one.category === category && !one.isExact && one.at <= until;
    return isUntold || clashes.some((one) => counts(one) && isIn(one));
  }

  /** Whether an app made it of a value that is kept nowhere, as no socket had carried that, and its process died as it was written. */
  function isCutOff({ in: { device, event } }: Miss): boolean {
    const at = heads.get(`${device} ${event.id}`);
    const isOfNothing = edits.some((one) => one.event?.event === event && one.base?.isCarried === false);
    return isOfNothing && at !== undefined && !beaten.isCalm(device, at, at);
  }

  /** Whether it was told by then that an edit of this field and that value had not seen each other. */
  const isClash = (edit: Edit, field: string, value: string | undefined, until: number): boolean =>
    clashes.some(
      ({ category, path, sides, at }) =>
        category === edit.category &&
        path[0] === field &&
        at <= until &&
        [edit.asserts.get(field), value].every((side) => sides.includes(side)),
    );

  /** Whether it was made upon a value that had won over this one in a merge, as was told, while another app's merge of both holds this one. */
  function isSeenOtherwise(edit: Edit, field: string, value: string | undefined, until: number): boolean {
    const upon = edits.find(
      ({ id, category }) => id === edit.before.get(field) && category === edit.category,
    );
    if (upon?.event === undefined || !isClash(upon, field, value, until)) return false;
    const { event } = upon.event;
    return ofCategory(edit.category).some(
      (one) => hasSeen(one.event, event) && valueIn(docIn(one.text), field) === value,
    );
  }

  /**
   * Whether it, or one that followed, gave way to an edit that had not seen it, and that to one of before: apps that prefer a side each
   * may see the same two values otherwise. Both were told by then.
   */
  function isGoneRound({ edit, field, now }: Miss, until: number): boolean {
    if (!ports.hasOwnRules) return false;
    // What was never saved is in no value.
    const ofField = edits.filter(
      ({ category, asserts, event }) =>
        category === edit.category && asserts.has(field) && event !== undefined,
    );
    const follows = (one: Edit): boolean => one === edit || (one.seen.get(edit.series) ?? 0) >= edit.number;
    const gaveWay = (one: Edit, to: string | undefined): boolean =>
      (isExplained(one, field, to) || isSeenOtherwise(one, field, to, until)) &&
      isClash(one, field, to, until);
    return ofField.some(
      (one) =>
        follows(one) &&
        ofField.some((other) => gaveWay(one, other.asserts.get(field)) && gaveWay(other, now)),
    );
  }

  /**
   * Whether it, or one that followed, gave way to another, as was told, and an app has restored a version: what was before it may have
   * taken the place of that.
   */
  function isRestoredOver({ edit, field }: Miss, until: number): boolean {
    const isOf = ({ category }: { readonly category: string }): boolean => category === edit.category;
    const isRestored = ({ device, doc, at }: Whole): boolean =>
      device !== edit.device && doc !== undefined && at <= until;
    if (!wholes.some((one) => isOf(one) && isRestored(one))) return false;
    const followers = edits.filter(
      (one) => isOf(one) && (one === edit || (one.seen.get(edit.series) ?? 0) >= edit.number),
    );
    const values = followers.flatMap((one) => one.asserts.get(field) ?? []);
    return clashes.some(
      (one) =>
        isOf(one) && one.path[0] === field && one.at <= until && values.some((it) => one.sides.includes(it)),
    );
  }

  /**
   * Whether a writer without vectors took its place, and a relay showed what was before it to a device that had never had it: nothing tells
   * that device that this writer had seen it, and not the one before (`docs/PROTOCOL.md` section 3).
   */
  function isBroughtBack({ edit: { category, event }, field, now }: Miss): boolean {
    const holds = ({ text }: Signed): boolean => valueIn(docIn(text), field) === now;
    const all = ofCategory(category).filter((one) => order(one.event, event!.event) > 0);
    const blind = all.filter((one) => vectorIn(one.event) === undefined && !holds(one));
    const isIt = (one: Signed): boolean =>
      holds(one) && blind.some((before) => hasSeen(one.event, before.event));
    const back = all.filter(isIt);
    const first = back.filter((one) => !back.some((other) => hasSeen(one.event, other.event)));
    return first.length > 0 && first.every(({ device }) => !hadOn.has(`${device} ${event!.event.id}`));
  }

  /**
   * Whether an app that prefers a side has given it up for a value that was brought back: a writer without vectors had taken the place of
   * that, by the numbers in its document, and what was written upon this holds it again. It was told by then.
   */
  function isGivenUpForOld({ edit, field, now }: Miss, until: number): boolean {
    const old = edits.find(({ id, category }) => id === now && category === edit.category);
    if (!ports.hasOwnRules || old === undefined) return false;
    const all = ofCategory(edit.category);
    const isReplaced = ({ event, text }: Signed): boolean =>
      vectorIn(event) === undefined &&
      valueIn(docIn(text), field) !== now &&
      (seenIn(docIn(text)).get(old.series) ?? 0) >= old.number;
    const isBack = all
      .filter(isReplaced)
      .some((blind) =>
        all.some((one) => hasSeen(one.event, blind.event) && valueIn(docIn(one.text), field) === now),
      );
    return isBack && isClash(edit, field, now, until);
  }

  /** What makes two devices one, or lets none know what was there before. */
  const isConfused = (): boolean =>
    ['fault: disk cloned', 'fault: backup restored', 'call: reset'].some(has) || oracle.isUnreadable();

  /** Whether that may be so in this category: one of these devices has written there, or something there was voided. */
  const isConfusedIn = (category: string): boolean =>
    isConfused() &&
    (oracle.isUnreadable() ||
      ofCategory(category).some(({ device, event }) => oracle.hasTwin(device) || hasTag(event, 'void')));

  /** A removal takes all that was before it, and is taken back as a whole. It may be part of a write that says more. */
  const isRemoved = ({ category, event, at, device }: Edit): boolean =>
    wholes.some(
      (one) =>
        one.category === category &&
        one.doc === undefined &&
        one.at >= at &&
        (one.device === device || hasWrittenUpon(one, event!)),
    ) ||
    ofCategory(category).some(
      (one) => one.isCarried && hasTag(one.event, 'deleted') && order(one.event, event!.event) > 0,
    );

  /** Whether a device has written something since then that had seen this. */
  const hasWrittenUpon = ({ device, category, at }: Whole, { event }: Signed): boolean =>
    ofCategory(category).some(
      (one) =>
        one.device === device &&
        (heads.get(`${device} ${one.event.id}`) ?? Infinity) >= at &&
        hasSeen(one.event, event),
    );

  /** Whether its own app has restored a version since: what that holds stands in the place of all its edits. */
  const isTakenBack = ({ device, category, at }: Edit): boolean =>
    wholes.some((one) => one.device === device && one.category === category && one.at >= at);

  /** Whether it came in while the signer took its time over the whole value, which then took its place. */
  const isWrittenOver = ({ device, category, doc }: Whole, { event }: Signed): boolean =>
    ofCategory(category).some(
      (one) =>
        one.device === device && hasSeen(one.event, event) && canonical(docIn(one.text)) === canonical(doc),
    );

  /** Whether it may have come after the edit, from a writer without vectors: that is deemed to have seen what relays had by then. */
  const isBlind = ({ device, category }: Whole, { event }: Signed): boolean =>
    ofCategory(category).some(
      (one) => one.device === device && vectorIn(one.event) === undefined && !hasSeen(event, one.event),
    );

  /** Later edits of its app count it as one of before them, though it may never have been saved. */
  const hasFailed = ({ call }: Edit): boolean => call?.state === 'rejected' || call?.isUnsure === true;

  /** M1 and M8: no edit is lost but as a clash, in a merge that did not know all that both sides had seen. */
  function checkLost(category: string, head: Signed): void {
    if (hasTag(head.event, 'deleted') || expirationIn(head.event) !== undefined) return;
    for (const edit of edits) {
      if (edit.category !== category || edit.event === undefined) continue;
      const isGone = oracle.isOrphan(edit.event);
      // A disk that is gone owes nothing but what another has seen.
      if (isGone ? hasFailed(edit) || !isKnown(edit.event) : edit.call?.state !== 'resolved') continue;
      if (isGone && ports.isTorn(edit.event.event.id)) continue;
      if (isRemoved(edit) || isTakenBack(edit)) continue;
      const isReplaced = wholes.some(
        (one) =>
          one.category === category &&
          (one.at >= edit.at || isWrittenOver(one, edit.event!) || isBlind(one, edit.event!)),
      );
      if (!isGone && !isReplaced)
        beaten.check(
          edit,
          head,
          edits.filter((one) => one.category === category),
        );
      count(isGone ? 'merge: an edit of a destroyed device judged' : 'merge: an edit judged');
      for (const miss of missesIn(edit, head)) {
        if (
          isTold(miss, Infinity) ||
          isGoneRound(miss, Infinity) ||
          isRestoredOver(miss, Infinity) ||
          isBroughtBack(miss) ||
          isGivenUpForOld(miss, Infinity)
        ) {
          count('merge: an edit given up, and told');
          continue;
        }
        oracle.violate(isGone ? 'M8' : 'M1', describeMiss(miss));
      }
    }
  }

  const describeMiss = ({ edit, field, now, in: entry }: Miss): string =>
    `${edit.id} set ${field} of ${edit.category} to ${edit.asserts.get(field) ?? 'nothing'} in ${edit.event!.event.id.slice(0, 8)}, and ${describe(entry)} has ${now ?? 'nothing'}, which it had seen`;

  /** Whether a device that is still there has had an event that an honest relay had taken. */
  const isKnown = (entry: Signed): boolean => entry.isAcknowledged && oracle.isKnown(entry);

  /** M11: what a device writes contains, by field, all that it has written before. */
  function checkOwn(device: string, entry: Signed): void {
    for (const edit of edits) {
      const isOwn = edit.device === device && edit.category === entry.category;
      const isBefore =
        edit.event !== undefined && edit.event !== entry && edit.event.lineage === entry.lineage;
      if (!isOwn || !isBefore || isRemoved(edit) || isTakenBack(edit)) continue;
      misses.push(...missesIn(edit, entry));
    }
  }

  /** What no socket had carried may be replaced under its stamp, by a greater id as well. */
  const isMadeOf = (after: Signed, part: Signed): boolean =>
    hasSeen(after.event, part.event) ||
    (part.device === after.device && !part.isCarried && part.event.created_at === after.event.created_at);

  /** M5, M7: a merge has taken in something that the head before it had not seen, and says so; and it adds something to that. */
  function checkMerge(device: string, after: Signed, before: Signed | undefined): void {
    count('merge: written');
    lastWriteAt = ports.now();
    writes.set(after.event.id, { entry: after, isTold: false });
    if (isConfusedIn(after.category)) return;
    if (before !== undefined && canonical(docIn(before.text)) === canonical(docIn(after.text)))
      oracle.violate('M5', `${device}: the merge ${describe(after)} adds nothing to ${describe(before)}`);
    const isTaken = (one: Signed): boolean =>
      one.category === after.category &&
      one !== before &&
      hasSeen(after.event, one.event) &&
      before !== undefined &&
      !hasSeen(before.event, one.event);
    if (![...oracle.signed.values()].some(isTaken))
      oracle.violate('M7', `${device}: no app asked for ${describe(after)}, and it merges nothing`);
    if (before !== undefined && !isMadeOf(after, before) && !hasTag(before.event, 'deleted'))
      oracle.violate('M5', `${device}: the merge ${describe(after)} has not seen ${describe(before)}`);
  }

  /** The edits of its device that no event on the medium there has held before. */
  function heldFirstBy(entry: Signed): readonly Edit[] {
    const { category, device, text } = entry;
    const seen = seenIn(docIn(text));
    const isFirst = (edit: Edit): boolean =>
      edit.category === category &&
      edit.device === device &&
      edit.event === undefined &&
      (seen.get(edit.series) ?? 0) >= edit.number;
    const fresh = edits.filter(isFirst);
    for (const edit of fresh) edit.event = entry;
    return fresh;
  }

  /** Events of a category that both had seen and that none of those has seen. */
  function newestCommon(a: Signed, b: Signed): Signed[] {
    const isIn = (one: Signed, all: Signed): boolean => one === all || hasSeen(all.event, one.event);
    // What no socket has carried was replaced under its stamp.
    const common = ofCategory(a.category).filter((one) => one.isCarried && isIn(one, a) && isIn(one, b));
    return common.filter((one) => !common.some((other) => other !== one && hasSeen(other.event, one.event)));
  }

  const ofCategory = (category: string): Signed[] =>
    [...oracle.signed.values()].filter((one) => one.category === category);

  /** Whether an app's value in it is made of what another tab wrote, and no socket had carried: nothing keeps that for this tab once it is replaced. */
  const isMadeElsewhere = (entry: Signed | undefined): boolean =>
    edits.some(
      ({ event, base, series }) =>
        event !== undefined &&
        event === entry &&
        base?.isCarried === false &&
        !edits.some((one) => one.event === base && one.series === series),
    );

  /** M1: that all which both sides had seen is known is said if it is so; and it is so as long as there were few of them. */
  function checkBase(device: string, category: string, parts: readonly Signed[], base: string): void {
    const [head, rival] = parts;
    const all = ofCategory(category);
    const hasOthers = all.some(({ event }) => vectorIn(event) === undefined);
    if (
      isConfusedIn(category) ||
      hasOthers ||
      parts.length !== 2 ||
      head === undefined ||
      rival === undefined
    )
      return;
    if (oracle.hasTwin(device)) return;
    const common = newestCommon(head, rival);
    // What says again what another has said.
    const had = ({ event, again }: Signed): boolean =>
      [event.id, again?.event.id].some((id) => hadOn.has(`${device} ${id}`));
    const what = `${device}: the base of ${describe(rival)} and ${describe(head)} is told as ${base}`;
    // What could not be saved is known all the same.
    const hadFaults = ['fault: update failed', 'fault: flush failed'].some(has);
    if (base === 'exact' && !hadFaults && !common.every(had))
      oracle.violate('M1', `${what}, and was never here`);
    if (base === 'absent' && common.length > 0) oracle.violate('M1', `${what}, and there is one`);
    const isKept = (one: Signed): boolean =>
      had(one) && !one.isInPieces && !one.isUnreadable && !one.isVoid && !hasTag(one.event, 'deleted');
    const isEasy = all.length <= FEW && !joint.has(`${device} ${category}`);
    if (base === 'older' && isEasy && common.every(isKept))
      oracle.violate('M1', `${what}, and was here: ${common.map(describe).join(', ')}`);
    count(`merge: base compared, ${base}`);
  }

  return {
    isMerged: (category) => ports.merged.has(category),
    edit: (who, chance, filler) => {
      const number = (numbers.get(who.series) ?? 0) + 1;
      numbers.set(who.series, number);
      const id = `${who.series}/${number}`;
      const isRemoval = filler === undefined && chance.bool(0.12);
      const edit: Edit = {
        ...{ ...who, id, number, field: filler === undefined ? chance.pick(FIELDS) : BIG, at: ports.now() },
        text: isRemoval ? undefined : filler === undefined ? id : `${id} ${filler}`,
        ...{ asserts: new Map(), before: new Map(), seen: new Map(), call: undefined },
        ...{ base: undefined, event: undefined },
      };
      edits.push(edit);
      lastEditAt = ports.now();
      return edit;
    },
    made: (edit, now) => {
      const { id, number, field, text, version } = edit;
      edit.seen = seenIn(now);
      const seen = new Map(edit.seen).set(edit.series, number);
      const changes = new Map<string, unknown>([
        [field, text],
        ['seen', Object.fromEntries(seen)],
      ]);
      const asserts = new Map([[field, text === undefined ? undefined : id]]);
      if (version === 2 && valueIn(now, EXTRA) === undefined) {
        changes.set(EXTRA, extraOf(id));
        asserts.set(EXTRA, id);
      }
      edit.asserts = asserts;
      edit.before = new Map([...asserts.keys()].map((name) => [name, valueIn(now, name)]));
      return withFields(now, changes);
    },
    whole: (device, category, doc) => void wholes.push({ device, category, doc, at: ports.now() }),
    unseenWrites: (device, category) => {
      const isOfOthers = (one: Edit | Whole): boolean => one.category === category && one.device !== device;
      const last = edits.findLast((one) => one.category === category && one.device === device)?.event?.event;
      const isSeen = ({ event }: Edit): boolean =>
        last !== undefined && event !== undefined && hasSeen(last, event.event);
      return edits.filter((one) => isOfOthers(one) && !isSeen(one)).length + wholes.filter(isOfOthers).length;
    },
    isRivalled: (device, category) => (rivalsOn.get(`${device} ${category}`)?.ids.length ?? 0) > 0,
    restless: beaten.restless,
    conflict: ({ category, mine, theirs }) =>
      beaten.told(category, [{ path: [], mine: mine.payload, theirs: theirs.payload }]),
    merged: (device, { category, value, parts, base, clashes: told }) => {
      count('told: merged');
      count(`merge: base ${base}`);
      if (told.length > 0) count('told: clash');
      beaten.told(category, told);
      // A whole value against a removal brings all of its fields back, old or not.
      if (told.some(({ path }) => path.length === 0) && value.deleted !== true)
        wholes.push({ device, category, doc: value.payload as Doc, at: ports.now() });
      for (const { path, mine, theirs } of told) {
        const sides = [mine, theirs].map((side) => valueIn({ side }, 'side'));
        clashes.push({ category, path, isExact: base === 'exact', sides, at: ports.now() });
      }
      const of = parts.map(({ eventId }) => oracle.signed.get(eventId)).filter((one) => one !== undefined);
      const entry = oracle.signed.get(value.eventId);
      if (of.length === parts.length && !isMadeElsewhere(entry)) checkBase(device, category, of, base);
      const write = writes.get(value.eventId);
      if (write !== undefined) write.isTold = true;
      // What adds nothing to the head is part of what that shows, and not of what it has seen.
      const isWritten = parts[0]?.eventId !== value.eventId;
      if (!isWritten || entry?.device !== device || hasTag(entry.event, 'deleted')) return;
      for (const { eventId } of parts) {
        const part = oracle.signed.get(eventId);
        if (part !== undefined && part !== entry && write !== undefined && !isMadeOf(entry, part))
          oracle.violate(
            'M5',
            `${device}: ${describe(entry)} was made of ${describe(part)}, and has not seen it`,
          );
      }
    },
    onFlush: (device, changes) => {
      for (const [key, value] of changes) {
        if (key.startsWith(versionPrefix)) {
          const of = `${device} ${key.slice(versionPrefix.length, key.indexOf('/v1', versionPrefix.length))}`;
          const some = (versions.get(of) ?? 0) + (value === null ? -1 : 1);
          versions.set(of, some);
          const id = key.slice(key.lastIndexOf('/') + 1);
          beaten.onVersion(device, id, value !== null);
          // What was imported was never the head.
          if (value !== null) hadOn.add(`${device} ${id}`);
        } else if (key.startsWith(headPrefix) && value !== null) {
          const category = key.slice(headPrefix.length, -'/v1'.length);
          if (!ports.merged.has(category)) continue;
          const known = rivals.get(category) ?? new Set();
          rivals.set(category, known);
          if (value.includes('"joint":')) joint.add(`${device} ${category}`);
          const before = rivalsOn.get(`${device} ${category}`);
          const ids = rivalsIn(value);
          const isNew = ids.some((id) => before?.ids.includes(id) !== true);
          rivalsOn.set(`${device} ${category}`, { ids, since: isNew ? ports.now() : (before?.since ?? 0) });
          // What became a rival in the save of the merge itself, because the store had failed until then.
          for (const id of takenIn(value)) known.add(id);
          for (const id of ids) {
            known.add(id);
            hadOn.add(`${device} ${id}`);
            // A write that is beaten in the same save was never the head.
            const entry = oracle.signed.get(id);
            if (entry?.device === device) heldFirstBy(entry);
          }
        }
      }
      if (isConfused()) return;
      for (const [of, some] of versions)
        if (some > MOST_VERSIONS) oracle.violate('M10', `${of}: ${some} former values on the medium`);
    },
    onHead: (device, category, after, before) => {
      const isFirst = !heads.has(`${device} ${after.event.id}`);
      if (isFirst) heads.set(`${device} ${after.event.id}`, ports.now());
      hadOn.add(`${device} ${after.event.id}`);
      if (!isFirst || after.device !== device || after.again !== undefined) return;
      if (hasTag(after.event, 'deleted')) return;
      const doc = docIn(after.text);
      if (doc !== undefined && !isExtraWhole(doc))
        oracle.violate('M9', `${device}: ${describe(after)} has changed what its app does not know`);
      const fresh = heldFirstBy(after);
      if (fresh.length > 0) lastStampAt = Math.max(lastStampAt, after.event.created_at * 1000);
      const isAgain = before?.event.content === after.event.content;
      const isWhole = wholes.some(
        (one) => one.category === category && canonical(one.doc) === canonical(doc),
      );
      if (isAgain || isWhole || isConfusedIn(category) || has('call: reset')) return;
      checkOwn(device, after);
      if (fresh.length === 0) checkMerge(device, after, before);
    },
    onView: (device, entry, text) => {
      const { category } = entry;
      const all = ofCategory(category).map((one) => docIn(one.text));
      const doc = docIn(text);
      const isWritten = (field: string): boolean =>
        all.some((one) => JSON.stringify(one?.[field]) === JSON.stringify(doc![field]));
      const strange = Object.keys(doc ?? {}).filter((field) => field !== 'seen' && !isWritten(field));
      if (doc === undefined || strange.length > 0)
        oracle.violate(
          'M6',
          `${device}: ${describe(entry)} is shown with ${strange.join()} that nobody wrote`,
        );
    },
    shows: (device, category, view) => {
      if (isConfusedIn(category)) return;
      const { ids, since } = rivalsOn.get(`${device} ${category}`) ?? { ids: [], since: 0 };
      // A hostile relay may show one late: it has the time that one has.
      if (ports.now() - since < MAX_MERGE_WAIT_MS) return;
      const parts = ids.map((id) => oracle.signed.get(id));
      const isHard = (one: Signed | undefined): boolean =>
        one === undefined || one.isInPieces || one.isUnreadable || expirationIn(one.event) !== undefined;
      if (parts.some(isHard)) return;
      count('merge: shown compared');
      const head = oracle.headOn(device, category);
      // What the head itself had seen it holds without a view, or a removal or restore there has replaced it.
      const isInHead = (series: string, number: number): boolean =>
        head !== undefined &&
        ofCategory(category).some(
          (one) => hasSeen(head.event, one.event) && (seenIn(docIn(one.text)).get(series) ?? 0) >= number,
        );
      // A head that says all of it, because a version was restored, is shown as it is.
      const seen = seenIn(docIn(view?.text ?? head?.text));
      for (const part of parts)
        for (const [series, number] of seenIn(docIn(part!.text)))
          if ((seen.get(series) ?? 0) < number && !isInHead(series, number))
            oracle.violate('M6', `${device}: ${describe(part!)} is neither merged nor shown`);
    },
    healed: () => {
      healedAt = ports.now();
      for (const { event } of oracle.signed.values())
        lastStampAt = Math.max(lastStampAt, event.created_at * 1000);
    },
    final: (category, head) => {
      if (isConfusedIn(category)) return;
      checkLost(category, head);
    },
    finalWrites: () => {
      for (const miss of misses) {
        const until = miss.at + TELLING_MS;
        // A device with a slow signer tells late that it has brought all fields of a value back.
        const isIt =
          isTold(miss, until) ||
          isGoneRound(miss, until) ||
          isRestoredOver(miss, until) ||
          isGivenUpForOld(miss, until) ||
          isExplained(miss.edit, miss.field, miss.now, until);
        if (!isConfusedIn(miss.edit.category) && !isIt && !hasFailed(miss.edit))
          oracle.violate('M11', describeMiss(miss));
      }
      if (isConfused()) return;
      const some = [...rivals.values()].reduce((sum, ids) => sum + ids.size, 0);
      if (writes.size > some * ports.devices)
        oracle.violate('M4', `${writes.size} merges of ${some} rivals, by ${ports.devices} devices`);
      // What is stamped tomorrow comes tomorrow.
      if (has('fault: clock off by days')) return;
      if (lastWriteAt > Math.max(lastEditAt, lastStampAt, healedAt) + QUIET_MS)
        oracle.violate('M4', `a merge ${Math.round((lastWriteAt - healedAt) / 1000)} s after the last fault`);
    },
  };
}
