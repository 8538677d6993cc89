/**
 * What this device knows of one identity in one namespace: a cache of its records over the store, changed by
 * `reconcile` alone. Inputs that come while a save is under way are saved together in the next one.
 */

import type { Clock } from '../../clock.ts';
import { isNostrSyncError, NostrSyncError, type AnyNostrSyncError } from '../../errors.ts';
import { pieceDTag } from '../../protocol/chunks.ts';
import { checkEvent, type EventVerifier, type NostrEvent, type VerifiedEvent } from '../../protocol/event.ts';
import { compareEvents } from '../../protocol/order.ts';
import { isRenewalOf } from '../../protocol/renewal.ts';
import { isVoid } from '../../protocol/voids.ts';
import type { Store } from '../../store/store.ts';
import { STORE_RETRY_MS } from '../../protocol/limits.ts';
import { isLostTo } from './conflict.ts';
import type { Effect, Input } from './input.ts';
import { reconcile } from './reconcile.ts';
import { parseRecord, serializeRecord, verifyRecord } from './record-codec.ts';
import { floorOf, isWhole, type HeadRecord } from './record.ts';

export interface Change {
  readonly dTag: string;
  readonly previous: HeadRecord | undefined;
  readonly record: HeadRecord | undefined;
  readonly effects: readonly Effect[];
  /** Whether this engine has just put it into the store: other tabs do not know of it yet. */
  readonly isNewInStore: boolean;
  /** Whether the record is the store's, so that whatever any tab has written is in it. */
  readonly isStored: boolean;
}

export interface Replica {
  /** The record of a category; its events are verified. */
  get(dTag: string): HeadRecord | undefined;
  /** The record by shape alone: enough to know what is owed to whom, without the cost of signatures. */
  peek(dTag: string): HeadRecord<NostrEvent> | undefined;
  /** Every category with a record. */
  dTags(): Iterable<string>;
  /** A piece from the store, verified; `undefined` if it is not there or not genuine. Rejects if the store fails. */
  piece(dTag: string, name: string): Promise<VerifiedEvent | undefined>;
  /**
   * Decides and saves. Resolves with the effects after the save, and after `onChange` was told. A write that cannot be saved
   * rejects with `STORE_FAILED` and has changed nothing; anything else then takes effect in memory and is saved later.
   */
  apply(dTag: string, input: Input): Promise<readonly Effect[]>;
  /** The head to put on a socket, which from now on counts as carried; `undefined` while a write of the category is being saved. */
  claim(dTag: string): VerifiedEvent | undefined;
  /** Whether the head is a write of this process that no socket has carried: a newer one may take its stamp. */
  isUncarried(dTag: string): boolean;
  /**
   * This engine alone puts events on sockets from now on. `mark`: it has taken that from another, which may not know, and
   * finds this mark in the store as soon as it looks there; rejects if that cannot be written.
   */
  lead(mark: string | undefined): Promise<void>;
  /** Another tab has changed these categories in the store, or any, or may have. */
  reload(dTags?: readonly string[]): Promise<void>;
  /** Resolves when all that was applied is saved. Later inputs are ignored. */
  close(): Promise<void>;
}

interface Entry {
  raw: string | undefined;
  /** Verified at first use. */
  record: HeadRecord | undefined;
  isVerified: boolean;
  /** The record before that, once anybody looked. */
  unverified?: HeadRecord<NostrEvent> | undefined;
}

interface Job {
  readonly dTag: string;
  readonly input: Input;
  readonly resolve: (effects: readonly Effect[]) => void;
  readonly reject: (error: unknown) => void;
}

interface Decision {
  readonly changes: ReadonlyMap<string, Change>;
  /** Of each job, in order. */
  readonly effects: readonly (readonly Effect[])[];
}

/** Whether a caller waits for this input to be on the medium, or else not to be at all. */
function isOwn(input: Input): boolean {
  if (input.type === 'explored') return input.again !== undefined;
  return ['write', 'withdraw', 'assembled', 'remade', 'renew', 'restamp'].includes(input.type);
}

function pieceNames(record: HeadRecord<NostrEvent> | undefined): string[] {
  return [...(record?.pieces ?? []), ...(record?.piecesBefore ?? [])].map(({ name }) => name);
}

export async function openReplica(ports: {
  readonly store: Store;
  readonly clock: Clock;
  readonly verifier: EventVerifier;
  readonly pubkey: string;
  readonly namespace: string;
  /** No other engine has this store open: this one alone puts events on sockets. */
  readonly isAlone: boolean;
  /** Another engine has taken over the sending. Told before anything that it may have saved is. */
  readonly onDeposed: () => void;
  readonly onChange: (change: Change) => void;
  /** Something that no caller awaits went wrong. */
  readonly onError: (error: AnyNostrSyncError) => void;
}): Promise<Replica> {
  const { store, pubkey, verifier } = ports;
  const prefix = `head/${pubkey}/`;
  const keyOf = (dTag: string): string => prefix + dTag;
  const leaderKey = `leader/${pubkey}/${ports.namespace}`;
  /** What the store said of who leads when this engine began to; `null` before that. */
  let mark: string | null | undefined = null;
  const pieceKeyOf = (dTag: string, name: string): string => `piece/${pubkey}/${pieceDTag(dTag, name)}`;

  const entries = new Map<string, Entry>();
  /** Records that are newer than the store, because it failed. */
  const unsaved = new Map<string, HeadRecord | undefined>();
  /** Own writes that a failed save may have left in the store: their callers were told that no device will see them. */
  const refused = new Map<string, Extract<Input, { readonly type: 'write' }>[]>();
  /** Own heads that no socket has carried. Of this process alone: after a restart it is not known. */
  const uncarried = new Map<string, string>();
  let queue: Job[] = [];
  let underway: Job[] = [];
  let saving: Promise<void> | undefined;
  /** Saves and reloads, one at a time: an older value from the store must not overtake a newer one. */
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;
  let cancelRetry = (): void => undefined;

  for (const [dTag, raw] of await list()) entries.set(dTag, { raw, record: undefined, isVerified: false });

  function read(dTag: string, raw: string | undefined): HeadRecord | undefined {
    const known = entries.get(dTag);
    if (known?.isVerified === true && known.raw === raw) return known.record;
    const parsed = raw === undefined ? undefined : parseRecord(raw);
    const record = parsed && verifyRecord(parsed, { pubkey, dTag, verifier });
    if (raw !== undefined && record === undefined) {
      ports.onError(
        new NostrSyncError('STORE_FAILED', `A stored record cannot be read and is set aside: ${keyOf(dTag)}`),
      );
    }
    return record;
  }

  function get(dTag: string): HeadRecord | undefined {
    const entry = entries.get(dTag);
    if (entry !== undefined && !entry.isVerified) {
      entry.record = read(dTag, entry.raw);
      entry.isVerified = true;
      // By its shape it may have counted as owed. Told later: the caller may be in the middle of a change.
      if (entry.record === undefined) void apply(dTag, { type: 'resave' });
    }
    return entry?.record;
  }

  /** The record without the writes that were refused: I6, also for a save that failed when it was done. */
  function takeBack(dTag: string, stored: HeadRecord | undefined): HeadRecord | undefined {
    const id = stored?.event?.id;
    if (id === undefined || refused.get(dTag)?.some(({ event }) => event.id === id) !== true) return stored;
    const { record } = reconcile(stored, { type: 'withdraw', id }, undefined);
    unsaved.set(dTag, record);
    return takeBack(dTag, record);
  }

  /** What a decision starts from: the store, unless it failed to take something newer. */
  function base(dTag: string, raw: string | undefined): HeadRecord | undefined {
    const stored = takeBack(dTag, read(dTag, raw));
    if (!unsaved.has(dTag)) return stored;
    const ours = unsaved.get(dTag);
    const storeIsAhead =
      stored?.event !== undefined &&
      (ours?.event === undefined ||
        (compareEvents(stored.event, ours.event) > 0 && !isVoid(ours.voids, stored.event)));
    if (storeIsAhead || ours === undefined) return stored;
    // Another tab may have written meanwhile: this one's record knows of no own write that the store does not.
    return floorOf(stored) > floorOf(ours) ? { ...ours, own: stored!.own } : ours;
  }

  /** Whether `event` is what the record means by `name`: another may have been made for a write that came too late. */
  function isPieceOf(record: HeadRecord, name: string, event: VerifiedEvent): boolean {
    const piece = [...(record.pieces ?? []), ...(record.piecesBefore ?? [])].find((one) => one.name === name);
    return piece?.stamp === event.created_at;
  }

  function lookWhoLeads(found: string | undefined): void {
    if (mark !== null && found !== undefined && found !== mark) ports.onDeposed();
  }

  function decide(
    jobs: readonly Job[],
    baseOf: (dTag: string) => HeadRecord | undefined,
    isSender = false,
  ): Decision {
    const changes = new Map<string, Change>();
    const effects = jobs.map(({ dTag, input }) => {
      const so = changes.get(dTag);
      const previous = so === undefined ? baseOf(dTag) : so.previous;
      const current = so === undefined ? previous : so.record;
      const outcome = reconcile(current, input, isSender ? uncarried.get(dTag) : undefined);
      changes.set(dTag, {
        dTag,
        previous,
        record: outcome.record,
        effects: [...(so?.effects ?? []), ...outcome.effects],
        isNewInStore: false,
        isStored: false,
      });
      return outcome.effects;
    });
    return { changes, effects };
  }

  function carryOut(
    jobs: readonly Job[],
    { changes, effects }: Decision,
    isStored: boolean,
    isNewInStore: (dTag: string) => boolean,
  ): void {
    for (const change of changes.values())
      ports.onChange({ ...change, isStored, isNewInStore: isNewInStore(change.dTag) });
    jobs.forEach((job, i) => job.resolve(effects[i]!));
  }

  async function save(jobs: readonly Job[]): Promise<void> {
    const dTags = [...new Set(jobs.map((job) => job.dTag))];
    let isSender = ports.isAlone;
    let leading: string | undefined;
    let decision: Decision = { changes: new Map(), effects: [] };
    const raws = new Map<string, string | undefined>();
    let found = raws as ReadonlyMap<string, string | undefined>;
    try {
      await store.update([...dTags.map(keyOf), ...(isSender ? [] : [leaderKey])], (current) => {
        leading = current.get(leaderKey);
        // If another tab leads, or none says that it does, that tab may have sent what is saved here.
        isSender = ports.isAlone || leading === mark;
        found = new Map(dTags.map((dTag) => [dTag, current.get(keyOf(dTag))]));
        const writes = new Map<string, string | null>();
        decision = decide(jobs, (dTag) => base(dTag, current.get(keyOf(dTag))), isSender);
        for (const { dTag, previous, record, effects } of decision.changes.values()) {
          const raw = current.get(keyOf(dTag));
          raws.set(dTag, raw);
          if (record === undefined || (record === previous && !unsaved.has(dTag))) continue;
          for (const { along } of refused.get(dTag) ?? [])
            for (const [key] of along?.(record) ?? []) writes.set(key, null);
          const text = serializeRecord(record);
          writes.set(keyOf(dTag), text);
          raws.set(dTag, text);
          const kept = new Set(pieceNames(record));
          // Of what is stored: after a save that failed, `read` knows something newer.
          for (const name of pieceNames(raw === undefined ? undefined : parseRecord(raw)))
            if (!kept.has(name)) writes.set(pieceKeyOf(dTag, name), null);
          for (const { input } of jobs.filter((job) => job.dTag === dTag)) {
            if ('made' in input)
              for (const [name, event] of input.made ?? [])
                if (isPieceOf(record, name, event)) writes.set(pieceKeyOf(dTag, name), JSON.stringify(event));
            const isDone =
              input.type === 'write'
                ? record.own?.id === input.event.id
                : effects.some(({ type }) => type === 'withdrawn');
            if ('along' in input && isDone)
              for (const [key, text] of input.along?.(record) ?? []) writes.set(key, text);
          }
          // What could not be read is kept: a newer release may be able to read it.
          if (raw !== undefined && previous === undefined) writes.set(`unreadable/${keyOf(dTag)}`, raw);
        }
        return writes;
      });
    } catch (cause) {
      underway = [];
      return saveFailed(jobs, cause);
    }
    if (!isSender) uncarried.clear();
    lookWhoLeads(leading);
    for (const { dTag, previous } of decision.changes.values()) learn(dTag, found.get(dTag), previous);
    underway = [];
    for (const { dTag, record } of decision.changes.values()) {
      entries.set(dTag, { raw: raws.get(dTag), record, isVerified: true });
      unsaved.delete(dTag);
      refused.delete(dTag);
    }
    for (const { dTag, input } of jobs) {
      const isHead = input.type === 'write' && get(dTag)?.event?.id === input.event.id;
      if (isHead && isSender) uncarried.set(dTag, input.event.id);
    }
    // Also what was known here for long, and could not be saved before.
    carryOut(jobs, decision, true, (dTag) => raws.get(dTag) !== found.get(dTag));
  }

  function saveFailed(jobs: readonly Job[], cause: unknown): void {
    const error = isNostrSyncError(cause)
      ? cause
      : new NostrSyncError('STORE_FAILED', 'Cannot save: the store failed', { cause });
    const own = jobs.filter(({ input }) => isOwn(input));
    const others = jobs.filter(({ input }) => !isOwn(input));
    const decision = decide(others, get);
    for (const { dTag, previous, record } of decision.changes.values()) {
      if (record === previous) continue;
      entries.set(dTag, { raw: entries.get(dTag)?.raw, record, isVerified: true });
      unsaved.set(dTag, record);
    }
    for (const { dTag, input } of own)
      if (input.type === 'write') refused.set(dTag, [...(refused.get(dTag) ?? []), input]);
    for (const job of own) job.reject(error);
    carryOut(others, decision, false, () => false);
    // A failed write may have blocked a claim: the lanes that wait for it try again.
    for (const { dTag } of own) {
      const record = get(dTag);
      ports.onChange({ dTag, previous: record, record, effects: [], isNewInStore: false, isStored: false });
    }
    if (closed) return;
    if (unsaved.size > 0) ports.onError(error);
    cancelRetry();
    cancelRetry = ports.clock.after(STORE_RETRY_MS, () => {
      for (const dTag of new Set([...unsaved.keys(), ...refused.keys()]))
        void apply(dTag, { type: 'resave' });
    });
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

  function apply(dTag: string, input: Input): Promise<readonly Effect[]> {
    if (closed)
      return isOwn(input)
        ? Promise.reject(new NostrSyncError('CLOSED', 'Cannot save: closed'))
        : Promise.resolve([]);
    const isQuiet = !isOwn(input) && input.type !== 'resave' && saving === undefined && !unsaved.has(dTag);
    if (isQuiet) {
      const record = get(dTag);
      const outcome = reconcile(record, input, undefined);
      // Most of what relays say is known already: no transaction for that.
      if (outcome.record === record) return Promise.resolve(outcome.effects);
    }
    return new Promise((resolve, reject) => {
      queue.push({ dTag, input, resolve, reject });
      saving ??= Promise.resolve().then(pump);
    });
  }

  async function list(): Promise<Map<string, string>> {
    const stored = await store.list(`${prefix}${ports.namespace}/`);
    return new Map([...stored].map(([key, raw]) => [key.slice(prefix.length), raw]));
  }

  async function reload(dTags?: readonly string[]): Promise<void> {
    if (closed) return;
    const raws =
      dTags === undefined
        ? await list()
        : await Promise.all(dTags.map(async (dTag) => [dTag, await store.get(keyOf(dTag))] as const));
    if (mark !== null) lookWhoLeads(await store.get(leaderKey));
    for (const [dTag, raw] of raws) {
      // A store that was emptied takes nothing away that is known here.
      if (raw !== undefined && entries.get(dTag)?.raw !== raw) learn(dTag, raw, base(dTag, raw));
    }
  }

  /** Takes over what another tab saved, unless it is known. */
  function learn(dTag: string, raw: string | undefined, record: HeadRecord | undefined): void {
    if (entries.get(dTag)?.raw === raw) return;
    const previous = get(dTag);
    entries.set(dTag, { raw, record, isVerified: true });
    const effects: Effect[] = [];
    // A head that both tabs had is news if the other tab has found its pieces.
    const isFound = previous !== undefined && !isWhole(previous) && record !== undefined && isWhole(record);
    if (record?.event !== undefined && (record.event.id !== previous?.event?.id || isFound)) {
      const former = previous?.event;
      const isRestamped =
        record.event.content === former?.content && record.own?.withdrawn?.includes(former.id) === true;
      const renews = former && (isRestamped || isRenewalOf(record.event, former)) ? former.id : undefined;
      effects.push({ type: 'advanced', event: record.event, ...(renews !== undefined && { renews }) });
      const mine = previous?.event;
      const { own } = record;
      // If the head went back, another tab has withdrawn the write; and what overwrote it may be overwritten since.
      const isLost = own?.lost === true && isLostTo(mine, own, record.event);
      if (isLost && mine !== undefined && compareEvents(record.event, mine) > 0)
        effects.push({ type: 'conflict', mine, theirs: record.event });
    }
    ports.onChange({ dTag, previous, record, effects, isNewInStore: false, isStored: true });
  }

  return {
    get,
    peek: (dTag) => {
      const entry = entries.get(dTag);
      if (entry === undefined || entry.isVerified) return entry?.record;
      if (entry.raw !== undefined) entry.unverified ??= parseRecord(entry.raw);
      return entry.unverified;
    },
    dTags: () => entries.keys(),
    piece: async (dTag, name) => {
      const text = await store.get(pieceKeyOf(dTag, name));
      if (text === undefined) return undefined;
      try {
        const isAsked = (address: string): boolean => address === pieceDTag(dTag, name);
        const check = checkEvent(JSON.parse(text), { pubkey, isAsked, known: () => undefined, verifier });
        return check.type === 'new' ? check.event : undefined;
      } catch {
        return undefined;
      }
    },
    apply,
    claim: (dTag) => {
      const isWritten = (job: Job): boolean => job.dTag === dTag && job.input.type === 'write';
      if (underway.some(isWritten) || queue.some(isWritten)) return undefined;
      uncarried.delete(dTag);
      return get(dTag)?.event;
    },
    isUncarried: (dTag) => uncarried.has(dTag) && uncarried.get(dTag) === get(dTag)?.event?.id,
    lead: (given) =>
      exclusive(async () => {
        uncarried.clear();
        if (given !== undefined) await store.update([leaderKey], () => new Map([[leaderKey, given]]));
        mark = given ?? (await store.get(leaderKey));
      }),
    reload: (dTags) => exclusive(() => reload(dTags)),
    close: async () => {
      closed = true;
      cancelRetry();
      await saving;
    },
  };
}
