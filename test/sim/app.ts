/** The app on a device: what it calls, and whether what it is told can be. */

import { createHash } from 'node:crypto';
import { isNostrSyncError } from '../../src/errors.ts';
import type { NostrSync } from '../../src/node.ts';
import { MAX_MERGES_IN_A_ROW } from '../../src/protocol/limits.ts';
import type { Signer } from '../../src/signer/signer.ts';
import type { FetchResult } from '../../src/sync/events.ts';
import { OVERTAKEN } from '../../src/sync/saving.ts';
import type { Stage } from '../../src/sync/heads/record.ts';
import type { Chance } from './chance.ts';
import type { Disk } from './disk.ts';
import type { Machine, Process } from './machine.ts';
import { createMergingCalls } from './merging-app.ts';
import type { How } from './merging-scenario.ts';
import { MARKER, order, type Call, type Signed, type Told } from './oracle.ts';
import { owedTo, unprovenOn } from './records.ts';
import { LARGEST_PAYLOAD_BYTES, type AppOp, type DeviceConfig } from './scenario.ts';
import type { SignerState } from './signer.ts';
import { expirationIn, hasTag } from './tags.ts';
import type { World } from './world.ts';

/** One run of the engine. */
export interface Tab {
  readonly process: Process;
  /** The name of its edits. */
  readonly series: string;
  readonly sync: NostrSync;
  readonly told: Told;
  /** Relays by what the app asked for. */
  readonly relays: Set<string>;
  signer: SignerState | undefined;
  /** Ids that this process has signed, and that `poll` has given it. */
  readonly written: Set<string>;
  readonly polled: Set<string>;
  /** Since when it can read, in ms. */
  readyAt: number;
  readonly subscriptions: { readonly via: string; readonly stop: () => void }[];
  /** How far the app was told that a write has come, by its id. */
  readonly stages: Map<string, Stage>;
  /** How many changes of its relays are under way. */
  changes: number;
  /** Whether a `flush` that was called has not ended. */
  isFlushing: boolean;
  wake: () => void;
  calls: number;
  isClosed: boolean;
}

export interface AppPorts {
  readonly name: string;
  /** Which device it is. */
  readonly number: number;
  readonly config: DeviceConfig;
  readonly world: World;
  readonly chance: Chance;
  readonly disk: Disk;
  readonly machine: Machine;
  /** Those that run now. */
  readonly tabs: () => readonly Tab[];
  readonly createSigner: (tab: Tab, state: SignerState) => Signer;
  /** What was made to fail, so that the app may be told of it. */
  readonly hadFaults: {
    readonly signer: boolean;
    /** The signer failed more than once, so that a value may never have been read. */
    readonly silence: boolean;
    readonly store: boolean;
    readonly hanging: boolean;
  };
  /** When a relay has answered a question of the device last, in ms; -1: never. */
  readonly lastEoseAt: () => number;
}

export interface App {
  /** Begins with an engine that is new: listens, and sets the signer. */
  open(process: Process, series: string, sync: NostrSync, wake: () => void): Tab;
  perform(tab: Tab, op: AppOp): void;
  /** All relays, and a signer. */
  heal(tab: Tab): void;
  /** Resets a category that was written in the future. */
  reset(category: string): void;
  /** Edits a category that merges. */
  edit(category: string): void;
  /** Asks the relays for everything, and checks what comes. */
  look(): void;
  /** Reads a category in every tab, and says where that is not the head. */
  read(category: string, onWrong: (message: string) => void): void;
  /** The same on a device that reaches no relay. `isWatched`: pieces of each value are on every honest relay. */
  readLocally(category: string, isWatched: boolean): void;
  /** Calls `flush` in every tab, and says later where it has not ended though nothing is owed. */
  flush(): void;
  checkFlushed(): Promise<void>;
  /** Whether the app was told of the head of a category. */
  checkTold(category: string): void;
  /** A conflict is told by the process that learnt of it, once it is awake and can read both sides. */
  checkLosses(): void;
  /** Whether all that is to be merged with the next edit is shown. */
  checkShown(category: string): void;
}

/** Text that hardly compresses: made once, and cut at few places, so that values share most of their pieces. */
let noise = '';

function filler(chars: number, chance: Chance): string {
  if (chars <= 0) return '';
  if (noise === '') {
    let digest = Buffer.from('noise');
    const parts: string[] = [];
    for (let i = 0; i < LARGEST_PAYLOAD_BYTES / 40; i++) {
      digest = createHash('sha256').update(digest).digest();
      parts.push(digest.toString('base64url'));
    }
    noise = parts.join('');
  }
  const at = chance.bool(0.7) ? 0 : chance.int(0, 3) * 5_000;
  return noise.slice(at).concat(noise.slice(0, at)).slice(0, chars);
}

/** Errors that need no fault of the store or the signer. What else they need is looked at where they come from. */
const POSSIBLE = new Set([
  'SIGNER_NOT_SET',
  'NO_RELAYS_ACCEPTED',
  'NO_RELAYS_REACHABLE',
  'CLOCK_SKEW',
  'AbortError',
  'VERSION_NOT_KEPT',
]);

/** How long the app may wait for what has come, in ms: a signer is slow. */
const TELLING_MS = 30_000;

/** The same write, perhaps under another stamp: no two have the same ciphertext. */
const isSameWrite = (a: Signed | undefined, b: Signed): boolean => a?.event.content === b.event.content;

export function createApp(ports: AppPorts): App {
  const { name, config, world, chance, disk, machine, tabs, hadFaults, lastEoseAt } = ports;
  const { schedule, oracle, merges, cipher, count } = world;
  /** Categories in which a write was refused by all: what was before it is the head again, and news once more. */
  const withdrawnIn = new Set<string>();
  let payloads = 0;
  let subscriptions = 0;

  /** Whether a write of this device may be news to it: what it had replaced, or what a reset had voided, is the head again. */
  const mayComeBack = (category: string, id: string): boolean =>
    withdrawnIn.has(category) || oracle.signed.get(id)?.isVoid === true;

  /** Whoever is told of a value that has not seen a write of this device was told of the conflict before. */
  function checkOrder(via: string, { category, eventId }: FetchResult): void {
    // A conflict is told by one tab alone.
    if (config.tabs > 1 || hadFaults.signer || hadFaults.store) return;
    if (oracle.headOn(name, category)?.event.id !== eventId) return;
    for (const { entry } of oracle.losses(name).values())
      if (entry.category === category)
        oracle.violate('I2', `${name}: ${via} tells of ${eventId.slice(0, 8)} before the conflict with it`);
  }

  function listen(tab: Tab): void {
    const { sync, told } = tab;
    sync.on('updated', (result) => {
      count('told: updated');
      oracle.told(told, 'updated', result, true);
      checkOrder('updated', result);
      // A merge says more than its app knows.
      const isMerge = merges.isMerged(result.category);
      if (tab.written.has(result.eventId) && !isMerge && !mayComeBack(result.category, result.eventId))
        oracle.violate(
          'I9',
          `${name}: "updated" tells of ${result.eventId.slice(0, 8)}, written by this process`,
        );
    });
    sync.on('conflict', (conflict) => {
      count('sometimes: conflict');
      world.trace(name, 'conflict', conflict.mine.eventId, conflict.theirs.eventId);
      oracle.conflict(told, conflict, config.tabs === 1 || !hadFaults.store);
      merges.conflict(conflict);
    });
    sync.on('merged', (merged) => {
      world.trace(name, 'merged', merged.value.eventId, merged.base, JSON.stringify(merged.clashes));
      for (const part of merged.parts) oracle.told(told, 'merged', part, false);
      oracle.told(told, 'merged', merged.value, false);
      merges.merged(name, merged);
    });
    sync.on('delivery', (report) => {
      oracle.delivery(name, report);
      tab.stages.set(report.eventId, report.stage);
    });
    sync.on('error', (error) => {
      count(`told: error ${error.code}`);
      world.trace(name, 'error', error.code, error.message);
      const isPossible =
        error.code === 'MERGE_LOOP' ? mayLoop(error.details.category) : hasCause(tab, error.code);
      if (!isPossible) oracle.violate('I7', `${name}: told of ${String(error)}`);
      if (`${error.message}${JSON.stringify(error.details)}`.includes(MARKER))
        oracle.violate('I13', `${name}: an error quotes a payload`);
    });
  }

  // Calls

  function setSigner(tab: Tab): void {
    const state = { isCleared: false, isLeft: false };
    tab.signer = state;
    tab.readyAt = Infinity;
    // It may fail with the store or the signer; the next call tries again.
    follow(
      tab,
      'setSigner',
      tab.sync.setSigner(ports.createSigner(tab, state)),
      () => {
        if (tab.signer === state) tab.readyAt = schedule.now();
      },
      () => undefined,
    );
  }

  function clearSigner(tab: Tab): void {
    count('call: clearSigner');
    merges.restless(name, 0);
    if (tab.signer !== undefined) tab.signer.isCleared = true;
    tab.signer = undefined;
    follow(
      tab,
      'clearSigner',
      tab.sync.clearSigner(),
      () => undefined,
      () => undefined,
    );
  }

  function changeRelay(tab: Tab, how: 'addRelay' | 'removeRelay', url: string): void {
    count(`call: ${how}`);
    tab.changes += 1;
    const end = (): void => {
      tab.changes -= 1;
    };
    // The last call counts, whichever resolves last.
    if (how === 'addRelay') tab.relays.add(url);
    else tab.relays.delete(url);
    follow(tab, how, tab.sync[how](url), end, end);
  }

  /** Whether anything has happened that can make the engine fail like this. */
  function hasCause({ isClosed }: Tab, code: string): boolean {
    switch (code) {
      case 'STORE_FAILED':
        return hadFaults.store;
      case 'SIGNING_FAILED':
      case 'ENCRYPTION_FAILED':
      case 'DECRYPTION_FAILED':
      case 'SIGNER_CHANGED':
      case 'UNDECODABLE':
        // All values are good: only a signer that lies makes one unreadable, perhaps that of another device.
        return hadFaults.signer || oracle.isUnreadable();
      case 'DEVICE_ID_TAKEN':
        return oracle.hasTwin(name);
      case 'WITHDRAWN_WRITE_SHOWN':
        return oracle.hasTwin(name) || oracle.hasKeptRefusal(name);
      case 'INCOMPLETE':
        return oracle.pieces.size > 0;
      case 'CLOSED':
        return isClosed;
      default:
        return POSSIBLE.has(code);
    }
  }

  /** Apps undo what each other does; or those of the others edit again and again, and this device merges each time. */
  const mayLoop = (category: string): boolean =>
    world.merging?.apps.some(({ rules }) => rules === 'selfish') === true ||
    merges.unseenWrites(name, category) >= MAX_MERGES_IN_A_ROW;

  /** Follows a call to its end, in a process that lives that long. */
  function follow<T>(
    tab: Tab,
    what: string,
    call: Promise<T>,
    onResult: (result: T) => void,
    onError: (code: string) => void,
  ): void {
    tab.calls++;
    const settled = (act: () => void): void => {
      tab.calls--;
      if (tab.process.isAlive()) act();
    };
    call.then(
      (result) =>
        settled(() => {
          world.trace(name, what, 'resolved');
          onResult(result);
        }),
      (error: unknown) =>
        settled(() => {
          const isKnown = isNostrSyncError(error) || (error instanceof Error && error.name === 'AbortError');
          const code = isNostrSyncError(error) ? error.code : (error as Error).name;
          world.trace(name, what, code);
          count(`${what}: ${code}`);
          if (!isKnown || !hasCause(tab, code))
            oracle.violate('I7', `${name}: ${what} rejected with ${String(error)}`);
          if (error instanceof Error && error.message.includes(MARKER))
            oracle.violate('I13', `${name}: the error of ${what} quotes a payload`);
          onError(code);
        }),
    );
  }

  function remove(tab: Tab, category: string): void {
    const call = oracle.call(tab.told, category, 'null');
    merges.whole(name, category, undefined);
    settleWrite(tab, 'remove', call, tab.sync.remove(category, { waitFor: 'saved' }));
  }

  function publish(tab: Tab, category: string, op: Extract<AppOp, { readonly type: 'publish' }>): void {
    if (merges.isMerged(category)) return publishDocument(tab, category, op);
    const start = op.isSame ? `${MARKER} same` : `${MARKER} ${name} ${++payloads}`;
    const payload = `${start} ${filler(op.size - start.length - 3, chance)}`;
    const call = oracle.call(tab.told, category, JSON.stringify(payload));
    const aborting = op.abortMs === undefined ? undefined : new AbortController();
    if (op.abortMs !== undefined) tab.process.after(op.abortMs, () => leave(tab, aborting));
    const expiration =
      op.expirationS === undefined ? undefined : Math.floor(tab.process.clock.now() / 1000) + op.expirationS;
    if (op.size > 30_000) count('write: large');
    settleWrite(
      tab,
      'publish',
      call,
      tab.sync.publish(category, payload, {
        waitFor: op.waitFor,
        ...(aborting !== undefined && { signal: aborting.signal }),
        ...(expiration !== undefined && { expiration }),
      }),
    );
  }

  function publishDocument(
    tab: Tab,
    category: string,
    { abortMs, waitFor, size }: Extract<AppOp, { readonly type: 'publish' }>,
  ): void {
    const aborting = abortMs === undefined ? undefined : new AbortController();
    if (abortMs !== undefined) tab.process.after(abortMs, () => leave(tab, aborting));
    if (size > 30_000) count('write: large');
    const how = chance.pick<How>(['update', 'update', 'based', 'whole']);
    merging.edit(tab, category, how, size, { waitFor, ...(aborting && { signal: aborting.signal }) });
  }

  /** It writes what the device shows: no value of its own. */
  function reset(tab: Tab, category: string): void {
    // By a wrong clock it would void what is right.
    if (Math.abs(machine.skewMs) > 7_200_000) return;
    count('call: reset');
    oracle.reset(tab.told, category);
    const before = oracle.headOn(name, category);
    const call = tab.sync.reset(category, { waitFor: 'saved' });
    // Where writes go on and on it gives up.
    const outcome = call.catch((error: unknown) => {
      const isOvertaken = error instanceof Error && error.message === OVERTAKEN.message;
      if (isOvertaken && oracle.headOn(name, category) !== before) return 'overtaken' as const;
      throw error;
    });
    follow(
      tab,
      'reset',
      outcome,
      (receipt) =>
        count(`reset: ${receipt === 'overtaken' ? receipt : receipt === null ? 'nothing' : 'done'}`),
      (code) => count(`reset: ${code}`),
    );
  }

  function leave({ signer }: Tab, aborting: AbortController | undefined): void {
    if (signer !== undefined) signer.isLeft = true;
    aborting?.abort();
  }

  function settleWrite(tab: Tab, what: string, call: Call, promise: ReturnType<NostrSync['publish']>): void {
    count(`call: ${what}`);
    follow(
      tab,
      what,
      promise,
      (receipt) => {
        count(`receipt: ${receipt.stage}`);
        if (what === 'restore') count('receipt of restore');
        if (receipt.supersededBy !== undefined) count('sometimes: receipt superseded');
        tab.stages.set(receipt.supersededBy ?? receipt.eventId, receipt.stage);
        oracle.resolved(call, receipt);
      },
      (code) => {
        // What a store that hangs has saved nobody knows; a process that dies before it knows cannot take it back.
        call.isUnsure = code === 'STORE_FAILED' && hadFaults.hanging;
        if (!call.isUnsure) oracle.rejected(call, code);
        if (code === 'NO_RELAYS_ACCEPTED') withdrawnIn.add(call.category);
      },
    );
  }

  const clockS = (): number => Math.floor((schedule.now() + machine.skewMs) / 1000);

  /** Whether it is in pieces that this disk had no part in making: some may not be here. */
  const hasPiecesOfOthers = (entry: Signed | undefined): boolean =>
    entry?.isInPieces === true && (entry.device !== name || oracle.isOrphan(entry));

  /** Whether it was removed, or has ended by this device's clock. */
  function isGone(entry: Signed | undefined): boolean {
    if (entry === undefined) return false;
    return hasTag(entry.event, 'deleted') || (expirationIn(entry.event) ?? Infinity) <= clockS();
  }

  /** What the device has of a category before a call that reads, and so what this may say of it. */
  function expect(
    tab: Tab,
    how: string,
    category: string,
  ): { isKnown(): boolean; check(result: FetchResult | null): void } {
    const before = oracle.headOn(name, category);
    const wasGone = isGone(before);
    const { skewMs } = machine;
    const calledAt = schedule.now();
    // A line that was shown to be alive may be cut while another one is asked.
    const isLive = (): boolean => world.network.hasShown(name, `default/${category}/v1`);
    const wasLive = isLive();
    const wrong = (what: string): void => oracle.violate('I17', `${name}: ${how} of ${category} ${what}`);
    const check = (result: FetchResult | null): void => {
      const now = oracle.headOn(name, category);
      const isUnsure =
        hadFaults.signer ||
        hadFaults.store ||
        before === undefined ||
        before.isVoid ||
        before.isWithdrawn ||
        // The one before it is shown, if the device had that.
        [before, now].some((one) => one?.isUnreadable === true) ||
        // While its pieces are on their way the last whole value is shown, or none.
        [before, now].some(hasPiecesOfOthers);
      if (result !== null) {
        const entry = oracle.told(tab.told, how, result, false);
        if (entry === undefined) return;
        if (!isUnsure && order(entry.event, before.event) < 0)
          oracle.violate('I3', `${name}: ${how} of ${category} went back behind what the device had`);
        if (result.source === 'relay' && lastEoseAt() < calledAt && !wasLive && !isLive())
          wrong('is of a relay, and none had answered');
        if (how === 'poll') return;
        if (result.deleted === true) wrong('gave what was removed');
        // Unless the clock was set meanwhile.
        if (entry === before && wasGone && machine.skewMs === skewMs) wrong('gave what had ended');
        return;
      }
      // Removed or ended here before, meanwhile or by now is absent, whatever relays say.
      const wasAbsent = wasGone || isGone(now) || oracle.endArrivedAt(name, category) >= calledAt;
      if (how === 'fetch' && before === undefined && !wasAbsent) {
        // A tab that wakes up may not yet have let go of a relay that another has removed.
        const silent = world.network
          .silentOn(name, `default/${category}/v1`, calledAt)
          .filter((url) => tab.relays.has(url));
        if (lastEoseAt() < calledAt) wrong('said "absent" and no relay had answered');
        // A removal that could not be saved is known all the same.
        if (silent.length > 0 && !hadFaults.store)
          wrong(`said "absent" and ${silent.join(', ')} had not answered`);
      }
      if (!isUnsure && !wasAbsent) wrong('said "absent" and the device has a value');
    };
    // It may be withdrawn while the call is under way.
    return { isKnown: () => before !== undefined && !before.isVoid && !before.isWithdrawn, check };
  }

  /** Whether a call that reads may fail like this. */
  function checkReadError(how: string, code: string, isKnown: boolean): void {
    if (code === 'NO_RELAYS_REACHABLE') {
      count('sometimes: unknown');
      if (isKnown) oracle.violate('I17', `${name}: ${how} said "unknown" and the device has a value`);
    }
    const isUnreadable = code === 'UNDECODABLE' || code === 'INCOMPLETE';
    if (isUnreadable && how !== 'fetch')
      oracle.violate('I17', `${name}: ${how} fails for a value that cannot be read`);
  }

  function fetch(tab: Tab, category: string): void {
    const { isKnown, check } = expect(tab, 'fetch', category);
    count('call: fetch');
    follow(
      tab,
      'fetch',
      tab.sync.fetch(category),
      (result) => {
        if (result === null) count('sometimes: fetch null');
        check(result);
      },
      (code) => checkReadError('fetch', code, isKnown()),
    );
  }

  function readAll(tab: Tab, how: 'syncAll' | 'poll'): void {
    const expected = new Map(world.categories.map((category) => [category, expect(tab, how, category)]));
    count(`call: ${how}`);
    follow(
      tab,
      how,
      tab.sync[how](world.categories),
      (results) => {
        for (const result of results) {
          expected.get(result.category)!.check(result);
          expected.delete(result.category);
          if (how === 'poll') checkNews(tab, result.category, result.eventId);
        }
        // Whatever `syncAll` does not give is absent.
        if (how === 'syncAll') for (const { check } of expected.values()) check(null);
      },
      (code) =>
        checkReadError(
          how,
          code,
          [...expected.values()].some(({ isKnown }) => isKnown()),
        ),
    );
  }

  /** What `poll` gives was neither given before in this process, nor written by it. */
  function checkNews({ polled, written }: Tab, category: string, id: string): void {
    const isWritten = written.has(id) && !merges.isMerged(category);
    if ((polled.has(id) || isWritten) && !mayComeBack(category, id))
      oracle.violate('I9', `${name}: poll gave ${id.slice(0, 8)}, which is no news`);
    polled.add(id);
  }

  function subscribe(tab: Tab): void {
    count('call: subscribe');
    const via = `subscription ${++subscriptions}`;
    const stop = tab.sync.subscribe(world.categories, (result) => {
      count('told: subscription');
      oracle.told(tab.told, via, result, true);
      checkOrder(via, result);
    });
    tab.subscriptions.push({ via, stop });
  }

  /** How many pairs of a category and a relay the records on the medium owe; `undefined` where nobody can say. */
  function owedBy(tab: Tab): { readonly least: number; readonly most: number } | undefined {
    // Which relays a tab has, another may have changed, or it does just now.
    if (config.tabs > 1 || tab.changes > 0 || hadFaults.store || disk.isBusy()) return undefined;
    let [least, most] = [0, 0];
    for (const category of world.categories) {
      const raw = disk.durable.get(`head/${cipher.user.pubkey}/default/${category}/v1`);
      if (raw === undefined) continue;
      const owed = owedTo(raw, [...tab.relays]);
      if (owed === undefined) return undefined;
      most += owed.urls.length;
      // What relays say is saved together, a little later.
      least += owed.urls.filter((url) => !oracle.saidOfLate(name, url, owed.id, machine.sleptSince)).length;
    }
    return { least, most };
  }

  function status(tab: Tab): void {
    follow(
      tab,
      'status',
      tab.sync.getStatus(),
      ({ outboxDepth, connectedRelayCount }) => {
        // Tabs have the relays of one among them; and a change that is under way may be done between here and there.
        if (config.tabs === 1 && tab.changes === 0) {
          count('sometimes: connections compared');
          const sockets = world.network.openSocketsOf(tab.process);
          if (connectedRelayCount !== sockets)
            oracle.violate(
              'I12',
              `${name}: ${connectedRelayCount} relays are connected, and ${sockets} sockets open`,
            );
        }
        const owed = owedBy(tab);
        if (owed === undefined) return;
        count('sometimes: depth compared');
        if (outboxDepth < owed.least || outboxDepth > owed.most)
          oracle.violate(
            'I12',
            `${name}: the outbox says ${outboxDepth} and the records say ${owed.least} to ${owed.most}`,
          );
      },
      () => undefined,
    );
  }

  function flush(tab: Tab): void {
    if (tab.isFlushing) return;
    tab.isFlushing = true;
    const end = (): void => {
      tab.isFlushing = false;
    };
    const done = (): void => {
      end();
      const owed = owedBy(tab)?.least ?? 0;
      if (owed > 0) oracle.violate('I12', `${name}: flush is done, and ${owed} pairs are owed`);
    };
    follow(tab, 'flush', tab.sync.flush(), done, end);
  }

  /** Once nothing comes any more: what is listened to was told of the head, unless this process wrote that itself. */
  function checkTold(category: string): void {
    const head = oracle.headOn(name, category);
    const arrivedAt = oracle.arrivedAt(name, category);
    const isUnsure = hadFaults.silence || hadFaults.store || schedule.now() - arrivedAt < TELLING_MS;
    if (head === undefined || head.isUnreadable || isGone(head) || isUnsure) return;
    const raw = disk.durable.get(`head/${cipher.user.pubkey}/default/${category}/v1`);
    for (const { told, readyAt, subscriptions: listening, written, stages, relays } of tabs()) {
      if (written.has(head.event.id)) {
        const isEverywhere = raw !== undefined && unprovenOn(raw, [...relays], () => false) === undefined;
        if (isEverywhere) count('sometimes: stage compared');
        const stage = stages.get(head.event.id);
        // One that was replaced before a socket carried it comes from a copy of the disk, and is another's.
        if (isEverywhere && !head.isVoid && stage !== 'replicated')
          oracle.violate(
            'I12',
            `${name}: ${head.event.id.slice(0, 8)} is everywhere, and was told as ${stage}`,
          );
        continue;
      }
      // What says again what this process wrote is no news to it either.
      if (head.again !== undefined && written.has(head.again.event.id)) continue;
      // Nor to whoever has a copy of the disk that it was written on: there it is an own write.
      if (head.again !== undefined && oracle.hasTwin(name)) continue;
      // Nor what another tab has stamped anew of that.
      if ([...written].some((id) => isSameWrite(oracle.signed.get(id), head))) continue;
      const vias = listening.map(({ via }) => via);
      // What came before it could read is told by the next call alone.
      if (head.device !== name && arrivedAt > readyAt) vias.push('updated');
      for (const via of vias) {
        count('sometimes: telling compared');
        const last = told.updated.get(`${via} ${category}`)?.entry;
        const entry = last && oracle.latest(last);
        // What says the same again is not told again.
        const root = head.again ?? head;
        // Nor a write that another tab has stamped anew.
        const isSame = (entry?.again ?? entry) === root || isSameWrite(entry, root);
        const isTold = isSame && entry?.text === head.text;
        if (!isTold) oracle.violate('I17', `${name}: ${via} was not told of ${head.event.id.slice(0, 8)}`);
      }
    }
  }

  function checkLosses(): void {
    const losses = oracle.losses(name);
    const beaten = oracle.beaten(name);
    // The tab that was shown it tells it, if that is the one that lets the write go.
    if (config.tabs > 1 || hadFaults.signer || hadFaults.store || tabs().length === 0) beaten.clear();
    if (hadFaults.signer || hadFaults.store || tabs().length === 0) losses.clear();
    const canRead = tabs().every(({ signer, readyAt }) => signer !== undefined && readyAt <= schedule.now());
    for (const [id, loss] of losses) {
      // Its pieces may be on no relay yet.
      const isIncomplete = oracle.headOn(name, loss.entry.category)?.isInPieces === true;
      const isAsleep = machine.isAsleep() || tabs().some(({ process }) => process.isSuspended());
      if (isAsleep || !canRead || isIncomplete) loss.since = schedule.now();
      if (schedule.now() - loss.since < TELLING_MS) continue;
      losses.delete(id);
      oracle.violate('I2', `${name}: ${id.slice(0, 8)} was overwritten unseen, and no conflict tells of it`);
    }
    for (const [category, one] of beaten) {
      if (machine.isAsleep() || !canRead) one.since = schedule.now();
      if (schedule.now() - one.since < TELLING_MS) continue;
      beaten.delete(category);
      const id = one.theirs.event.id.slice(0, 8);
      oracle.violate('I2', `${name}: a first write of ${category} beats ${id}, and no conflict tells of it`);
    }
  }

  /** Whether it is what is shown for a head that nobody can read: a value that was written before it. */
  function isBefore(entry: Signed, head: Signed | undefined): boolean {
    const isIt =
      head?.isUnreadable === true &&
      !entry.isUnreadable &&
      entry.category === head.category &&
      // What a reset has voided, it says again.
      (entry.isVoid || order(oracle.original(head).event, entry.event) > 0);
    if (isIt) count('sometimes: value before one that cannot be read');
    return isIt;
  }

  /** Only a device that had nothing before it has nothing to show. */
  function mayBeUnreadable(code: string, head: Signed | undefined): boolean {
    if (head?.isUnreadable !== true || !['UNDECODABLE', 'DECRYPTION_FAILED'].includes(code)) return false;
    // Pieces of what was before the one before it are not kept.
    const isInPieces = [...oracle.signed.values()].some(
      (one) => one.category === head.category && one.isInPieces,
    );
    return isInPieces || oracle.readableOn(name, head.category).size === 0;
  }

  const merging = createMergingCalls({
    ...{ name, device: ports.number, config, world, chance, hadFaults, settleWrite, follow },
    filler: (chars) => filler(chars, chance),
  });

  function perform(tab: Tab, op: AppOp): void {
    switch (op.type) {
      case 'edit':
      case 'export':
      case 'import':
        return merging.perform(tab, op);
      case 'publish':
        for (let i = 0; i < op.times; i++) publish(tab, world.categories[op.category]!, op);
        return;
      case 'remove':
        return remove(tab, world.categories[op.category]!);
      case 'reset':
        return reset(tab, world.categories[op.category]!);
      case 'fetch':
        return fetch(tab, world.categories[op.category]!);
      case 'syncAll':
      case 'poll':
        return readAll(tab, op.type);
      case 'subscribe':
        return subscribe(tab);
      case 'unsubscribe':
        return tab.subscriptions.pop()?.stop();
      case 'status':
        flush(tab);
        return status(tab);
      case 'addRelay':
      case 'removeRelay':
        return changeRelay(tab, op.type, world.urls[op.relay]!);
      case 'setSigner':
        return setSigner(tab);
      case 'clearSigner':
        return clearSigner(tab);
    }
  }

  return {
    open: (process, series, sync, wake) => {
      const tab: Tab = {
        process,
        series,
        sync,
        wake,
        told: { device: name, updated: new Map(), shown: new Map(), views: new Map() },
        relays: new Set(world.urls),
        signer: undefined,
        written: new Set(),
        polled: new Set(),
        readyAt: Infinity,
        subscriptions: [],
        stages: new Map(),
        changes: 0,
        isFlushing: false,
        calls: 0,
        isClosed: false,
      };
      listen(tab);
      setSigner(tab);
      return tab;
    },
    perform,
    heal: (tab) => {
      setSigner(tab);
      for (const url of world.urls) changeRelay(tab, 'addRelay', url);
    },
    reset: (category) => {
      const [tab] = tabs();
      if (tab !== undefined) reset(tab, category);
    },
    checkShown: (category) => {
      if (hadFaults.signer || hadFaults.store || machine.isAsleep()) return;
      for (const { told, signer, process } of tabs())
        if (signer !== undefined && !process.isSuspended())
          merges.shows(name, category, told.views.get(category));
    },
    edit: (category) => {
      const [tab] = tabs();
      if (tab !== undefined) merging.edit(tab, category, 'update', 0, { waitFor: 'saved' });
    },
    look: () => {
      for (const tab of tabs()) {
        readAll(tab, 'syncAll');
        status(tab);
      }
    },
    read: (category, onWrong) => {
      const head = oracle.headOn(name, category);
      for (const tab of tabs()) {
        follow(
          tab,
          'last fetch',
          tab.sync.fetch(category),
          (result) => {
            if (result === null) return;
            const entry = oracle.told(tab.told, 'last fetch', result, false);
            if (entry !== undefined && entry !== head && !isBefore(entry, head))
              onWrong(`${name}: ${category} reads as ${result.eventId.slice(0, 8)}, and the head is another`);
          },
          (code) => {
            // What nobody has stays unknown beside a relay that never answers, or that sent a challenge which it then does not know.
            if (code === 'NO_RELAYS_REACHABLE' && head === undefined && world.hasHostile) return;
            if (mayBeUnreadable(code, head)) return;
            onWrong(`${name}: ${category} cannot be read: ${code}`);
          },
        );
      }
    },
    readLocally: (category, isWatched) => {
      const head = oracle.headOn(name, category);
      const wasGone = isGone(head);
      const tab = tabs()[0]!;
      follow(
        tab,
        'fetch offline',
        tab.sync.fetch(category),
        (result) => {
          const entry = result === null ? undefined : oracle.told(tab.told, 'fetch offline', result, false);
          // Relays that refused its pieces have taken none: only its writer has them, and others show what was before it.
          const isLacking = !isWatched && hasPiecesOfOthers(head);
          // A hostile relay that goes on may have shown something newer meanwhile.
          const heads = [head, oracle.headOn(name, category)];
          const isRight =
            result === null
              ? heads.some((one) => one === undefined || isGone(one))
              : entry === undefined ||
                (isLacking && head !== undefined && order(entry.event, head.event) < 0) ||
                heads.some((one) => (one === entry && !(wasGone && one === head)) || isBefore(entry, one));
          if (!isRight) oracle.violate('I1', `${name}: after the restart ${category} is not what it was`);
        },
        (code) => {
          if (code === 'INCOMPLETE' && !isWatched && hasPiecesOfOthers(head)) return;
          if ((code !== 'NO_RELAYS_REACHABLE' || head !== undefined) && !mayBeUnreadable(code, head))
            oracle.violate('I1', `${name}: after the restart ${category} is ${code}`);
        },
      );
    },
    flush: () => {
      for (const tab of tabs()) flush(tab);
    },
    checkFlushed: async () => {
      for (const tab of tabs()) {
        const depth = await tab.sync.getStatus().then(
          ({ outboxDepth }) => outboxDepth,
          () => undefined,
        );
        await schedule.settle();
        if (depth === 0 && tab.isFlushing) oracle.violate('I12', `${name}: flush waits, and nothing is owed`);
      }
    },
    checkTold,
    checkLosses,
  };
}
