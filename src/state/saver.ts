/** Edits that wait are saved, one write at a time; what cannot be saved now is sealed. */

import { isNostrSyncError, type AnyNostrSyncError } from '../errors.ts';
import { equalJson } from '../merge/json.ts';
import type { StateHost } from '../sync/state-host.ts';
import { split, type Board } from './board.ts';
import type { Waiter } from './editing.ts';
import { kept, type Made } from './kept.ts';
import type { Keeping } from './keeping.ts';
import { begun, failed, refused, type Layer } from './layers.ts';
import type { Model } from './model.ts';
import type { Sealed } from './sealed.ts';
import type { EditReceipt } from './state.ts';
import { write } from './writing.ts';

export interface Saver {
  /** Saves all that waits. Resolves when that is over; never rejects: calls that wait are told. */
  save(): Promise<void>;
  /** Keeps what waits, as far as it can be kept without a signer. `false`: in memory alone. */
  seal(): Promise<boolean>;
  /** See `Sealed.hold`. */
  hold(): void;
}

/** These never get better: the edit is taken back. */
const FINAL = new Set([
  'PAYLOAD_TOO_LARGE',
  'INVALID_PAYLOAD',
  'INVALID_VALUE',
  'SCHEMA_NEWER',
  'INVALID_CATEGORY',
]);

/** One closure: the edits that wait, those that are being saved and the calls that wait for them change together. */
export function createSaver<T>(ports: {
  readonly model: Model<T>;
  readonly board: Board<T>;
  readonly host: StateHost;
  readonly sealed: Sealed;
  /** Changes with each signer, and without one. */
  readonly epoch: () => number;
  readonly keeping: () => Keeping | undefined;
  /** Resolves once it is known what this device has of it. */
  readonly entered: () => Promise<void>;
  readonly take: () => readonly Waiter[];
  /** What is saved together with the next write. */
  readonly notes: () => readonly (readonly [key: string, text: string])[];
  /** What is stored is not what was saved any more. */
  readonly refresh: () => void;
}): Saver {
  const { model, board, host, sealed } = ports;
  let running = Promise.resolve();
  let isRunning = false;

  async function writeOver(layer: Layer): Promise<Made> {
    const { synced } = board.now();
    const notes = [...sealed.notes(), ...ports.notes()];
    const [base, next] = [split(layer.base, synced, model), split(layer.value, synced, model)];
    const isLocal = !equalJson(base.local, next.local);
    if (isLocal) await ports.keeping()!.writeLocal({ version: model.schema.version, value: next.local });
    if (model.local === true || equalJson(base.synced, next.synced))
      return { document: synced, receipt: undefined, clashes: [], isLocal };
    const written = await write({ base: base.synced, value: next.synced }, model, host, notes, (error) => {
      board.facts({ error: error as AnyNostrSyncError });
      ports.refresh();
    });
    return { ...written, isLocal };
  }

  /** Takes what was saved for what is stored. */
  function keep(made: Made): EditReceipt {
    board.change(kept(board.now(), made, model));
    void sealed.saved().catch(() => undefined);
    const { receipt, isLocal } = made;
    if (receipt !== undefined) return { stage: receipt.stage, eventId: receipt.eventId };
    return { stage: isLocal ? 'device' : 'none' };
  }

  /** Returns whether what waits may be saved now. */
  async function saveOnce(): Promise<boolean> {
    if (!(await isEntered())) return false;
    const { layers, facts } = board.now();
    if (layers.draft === undefined) return false;
    if (typeof facts.signer !== 'string') {
      if (await tryToSeal()) for (const one of ports.take()) one.resolve({ stage: 'sealed' });
      return false;
    }
    const waiters = ports.take();
    const epoch = ports.epoch();
    board.change({ layers: begun(layers) });
    try {
      const written = await writeOver(layers.draft);
      const receipt: EditReceipt =
        ports.epoch() === epoch
          ? keep(written)
          : {
              stage: written.receipt?.stage ?? 'device',
              ...(written.receipt && { eventId: written.receipt.eventId }),
            };
      for (const one of waiters) one.resolve(receipt);
      return true;
    } catch (error) {
      return give(error, waiters, epoch);
    }
  }

  /** Without what this device has of it nothing is saved over that. */
  async function isEntered(): Promise<boolean> {
    try {
      await ports.entered();
      return true;
    } catch (error) {
      for (const one of ports.take()) one.reject(error);
      await tryToSeal();
      return false;
    }
  }

  async function give(error: unknown, waiters: readonly Waiter[], epoch: number): Promise<boolean> {
    const now = board.now();
    const isFinal = isNostrSyncError(error) && FINAL.has(error.code);
    if (ports.epoch() === epoch) {
      const layers = isFinal ? refused(now.layers, model.merge) : failed(now.layers);
      const isLocked = isNostrSyncError(error, 'SIGNER_NOT_SET');
      const told = isNostrSyncError(error) && !isLocked ? error : now.facts.error;
      board.change({ layers, facts: { ...now.facts, error: told } });
    }
    const isSealed = !isFinal && isNostrSyncError(error, 'SIGNER_NOT_SET') && (await tryToSeal());
    for (const one of waiters) {
      if (isSealed) one.resolve({ stage: 'sealed' });
      else one.reject(error);
    }
    if (!isFinal && !isSealed) await tryToSeal();
    return isFinal;
  }

  /** `false` too if the store fails. */
  async function tryToSeal(): Promise<boolean> {
    try {
      return await seal();
    } catch {
      return false;
    }
  }

  /** All that waits as one, also what is being saved. */
  async function seal(): Promise<boolean> {
    const { draft } = failed(board.now().layers);
    return draft === undefined || sealed.seal(draft, model.schema.version);
  }

  /** It ends in the step in which it finds nothing to save: what is put after that is saved by the next one. */
  async function run(): Promise<void> {
    isRunning = true;
    while (board.now().layers.draft !== undefined && (await saveOnce().catch(() => false)));
    isRunning = false;
  }

  return {
    seal,
    hold: () => {
      const { draft } = failed(board.now().layers);
      if (draft !== undefined) sealed.hold(draft, model.schema.version);
    },
    save: () => {
      if (!isRunning) running = run();
      return running;
    },
  };
}
