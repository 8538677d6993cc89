/**
 * Saves what is decided, one save at a time: inputs that come while one is under way share the next. What the store fails to take is kept
 * in memory and saved later, except for what a caller waits for: that is rejected, and has changed nothing.
 */

import type { Clock } from '../../clock.ts';
import { isNostrSyncError, NostrSyncError, type AnyNostrSyncError } from '../../errors.ts';
import type { Address, EventId } from '../../protocol/address.ts';
import { ANSWERS_MS, STORE_RETRY_MS } from '../../protocol/limits.ts';
import type { Store } from '../../store/store.ts';
import type { Cache } from './cache.ts';
import type { Effect, Input } from './input.ts';
import type { Keys } from './keys.ts';
import { baseOf, decide, plan, type Decision, type Job, type Known, type Plan } from './plan.ts';
import { reconcile } from './reconcile.ts';
import type { HeadRecord } from './record.ts';
import type { Change } from './replica.ts';
import type { Sender } from './sender.ts';
import { isInPieces } from './version.ts';

export interface Persistence {
  /** See `Replica.apply`. */
  apply(dTag: Address, input: Input): Promise<readonly Effect[]>;
  /** Runs alone, between saves: an older value from the store must not overtake a newer one. */
  exclusive(work: () => Promise<void>): Promise<void>;
  /** What a decision about a category would start from if this is what the store has. */
  baseOf(dTag: Address, text: string | undefined): HeadRecord | undefined;
  /** Whether a write of the category waits for its save. */
  isWriting(dTag: Address): boolean;
  isClosed(): boolean;
  /** Resolves when all that was applied is saved. Later inputs are ignored. */
  close(): Promise<void>;
}

interface Waiting extends Job {
  readonly resolve: (effects: readonly Effect[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Whether a caller waits for this input to be on the medium, or else not to be at all. */
function isOwn(input: Input): boolean {
  if (input.type === 'shown') return input.relay === undefined;
  if (input.type === 'explored') return input.again !== undefined;
  const own: readonly Input['type'][] = ['write', 'withdraw', 'assembled', 'gathered', 'remade', 'renew'];
  return [...own, 'restamp', 'remembered', 'carried'].includes(input.type);
}

const isResave = ({ input }: Waiting): boolean => input.type === 'resave';

/** Whether a relay says to have the head: that a value in pieces is there is more than that. */
function isWordOfHead(record: HeadRecord | undefined, input: Input): boolean {
  const head = record?.head;
  if (head === undefined || head.pieces !== undefined || isInPieces(head.event)) return false;
  if (input.type === 'shown') return input.event.id === head.event.id;
  if (input.type !== 'answered' || input.superseded === true) return false;
  return input.id === head.event.id && input.delivery === 'acknowledged';
}

/** One closure: `save` and `saveFailed` are the two ends of a transaction, over what is unsaved and refused. */
export function createPersistence(ports: {
  readonly store: Store;
  readonly clock: Clock;
  readonly keys: Keys;
  readonly cache: Cache;
  readonly sender: Sender;
  readonly onChange: (change: Change) => void;
  /** A transaction has found this in the store, and decided from `record`. Told before `onChange`. */
  readonly onFound: (dTag: Address, text: string | undefined, record: HeadRecord | undefined) => void;
  readonly onError: (error: AnyNostrSyncError) => void;
  /** See `Known`. */
  readonly keepingOf?: Known['keepingOf'];
}): Persistence {
  const { cache, keys, sender } = ports;
  const unsaved = new Map<Address, HeadRecord | undefined>();
  const refused = new Map<Address, Extract<Input, { readonly type: 'write' }>[]>();
  let queue: Waiting[] = [];
  let underway: Waiting[] = [];
  let saving: Promise<void> | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;
  let cancelRetry = (): void => undefined;
  /** Of those that are unsaved, the ones that the store did not fail to take: they wait for more to be saved with. */
  const late = new Set<Address>();
  let cancelLate: (() => void) | undefined;

  const { keepingOf } = ports;
  const known = { read: cache.read, unsaved, refused, keepingOf };

  async function save(jobs: readonly Waiting[]): Promise<void> {
    const dTags = [...new Set(jobs.map((job) => job.dTag))];
    let isSender = sender.isAlone;
    let mark: string | undefined;
    let stored = new Map<Address, string | undefined>();
    let planned!: Plan;
    try {
      await ports.store.update([...dTags.map(keys.record), ...(isSender ? [] : [keys.leader])], (current) => {
        mark = current.get(keys.leader);
        isSender = sender.isOnly(mark);
        stored = new Map(dTags.map((dTag) => [dTag, current.get(keys.record(dTag))]));
        const uncarried = isSender ? sender.uncarried : new Map<Address, EventId>();
        planned = plan(jobs, stored, { ...known, uncarried }, keys);
        return planned.writes;
      });
    } catch (cause) {
      underway = [];
      return saveFailed(jobs, cause);
    }
    if (!isSender) sender.forget();
    sender.look(mark);
    for (const [dTag, { previous }] of planned.decided) ports.onFound(dTag, stored.get(dTag), previous);
    underway = [];
    /** What has waited for its save was told before. */
    const told = new Set<Address>();
    for (const [dTag, { previous, record }] of planned.decided) {
      cache.put(dTag, planned.texts.get(dTag), record);
      unsaved.delete(dTag);
      if (late.delete(dTag) && record === previous) told.add(dTag);
      refused.delete(dTag);
    }
    const decided = new Map([...planned.decided].filter(([dTag]) => !told.has(dTag)));
    for (const { dTag, input } of jobs) {
      const isHead = input.type === 'write' && cache.get(dTag)?.head?.event.id === input.event.id;
      if (isHead && isSender) sender.saved(dTag, input.event.id);
    }
    // Also what was known here for long, and could not be saved before.
    carryOut(jobs, { ...planned, decided }, true, (dTag) => planned.texts.get(dTag) !== stored.get(dTag));
  }

  function saveFailed(jobs: readonly Waiting[], cause: unknown): void {
    const error = isNostrSyncError(cause)
      ? cause
      : new NostrSyncError('STORE_FAILED', 'Cannot save: the store failed', { cause });
    const own = jobs.filter(({ input }) => isOwn(input));
    const others = jobs.filter(({ input }) => !isOwn(input));
    for (const { dTag } of jobs) late.delete(dTag);
    const decision = decide(others, cache.get, undefined, keepingOf);
    for (const [dTag, { previous, record }] of decision.decided) {
      if (record === previous) continue;
      cache.put(dTag, cache.textOf(dTag), record);
      unsaved.set(dTag, record);
    }
    for (const { dTag, input } of own)
      if (input.type === 'write') refused.set(dTag, [...(refused.get(dTag) ?? []), input]);
    for (const job of own) job.reject(error);
    carryOut(others, decision, false, () => false);
    // A failed write may have blocked a claim: the lanes that wait for it try again.
    for (const { dTag } of own) {
      const record = cache.get(dTag);
      ports.onChange({ dTag, previous: record, record, effects: [], isNewInStore: false, isStored: false });
    }
    if (closed) {
      // What relays have said can be asked again: for that a store that fails is not waited for once more.
      for (const { resolve } of queue.filter(isResave)) resolve([]);
      queue = queue.filter((job) => !isResave(job));
      return;
    }
    if (unsaved.size > 0) ports.onError(error);
    cancelRetry();
    cancelRetry = ports.clock.after(STORE_RETRY_MS, () => {
      for (const dTag of new Set([...unsaved.keys(), ...refused.keys()]))
        void apply(dTag, { type: 'resave' });
    });
  }

  /** A relay has the head: after a crash it would be asked again, no more. So that is saved with what the other relays say. */
  function later(dTag: Address, previous: HeadRecord | undefined, record: HeadRecord | undefined): void {
    const isStored = !unsaved.has(dTag);
    cache.put(dTag, cache.textOf(dTag), record);
    unsaved.set(dTag, record);
    late.add(dTag);
    cancelLate ??= ports.clock.after(ANSWERS_MS, saveLate);
    ports.onChange({ dTag, previous, record, effects: [], isNewInStore: false, isStored });
  }

  function saveLate(): void {
    cancelLate?.();
    cancelLate = undefined;
    for (const dTag of late) void apply(dTag, { type: 'resave' });
  }

  function carryOut(
    jobs: readonly Waiting[],
    { decided, effects }: Decision,
    isStored: boolean,
    isNewInStore: (dTag: Address) => boolean,
  ): void {
    for (const [dTag, change] of decided)
      ports.onChange({ ...change, dTag, isStored, isNewInStore: isNewInStore(dTag) });
    jobs.forEach((job, i) => job.resolve(effects[i]!));
  }

  function exclusive(work: () => Promise<void>): Promise<void> {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  }

  async function pump(): Promise<void> {
    while (queue.length > 0) {
      await exclusive(() => {
        underway = queue;
        queue = [];
        return save(underway);
      });
    }
    saving = undefined;
  }

  function apply(dTag: Address, input: Input): Promise<readonly Effect[]> {
    if (closed)
      return isOwn(input)
        ? Promise.reject(new NostrSyncError('CLOSED', 'Cannot save: closed'))
        : Promise.resolve([]);
    const isQuiet = !isOwn(input) && input.type !== 'resave' && saving === undefined;
    let tried: Job['tried'];
    if (isQuiet && (late.has(dTag) || !unsaved.has(dTag))) {
      const record = cache.get(dTag);
      const outcome = reconcile(record, input, undefined, keepingOf?.(dTag));
      // Most of what relays say is known already: no transaction for that.
      if (outcome.record === record) return Promise.resolve(outcome.effects);
      if (sender.isAlone && isWordOfHead(record, input)) {
        later(dTag, record, outcome.record);
        return Promise.resolve(outcome.effects);
      }
      tried = { over: record, outcome };
    }
    return new Promise((resolve, reject) => {
      queue.push({ dTag, input, tried, resolve, reject });
      saving ??= Promise.resolve().then(pump);
    });
  }

  return {
    apply,
    exclusive,
    baseOf: (dTag, text) => baseOf(dTag, text, known).record,
    isWriting: (dTag) =>
      [...underway, ...queue].some((job) => job.dTag === dTag && job.input.type === 'write'),
    isClosed: () => closed,
    close: async () => {
      saveLate();
      closed = true;
      cancelRetry();
      await saving;
    },
  };
}
