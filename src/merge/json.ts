/** JSON values as a merge looks at them: members, equality, identity. */

import type { JsonValue } from '../protocol/payload.ts';

/** An object of fields; no array. */
export function isRecord(value: unknown): value is { readonly [key: string]: JsonValue | undefined } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field of an object. Own members only: of `constructor` and `__proto__` every object seems to have one. */
export function member(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** Names of the fields that are there: one of `undefined` is not, as in JSON text. */
function namesOf(value: { readonly [key: string]: JsonValue | undefined }): string[] {
  return Object.keys(value).filter((name) => value[name] !== undefined);
}

/** Whether two JSON values, or `undefined` for none, say the same. The order of fields does not count. Linear time. */
export function equalJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    const [left, right] = [a as readonly JsonValue[], b as readonly JsonValue[]];
    return left.length === right.length && left.every((item, i) => equalJson(item, right[i]));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  const names = namesOf(a);
  return names.length === namesOf(b).length && names.every((name) => equalJson(a[name], member(b, name)));
}

/** A text that is the same for equal values, and for no others. */
export function identityOf(value: JsonValue): string {
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(identityOf).join()}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  const fields = namesOf(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${identityOf(value[name]!)}`);
  return `{${fields.join()}}`;
}

/** A copy that shares nothing with the value. */
export function copyJson<T extends JsonValue | undefined>(value: T): T {
  if (Array.isArray(value)) return value.map(copyJson) as JsonValue as T;
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copyJson(inner)])) as T;
}
