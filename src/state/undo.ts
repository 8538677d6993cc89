/** What an app's edits can be taken back to: steps, each a change that is applied to whatever is there by then. Pure. */

import { equalJson, isRecord } from '../merge/json.ts';
import type { Merged, MergeInput } from '../merge/merge3.ts';
import type { JsonValue } from '../protocol/payload.ts';
import type { Document } from './document.ts';

/** What a step has changed. */
export interface Step {
  readonly from: Document;
  readonly to: Document;
}

export interface Steps {
  readonly done: readonly Step[];
  readonly undone: readonly Step[];
}

export const NO_STEPS: Steps = { done: [], undone: [] };
const MAX_STEPS = 50;

/** The app has edited. `isSame`: as part of the last step. What was undone cannot be done again. */
export function stepped({ done }: Steps, step: Step, isSame: boolean): Steps {
  const last = isSame ? done.at(-1) : undefined;
  const all = last === undefined ? [...done, step] : [...done.slice(0, -1), { from: last.from, to: step.to }];
  return { done: all.filter(({ from, to }) => !equalJson(from, to)).slice(-MAX_STEPS), undone: [] };
}

/** Takes the last step back, or does it again. `undefined`: there is none. What others have changed since stays. */
export function turned(
  { done, undone }: Steps,
  way: 'undo' | 'redo',
  now: Document,
  merge: (sides: MergeInput<JsonValue>) => Merged<JsonValue>,
): { readonly steps: Steps; readonly document: Document } | undefined {
  const step = (way === 'undo' ? done : undone).at(-1);
  if (step === undefined) return undefined;
  const { from, to } = way === 'undo' ? { from: step.to, to: step.from } : step;
  // Nothing stored is an object without fields: what others have set since is no edit of what is taken back.
  const [base, mine] = [from, to].map((one): Document => (one === undefined && isRecord(now) ? {} : one));
  const { value } = merge({ base, mine, theirs: now });
  const steps =
    way === 'undo'
      ? { done: done.slice(0, -1), undone: [...undone, step] }
      : { done: [...done, step], undone: undone.slice(0, -1) };
  return { steps, document: value };
}
