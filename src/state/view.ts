/** What of a stored document fits the schema, and is shown: field by field, with defaults in the place of the rest. Pure. */

import { isRecord, member } from '../merge/json.ts';
import { messageOf } from '../errors.ts';
import type { JsonValue } from '../protocol/payload.ts';
import { over, type Document } from './document.ts';
import type { SchemaIssue, SchemaResult } from './standard-schema.ts';
import type { StateIssue } from './state.ts';

export interface View<T> {
  /** What the schema has taken. */
  readonly input: JsonValue;
  /** What it has made of that. */
  readonly value: T;
  /** What is stored and does not fit. A field that is not stored is none. */
  readonly issues: readonly StateIssue[];
  /** Nothing of what is stored could be shown. */
  readonly isLost: boolean;
}

export type Validate<T> = (value: Document) => SchemaResult<T>;

type Path = StateIssue['path'];

/** How often what a schema complains of is mended: each time it may look deeper. */
const MAX_ROUNDS = 16;

/** The names and indexes of an issue's path. */
export function pathOf({ path = [] }: SchemaIssue): Path {
  return path.map((step) => {
    const key = typeof step === 'object' ? step.key : step;
    return typeof key === 'symbol' ? String(key) : key;
  });
}

const inside = (value: Document, step: string | number): Document =>
  Array.isArray(value) ? (value as readonly JsonValue[])[Number(step)] : member(value, String(step));

/** Puts `next` there, or takes away what is there. */
function put(value: Document, [step, ...rest]: Path, next: Document): Document {
  if (step === undefined) return next;
  const made = put(inside(value, step), rest, next);
  if (!Array.isArray(value)) return over(value, { [step]: made });
  const list: (JsonValue | undefined)[] = [...(value as readonly JsonValue[])];
  list[Number(step)] = made;
  return list.filter((item) => item !== undefined);
}

/** The place that an issue names, or the nearest around it that has something, or a default. Empty: the whole document. */
function placeOf(value: Document, path: Path, defaults: Document): Path {
  // What is missing, and has no default, is wrong in what it is missing from.
  const isNothing = (at: Path): boolean =>
    [value, defaults].every((one) => at.reduce(inside, one) === undefined);
  return path.length > 0 && isNothing(path) ? placeOf(value, path.slice(0, -1), defaults) : path;
}

/** What is to be replaced, each once, and the last items of lists first, so that the places of the others stay. */
function placesOf(value: Document, paths: readonly Path[], defaults: Document): readonly Path[] {
  const places = paths.map((path) => placeOf(value, path, defaults)).filter((path) => path.length > 0);
  const isPartOf = (path: Path, other: Path): boolean =>
    path.length >= other.length && other.every((step, i) => path[i] === step);
  const outermost = places.filter(
    (path, i) => !places.some((other, j) => isPartOf(path, other) && (j < i || !isPartOf(other, path))),
  );
  return outermost.sort((a, b) => {
    const at = a.findIndex((step, i) => step !== b[i]);
    return Number(b[at]) - Number(a[at]) || 0;
  });
}

/** The view of a document. `defaults` fit the schema. */
export function viewOf<T>(document: Document, defaults: JsonValue, validate: Validate<T>): View<T> {
  const issues: StateIssue[] = [];
  const isMisfit = document !== undefined && isRecord(defaults) !== isRecord(document);
  const isByField = isRecord(defaults) && (document === undefined || isRecord(document));
  const all = isByField ? over(defaults, document) : document === undefined ? defaults : document;
  const view = (input: Document, value: T, isLost = false): View<T> => ({
    ...{ input: input as JsonValue, value, isLost },
    issues: issues.filter(
      ({ path }, i) => i === issues.findIndex((other) => String(other.path) === String(path)),
    ),
  });
  let current: Document = all;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const result = validate(current);
    if (result.issues === undefined) return view(current, result.value);
    if (isMisfit) break;
    const faults = result.issues.map((issue) => ({ path: pathOf(issue), message: issue.message }));
    const before = current;
    const paths = faults.map(({ path }) => path);
    issues.push(
      ...faults.filter(
        ({ path }) => placeOf(before, path, defaults).reduce(inside, before) !== undefined && path.length > 0,
      ),
    );
    const places = placesOf(before, paths, defaults);
    if (places.length === 0) break;
    for (const at of places) current = put(current, at, at.reduce(inside, defaults));
  }
  return byField(current);

  /** Of what is wrong as a whole, each field that fits beside the defaults and the fields before it. */
  function byField(value: Document): View<T> {
    let shown = validate(defaults) as { readonly value: T };
    let input: Document = defaults;
    let kept = 0;
    const entries = isRecord(value) && isRecord(defaults) ? Object.entries(value) : [];
    for (const [name, field] of entries) {
      const next = over(input, { [name]: field });
      const result = validate(next);
      if (result.issues === undefined) {
        [input, shown] = [next, result];
        kept += member(document, name) === undefined ? 0 : 1;
      } else issues.push({ path: [name], message: result.issues[0]?.message ?? '' });
    }
    if (entries.length === 0)
      issues.push({ path: [], message: (validate(document).issues ?? [])[0]?.message ?? 'not of this kind' });
    return view(input, shown.value, kept === 0);
  }
}

/** A schema's function, made safe: what it throws is an issue of the whole. Throws `TypeError` for one that is asynchronous. */
export function validatorOf<T>(
  validate: ((value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>) | undefined,
): Validate<T> {
  // Without a schema anything is of the app's type.
  if (validate === undefined) return (value) => ({ value: value as T });
  return (value) => {
    let result: SchemaResult<T> | Promise<SchemaResult<T>>;
    try {
      result = validate(value);
    } catch (error) {
      return { issues: [{ message: messageOf(error) }] };
    }
    if (typeof (result as Partial<Promise<unknown>>).then === 'function')
      throw new TypeError('Invalid schema: expected a synchronous one, got a promise');
    return result as SchemaResult<T>;
  };
}
