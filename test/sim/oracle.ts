/**
 * What must hold, checked from outside at every step: by what the app asked and was told, what the signer made, what reached
 * the medium, and what went over the wire. None of the engine's own code decides here. I1 to I21: docs/RELIABILITY.md.
 */

import { createHash } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import type { SignedEvent } from '../../src/protocol/event.ts';
import type { Changes } from '../../src/store/store.ts';
import type { Conflict, DeliveryReport, FetchResult, Receipt } from '../../src/sync/events.ts';
import { isForAll } from './network.ts';
import { addressIn, deviceIn, expirationIn, formatIn, hasTag, vectorIn, voidsIn } from './tags.ts';

/** Every payload begins with this, so that no place that must not see one can hold it unnoticed. */
export const MARKER = 'PLAINTEXT';

export interface Violation {
  readonly invariant: string;
  readonly message: string;
  /** Virtual time in ms since the start. */
  readonly at: number;
}

/** An event that the user's key has signed. */
export interface Signed {
  readonly event: SignedEvent;
  /** Of its JSON. */
  readonly bytes: number;
  readonly category: string;
  readonly text: string;
  /** The stamp that its engine meant it to have. */
  readonly meantAt: number;
  readonly isInPieces: boolean;
  readonly device: string;
  /** Which life of the device's disk: a backup that is restored begins a new one. */
  readonly lineage: number;
  /** The write of an app that an engine said again by this, without a call. Its device and lineage are that write's. */
  readonly again: Signed | undefined;
  /** Devices that have signed it. */
  readonly makers: Set<string>;
  /** Another account encrypted it: its own key cannot read it. */
  readonly isUnreadable: boolean;
  /** A socket has carried it. */
  isCarried: boolean;
  /** By device, when a socket of it did last: a copy of a disk sends what is on it. */
  readonly carriers: Map<string, number>;
  /** An honest relay said OK to it. */
  isAcknowledged: boolean;
  /** Some relay said OK to it, or has shown it. */
  isTaken: boolean;
  /** Its publish was rejected, or it was replaced before a socket carried it: nobody is owed it. */
  isVoid: boolean;
  /** Hostile relays that have said that they refuse it, and those that have shown it. */
  readonly refusers: Set<string>;
  readonly showers: Set<string>;
  /** Its writer took it back, since every relay had refused it. */
  isWithdrawn: boolean;
}

/** One call of `publish` or `remove`. */
export interface Call {
  readonly device: string;
  readonly lineage: number;
  readonly category: string;
  readonly text: string;
  /** The newest value that the device held or the app was shown when it called. */
  readonly base: Signed | undefined;
  state: 'open' | 'resolved' | 'rejected';
  /** It failed while its store hung: nobody knows whether it was saved. */
  isUnsure: boolean;
}

/** What a first write beats, since it turned up while that was held, and of which no conflict has told yet. */
export interface Beaten {
  readonly theirs: Signed;
  /** Since when that could be told, in ms. */
  since: number;
}

/** An own write that was overwritten by what had not seen it, and of which no conflict has told yet. */
export interface Loss {
  readonly entry: Signed;
  /** Since when that could be told, in ms. */
  since: number;
}

interface DeviceState {
  lineage: number;
  /** By category: the head on the medium. */
  readonly heads: Map<string, Signed>;
  readonly arrivals: Map<string, number>;
  readonly ends: Map<string, number>;
  /** Ids that were ever on the medium, as a head or a piece, */
  readonly flushed: Set<string>;
  /** and as a rival or a former value. */
  readonly versions: Set<string>;
  /** By category: the last own write on the medium. */
  readonly own: Map<string, Signed>;
  /** By category: what its app was promised. */
  readonly owed: Map<string, Set<Signed>>;
  readonly losses: Map<string, Loss>;
  /** By category of which the first write is held, what has turned up by then. */
  readonly held: Map<string, Signed[]>;
  /** Those of them whose process ended meanwhile. */
  readonly heldOver: Set<string>;
  /** By category, all ids in the record. */
  readonly named: Map<string, ReadonlySet<string>>;
  /** By category. */
  readonly beaten: Map<string, Beaten>;
  /** What it has been shown by relays. */
  readonly received: Set<Signed>;
  /** When it was shown that last, in ms, but for what it may have died over before that was saved. */
  readonly heard: Map<Signed, number>;
  /** By id of an own write, what replaced it and had seen it: the write is lost to nobody any more. */
  readonly passedOn: Map<string, Signed>;
  /** Devices that began with a copy of its disk, or whose copy it began with. */
  readonly twins: Set<string>;
  /** What was on its disk when that was restored or copied, by id. */
  readonly inherited: Set<string>;
  /** Of that, what does not count here any more: it was from the future, and it, or what was written upon it here, was stamped anew. */
  readonly lowered: Set<Signed>;
  /** By a head without a vector, the head before it. */
  readonly under: Map<Signed, Signed>;
  /** By category: what can be read, and was the head. */
  readonly readable: Map<string, Set<string>>;
  /** It was destroyed: it owes nothing any more. */
  isGone: boolean;
}

/** What one process has told its app, by category. */
export interface View {
  readonly of: Signed;
  readonly text: string;
  readonly id: string;
  /** How many writes the device had taken back by then. */
  readonly withdrawn: number;
  /** The void head that it had left last by then. */
  readonly left: Signed | undefined;
}

export interface Told {
  readonly device: string;
  /** By what told it and the category: the last one, and how many writes the device had taken back by then. */
  readonly updated: Map<
    string,
    {
      readonly entry: Signed;
      readonly isView: boolean;
      readonly withdrawn: number;
      readonly left: Signed | undefined;
    }
  >;
  readonly shown: Map<string, Signed>;
  /** By category: the head, and what was shown of it together with its rivals, as JSON. */
  readonly views: Map<string, View>;
}

/** Positive where `a` wins: NIP-01, written down again. */
export function order(a: SignedEvent, b: SignedEvent): number {
  if (a.created_at > b.created_at) return 1;
  if (a.created_at < b.created_at) return -1;
  return a.id === b.id ? 0 : a.id < b.id ? 1 : -1;
}

/** What a process is shown it has saved within, in ms, also if another save is under way. */
const SAVING_MS = 1_000;

/** Former values that a record may have. */
const MOST_PAST = 20;

const HEX_64 = /[0-9a-f]{64}/;

/** How long what a relay says of an event may be missing from the medium, in ms that its device is awake. */
const MAX_UNSAVED_MS = 5_000;
/**
 * How often a process may send a relay one event, ask it the same, and connect to it, in a minute. In 1,500 histories of apps
 * that ask at random, relays that answer nothing and lines that break it was 11, 30 and 11 at most. One that refuses for what is newer, and
 * shows nothing, is asked 15 times at once and then every 3 s (docs/PROTOCOL.md section 5), and each answer brings the event again.
 */
const MAX_SAME_EVENTS = 35;
const MAX_SAME_REQS = 60;
const MAX_CONNECTS = 30;
/** And may ask for signatures of one text in a minute: each lap of a write has a stamp of its own. */
const MAX_SAME_SIGNATURES = 12;
/**
 * What one relay may make a process do in a minute: verify signatures, one of them again, and read bytes of what is older than
 * the head.
 */
const MAX_VERIFIED = 300;
const MAX_SAME_VERIFIED = 30;
const MAX_OLD_BYTES = 82e6;

/** An OK after which the relay has the event, or something newer. */
const TAKEN =
  /^\["OK","[0-9a-f]{64}",(true,|false,"(duplicate:|replaced:|.*(have newer|newest event|newer event)))/i;

/** A hostile relay may write the fields of an event in an order of its own. */
const idIn = (frame: string): string | undefined =>
  /"id":"([0-9a-f]{64})"/.exec(frame)?.[1] ?? HEX_64.exec(frame)?.[0];

const PIECE = /\/c\/[0-9a-f]{32}$/;
/** NIP-44 version 2, by its shape. */
const PIECE_CONTENT = /^A[g-v][A-Za-z0-9+/]{130,}=*$/;
/** Texts below this are never in pieces. */
const SMALL_CHARS = 20_000;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Whether the writer of `newer` had not seen `older`. One without vectors tells nothing. */
function isUnseenIn(newer: SignedEvent, older: SignedEvent): boolean {
  const seen = vectorIn(newer);
  const writer = createHash('sha256').update(deviceIn(older) ?? older.pubkey);
  const hash = writer.digest('hex').slice(0, 8);
  // Its own word for it: a signer may have said a later time.
  return seen !== undefined && (seen.get(hash) ?? -1) < (vectorIn(older)?.get(hash) ?? older.created_at);
}

/** Whether the writer of `newer` says that it had seen `older`. */
export const hasSeen = (newer: SignedEvent, older: SignedEvent): boolean =>
  order(newer, older) > 0 && vectorIn(newer) !== undefined && !isUnseenIn(newer, older);

/** Whether it may have been written upon the other: one that no socket had carried has the same stamp. */
const isNotBefore = ({ event }: Signed, other: Signed): boolean => event.created_at >= other.event.created_at;

const isOfReference = (event: SignedEvent): boolean => deviceIn(event)?.startsWith('reference-') === true;

/** How far above a write an engine may stamp what says it again, in s: three ties, and an end. */
const MOST_AGAIN_SECONDS = 4;
/** How fresh the answer of a relay must be on which an engine says something again, in ms: a signer is slow. */
const HEARD_MS = 90_000;

/** What an app wrote, of what says that again. */
const writtenOf = (entry: Signed): Signed => (entry.again?.text === entry.text ? entry.again : entry);

const sameEvent = (a: SignedEvent, b: SignedEvent): boolean =>
  a === b ||
  (a.id === b.id &&
    a.kind === b.kind &&
    a.created_at === b.created_at &&
    a.content === b.content &&
    JSON.stringify(a.tags) === JSON.stringify(b.tags));

export interface Oracle {
  readonly violations: Violation[];
  readonly signed: ReadonlyMap<string, Signed>;
  /** Events that hold a piece of a large value, by id. */
  readonly pieces: ReadonlyMap<string, SignedEvent>;
  /** By id of a head in pieces, the d-tags of these. */
  readonly parts: ReadonlyMap<string, readonly string[]>;
  violate(invariant: string, message: string): void;
  /** The signer was asked to encrypt, or to sign an event. */
  onEncrypt(text: string, content: string, isOurs?: boolean): void;
  /** `meantAt`: the stamp that was asked for. */
  onSign(process: object, device: string, event: SignedEvent, meantAt?: number): void;
  /** Whether there is any value that its own key cannot read. */
  isUnreadable(): boolean;
  /** Ids of the values that can be read, and that a device had as its head. */
  readableOn(device: string, category: string): ReadonlySet<string>;
  onFlush(device: string, changes: Changes): void;
  /** A process opens a socket, hands a frame to one, or gets one. */
  onConnect(process: object, url: string): void;
  onSend(process: object, device: string, url: string, frame: string): void;
  /** Whether a relay has said of an event to a device, of late, that it has it: that may not be on the medium yet. `sleptSince`: of its machine. */
  saidOfLate(device: string, url: string, id: string, sleptSince: (at: number) => number): boolean;
  /** A reconciliation begins at a relay that has these events; `undefined`: it says what it likes. */
  onReconcile(process: object, url: string, frame: string, ids: readonly string[] | undefined): void;
  onReceive(process: object, device: string, url: string, frame: string, isHonest: boolean): void;
  /** A process is handed a frame of a relay, and verifies a signature. */
  hand(process: object, device: string, url: string, frame: string, task: () => void): void;
  onVerify(event: SignedEvent): void;
  /** A text that an engine may have made of what apps wrote. */
  note(text: string): void;
  call(told: Told, category: string, text: string): Call;
  /** The app resets the category. */
  reset(told: Told, category: string): void;
  resolved(call: Call, receipt: Receipt): void;
  rejected(call: Call, code: string): void;
  /** A `delivery` event. */
  delivery(device: string, report: DeliveryReport): void;
  /** `isInTime`: a tab knows at once what another has saved. */
  conflict(told: Told, conflict: Conflict, isInTime: boolean): void;
  /** By id. */
  losses(device: string): Map<string, Loss>;
  beaten(device: string): Map<string, Beaten>;
  /** A process of it died, without a word. */
  crashed(device: string): void;
  /** Its processes have ended: of what none has told yet no later one tells. */
  forgetUntold(device: string): void;
  /** `via` `updated` or a subscription: in order. Others: whatever is shown. */
  told(told: Told, via: string, result: FetchResult, isInOrder: boolean): Signed | undefined;
  /** What came of a write that was stamped anew below its stamp; any other as it is. */
  latest(entry: Signed): Signed;
  /** What it was before it was stamped anew; any other as it is. */
  original(entry: Signed): Signed;
  /** The newest value of a category that the device or its app has. */
  known(told: Told, category: string): Signed | undefined;
  headOn(device: string, category: string): Signed | undefined;
  /** Since when that is the head, in ms. */
  arrivedAt(device: string, category: string): number;
  /** When something that ends by itself, or a removal, became the head last, in ms. */
  endArrivedAt(device: string, category: string): number;
  restored(device: string, entries: ReadonlyMap<string, string>): void;
  /** A disk is copied: both devices go on with one id. */
  cloned(from: string, onto: string): void;
  /** Whether somebody else writes, or has written, under the id of this device. */
  hasTwin(device: string): boolean;
  /** Whether a relay that says that it refuses a write of the device has shown it. */
  hasKeptRefusal(device: string): boolean;
  destroyed(device: string): void;
  /** At the end: a medium holds no piece that no record needs, and no id under which another disk writes. */
  finalMedium(device: string, entries: ReadonlyMap<string, string>): void;
  /** At the end: nobody may have what was rejected. */
  finalRejections(where: string, events: Iterable<SignedEvent>): void;
  /** What devices that still exist owe of a category. */
  owedOf(category: string): Signed[];
  isDestroyed(device: string): boolean;
  /** Whether the disk that it was written on is gone: with its device, or by a copy of another that took its place. */
  isOrphan(entry: Signed): boolean;
  /** Whether a device that still exists was shown it by a relay. */
  isKnown(entry: Signed): boolean;
  /** A device takes in an export that has these in it: they go on, whatever became of them since. */
  imported(device: string, ids: readonly string[]): void;
}

interface Reconciled {
  readonly frame: string;
  /** `undefined`: of a hostile relay, which may claim anything. */
  readonly ids: readonly string[] | undefined;
}

export function createOracle(ports: {
  readonly pubkey: string;
  readonly now: () => number;
  readonly count: (what: string) => void;
  /** Whether what was written apart becomes one value: merge-oracle.ts judges that. */
  readonly isMerged: (category: string) => boolean;
  /** A head is shown with more than its event says. */
  readonly onView: (device: string, entry: Signed, text: string) => void;
  /** The head of a medium in such a category. */
  readonly onHead: (device: string, category: string, after: Signed, before: Signed | undefined) => void;
}): Oracle {
  const { pubkey, count } = ports;
  const violations: Violation[] = [];
  /** By device and category: how often a write was taken back from the medium. */
  const withdrawals = new Map<string, number>();
  /** By device and category: the last void head that another has taken the place of. */
  const lefts = new Map<string, Signed>();
  const signed = new Map<string, Signed>();
  const plaintexts = new Map<string, string>();
  /** By their hash, as a manifest names them. */
  const large = new Map<string, string>();
  const pieces = new Map<string, SignedEvent>();
  const parts = new Map<string, readonly string[]>();
  /** By device, category and text: what a reset may say again. */
  const resetTexts = new Set<string>();
  /** By device, category and text: what every relay refused. */
  const refusedTexts = new Set<string>();
  /** All that was signed, by id, with its JSON: where that text stands nothing has to be parsed. */
  /** Writes that were stamped anew below their stamp, and what came of them. */
  const restamped = new Map<Signed, Signed>();
  /** Ciphertexts that another account made. */
  const foreign = new Set<string>();
  /** How much later than they were meant to be events were signed, in sum. */
  let lateSeconds = 0;
  const made = new Map<string, { readonly event: SignedEvent; readonly json: string }>();
  const devices = new Map<string, DeviceState>();
  /** By device and category, and then by text: the calls that asked for it. */
  const calls = new Map<string, Map<string, Call[]>>();
  /** Which device has sent which event to which relay, which it was shown there, and which it was told that the relay has. */
  const sent = new Set<string>();
  const shown = new Set<string>();
  const taken = new Set<string>();
  /** When a relay last said anything of it to that device. */
  const saidAt = new Map<string, number>();
  /** By process and then by relay and what was done: when, in the last minute, in ms. */
  const done = new WeakMap<object, Map<string, number[]>>();
  /** By process and then by relay and what is measured: how much in which minute. */
  const meters = new WeakMap<object, Map<string, { minute: number; sum: number }>>();
  /** Who is handed a frame just now. */
  let handed: { readonly process: object; readonly url: string } | undefined;
  /** By device and d-tag: when a relay has last answered a question for it completely, in ms. */
  const heard = new Map<string, number>();
  /** By process, relay and id of a reconciliation: what the relay had when it began. */
  const reconciled = new Map<object, Map<string, Reconciled>>();
  /** By process, relay and subscription: what was asked for. */
  const asked = new WeakMap<object, Map<string, string>>();
  const headPrefix = `head/${pubkey}/default/`;

  function violate(invariant: string, message: string): void {
    violations.push({ invariant, message, at: ports.now() });
  }

  /** That nothing is done to a relay over and over. */
  function checkRate(process: object, url: string, what: string, most: number): void {
    const all = done.get(process) ?? new Map<string, number[]>();
    done.set(process, all);
    const key = `${url} ${what}`;
    const times = (all.get(key) ?? []).filter((at) => at > ports.now() - 60_000);
    times.push(ports.now());
    all.set(key, times);
    if (times.length === most + 1) violate('I10', `${url}: more than ${most} times a minute: ${what}`);
  }

  /** I20: that a relay takes no more than a share of a device, whatever it sends. */
  function meter(what: string, amount: number, most: number): void {
    if (handed === undefined) return;
    const { process, url } = handed;
    const all = meters.get(process) ?? new Map<string, { minute: number; sum: number }>();
    meters.set(process, all);
    const minute = Math.floor(ports.now() / 60_000);
    const key = `${url} ${what}`;
    let one = all.get(key);
    if (one?.minute !== minute) all.set(key, (one = { minute, sum: 0 }));
    if (one.sum <= most && one.sum + amount > most)
      violate('I20', `${url}: more than ${most} a minute: ${what}`);
    one.sum += amount;
  }

  function stateOf(device: string): DeviceState {
    let state = devices.get(device);
    if (state === undefined) {
      state = {
        lineage: 0,
        heads: new Map(),
        arrivals: new Map(),
        ends: new Map(),
        flushed: new Set(),
        versions: new Set(),
        own: new Map(),
        owed: new Map(),
        losses: new Map(),
        held: new Map(),
        named: new Map(),
        heldOver: new Set(),
        beaten: new Map(),
        received: new Set(),
        heard: new Map(),
        passedOn: new Map(),
        twins: new Set(),
        inherited: new Set(),
        lowered: new Set(),
        under: new Map(),
        readable: new Map(),
        isGone: false,
      };
      devices.set(device, state);
    }
    return state;
  }

  function note(text: string): void {
    if (text.length > SMALL_CHARS) large.set(sha256(text), text);
  }

  const describe = ({ event, device }: Signed): string =>
    `${event.id.slice(0, 8)}@${event.created_at} by ${device}`;

  /** Whether a relay that says that it refuses it has shown it: it counts like any other write. */
  const isKeptRefusal = ({ refusers, showers }: Signed): boolean =>
    [...refusers].some((url) => showers.has(url));

  /** Whether every call on its device that asked for what it holds was rejected: it was made for one of these. */
  function isRejected(entry: Signed): boolean {
    const { device, category, text, again, event } = entry;
    if (isKeptRefusal(entry)) return false;
    if (again !== undefined) return isRejected(again);
    // Whoever has a copy of the disk goes on with what is on it, and so does a backup from before the rejection.
    const { twins, inherited } = stateOf(device);
    if (twins.size > 0 || inherited.has(event.id)) return false;
    // A reset says what was shown, whatever had asked for the same.
    if (voidsIn(event).size > 0 && resetTexts.has(`${device} ${category} ${text}`)) return false;
    const all = calls.get(`${device} ${category}`)?.get(text);
    return all?.every(({ state }) => state === 'rejected') === true;
  }

  function forgetUntold(device: string): void {
    const { losses, held, heldOver, beaten } = stateOf(device);
    for (const one of [losses, beaten]) one.clear();
    // What a write had met by then is on the medium with it.
    for (const category of held.keys()) heldOver.add(category);
  }

  /** What a hostile relay says of a write, or shows of it. */
  function hearHostile(entry: Signed, url: string, isAnswer: boolean, frame: string): void {
    if (!isAnswer) entry.showers.add(url);
    else if (frame.includes(',false,')) entry.refusers.add(url);
    if (!entry.isWithdrawn || !entry.isVoid || !isKeptRefusal(entry)) return;
    entry.isVoid = false;
    count('sometimes: a refused write is shown');
  }

  /** The event that begins at `at` in a text, if that is one that was signed, in the very words. */
  function madeAt(text: string, at: number): SignedEvent | undefined {
    const known = made.get(HEX_64.exec(text)?.[0] ?? '');
    return known !== undefined && text.slice(at, at + known.json.length) === known.json
      ? known.event
      : undefined;
  }

  /** Whether a frame shows this event as it was signed. */
  const isShownIn = (frame: string, { tags, content, sig }: SignedEvent): boolean =>
    [JSON.stringify(tags), content, sig].every((part) => frame.includes(part));

  /** The head in a stored record, whatever else is in it. */
  function headOf(raw: string): SignedEvent | undefined {
    type Stored = { readonly head?: { readonly event: SignedEvent } };
    return madeAt(raw, '{"v":1,"head":{"event":'.length) ?? (JSON.parse(raw) as Stored).head?.event;
  }

  const hasTwin = (device: string): boolean => {
    const { lineage, twins } = stateOf(device);
    return lineage > 0 || twins.size > 0;
  };

  /** Whether a device that goes by the same id wrote `newer` and never had `older`: their vectors cannot say so. */
  function isBlindTwin(newer: Signed, older: Signed): boolean {
    const { twins, received, flushed, inherited } = stateOf(newer.device);
    const had = received.has(older) || flushed.has(older.event.id) || inherited.has(older.event.id);
    return twins.has(older.device) && !had;
  }

  const latest = (entry: Signed): Signed => restamped.get(entry) ?? entry;
  const original = (entry: Signed): Signed =>
    [...restamped].find(([, after]) => after === entry)?.[0] ?? entry;

  const withdrawalsOn = (device: string, category: string): number =>
    withdrawals.get(`${device} ${category}`) ?? 0;

  function genuine(event: SignedEvent, where: string): Signed | undefined {
    const known = signed.get(event.id);
    if (known === undefined || !sameEvent(known.event, event)) {
      violate('I7', `${where}: holds an event ${event.id.slice(0, 8)} that nobody made`);
      return undefined;
    }
    return known;
  }

  /** What is shown while a later head cannot be read. */
  function keep({ readable }: DeviceState, entry: Signed): void {
    const ids = readable.get(entry.category) ?? new Set();
    readable.set(entry.category, ids);
    // What was removed or ends by itself is shown no more, nor is what was before it.
    const mayEnd = hasTag(entry.event, 'expiration') || hasTag(entry.event, 'deleted');
    if (mayEnd) ids.clear();
    else if (!entry.isUnreadable) ids.add(entry.event.id);
    else count('sometimes: head that its writer cannot read');
  }

  /** What turns up while a first write is held, and is beaten unseen once that is let go, is told. */
  function lookAtHeld(device: string, category: string, value: string | null): void {
    const { held, heldOver, beaten, named } = stateOf(device);
    const before = named.get(category);
    const ids = new Set([...(value ?? '').matchAll(/"id":"([0-9a-f]{64})"/g)].map(([, id]) => id!));
    named.set(category, ids);
    const mine = value === null ? undefined : signed.get(headOf(value)?.id ?? '');
    if (value?.includes('"heldUntil"') === true) {
      count('sometimes: first write held');
      const met = [...ids].filter((id) => before?.has(id) !== true).flatMap((id) => signed.get(id) ?? []);
      return void held.set(category, [...(held.get(category) ?? []), ...met]);
    }
    const met = held.get(category);
    held.delete(category);
    const isOver = heldOver.delete(category);
    if (met === undefined || mine?.device !== device || ports.isMerged(category)) return;
    const unseen = met.filter(
      ({ event, device: writer }) =>
        writer !== device && !hasSeen(mine.event, event) && !hasSeen(event, mine.event),
    );
    const theirs = unseen.toSorted((a, b) => order(b.event, a.event))[0];
    if (theirs === undefined || order(theirs.event, mine.event) > 0) return;
    if (theirs.isInPieces || theirs.isUnreadable || theirs.isVoid || hasTag(theirs.event, 'deleted')) return;
    count('sometimes: a first write beats what turned up meanwhile');
    if (isOver) count('sometimes: a first write beats what a process before this one was shown');
    beaten.set(category, { theirs, since: ports.now() });
  }

  /** `kept`: versions that come onto the medium together with it. */
  function headChanged(
    device: string,
    category: string,
    next: SignedEvent | undefined,
    kept: readonly Signed[],
  ): void {
    const state = stateOf(device);
    const before = state.heads.get(category);
    const after = next === undefined ? undefined : genuine(next, `${device}, on the medium`);
    if (next !== undefined && after === undefined) return;
    if (after?.event.id === before?.event.id) return;
    if (after === undefined) state.heads.delete(category);
    else {
      if (after.category !== category)
        violate('I5', `${device}: ${describe(after)} of ${after.category} is the head of ${category}`);
      state.heads.set(category, after);
      keep(state, after);
      state.arrivals.set(category, ports.now());
      if (hasTag(after.event, 'expiration') || hasTag(after.event, 'deleted'))
        state.ends.set(category, ports.now());
      state.flushed.add(after.event.id);
    }
    const written = before && writtenOf(before);
    // What has ended by itself is no loss.
    const isEnd = before?.again !== undefined && before.again.text !== before.text;
    const isOwn = before?.device === device && before.lineage === state.lineage && !isEnd;
    const isLoss = (entry: Signed): boolean =>
      after !== undefined &&
      after.device !== device &&
      // The former one is shown on.
      !after.isUnreadable &&
      order(after.event, entry.event) > 0 &&
      (isUnseenIn(after.event, entry.event) || isBlindTwin(after, entry));
    for (const [id, { entry }] of state.losses)
      if (entry.category === category && !isLoss(entry)) state.losses.delete(id);
    // Of several that came together one may have seen it.
    const isPassedOn = ({ event, isAcknowledged }: Signed): boolean =>
      [...state.received].some(
        (one) =>
          one.category === category &&
          // A writer without vectors is taken to have seen what a relay had.
          (hasSeen(one.event, event) ||
            (isAcknowledged && vectorIn(one.event) === undefined && order(one.event, event) > 0)),
      );
    const isSame = after !== undefined && writtenOf(after) === written;
    if (isOwn && after !== undefined && !isSame && hasSeen(after.event, writtenOf(before).event))
      state.passedOn.set(before.event.id, after);
    // Back again, because what replaced it was refused by all.
    if (after !== undefined) state.passedOn.delete(after.event.id);
    if (
      before !== undefined &&
      before.device !== device &&
      after !== undefined &&
      vectorIn(after.event) === undefined
    )
      state.under.set(after, before);
    // Of a value in pieces these may be gone before it is read: two that come together replace it twice.
    if (
      isOwn &&
      !ports.isMerged(category) &&
      isLoss(writtenOf(before)) &&
      // The app was told that it failed.
      !before.isWithdrawn &&
      !before.isInPieces &&
      !isPassedOn(writtenOf(before))
    )
      state.losses.set(before.event.id, { entry: before, since: ports.now() });
    if (after !== undefined && ports.isMerged(category)) ports.onHead(device, category, after, before);
    // Or by a write that is a rival at once: what has beaten that came in the same transaction.
    const isReplaced =
      isOwn &&
      !before.carriers.has(device) &&
      [...(after === undefined ? [] : [after]), ...kept].some(
        (one) =>
          one !== before &&
          one.device === device &&
          one.category === category &&
          one.event.created_at === before.event.created_at,
      );
    // The same of a write that is stamped anew.
    const isAnew = (one: Signed): boolean =>
      before !== undefined &&
      one.category === category &&
      isRestamp(device, one, before) &&
      (one === after || !state.flushed.has(one.event.id));
    const isLower = before !== undefined && after !== undefined && order(after.event, before.event) < 0;
    const anew = isLower ? [after, ...kept].find(isAnew) : undefined;
    if (isReplaced) {
      count('sometimes: stamp reused');
      before.isVoid = true;
    } else if (before !== undefined && anew !== undefined) {
      count('sometimes: write from the future stamped anew');
      checkRestamp(device, anew, before);
      restamped.set(before, anew);
      state.owed.get(category)?.add(anew);
      // And those from the future that it was written upon.
      for (const one of signed.values())
        if (one.category === category && deviceIn(one.event) === deviceIn(anew.event) && !one.isAcknowledged)
          if (order(one.event, anew.event) > 0 && order(one.event, before.event) <= 0) {
            if (one.device === device) one.isVoid = true;
            else state.lowered.add(one);
          }
      state.own.set(category, anew);
    } else if (before !== undefined && before.isVoid && after !== undefined) {
      count('sometimes: a void head is left');
      lefts.set(`${device} ${category}`, before);
      // What does not count is shown no more, though what takes its place cannot be read.
      const readable = state.readable.get(category) ?? new Set();
      // Nor is what was before it, if that could be read: it was not kept any more.
      const isAlone = readable.has(before.event.id);
      for (const id of readable)
        if (id !== after.event.id && (isAlone || signed.get(id)?.isVoid === true)) readable.delete(id);
      // Also by what it had beaten, which the reset had not seen.
      for (const promised of state.owed.get(category) ?? [])
        if (order(before.event, promised.event) > 0 && order(after.event, promised.event) < 0)
          promised.isVoid = true;
    } else if (before !== undefined && (after === undefined || order(after.event, before.event) <= 0)) {
      if (isOwn && !before.isAcknowledged) {
        count('sometimes: write withdrawn');
        if (state.owed.get(category)?.has(before) === true)
          violate('I1', `${device}: ${describe(before)} was promised, and is withdrawn`);
        before.isWithdrawn = true;
        before.isVoid = !isKeptRefusal(before);
        // Its publish has failed: it is shown for no other either.
        state.readable.get(category)?.delete(before.event.id);
        withdrawals.set(`${device} ${category}`, withdrawalsOn(device, category) + 1);
      } else
        violate(
          'I3',
          `${device}: the head of ${category} went from ${describe(before)} to ${after ? describe(after) : 'nothing'}`,
        );
    }
    // Its first write, saved before relays had answered.
    if (isOwn && after?.device === device && after.again === undefined && !restamped.has(before))
      if (after.event.content === before.event.content) count('sometimes: first write stamped anew');
    if (after?.makers.has(device) === true && after.again !== undefined) checkAgain(device, after, before);
    if (
      after?.device === device &&
      after.again === undefined &&
      after.lineage === state.lineage &&
      !state.flushed.has(`own ${after.event.id}`)
    ) {
      state.flushed.add(`own ${after.event.id}`);
      const last = state.own.get(category);
      const { created_at } = after.event;
      const isBumped = created_at * 1000 > ports.now() + 3_600_000;
      if (isBumped) count('sometimes: stamp far ahead');
      if (last !== undefined && !last.isVoid) {
        const floor = last.event.created_at;
        if (created_at < floor || (created_at === floor && last.carriers.has(device)))
          violate('I11', `${device}: ${describe(after)} is not above its former ${describe(last)}`);
        // Its own entry says that it contains the one before it.
        const seen = vectorIn(after.event);
        const unsaid = [...(vectorIn(last.event) ?? [])].filter(
          ([one, stamp]) => (seen?.get(one) ?? -1) < stamp,
        );
        if (unsaid.length > 0 && !hasTag(after.event, 'void') && !hasTwin(device))
          violate(
            'I2',
            `${device}: ${describe(after)} has not seen all that its former ${describe(last)} had`,
          );
      }
      state.own.set(category, after);
    }
    for (const promised of state.owed.get(category) ?? []) {
      if (promised.isVoid) continue;
      if (after === undefined || order(after.event, promised.event) < 0)
        violate(
          'I1',
          `${device}: ${describe(promised)} was promised, and the head of ${category} is ${after ? describe(after) : 'nothing'}`,
        );
    }
  }

  /** What the app published, from what was encrypted. */
  function textOf(event: SignedEvent, plaintext: string): string {
    switch (formatIn(event)) {
      case undefined:
        return plaintext;
      case 'deflate/1':
        return inflateRawSync(Buffer.from(JSON.parse(plaintext) as string, 'base64')).toString();
      default: {
        count('write: in pieces');
        const manifest = JSON.parse(plaintext) as {
          readonly sha256: string;
          readonly parts: readonly string[];
        };
        const dTag = addressIn(event) ?? '';
        parts.set(
          event.id,
          manifest.parts.map((name) => dTag.replace(/v1$/, `c/${name}`)),
        );
        const text = large.get(manifest.sha256);
        if (text === undefined)
          violate('I5', `${event.id.slice(0, 8)} is a manifest of what nobody published`);
        return text ?? '';
      }
    }
  }

  /** The write that an event says again, or ends; `undefined` where no app has made one. */
  function rootOf(device: string, event: SignedEvent, category: string, meantAt: number): Signed | undefined {
    const stamps = [...(vectorIn(event)?.values() ?? [])];
    // Its own stamp stands in the vector of a write. One without a vector is made once, and never stamped anew.
    if (stamps.includes(meantAt)) return undefined;
    const isEnd = hasTag(event, 'deleted');
    const isRoot = (one: Signed): boolean =>
      one.category === category &&
      (one.event.content === event.content ||
        (isEnd && expirationIn(one.event) !== undefined && stamps.includes(one.meantAt))) &&
      deviceIn(one.event) === deviceIn(event);
    // One that no socket had carried was replaced under its stamp, and may have come back since.
    const head = stateOf(device).heads.get(category);
    const found = head !== undefined && isRoot(head) ? head : [...signed.values()].findLast(isRoot);
    return found?.again ?? found;
  }

  /** I19: what no app asked for beats nothing but what the write beats that it says again, and no later one. */
  function checkAgain(device: string, { event, again, category }: Signed, before: Signed | undefined): void {
    const what = `${device}: ${event.id.slice(0, 8)}@${event.created_at}, which no app asked for,`;
    const isEnd = hasTag(event, 'deleted');
    count(isEnd ? 'sometimes: end made' : 'sometimes: tie stamped anew');
    if (event.created_at - again!.event.created_at > MOST_AGAIN_SECONDS + lateSeconds)
      violate('I19', `${what} claims a time of its own: it says again ${describe(again!)}`);
    const isShown = [...shown].some((one) => one.startsWith(`${device} `) && one.endsWith(event.id));
    // What comes back where a write is withdrawn, which is another rule, beats nothing.
    const beaten = before !== undefined && order(event, before.event) > 0 ? before : undefined;
    if (!isShown && beaten !== undefined && (beaten.again ?? beaten) !== again)
      violate('I19', `${what} takes the place of ${describe(beaten)}`);
    if (!isShown && (heard.get(`${device} default/${category}/v1`) ?? -Infinity) < ports.now() - HEARD_MS)
      violate('I19', `${what} was made without asking a relay`);
  }

  /** What a reset names counts no more, nor what from the future came before that. What the same device had written before lives on in it. */
  function voidBy({ event, category }: Signed): void {
    const named = voidsIn(event);
    const latest = Math.max(-1, ...named.values());
    const above = [...signed.values()].filter(
      (one) => one.category === category && one.event.created_at > event.created_at,
    );
    // What is a second more than a day ahead may have the stamp that the reset gets.
    for (const one of signed.values())
      if (named.has(one.event.id) && one.event.created_at === event.created_at) one.isVoid = true;
    const isFuture = ({ created_at }: SignedEvent): boolean =>
      created_at > ports.now() / 1000 + 70_000 && created_at <= latest;
    const future = above.filter((one) => isFuture(one.event));
    for (const one of above)
      if (
        future.includes(one) ||
        future.some((last) => last.device === one.device && hasSeen(last.event, one.event))
      )
        one.isVoid = true;
  }

  /** Whether a device says by its medium that a write of its own has an older stamp than it had. */
  function isRestamp(device: string, after: Signed, before: Signed): boolean {
    return (
      !before.isAcknowledged &&
      after.makers.has(device) &&
      after.event.content === before.event.content &&
      deviceIn(after.event) === deviceIn(before.event) &&
      after.event.created_at < before.event.created_at
    );
  }

  /** I19: a write from the future that is stamped anew claims no time but what follows from what it had seen. */
  function checkRestamp(device: string, { event, category, meantAt }: Signed, before: Signed): void {
    const what = `${device}: ${event.id.slice(0, 8)}@${event.created_at}, ${describe(before)} stamped anew,`;
    const isNext = [...signed.values()].some(
      (one) => one.category === category && one.event.created_at === meantAt - 1 && one !== before,
    );
    // What is still to come is a day before what its clock says, which is months ahead.
    const nowSeconds = ports.now() / 1000;
    if (!isNext && meantAt > nowSeconds - 80_000 && meantAt < nowSeconds + 80_000)
      violate('I19', `${what} claims a time of its own`);
    if (before.event.created_at < ports.now() / 1000 - 7_200)
      violate('I19', `${what} was not from the future`);
    if ((heard.get(`${device} default/${category}/v1`) ?? -Infinity) < ports.now() - HEARD_MS)
      violate('I19', `${what} was made without asking a relay`);
  }

  function checkShape(entry: Signed): void {
    // I16, as far as it can be said without bytes: kind, one d-tag, its device, and a vector that ends in itself.
    const { event, category } = entry;
    const names = event.tags.map(([name]) => name);
    const allowed = new Set(['d', 'device_id', 'expiration', 'deleted', 'format', 'vv', 'void']);
    const isRight =
      event.kind === 30_078 &&
      addressIn(event) === `default/${category}/v1` &&
      names.every((name) => allowed.has(name!)) &&
      new Set(names).size === names.length;
    const vector = event.tags.find(([name]) => name === 'vv')?.slice(1);
    const isVector =
      vector === undefined ||
      (vector.length > 0 &&
        vector.length <= 16 &&
        (entry.again !== undefined || vector.some((item) => item.endsWith(`:${entry.meantAt}`))) &&
        vector.every((item) => /^[0-9a-f]{8}:\d+$/.test(item) && Number(item.slice(9)) <= event.created_at));
    if (!isRight || !isVector)
      violate('I16', `${describe(entry)} has the tags ${JSON.stringify(event.tags)}`);
  }

  /** I21: what no greater event has seen is a rival of the head; what has been seen, or is the head, is none. Former values are genuine. */
  function checkFrontier(
    device: string,
    category: string,
    rivals: readonly { readonly id: string }[],
    past: readonly { readonly id: string }[],
  ): void {
    const head = stateOf(device).heads.get(category);
    const of = rivals.map(({ id }) => signed.get(id));
    for (const { id } of [...rivals, ...past])
      if (signed.get(id)?.category !== category)
        violate('I21', `${device}: a former value of ${category} is ${id.slice(0, 8)}, which nobody made`);
    if (rivals.length > 0) count('sometimes: rival on the medium at the end');
    for (const rival of of) {
      if (rival === undefined || head === undefined) continue;
      if (order(rival.event, head.event) >= 0)
        violate('I21', `${device}: the rival ${describe(rival)} is not below the head ${describe(head)}`);
      const over = [head, ...of].find(
        (one) => one !== undefined && one !== rival && hasSeen(one.event, writtenOf(rival).event),
      );
      if (over !== undefined && !hasTwin(device))
        violate('I21', `${device}: the rival ${describe(rival)} is part of ${describe(over)}`);
    }
  }

  /** What it says of relays is what these have said, and its stage follows from that. */
  function checkReport(device: string, { stage, relays }: DeliveryReport, id: string): void {
    const states = Object.entries(relays);
    for (const [url, delivery] of states) {
      const what = `${device} ${url} ${id}`;
      const isKnown =
        shown.has(what) || (delivery === 'acknowledged' ? taken.has(what) : delivery !== 'confirmed');
      if (!isKnown)
        violate('I12', `${device}: ${url} is said to have ${id.slice(0, 8)} ${delivery}, and never said so`);
    }
    const isConfirmed = states.length > 0 && states.every(([, delivery]) => delivery === 'confirmed');
    const isTaken = states.some(([, delivery]) => delivery === 'acknowledged' || delivery === 'confirmed');
    const expected = isConfirmed ? 'replicated' : isTaken ? 'delivered' : 'saved';
    if (stage !== expected)
      violate('I12', `${device}: ${id.slice(0, 8)} is told as ${stage}, and is ${expected}`);
  }

  /** I2: who has a value that another disk wrote under its id, above a write of its own, goes by that id no more. */
  function checkTwins(device: string, entries: ReadonlyMap<string, string>): void {
    const { inherited, lineage } = stateOf(device);
    const id = entries.get('device-id');
    for (const [key, value] of entries) {
      if (!key.startsWith(headPrefix)) continue;
      const { own } = JSON.parse(value) as { readonly own?: { readonly id: string } };
      const [mine, head] = [own?.id, headOf(value)?.id].map((one) => signed.get(one ?? ''));
      if (mine === undefined || head === undefined || head.again !== undefined) continue;
      const isUnderIt = [mine, head].every(({ event }) => deviceIn(event) === id);
      const isOfOther = !head.makers.has(device) || (head.device === device && head.lineage < lineage);
      if (!isUnderIt || !isOfOther || inherited.has(head.event.id)) continue;
      if (head.event.created_at > mine.event.created_at)
        violate('I2', `${device}: has ${describe(head)}, which was written under its id, and keeps that`);
    }
  }

  return {
    violations,
    signed,
    pieces,
    parts,
    violate,
    onEncrypt: (text, content, isOurs = true) => {
      plaintexts.set(content, text);
      if (!isOurs) foreign.add(content);
    },
    isUnreadable: () => foreign.size > 0,
    readableOn: (device, category) => stateOf(device).readable.get(category) ?? new Set(),
    onSign: (process, device, event, meantAt = event.created_at) => {
      if (event.kind !== 30_078) return;
      const dTag = addressIn(event) ?? '';
      // The tombstones of pieces share their content.
      checkRate(process, device, `a signature for ${dTag} of ${event.content}`, MAX_SAME_SIGNATURES);
      const plaintext = plaintexts.get(event.content);
      const isPiece = PIECE.test(dTag);
      // Pieces are encrypted by the engine itself, but for their tombstones.
      const isEncrypted = plaintext !== undefined || (isPiece && PIECE_CONTENT.test(event.content));
      if (!isEncrypted) return violate('I13', `${device}: signs content that was not encrypted`);
      const json = JSON.stringify(event);
      made.set(event.id, { event, json });
      if (isPiece) return void pieces.set(event.id, event);
      const former = signed.get(event.id);
      // Whoever says something again makes the same event.
      if (former !== undefined) return void former.makers.add(device);
      const text = textOf(event, plaintext!);
      const category = dTag.slice('default/'.length, -'/v1'.length);
      const again = rootOf(device, event, category, meantAt);
      lateSeconds += event.created_at - meantAt;
      const entry: Signed = {
        event,
        bytes: json.length,
        category,
        text,
        meantAt,
        isInPieces: parts.has(event.id),
        device: again?.device ?? device,
        lineage: again?.lineage ?? stateOf(device).lineage,
        again,
        makers: new Set([device]),
        isUnreadable: foreign.has(event.content) && !hasTag(event, 'deleted'),
        isCarried: false,
        carriers: new Map(),
        isAcknowledged: false,
        isTaken: false,
        isVoid: false,
        refusers: new Set(),
        showers: new Set(),
        isWithdrawn: false,
      };
      signed.set(event.id, entry);
      voidBy(entry);
      if (!isOfReference(event)) checkShape(entry);
    },
    onFlush: (device, changes) => {
      const kept = [...changes]
        .filter(([key, value]) => key.startsWith('version/') && value !== null)
        .flatMap(([, value]) => signed.get(HEX_64.exec(value!)?.[0] ?? '') ?? []);
      for (const { event } of kept) stateOf(device).versions.add(event.id);
      for (const [key, value] of changes) {
        count(`store: ${key.slice(0, key.indexOf('/') + 1) || key}`);
        if (value?.includes(MARKER)) violate('I13', `${device}: plaintext on the medium`);
        if (key.startsWith('piece/') && value !== null) {
          const id = HEX_64.exec(value)?.[0];
          if (id !== undefined) stateOf(device).flushed.add(id);
        }
        if (!key.startsWith(headPrefix)) continue;
        const category = key.slice(headPrefix.length, -'/v1'.length);
        lookAtHeld(device, category, value);
        headChanged(device, category, value === null ? undefined : headOf(value), kept);
      }
    },
    onConnect: (process, url) => checkRate(process, url, 'a connection', MAX_CONNECTS),
    onSend: (process, device, url, frame) => {
      if (frame.includes(MARKER)) violate('I13', `${device}: plaintext on the wire`);
      if (frame.startsWith('["REQ"')) {
        checkRate(process, url, frame.slice(frame.indexOf('{')), MAX_SAME_REQS);
        const questions = asked.get(process) ?? new Map<string, string>();
        asked.set(process, questions.set(`${url} ${(JSON.parse(frame) as string[])[1]}`, frame));
      }
      if (!frame.startsWith('["EVENT"')) return;
      const event = madeAt(frame, '["EVENT",'.length) ?? (JSON.parse(frame) as [string, SignedEvent])[1];
      checkRate(process, url, event.id, MAX_SAME_EVENTS);
      if (event.kind !== 30_078) return;
      const piece = pieces.get(event.id);
      if (piece !== undefined) {
        const isTombstone = hasTag(event, 'deleted');
        count(isTombstone ? 'sometimes: piece collected' : 'sometimes: piece sent');
        if (!sameEvent(piece, event)) violate('I7', `${device}, on the wire: an altered piece`);
        if (!isTombstone && !stateOf(device).flushed.has(event.id))
          violate('I1', `${device}: a piece went out before it was on the medium`);
        return;
      }
      const entry = genuine(event, `${device}, on the wire`);
      if (entry === undefined) return;
      entry.isCarried = true;
      sent.add(`${device} ${url} ${event.id}`);
      entry.carriers.set(device, ports.now());
      // The reference has no store. A removal that a copy of the disk has made as well, in the same words, may be passed on from a relay.
      const { flushed, received } = stateOf(device);
      const isOwn = !isOfReference(event) && entry.makers.has(device) && !received.has(entry);
      if (isOwn && !flushed.has(event.id))
        violate('I1', `${device}: ${describe(entry)} went out before it was on the medium`);
      if (isRejected(entry)) violate('I6', `${device}: ${describe(entry)} was rejected, and goes out`);
    },
    saidOfLate: (device, url, id, sleptSince) => {
      const at = saidAt.get(`${device} ${url} ${id}`);
      return at !== undefined && ports.now() - at - sleptSince(at) < MAX_UNSAVED_MS;
    },
    onReconcile: (process, url, frame, ids) => {
      const all = reconciled.get(process) ?? new Map<string, Reconciled>();
      reconciled.set(process, all);
      all.set(`${url} ${(JSON.parse(frame) as string[])[1]}`, { frame, ids });
    },
    onReceive: (process, device, url, frame, isHonest) => {
      if (frame.startsWith('["NEG-MSG"')) {
        const question = reconciled.get(process)?.get(`${url} ${(JSON.parse(frame) as string[])[1]}`);
        if (question === undefined) return;
        count('sometimes: reconciled');
        for (const id of question.ids ?? signed.keys()) {
          const entry = signed.get(id);
          if (entry === undefined) continue;
          // What the device alone can have sent there, and has not, no word of a relay proves. What says again the write of another device,
          // or ends a value whose time is over, others make as well, and to the letter.
          const what = `${device} ${url} ${id}`;
          const isEnd = entry.again !== undefined && hasTag(entry.event, 'deleted');
          const isOwn = entry.makers.has(device) && (entry.again ?? entry).device === device && !isEnd;
          if (question.ids === undefined && isOwn && !sent.has(what)) continue;
          shown.add(what);
          saidAt.set(what, ports.now());
          if (question.ids !== undefined) entry.isTaken = true;
        }
        // Whatever the relay has: as an EOSE.
        for (const category of new Set([...signed.values()].map((entry) => entry.category))) {
          const dTag = `default/${category}/v1`;
          if (isForAll(question.frame) || question.frame.includes(JSON.stringify(dTag)))
            heard.set(`${device} ${dTag}`, ports.now());
        }
        return;
      }
      if (frame.startsWith('["EOSE"')) {
        const question = asked.get(process)?.get(`${url} ${(JSON.parse(frame) as string[])[1]}`) ?? '';
        for (const [dTag] of question.matchAll(/default\/[^"/]+\/v1(?=")/g))
          heard.set(`${device} ${dTag}`, ports.now());
      }
      const isAnswer = frame.startsWith('["OK"');
      if (!isAnswer && !frame.startsWith('["EVENT"')) return;
      const id = idIn(frame);
      const entry = id === undefined ? undefined : signed.get(id);
      if (entry === undefined) return;
      // Under a genuine id a hostile relay may show anything.
      if (!isAnswer && !isShownIn(frame, entry.event)) return;
      if (!isHonest) hearHostile(entry, url, isAnswer, frame);
      const what = `${device} ${url} ${entry.event.id}`;
      entry.isTaken ||= !isAnswer || TAKEN.test(frame);
      if (!isAnswer) {
        shown.add(what);
        stateOf(device).received.add(entry);
        stateOf(device).heard.set(entry, ports.now());
      } else if (TAKEN.test(frame)) taken.add(what);
      saidAt.set(what, ports.now());
      if (isAnswer && isHonest && frame.includes(',true,')) entry.isAcknowledged = true;
    },
    hand: (process, device, url, frame, task) => {
      handed = { process, url };
      const entry = frame.startsWith('["EVENT"') ? signed.get(idIn(frame) ?? '') : undefined;
      const head = entry && stateOf(device).heads.get(entry.category);
      if (head !== undefined && order(entry!.event, head.event) < 0)
        meter('bytes of what is old', frame.length, MAX_OLD_BYTES);
      task();
      handed = undefined;
    },
    onVerify: ({ id, sig }) => {
      meter('signatures', 1, MAX_VERIFIED);
      meter(`the signature ${sig.slice(0, 16)} of ${id}`, 1, MAX_SAME_VERIFIED);
    },
    note,
    call: (told, category, text) => {
      const call: Call = {
        device: told.device,
        lineage: stateOf(told.device).lineage,
        category,
        text,
        base: known(told, category),
        state: 'open',
        isUnsure: false,
      };
      note(text);
      const where = `${told.device} ${category}`;
      const byText = calls.get(where) ?? new Map<string, Call[]>();
      calls.set(where, byText);
      const all = byText.get(text) ?? [];
      byText.set(text, all);
      all.push(call);
      return call;
    },
    reset: (told, category) => {
      for (const text of ['null', known(told, category)?.text])
        resetTexts.add(`${told.device} ${category} ${text}`);
    },
    resolved: (call, receipt) => {
      call.state = 'resolved';
      const state = stateOf(call.device);
      const told = signed.get(receipt.eventId);
      const entry = told && latest(told);
      if (entry === undefined || entry.category !== call.category)
        return violate('I1', `${call.device}: a receipt for an event that nobody made`);
      // Something greater may have come in the same transaction.
      const now = state.heads.get(call.category);
      const isBeaten = now !== undefined && order(now.event, entry.event) > 0;
      if (!state.flushed.has(receipt.eventId) && !isBeaten)
        return violate(
          'I1',
          `${call.device}: publish resolved with ${describe(entry)}, which is not on the medium`,
        );
      checkReport(call.device, receipt, receipt.supersededBy ?? receipt.eventId);
      const { base } = call;
      const counts = base !== undefined && !base.isVoid && !state.lowered.has(base);
      const isBelow = counts && order(entry.event, base.event) <= 0;
      const isReused =
        base?.device === call.device &&
        !base.carriers.has(call.device) &&
        base.event.created_at === entry.event.created_at;
      // A writer without vectors has seen what relays had, and so has whoever builds upon its write.
      const under = base && state.under.get(base);
      if (under !== undefined && entry.lineage === call.lineage && isUnseenIn(entry.event, under.event))
        violate(
          'I2',
          `${call.device}: wrote ${describe(entry)} upon ${describe(base!)}, and does not cover ${describe(under)}`,
        );
      if (isBelow && !isReused && entry.lineage === call.lineage)
        violate('I2', `${call.device}: wrote ${describe(entry)} after it had seen ${describe(base)}`);
      if (call.lineage !== state.lineage) return;
      const owed = state.owed.get(call.category) ?? new Set();
      state.owed.set(call.category, owed);
      owed.add(entry);
      const head = state.heads.get(call.category);
      if (!entry.isVoid && (head === undefined || order(head.event, entry.event) < 0))
        violate(
          'I1',
          `${call.device}: publish resolved with ${describe(entry)}, and the head is ${head ? describe(head) : 'nothing'}`,
        );
    },
    rejected: (call, code) => {
      call.state = 'rejected';
      const { device, category, text } = call;
      // Also where another call of the same value is rejected later, for a reason of its own.
      const what = `${device} ${category} ${text}`;
      if (code === 'NO_RELAYS_ACCEPTED') refusedTexts.add(what);
      for (const entry of signed.values()) {
        if (entry.device !== device || entry.category !== category || entry.text !== text) continue;
        if (entry.again !== undefined) continue;
        if (!isRejected(entry)) return;
        entry.isVoid = true;
        if (entry.isCarried && !refusedTexts.has(what))
          violate('I6', `${call.device}: ${code} for ${describe(entry)}, which had gone out`);
        if (entry.isAcknowledged)
          violate('I6', `${call.device}: ${code} for ${describe(entry)}, which a relay had taken`);
        const head = stateOf(call.device).heads.get(call.category);
        if (head === entry)
          violate('I6', `${call.device}: ${code} for ${describe(entry)}, which is the head on the medium`);
      }
    },
    delivery: (device, report) => {
      const entry = signed.get(report.eventId);
      // What says a write again that is on the copy of a disk as well.
      const isCopy = entry?.again !== undefined && stateOf(device).twins.has(entry.device);
      const isOwn = entry?.device === device || isCopy || stateOf(device).inherited.has(report.eventId);
      if (entry?.category !== report.category || !isOwn)
        return violate('I12', `${device}: a delivery of ${report.eventId.slice(0, 8)}, which it never wrote`);
      checkReport(device, report, report.eventId);
    },
    conflict: (told, { mine, theirs, shown: isShown }, isInTime) => {
      const ours = tell(told, 'conflict', mine, false);
      const others = tell(told, 'conflict', theirs, false);
      if (ours === undefined || others === undefined || ports.isMerged(ours.category)) return;
      const { losses, passedOn } = stateOf(told.device);
      losses.delete(ours.event.id);
      const { beaten } = stateOf(told.device);
      const due = beaten.get(ours.category)?.theirs;
      if (due !== undefined && isShown === 'mine' && order(others.event, due.event) >= 0)
        beaten.delete(ours.category);
      // What was saved together with what beats it was never the head: it stands for the write it was made upon.
      for (const [id, { entry }] of losses)
        if (entry.category === ours.category && hasSeen(ours.event, writtenOf(entry).event))
          losses.delete(id);
      const wrong = (what: string): void =>
        violate('I2', `${told.device}: a conflict of ${describe(ours)} with ${describe(others)}, ${what}`);
      if (isShown === 'mine') count('sometimes: a blind write told of what it beats');
      if (order(others.event, ours.event) < 0 !== (isShown === 'mine')) wrong(`of which ${isShown} is shown`);
      if (hasTwin(told.device)) return;
      if (hasSeen(ours.event, others.event)) wrong('which it had seen');
      if (ours.device !== told.device) wrong('and the former is not its own');
      // What it beats it beats, whatever is built upon it since.
      const next = passedOn.get(ours.event.id);
      // While the store hung theirs was the head in memory alone, and an own write of before that followed on the medium.
      const isOfMemory = next?.device === told.device && !hasSeen(next.event, others.event);
      if (isInTime && next !== undefined && !isOfMemory && isShown !== 'mine')
        wrong('and something that had seen it came between');
      // A writer without vectors tells nothing.
      if (hasSeen(others.event, writtenOf(ours).event)) wrong('which saw it');
    },
    crashed: (device) => {
      const { heard } = stateOf(device);
      forgetUntold(device);
      for (const [entry, at] of heard) if (at > ports.now() - SAVING_MS) heard.delete(entry);
    },
    forgetUntold,
    losses: (device) => stateOf(device).losses,
    beaten: (device) => stateOf(device).beaten,
    told: tell,
    latest,
    original,
    known,
    headOn: (device, category) => stateOf(device).heads.get(category),
    arrivedAt: (device, category) => stateOf(device).arrivals.get(category) ?? 0,
    endArrivedAt: (device, category) => stateOf(device).ends.get(category) ?? -1,
    restored: (device, entries) => {
      const state = stateOf(device);
      state.lineage++;
      for (const one of [state.heads, state.under, state.own, state.owed, state.passedOn, state.readable])
        one.clear();
      state.held.clear();
      for (const [key, value] of entries) {
        if (!key.startsWith(headPrefix)) continue;
        const event = headOf(value);
        const entry = event && genuine(event, `${device}, in a backup`);
        if (entry === undefined) continue;
        state.heads.set(entry.category, entry);
        keep(state, entry);
        state.inherited.add(entry.event.id);
      }
    },
    cloned: (from, onto) => {
      for (const [one, other] of [
        [from, onto],
        [onto, from],
      ] as const)
        stateOf(one).twins.add(other);
      for (const id of stateOf(from).flushed) stateOf(onto).flushed.add(id);
      for (const told of [sent, shown, taken])
        for (const what of [...told]) if (what.startsWith(`${from} `)) told.add(what.replace(from, onto));
    },
    hasTwin,
    hasKeptRefusal: (device) =>
      [...signed.values()].some((one) => one.device === device && isKeptRefusal(one)),
    destroyed: (device) => {
      stateOf(device).isGone = true;
    },
    finalMedium: (device, entries) => {
      const needed = new Set<string>();
      for (const [key, value] of entries) {
        if (!key.startsWith(headPrefix)) continue;
        type Stored = { readonly pieces?: readonly { readonly name: string }[] };
        type Kept = { readonly id: string; readonly pieces?: readonly string[] };
        type Known = { head?: Stored; former?: readonly Stored[]; rivals?: Kept[]; past?: Kept[] };
        const record = JSON.parse(value) as Known & { own?: { taken?: { rivals: Kept[] } } };
        const { head, former = [], rivals = [], past = [], own } = record;
        const names = [...(head === undefined ? [] : [head]), ...former].flatMap(({ pieces = [] }) =>
          pieces.map(({ name }) => name),
        );
        const kept = [...rivals, ...past, ...(own?.taken?.rivals ?? [])];
        for (const name of [...names, ...kept.flatMap(({ pieces = [] }) => pieces)])
          needed.add(key.replace('head/', 'piece/').replace(/v1$/, `c/${name}`));
        for (const { id } of kept) {
          const version = `${key.replace('head/', 'version/')}/${id}`;
          needed.add(version);
          if (!entries.has(version))
            violate('I21', `${device}: ${id.slice(0, 8)} is a former value, and is not on the medium`);
        }
        if (past.length > MOST_PAST) violate('I21', `${device}: ${past.length} former values on the medium`);
        checkFrontier(device, key.slice(headPrefix.length, -'/v1'.length), rivals, past);
      }
      const stray = [...entries.keys()].filter((key) => /^(piece|version)\//.test(key) && !needed.has(key));
      if (stray.length > 0)
        violate(
          'I10',
          `${device}: ${stray.length} pieces and versions on the medium that no record needs, such as ${stray[0]}`,
        );
      checkTwins(device, entries);
    },
    finalRejections: (where, events) => {
      for (const event of events) {
        const entry = signed.get(event.id);
        if (entry !== undefined && isRejected(entry))
          violate('I6', `${where} holds ${describe(entry)}, which was rejected`);
      }
    },
    owedOf: (category) =>
      [...devices.values()]
        .filter(({ isGone }) => !isGone)
        .flatMap(({ owed }) => [...(owed.get(category) ?? [])])
        .filter(({ isVoid }) => !isVoid),
    isDestroyed: (device) => stateOf(device).isGone,
    isOrphan: ({ device, lineage }) => stateOf(device).isGone || lineage < stateOf(device).lineage,
    isKnown: (entry) =>
      [...devices.values()].some(
        ({ isGone, heard, flushed, versions }) =>
          !isGone &&
          [heard.has(entry), flushed.has(entry.event.id), versions.has(entry.event.id)].includes(true),
      ),
    imported: (device, ids) => {
      for (const id of ids)
        for (const one of [device, signed.get(id)?.device ?? device]) stateOf(one).inherited.add(id);
    },
  };

  function tell(told: Told, via: string, result: FetchResult, isInOrder: boolean): Signed | undefined {
    const entry = signed.get(result.eventId) ?? viewed(told.device, result);
    if (entry?.isUnreadable === true)
      violate('I5', `${told.device}: ${via} gave ${describe(entry)}, which nobody can read`);
    if (entry === undefined) {
      violate('I5', `${told.device}: ${via} gave an event that nobody made`);
      return undefined;
    }
    const isView = entry.event.id !== result.eventId;
    const isDeleted = hasTag(entry.event, 'deleted');
    const isRight =
      isView ||
      (entry.category === result.category &&
        JSON.stringify(result.payload) === entry.text &&
        (result.deleted === true) === isDeleted &&
        (deviceIn(entry.event) ?? pubkey) === result.deviceId &&
        Date.parse(result.updatedAt) === entry.event.created_at * 1000);
    const isOwn = entry.device === told.device && entry.lineage === stateOf(told.device).lineage;
    if (isView) tellView(told, via, entry, result, isInOrder);
    else if (
      result.pending === true
        ? // Whoever has a copy of the disk goes on with its write.
          entry.device !== told.device && !stateOf(told.device).inherited.has(entry.event.id)
        : // What is shown in the place of a head that cannot be read is not on its way any more.
          isOwn &&
          !entry.isCarried &&
          entry.again === undefined &&
          // One that the device has written upon since goes nowhere any more.
          [
            stateOf(told.device).heads.get(entry.category),
            ...(via === 'conflict' ? [stateOf(told.device).own.get(entry.category)] : []),
          ].includes(entry) &&
          // What comes back in the place of a write that was withdrawn counts as taken.
          ![...signed.values()].some(
            (one) =>
              one !== entry &&
              one.category === entry.category &&
              // Where writes merge, texts are of no call.
              (isRejected(one) || (one.isVoid && ports.isMerged(one.category))) &&
              isNotBefore(one, entry),
          )
    )
      violate('I12', `${told.device}: ${via} says of ${describe(entry)} pending: ${result.pending === true}`);
    if (!isRight) violate('I5', `${told.device}: ${via} gave ${describe(entry)} changed`);
    if (isRejected(entry) && entry.device !== told.device)
      violate('I6', `${told.device}: ${via} gave ${describe(entry)}, which was rejected`);
    const seen = told.shown.get(entry.category);
    if (seen === undefined || order(entry.event, seen.event) > 0) told.shown.set(entry.category, entry);
    if (isInOrder) {
      const key = `${via} ${entry.category}`;
      const last = told.updated.get(key);
      const withdrawn = withdrawalsOn(told.device, entry.category);
      // What was there before a write of its own was taken back may be told again.
      const isRestored = last?.entry === entry && withdrawn > last.withdrawn;
      // What a void head had beaten here is gone with that, if the reset had not heard of it.
      const left = lefts.get(`${told.device} ${entry.category}`);
      const isLeft =
        left !== undefined && left !== last?.left && order(left.event, last?.entry.event ?? entry.event) > 0;
      // What was shown with it, another account has written again: nobody can read that.
      const isAlone = last?.isView === true && !isView && foreign.size > 0;
      if (
        last !== undefined &&
        !last.entry.isVoid &&
        !last.entry.isWithdrawn &&
        !isLeft &&
        !isAlone &&
        order(entry.event, last.entry.event) <= (isView ? -1 : 0) &&
        !isRestored
      )
        violate('I3', `${told.device}: ${via} gave ${describe(entry)} after ${describe(last.entry)}`);
      told.updated.set(key, { entry, isView, withdrawn, left });
    }
    return entry;
  }

  /** What is shown merged has an id of its own; it says whose head it is, and of when. */
  function viewed(
    device: string,
    { category, deviceId, updatedAt, pending }: FetchResult,
  ): Signed | undefined {
    if (pending !== true || !ports.isMerged(category)) return undefined;
    const isIt = (one: Signed | undefined): one is Signed =>
      one?.category === category &&
      (deviceIn(one.event) ?? pubkey) === deviceId &&
      one.event.created_at * 1000 === Date.parse(updatedAt);
    const head = stateOf(device).heads.get(category);
    return isIt(head) ? head : [...signed.values()].reverse().find(isIt);
  }

  /** A head as it is shown until an edit merges its rivals: told once more than the head, and not twice as the same. */
  function tellView(
    told: Told,
    via: string,
    of: Signed,
    { eventId: id, payload }: FetchResult,
    isInOrder: boolean,
  ): void {
    const text = JSON.stringify(payload);
    count('told: shown merged');
    ports.onView(told.device, of, text);
    const key = `${via} ${of.category}`;
    const last = told.views.get(key);
    // What says again what another has said is no news.
    const isSame = last !== undefined && (last.of.again ?? last.of) === (of.again ?? of);
    const withdrawn = withdrawalsOn(told.device, of.category);
    // A reset has shown another in between, and what that had not heard of comes back.
    const left = lefts.get(`${told.device} ${of.category}`);
    const isThere = last?.text === text && withdrawn === last.withdrawn && left === last.left;
    if (isInOrder && isSame && isThere)
      violate('I3', `${told.device}: ${via} shows ${describe(of)} merged, again`);
    const view = { of, text, id, withdrawn, left };
    told.views.set(key, view);
    told.views.set(of.category, view);
  }

  function known(told: Told, category: string): Signed | undefined {
    const head = stateOf(told.device).heads.get(category);
    const shown = told.shown.get(category);
    if (head === undefined || shown === undefined) return head ?? shown;
    return order(head.event, shown.event) >= 0 ? head : shown;
  }
}
