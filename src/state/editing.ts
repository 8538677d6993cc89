/** What an app edits: checked, shown at once, and waiting to be saved. */

import { equalJson, isRecord } from '../merge/json.ts';
import { describe, misuse } from '../errors.ts';
import type { JsonValue } from '../protocol/payload.ts';
import type { Board } from './board.ts';
import { over, pick, type Document } from './document.ts';
import { edited, shownIn } from './layers.ts';
import type { Model } from './model.ts';
import type { Edit, EditReceipt } from './state.ts';
import { NO_STEPS, stepped, turned, type Steps } from './undo.ts';

/** A call that waits for its edit to be saved. */
export interface Waiter {
  resolve(receipt: EditReceipt): void;
  reject(error: unknown): void;
}

export interface Editing<Input> {
  set(next: Input): Promise<EditReceipt>;
  update(edit: Edit<Input>): Promise<EditReceipt>;
  reset(field: string | undefined): Promise<EditReceipt>;
  turn(way: 'undo' | 'redo'): Promise<EditReceipt>;
  /** Makes this of what is stored, and not by a person: it cannot be undone. */
  put(document: Document): Promise<EditReceipt>;
  /** The calls whose edits are not saved. They are somebody else's from now on. */
  take(): readonly Waiter[];
  /** Nothing can be taken back any more. */
  forget(): void;
}

/** Fields that are there and say nothing. */
function unset(fields: unknown): readonly string[] {
  return isRecord(fields) ? Object.keys(fields).filter((name) => fields[name] === undefined) : [];
}

const NO_EDIT: EditReceipt = { stage: 'none' };

/** What throws rejects, as in an `async` function. But the promise is the one that `make` returns: one of its own would be rejected unheard. */
function attempt(make: () => Promise<EditReceipt>): Promise<EditReceipt> {
  try {
    return make();
  } catch (error) {
    const reason = error as Error;
    return Promise.reject(reason);
  }
}

export function createEditing<T, Input>(ports: {
  readonly model: Model<T>;
  readonly board: Board<T>;
  /** An edit waits. */
  readonly onEdit: () => void;
}): Editing<Input> {
  const { model, board } = ports;
  let steps: Steps = NO_STEPS;
  let waiting: Waiter[] = [];

  const documentNow = (): Document => {
    const { layers, fallback } = board.now();
    return fallback !== undefined && board.view().isLost ? fallback.document : shownIn(layers);
  };

  /** Resolves once it is saved, with what was edited before. */
  function take(document: Document, next: (steps: Steps) => Steps): Promise<EditReceipt> {
    const { layers, facts } = board.now();
    if (facts.blocked !== undefined) return Promise.reject(facts.blocked);
    const saved = new Promise<EditReceipt>((resolve, reject) => void waiting.push({ resolve, reject }));
    // An app that does not wait finds the error in `meta`.
    saved.catch(() => undefined);
    steps = next(steps);
    board.change({ layers: edited(layers, document) });
    ports.onEdit();
    return saved;
  }

  /** `gone`: fields that go back to their defaults. */
  function change(make: (now: JsonValue) => unknown, gone: readonly string[] = []): Promise<EditReceipt> {
    const { input } = board.view();
    const to = model.check(make(input));
    const from = documentNow();
    const document = pick(model.edit(from, input, to), gone, false);
    const { layers } = board.now();
    if (equalJson(document, shownIn(layers))) return Promise.resolve(NO_EDIT);
    return take(document, (before) => stepped(before, { from, to: document }, layers.draft !== undefined));
  }

  /** The fields of a patch over what is shown; of one that is `undefined` the default. */
  function patched(now: JsonValue, fields: unknown): unknown {
    if (!isRecord(fields)) throw new TypeError(misuse('edit', 'an object of fields, or a function', fields));
    if (!isRecord(now))
      throw new TypeError(
        `Invalid edit: expected a function, as ${JSON.stringify(model.name)} is no object of fields`,
      );
    const gone = unset(fields);
    const rest = pick(over(now, pick(fields, gone, false)), gone, false);
    return over(rest, pick(model.initial.input, gone, true));
  }

  function updated(edit: Edit<Input>): Promise<EditReceipt> {
    if (typeof edit !== 'function') return change((now) => patched(now, edit), unset(edit));
    return change((now) => (edit as (now: unknown) => unknown)(structuredClone(now)));
  }

  return {
    set: (next) => attempt(() => change(() => next)),
    update: (edit) => attempt(() => updated(edit)),
    reset: (field) =>
      attempt(() => {
        if (field !== undefined && typeof field !== 'string')
          throw new TypeError(misuse('field', 'the name of a field', describe(field)));
        const from = documentNow();
        if (from === undefined || (field !== undefined && !isRecord(from))) return Promise.resolve(NO_EDIT);
        const document = field === undefined ? (isRecord(from) ? {} : undefined) : pick(from, [field], false);
        if (equalJson(document, from)) return Promise.resolve(NO_EDIT);
        return take(document, (before) => stepped(before, { from, to: document }, false));
      }),
    turn: (way) =>
      attempt(() => {
        const turn = turned(steps, way, documentNow(), model.merge);
        if (turn === undefined) return Promise.resolve(NO_EDIT);
        return take(turn.document, () => turn.steps);
      }),
    put: (document) => take(document, (before) => before),
    take: () => {
      const taken = waiting;
      waiting = [];
      return taken;
    },
    forget: () => {
      steps = NO_STEPS;
    },
  };
}
