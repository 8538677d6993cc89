/** What a handle shows: what is stored, an edit that is being saved over it, and edits that wait over that. Pure. */

import { equalJson } from '../merge/json.ts';
import type { Merged, MergeInput } from '../merge/merge3.ts';
import type { Clash } from '../merge/rule.ts';
import type { JsonValue } from '../protocol/payload.ts';
import type { Document } from './document.ts';

/** Edits, as what they have made of a document. */
export interface Layer {
  readonly base: Document;
  readonly value: Document;
}

export interface Layers {
  readonly stored: Document;
  readonly saving?: Layer | undefined;
  readonly draft?: Layer | undefined;
}

type Merge = (sides: MergeInput<JsonValue>) => Merged<JsonValue>;

const below = ({ stored, saving }: Layers): Document => (saving === undefined ? stored : saving.value);

/** The document on top. */
export function shownIn(layers: Layers): Document {
  return layers.draft === undefined ? below(layers) : layers.draft.value;
}

/** The app has made this of what is shown. */
export function edited(layers: Layers, value: Document): Layers {
  return {
    ...layers,
    draft: { base: layers.draft === undefined ? below(layers) : layers.draft.base, value },
  };
}

/** The same edits over another document. They are the newest there is. */
export function rebased(
  layer: Layer,
  base: Document,
  merge: Merge,
): { readonly layer: Layer; readonly clashes: readonly Clash[] } {
  if (equalJson(layer.base, base)) return { layer: { ...layer, base }, clashes: [] };
  const { value, clashes } = merge({ base: layer.base, mine: base, theirs: layer.value });
  return { layer: { base, value }, clashes };
}

/** Something else is stored. */
export function told(
  layers: Layers,
  stored: Document,
  merge: Merge,
): { readonly layers: Layers; readonly clashes: readonly Clash[] } {
  const saving = layers.saving && rebased(layers.saving, stored, merge);
  const draft =
    layers.draft && rebased(layers.draft, saving === undefined ? stored : saving.layer.value, merge);
  return {
    layers: { stored, saving: saving?.layer, draft: draft?.layer },
    clashes: [...(saving?.clashes ?? []), ...(draft?.clashes ?? [])],
  };
}

/** What waits is being saved. */
export function begun({ stored, draft }: Layers): Layers {
  return { stored, saving: draft };
}

/** It was saved, and this is stored now. */
export function saved(layers: Layers, stored: Document, merge: Merge): ReturnType<typeof told> {
  return told({ ...layers, saving: undefined }, stored, merge);
}

/** It could not be saved: it waits again, with what was edited since. */
export function failed(layers: Layers): Layers {
  const { stored, saving, draft } = layers;
  return saving === undefined
    ? layers
    : { stored, draft: { base: saving.base, value: (draft ?? saving).value } };
}

/** It can never be saved: it is taken back. What was edited since stays. */
export function refused(layers: Layers, merge: Merge): Layers {
  return saved(layers, layers.stored, merge).layers;
}
