/** Versions of an app's data, as the tag `schema` has them: docs/PROTOCOL.md section 1. Pure. */

/** Which version of an app's data a value is. */
export interface Schema {
  /** Of the form of the data. From 1. */
  readonly version: number;
  /** The oldest version of the app that may write over it. */
  readonly writableBy: number;
}

/** Of data without a tag. */
export const FIRST_SCHEMA: Schema = { version: 1, writableBy: 1 };

/** What is made of both is never said to be older than either. */
export function newerSchema(a: Schema | undefined, b: Schema | undefined): Schema | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { version: Math.max(a.version, b.version), writableBy: Math.max(a.writableBy, b.writableBy) };
}
