/** What a handle has at this moment, and what it shows of that. Everything that happens comes here, and is shown at once. */

import { equalJson } from '../merge/json.ts';
import { fill, over, pick, share, type Document } from './document.ts';
import { metaOf, type Facts } from './facts.ts';
import { shownIn, type Layers } from './layers.ts';
import type { Model } from './model.ts';
import type { StateMeta } from './state.ts';
import type { View } from './view.ts';
import { createWatched, type Watched } from './watched.ts';

export interface Now {
  readonly layers: Layers;
  readonly facts: Facts;
  /** What relays have of it, and what this device alone has: `layers.stored` is both. */
  readonly synced: Document;
  readonly local: Document;
  /** What is shown in the place of a value of which nothing can be. */
  readonly fallback?: { readonly document: Document } | undefined;
}

export interface Board<T> {
  readonly now: () => Now;
  readonly view: () => View<T>;
  readonly value: Watched<T>;
  readonly meta: Watched<StateMeta>;
  /** What is shown before anything is known. */
  readonly initial: () => View<T>;
  /** Takes what has changed, and shows it. */
  change(changes: Partial<Now>): void;
  facts(changes: Partial<Facts>): void;
  hydrate(document: Document): void;
}

export const NOTHING: Facts = {
  ...{ signer: undefined, known: 'unknown', issues: [], clashes: [], isEdited: false, isLocal: false },
};

/** What leaves the device of a document, and what does not. `synced`: what it is put over. */
export function split<T>(
  document: Document,
  synced: Document,
  { local }: Model<T>,
): Pick<Now, 'synced' | 'local'> {
  if (local === true) return { synced: undefined, local: document };
  if (local.length === 0) return { synced: document, local: undefined };
  // What an older app has stored in such a field stays there.
  const former = pick(synced, local, true);
  const shared = over(pick(document, local, false), former);
  // Of what has only local fields nothing is to be sent.
  const isNothing = synced === undefined && equalJson(shared, {});
  const own = pick(document, local, true);
  return { synced: isNothing ? undefined : shared, local: equalJson(own, {}) ? undefined : own };
}

export function joined<T>(
  { synced, local: own }: Pick<Now, 'synced' | 'local'>,
  { local }: Model<T>,
): Document {
  if (local === true) return own;
  if (local.length === 0) return synced;
  const shared = pick(synced, local, false);
  return shared === undefined && equalJson(own, {})
    ? undefined
    : own === undefined
      ? shared
      : over(shared, own);
}

export function createBoard<T>(model: Model<T>, onListener: () => void): Board<T> {
  let now: Now = {
    ...{ layers: { stored: undefined }, synced: undefined, local: undefined },
    facts: { ...NOTHING, isLocal: model.local === true },
  };
  let initial = model.initial;
  let hydrated: Document;
  let view = initial;
  const value = createWatched(view.value, onListener);
  const meta = createWatched<StateMeta>(metaOf(now.facts), onListener);

  function viewNow(): View<T> {
    const { layers, facts, fallback } = now;
    const isEdited = layers.draft !== undefined || layers.saving !== undefined;
    if (facts.known === 'unknown' && layers.stored === undefined)
      return isEdited ? model.view(fill(shownIn(layers), hydrated)) : initial;
    const shown = model.view(shownIn(layers));
    if (fallback === undefined || !(shown.isLost || facts.blocked !== undefined)) return shown;
    return { ...model.view(fallback.document), issues: shown.issues, isLost: true };
  }

  function sharing(next: View<T>): View<T> {
    const input = share(view.input, next.input);
    // What a schema makes of the same is the same.
    const made = input === view.input ? view.value : share(view.value, next.value);
    return { ...next, input, value: made };
  }

  function show(): void {
    const next = viewNow();
    // What is shown first is the same object each time.
    view = next === initial ? next : sharing(next);
    const isEdited = now.layers.draft !== undefined || now.layers.saving !== undefined;
    const { issues } = view;
    now = { ...now, facts: { ...now.facts, isEdited, issues } };
    const tells = [value.put(view.value), meta.put(share(meta.get(), metaOf(now.facts)))];
    // Who hears of one finds the other up to date.
    for (const tell of tells) tell();
  }

  return {
    now: () => now,
    view: () => view,
    value,
    meta,
    initial: () => initial,
    change: (changes) => {
      now = { ...now, ...changes };
      show();
    },
    facts: (changes) => {
      now = { ...now, facts: { ...now.facts, ...changes } };
      show();
    },
    hydrate: (document) => {
      hydrated = document;
      initial = model.view(document);
      show();
    },
  };
}
