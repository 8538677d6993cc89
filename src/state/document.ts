/** Documents as they are stored: what an edit changes in one, and how much of it has to be said. Pure. */

import { equalJson, isRecord, member } from '../merge/json.ts';
import type { JsonValue } from '../protocol/payload.ts';

/** A stored document; `undefined`: there is none. */
export type Document = JsonValue | undefined;

const named = (entries: Iterable<readonly [string, JsonValue | undefined]>): JsonValue =>
  // Defines members, and so makes a plain one even of `__proto__`.
  Object.fromEntries([...entries].filter(([, value]) => value !== undefined));

const entriesOf = (value: Document): (readonly [string, JsonValue | undefined])[] =>
  isRecord(value) ? Object.entries(value) : [];

export const namesIn = (...values: readonly Document[]): ReadonlySet<string> =>
  new Set(values.flatMap((value) => entriesOf(value).map(([name]) => name)));

/** What of a list is stored and not shown stays where it is. */
function patchList(
  stored: readonly JsonValue[],
  shown: readonly JsonValue[],
  to: readonly JsonValue[],
): JsonValue {
  const list = [...to];
  const left = [...shown];
  stored.forEach((item, at) => {
    const i = left.findIndex((one) => equalJson(one, item));
    if (i >= 0) left.splice(i, 1);
    else list.splice(Math.min(at, list.length), 0, item);
  });
  return list;
}

/** Changes in `stored` what is different between what was shown (`from`) and what is wanted. All else stays as it came. */
function patch(stored: Document, from: Document, to: Document): Document {
  if (equalJson(from, to)) return stored;
  if (Array.isArray(to) && Array.isArray(from) && Array.isArray(stored) && !equalJson(stored, from))
    return patchList(
      stored as readonly JsonValue[],
      from as readonly JsonValue[],
      to as readonly JsonValue[],
    );
  if (!isRecord(from) || !isRecord(to)) return to;
  const made = new Map(entriesOf(stored));
  for (const name of namesIn(from, to))
    made.set(name, patch(member(stored, name), member(from, name), member(to, name)));
  return named(made);
}

/** `value` with what `below` has in fields that it lacks, as deep as both are objects. */
export function fill(value: Document, below: Document): Document {
  if (value === undefined) return below;
  if (!isRecord(value) || !isRecord(below)) return value;
  const made = new Map(entriesOf(value));
  for (const name of namesIn(below)) made.set(name, fill(member(value, name), member(below, name)));
  return named(made);
}

/** All of `to`, and of `stored` what was not shown. */
function withHidden(stored: Document, from: Document, to: Document): Document {
  if (!isRecord(to) || !isRecord(stored)) return to;
  const made = new Map(entriesOf(to));
  for (const name of namesIn(stored))
    if (member(from, name) === undefined && !made.has(name)) made.set(name, member(stored, name));
    else made.set(name, withHidden(member(stored, name), member(from, name), member(to, name)));
  return named(made);
}

/**
 * The document that shows `to`, made of the one that shows `from`. It says no more than was changed; a field of which that would be shown
 * otherwise, as one that a default would bring back, is stored as a whole. `shownOf`: what a document is shown as.
 */
export function edit(
  stored: Document,
  from: Document,
  to: Document,
  shownOf: (document: Document) => Document,
): Document {
  const sparse = patch(stored, from, to);
  if (!isRecord(to)) return sparse;
  const shown = shownOf(sparse);
  const wrong = [...namesIn(from, to)].filter(
    (name) =>
      !equalJson(member(from, name), member(to, name)) && !equalJson(member(shown, name), member(to, name)),
  );
  if (wrong.length === 0) return sparse;
  const made = new Map(entriesOf(sparse));
  for (const name of wrong)
    made.set(name, withHidden(member(stored, name), member(from, name), member(to, name)));
  return named(made);
}

/** These fields alone, or all but these. */
export function pick(value: Document, names: readonly string[], areKept: boolean): Document {
  if (!isRecord(value)) return areKept ? undefined : value;
  return named(entriesOf(value).filter(([name]) => names.includes(name) === areKept));
}

/** `value`, with the fields of another one over it. */
export function over(value: Document, fields: Document): Document {
  if (!isRecord(fields)) return value;
  // Of one that is `undefined` nothing is left.
  return named(new Map([...entriesOf(value), ...entriesOf(fields)]));
}

/** Whether this is a plain object: not of a class, whatever realm it is from. */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * `next`, made of the parts of `before` that say the same: the same object if nothing has changed. What is of a class, as a schema may make
 * it, is taken as it is.
 */
export function share<T>(before: unknown, next: T): T {
  if (Object.is(before, next)) return next;
  if (Array.isArray(before) && Array.isArray(next)) {
    const items = next.map((item, i) => share(before[i], item) as unknown);
    const isSame = items.length === before.length && items.every((item, i) => Object.is(item, before[i]));
    return (isSame ? before : items) as T;
  }
  if (!isPlain(before) || !isPlain(next)) return next;
  const entries = Object.entries(next).map(
    ([name, value]) => [name, share(Object.hasOwn(before, name) ? before[name] : undefined, value)] as const,
  );
  const isSame =
    entries.length === Object.keys(before).length &&
    entries.every(([name, value]) => Object.hasOwn(before, name) && Object.is(value, before[name]));
  return (isSame ? before : Object.fromEntries(entries)) as T;
}
