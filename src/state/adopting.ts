/** Data from before an app synced, taken in once: what of it becomes an edit. */

import { isRecord, member } from '../merge/json.ts';
import type { Board } from './board.ts';
import type { Adoption } from './definition.ts';
import { over, pick, type Document } from './document.ts';
import { shownIn } from './layers.ts';
import type { Model } from './model.ts';

/** The document with it; `undefined`: nothing of it is taken. Rejects with what the app's functions throw. */
export async function adopt<T, Input>(
  { value, policy = 'fill' }: Adoption<Input>,
  model: Model<T>,
  board: Board<T>,
): Promise<{ readonly value: Document } | undefined> {
  const mine = await value();
  if (mine === null || mine === undefined) return undefined;
  const had = mine as Document;
  const made =
    typeof policy === 'function' && shownIn(board.now().layers) !== undefined
      ? ((await policy(mine, board.view().input as Input)) as Document)
      : had;
  const stored = shownIn(board.now().layers);
  const { input } = board.view();
  const isAbsent = stored === undefined;
  if (made === undefined || (policy === 'theirs' && !isAbsent)) return undefined;
  const isWhole = !isRecord(made) || !isRecord(input);
  const absent = isRecord(made) ? Object.keys(made).filter((name) => member(stored, name) === undefined) : [];
  if (policy === 'fill' && isWhole && !isAbsent) return undefined;
  const taken = policy === 'fill' && !isWhole ? pick(made, absent, true) : made;
  // What does not fit is left where it was.
  const to = model.view(isWhole ? taken : over(input, taken)).input;
  const document = model.edit(stored, input, to);
  return document === stored ? undefined : { value: document };
}
