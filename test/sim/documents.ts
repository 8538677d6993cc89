/** What apps write in categories that merge: documents of fields, of which each value says which edit has set it. */

import { MARKER } from './oracle.ts';

/**
 * `m` marks it as plaintext; `seen` has by series how many edits of that were before it; `extra` is known to the second version of the
 * app alone. All others hold the id of an edit, and perhaps filler behind that.
 */
export type Doc = Readonly<Record<string, unknown>>;

/** Fields that all versions of the app know. */
export const FIELDS: readonly string[] = Array.from({ length: 6 }, (_, i) => `f${i}`);
/** One field alone is large: two would be more than a value may be. */
export const BIG = 'big';
export const EXTRA = 'extra';

/** What the second version keeps in its field beside the edit: what a careless copy would change. */
const STRANGE: unknown = JSON.parse(
  '{"__proto__":{"constructor":[1e21,0.1,null,{}]},"\\u2028é":"\\ud83d\\ude00","2":1,"1":[[],{}]}',
);

export const extraOf = (id: string): unknown => ({ id, rest: STRANGE });

/** `undefined`: there is no value. */
export function docIn(text: string | undefined): Doc | undefined {
  const value: unknown = text === undefined ? null : JSON.parse(text);
  return typeof value === 'object' && value !== null ? (value as Doc) : undefined;
}

/** Which edit has set it, or how many edits there were; `undefined`: nothing is there. */
export function valueIn(doc: Doc | undefined, field: string): string | undefined {
  const value = doc !== undefined && Object.hasOwn(doc, field) ? doc[field] : undefined;
  if (typeof value === 'string') return value.split(' ', 1)[0];
  if (typeof value === 'object' && value !== null) return String((value as { id?: unknown }).id);
  return value === undefined ? undefined : String(value);
}

/** By series, how many edits of it a document has seen. Apps merge that by the greater, whatever else they do. */
export function seenIn(doc: Doc | undefined): ReadonlyMap<string, number> {
  return new Map(Object.entries((doc?.['seen'] ?? {}) as Readonly<Record<string, number>>));
}

/** With other fields; `undefined` takes one away. */
export function withFields(doc: Doc | undefined, changes: ReadonlyMap<string, unknown>): Doc {
  const fields = new Map<string, unknown>(Object.entries({ m: MARKER, ...doc }));
  for (const [name, value] of changes) {
    if (value === undefined) fields.delete(name);
    else fields.set(name, value);
  }
  return Object.fromEntries(fields);
}

/** Whether the field of the second version is, to the byte, what that writes. */
export function isExtraWhole(doc: Doc): boolean {
  const id = valueIn(doc, EXTRA);
  return id === undefined || JSON.stringify(doc[EXTRA]) === JSON.stringify(extraOf(id));
}

/** An edit as it is judged. */
export interface FieldEdit {
  /** Edits of one series have seen each other, and have numbers from 1 on. */
  readonly series: string;
  readonly number: number;
  /** By field, what it sets, as `valueIn` reads it. */
  asserts: ReadonlyMap<string, string | undefined>;
  /** By series, how many edits the app had before it. */
  seen: ReadonlyMap<string, number>;
}

/** Whether a field may hold this after an edit has set it: by the edit itself, or by one that this had not seen. */
export function mayHold(
  edit: FieldEdit,
  field: string,
  now: string | undefined,
  others: readonly FieldEdit[],
): boolean {
  const isIt = ({ asserts }: FieldEdit): boolean => asserts.has(field) && asserts.get(field) === now;
  return isIt(edit) || others.some((one) => isIt(one) && (edit.seen.get(one.series) ?? 0) < one.number);
}
