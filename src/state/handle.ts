/** The handle on the value of one category: the parts wired together, and who is signed in. */

import { isNostrSyncError, misuse, NostrSyncError } from '../errors.ts';
import { isRecord } from '../merge/json.ts';
import type { StateHost } from '../sync/state-host.ts';
import { adopt } from './adopting.ts';
import { createBoard, joined, NOTHING } from './board.ts';
import type { CategoryDefinition } from './definition.ts';
import { createEditing } from './editing.ts';
import { follow, type Following } from './following.ts';
import { namesIn, over, pick, type Document } from './document.ts';
import { keepingOf, type Keeping, type KeptDraft } from './keeping.ts';
import { withClashes } from './facts.ts';
import { failed, shownIn, type Layer } from './layers.ts';
import { createLearning } from './learning.ts';
import { onLeaving } from './leaving.ts';
import type { Model } from './model.ts';
import { createPace } from './pace.ts';
import { createSaver } from './saver.ts';
import { createSealed } from './sealed.ts';
import type { DehydratedState, State } from './state.ts';

/** How long `ready` waits for a value, or for the certainty that there is none. */
const READY_MS = 3_000;

/** One closure: the parts name each other, and nothing is here but their wiring, and what a change of the signer means to each. */
export function createState<T, Input>(
  model: Model<T>,
  definition: CategoryDefinition<T, Input>,
  host: StateHost,
): State<T, Input> {
  const { debounceMs = 300, maxWaitMs = 2_000, whileLocked = 'clear' } = definition;
  let epoch = 0;
  let keeping: Keeping | undefined;
  /** What was read of this device's own, for the signer that is set. */
  let entering: Promise<void> = Promise.resolve();
  let following: Following | undefined;
  /** The epoch in which edits of another identity were taken in. */
  let alongOf = 0;
  let isClosed = false;
  let becomeReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve;
  });
  const stops: (() => void)[] = [];
  let stopLocal = (): void => undefined;
  const hasLocal = model.local === true || model.local.length > 0;
  const sealed = createSealed(host.clock);
  const board = createBoard(model, open);
  let adoptedNotes: readonly (readonly [string, string])[] = [];

  const pace = createPace({ clock: host.clock, debounceMs, maxWaitMs, save: () => void save() });
  const editing = createEditing<T, Input>({
    ...{ model, board },
    onEdit: () => {
      open();
      saver.hold();
      pace.edited();
    },
  });
  const saver = createSaver({
    ...{ model, board, host, sealed, take: editing.take },
    epoch: () => epoch,
    keeping: () => keeping,
    entered: () => entering,
    notes: () => adoptedNotes,
    refresh: () => following?.refresh(),
  });
  const learning = createLearning({ ...{ model, board, host }, epoch: () => epoch, onKnown: known });

  function save(): Promise<void> {
    pace.stop();
    return saver.save();
  }

  /** Is called by whatever uses the handle. Nothing is opened by making one. */
  function open(): void {
    if (following !== undefined || isClosed) return;
    following = follow(model.name, model.local !== true, host.sync, { ...learning, signer });
    stops.push(host.clock.after(READY_MS, becomeReady), following.stop);
    stops.push(
      onLeaving(() => {
        if (board.now().facts.isEdited) void saver.seal().catch(() => undefined);
        void save();
      }),
    );
  }

  function known(): void {
    const { known: what, error } = board.now().facts;
    if (what === 'unknown' && error === undefined) return;
    becomeReady();
    if (typeof board.now().facts.signer !== 'string') return;
    void takeAlong().catch(() => undefined);
    void takeIn();
  }

  let isTakingIn = false;
  /** Data from before syncing, once. */
  async function takeIn(): Promise<void> {
    const { known: what, signer: pubkey } = board.now().facts;
    if (definition.adopt === undefined || isTakingIn || what === 'unreachable' || keeping === undefined)
      return;
    isTakingIn = true;
    const mine = epoch;
    const to = keeping;
    try {
      if (await to.wasAdopted()) return;
      const document = await adopt(definition.adopt, model, board);
      if (mine !== epoch || pubkey !== to.pubkey) return;
      if (document === undefined) return await to.markAdopted();
      adoptedNotes = [[to.adoptedKey, '1']];
      void editing.put(document.value);
      await save();
    } catch (error) {
      // What an app's function throws is the app's own.
      queueMicrotask(() => {
        throw error;
      });
    } finally {
      adoptedNotes = [];
      // Of another identity, it is asked again.
      isTakingIn = mine === epoch;
    }
  }

  function signer(pubkey: string | null): void {
    epoch++;
    const before = board.now().facts.signer;
    if (pubkey === null) entering = leave(typeof before === 'string');
    else entering = enter(pubkey, epoch);
    const mine = epoch;
    entering.catch((error: unknown) => {
      if (mine === epoch && isNostrSyncError(error)) learning.unreadable(error);
    });
  }

  /** `wasOpen`: there was a signer until now, and what it has shown goes. */
  async function leave(wasOpen: boolean): Promise<void> {
    const now = board.now();
    const { draft } = failed(now.layers);
    const isKept = whileLocked === 'keep' || !wasOpen;
    const sealing = draft === undefined ? undefined : saver.seal();
    const layers = isKept ? { stored: now.layers.stored, draft } : { stored: undefined };
    if (!isKept) editing.forget();
    board.change({
      ...(isKept ? { layers } : { layers, synced: undefined, local: undefined, fallback: undefined }),
      facts: isKept
        ? { ...now.facts, signer: null, error: undefined }
        : { ...NOTHING, isLocal: model.local === true, signer: null },
    });
    isTakingIn = false;
    const mine = epoch;
    keeping ??= await keepingOf(model.name, host).catch(() => undefined);
    sealed.enter(keeping);
    if (sealing !== undefined && (await sealing.catch(() => false)) && !isKept) {
      for (const one of editing.take()) one.resolve({ stage: 'sealed' });
      if (mine === epoch) sealed.next();
    }
  }

  async function enter(pubkey: string, mine: number): Promise<void> {
    const now = board.now();
    const isOther = keeping !== undefined && keeping.pubkey !== pubkey;
    if (isOther) {
      // What waits is the other identity's.
      void sealWaiting();
      editing.forget();
      board.change({
        ...{ layers: { stored: undefined }, synced: undefined, local: undefined, fallback: undefined },
        facts: { ...NOTHING, isLocal: model.local === true, signer: pubkey },
      });
    } else board.facts({ signer: pubkey, known: now.facts.signer === null ? 'unknown' : now.facts.known });
    isTakingIn = false;
    const own = await keepingOf(model.name, host);
    if (mine !== epoch) return;
    if (own === undefined) {
      // Nothing is kept here: what waits is in memory alone.
      if (board.now().layers.draft !== undefined) void save();
      return;
    }
    keeping = own;
    sealed.enter(own);
    saver.hold();
    if (hasLocal) {
      const readLocal = async (): Promise<void> => {
        const local = await own.readLocal();
        if (mine === epoch) learning.local(local && model.upgrade(local.value, local.version));
      };
      stopLocal();
      stopLocal = own.onLocalChange(() => void readLocal().catch(() => undefined));
      await readLocal();
    }
    const drafts = await sealed.read(false);
    if (mine !== epoch) return;
    sealed.take(drafts);
    for (const draft of drafts) lay(upgraded(draft));
    if (board.now().layers.draft !== undefined) void save();
    else if (board.now().facts.known !== 'unknown') known();
  }

  /** For the identity that is left, without its signer. */
  async function sealWaiting(): Promise<void> {
    const waiters = editing.take();
    const isSealed = await saver.seal().catch(() => false);
    for (const one of waiters)
      if (isSealed) one.resolve({ stage: 'sealed' });
      else one.reject(new NostrSyncError('SIGNER_CHANGED', 'Cannot save: another key has taken the place'));
  }

  const upgraded = ({ base, value, version }: KeptDraft): Layer => ({
    base: model.upgrade(base, version),
    value: model.upgrade(value, version),
  });

  /** The document that an edit of another identity was over. */
  const formerOf = ({ former: { value, local } = {} }: KeptDraft): Document =>
    joined(
      {
        synced: value && model.upgrade(value.value, value.version),
        local: local && model.upgrade(local.value, local.version),
      },
      model,
    );

  /** Edits under a key that this one has taken the place of, over what is known to be here: what this identity says otherwise stays. */
  async function takeAlong(): Promise<void> {
    const { known: what, source, blocked, signer: pubkey } = board.now().facts;
    const isKnown = what === 'absent' || (what === 'value' && source?.isPending !== true);
    if (!isKnown || blocked !== undefined || keeping?.pubkey !== pubkey || alongOf === epoch) return;
    alongOf = epoch;
    const mine = epoch;
    const drafts = await sealed.read(true);
    if (mine !== epoch) return;
    sealed.take(drafts);
    for (const draft of drafts) {
      const { value } = upgraded(draft);
      const base = pick(formerOf(draft), [...namesIn(draft.base, draft.value)], true);
      const { layers, facts } = board.now();
      const merged = model.merge({ base, mine: value, theirs: shownIn(layers) });
      board.facts({ clashes: withClashes(facts.clashes, merged.clashes) });
      void editing.put(merged.value);
    }
    if (drafts.length > 0) await save();
  }

  /** Edits that were sealed go under those that are here, which are newer, or wait for what is stored. */
  function lay(draft: Layer): void {
    const { layers } = board.now();
    const { saving, draft: here } = layers;
    if (saving === undefined && here === undefined) return board.change({ layers: { ...layers, draft } });
    const under = here ?? saving!;
    const { value } = model.merge({ base: draft.base, mine: draft.value, theirs: under.value });
    // Each knows of the fields that it changes alone.
    const base = over(draft.base, here === undefined ? under.value : here.base);
    board.change({ layers: { ...layers, draft: { base, value } } });
  }

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= end());

  async function end(): Promise<void> {
    // An engine that is being closed tells nothing any more.
    if (board.now().facts.signer === undefined && board.now().facts.isEdited)
      await host.sync.getPubkey().then(signer, () => undefined);
    await flush().catch(() => undefined);
    isClosed = true;
    for (const one of editing.take())
      one.reject(new NostrSyncError('CLOSED', 'Cannot save: the handle was closed'));
    host.savers.delete(saveAll);
    host.closers.delete(close);
    const { state: mine } = host.states.get(model.name) ?? {};
    if (mine === state) host.states.delete(model.name);
    for (const stop of [...stops, stopLocal]) stop();
    becomeReady();
    board.value.end();
    board.meta.end();
  }

  async function flush(): Promise<void> {
    if (board.now().facts.isEdited) await save();
    const { error, isEdited } = board.now().facts;
    if (isEdited && error !== undefined) throw error;
  }

  const saveAll = (): Promise<void> => flush().catch(() => undefined);
  host.savers.add(saveAll);
  host.closers.add(close);
  const state: State<T, Input> = {
    category: model.name,
    get: board.value.get,
    subscribe: board.value.subscribe,
    meta: { initial: board.meta.initial, get: board.meta.get, subscribe: board.meta.subscribe },
    get ready() {
      open();
      return ready;
    },
    get initial() {
      return board.initial().value;
    },
    set: editing.set,
    update: editing.update,
    reset: editing.reset,
    flush,
    undo: () => editing.turn('undo'),
    redo: () => editing.turn('redo'),
    acknowledge: () => board.facts({ clashes: [] }),
    dehydrate: () => ({
      category: model.name,
      version: model.schema.version,
      value: structuredClone(board.view().input),
    }),
    hydrate: (from: DehydratedState) => hydrate(from),
    close,
  };
  return state;

  function hydrate(from: unknown): void {
    if (!isRecord(from) || typeof from['category'] !== 'string' || !Number.isSafeInteger(from['version']))
      throw new TypeError(misuse('from', 'what dehydrate returns', from));
    const version = from['version'] as number;
    if (from['category'] !== model.name || version > model.schema.version) return;
    board.hydrate(model.upgrade(from['value'], version));
  }
}
