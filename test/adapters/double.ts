/** A handle without an engine behind it: it counts who listens, and other devices write when the test says so. */

import { isDeepStrictEqual } from 'node:util';
import type { Edit, EditReceipt, State, StateMeta } from '../../src/state/state.ts';
import type { Readable } from '../../src/readable.ts';

export interface Settings {
  readonly theme: 'light' | 'dark';
  readonly size: number;
  readonly panes: { readonly left: readonly string[]; readonly right: readonly string[] };
  readonly nickname?: string;
}

export const DEFAULTS: Settings = { theme: 'light', size: 12, panes: { left: ['files'], right: [] } };

export interface Double<T> {
  readonly state: State<T>;
  /** Another device writes. */
  arrive(change: Partial<T>): void;
  /** The handle tells how the category stands. */
  tell(meta: StateMeta): void;
  /** It is known what there is. */
  becomeReady(): void;
  /** What was written by the app: the fields of each edit that has changed something. */
  readonly edits: Partial<T>[];
  /** Who listens to the value and to `meta`. */
  listeners(): number;
  /** What was asked of the handle that opens an engine. */
  readonly opened: string[];
  /** Edits for which this returns true are refused, as by a schema. */
  refuse(isRefused: (change: Partial<T>) => boolean): void;
}

interface Box<T> extends Readable<T> {
  readonly initial: T;
  set(value: T): void;
  listeners(): number;
}

function box<T>(initial: T, opened: () => void): Box<T> {
  let value = initial;
  const listeners = new Set<{ readonly call: (value: T) => void }>();
  return {
    initial,
    get: () => value,
    subscribe: (listener) => {
      opened();
      const entry = { call: listener };
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    set: (next) => {
      if (next === value) return;
      value = next;
      for (const { call } of [...listeners]) call(value);
    },
    listeners: () => listeners.size,
  };
}

export function createDouble<T extends object = Settings>(defaults = DEFAULTS as unknown as T): Double<T> {
  const opened: string[] = [];
  const edits: Partial<T>[] = [];
  const value = box<T>(defaults, () => opened.push('subscribe'));
  const meta = box<StateMeta>({ status: 'loading' }, () => opened.push('meta.subscribe'));
  let isRefused: (change: Partial<T>) => boolean = () => false;
  let becomeReady!: () => void;
  const ready = new Promise<void>((resolve) => (becomeReady = resolve));

  /** Fields that are deep-equal stay the same objects; `undefined` is the default again. Returns whether something has changed. */
  function put(change: Partial<T>): boolean {
    const now = value.get();
    const differing = Object.entries(change).filter(
      ([key, to]) => !isDeepStrictEqual(now[key as keyof T], to),
    );
    if (differing.length === 0) return false;
    const next = { ...now, ...Object.fromEntries(differing) };
    for (const [key, to] of differing) if (to === undefined) delete next[key as keyof T];
    // Nobody may change in place what is shown.
    value.set(Object.freeze({ ...defaults, ...next }));
    return true;
  }

  async function edit(change: Edit<T>): Promise<EditReceipt> {
    opened.push('update');
    const to = typeof change === 'function' ? change(structuredClone(value.get())) : change;
    if (isRefused(to)) throw Object.assign(new Error('refused'), { code: 'INVALID_VALUE' });
    if (!put(structuredClone(to))) return { stage: 'none' };
    edits.push(to);
    return { stage: 'saved' };
  }
  const notHere = (): never => {
    throw new Error('not in this double');
  };

  const state: State<T> = {
    category: 'settings',
    initial: defaults,
    get: value.get,
    subscribe: value.subscribe,
    meta,
    get ready() {
      opened.push('ready');
      return ready;
    },
    update: edit,
    set: (next) => edit(next),
    reset: notHere,
    flush: async () => undefined,
    undo: notHere,
    redo: notHere,
    acknowledge: notHere,
    dehydrate: notHere,
    hydrate: notHere,
    close: async () => undefined,
  };
  return {
    state,
    arrive: (change) => void put(change),
    tell: meta.set,
    becomeReady,
    edits,
    listeners: () => value.listeners() + meta.listeners(),
    opened,
    refuse: (next) => {
      isRefused = next;
    },
  };
}
