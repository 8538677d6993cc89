/** What a definition means: everything about its documents that is decided without an engine. Pure. */

import { NostrSyncError } from '../errors.ts';
import { isRecord, member } from '../merge/json.ts';
import { merge3, type Merged, type MergeInput } from '../merge/merge3.ts';
import type { AnyRules } from '../merge/rule.ts';
import { checkJson, type JsonValue } from '../protocol/payload.ts';
import { FIRST_SCHEMA, type Schema } from '../protocol/schema.ts';
import type { CategoryDefinition } from './definition.ts';
import { edit, fill, over, type Document } from './document.ts';
import type { StateIssue } from './state.ts';
import { pathOf, validatorOf, viewOf, type View } from './view.ts';

export interface Model<T> {
  readonly name: string;
  readonly schema: Schema;
  /** What is shown if nothing is stored. */
  readonly initial: View<T>;
  /** Fields that do not leave the device; `true`: all. */
  readonly local: true | readonly string[];
  /** What a document is shown as. */
  view(document: Document): View<T>;
  /** What an app wants to be shown. Throws `INVALID_VALUE`, or `INVALID_PAYLOAD` for what is no JSON. */
  check(next: unknown): JsonValue;
  /** The document that shows `to`, made of one that shows `from`. */
  edit(stored: Document, from: Document, to: Document): Document;
  /** The document in the form of this version. Throws what a migration throws. */
  upgrade(document: Document, version: number): Document;
  /** Of what is written over a document of that version. Throws `SCHEMA_NEWER`. */
  schemaOver(under: Schema | undefined): Schema;
  merge(sides: MergeInput<JsonValue>): Merged<JsonValue>;
}

/** The newest version with a migration: one without only adds something. */
function oldestWriter({ version = 1, migrate = {} }: CategoryDefinition<unknown>): number {
  const migrated = Object.keys(migrate).map(Number);
  return Math.max(1, ...migrated.filter((one) => one <= version));
}

/**
 * If both sides have an object that the base lacks, both have made it of the default. `isFull`: and so for every field, as the first edit
 * stores all defaults.
 */
function basedOnDefaults(
  base: Document,
  sides: readonly Document[],
  defaults: JsonValue,
  isFull: boolean,
): Document {
  if (!isRecord(defaults) || (base !== undefined && !isRecord(base))) return base;
  if (isFull && base === undefined) return defaults;
  const inBoth = Object.keys(defaults).filter(
    (name) =>
      member(base, name) === undefined &&
      isRecord(defaults[name]) &&
      sides.every((side) => isRecord(member(side, name))),
  );
  if (inBoth.length === 0) return base;
  return over(base, Object.fromEntries(inBoth.map((name) => [name, defaults[name]])));
}

/** The words name places alone: a schema's own may quote the value. */
export function invalidValue(
  category: string,
  what: string,
  issues: readonly StateIssue[],
): NostrSyncError<'INVALID_VALUE'> {
  const places = issues.map(({ path }) => path.join('.') || 'the whole').join(', ');
  const message = `${what} ${JSON.stringify(category)}: what does not fit its schema is ${places}`;
  return new NostrSyncError('INVALID_VALUE', message, { details: { category, issues } });
}

export function schemaNewer(category: string, schema: Schema): NostrSyncError<'SCHEMA_NEWER'> {
  const message = `Cannot write ${JSON.stringify(category)}: a newer version of the app has written it`;
  return new NostrSyncError('SCHEMA_NEWER', message, { details: { category, ...schema } });
}

export function createModel<T, Input>(definition: CategoryDefinition<T, Input>): Model<T> {
  const { name, version = 1, migrate = {}, local = [], write = 'sparse' } = definition;
  const defaults = definition.default as JsonValue;
  const isFull = write === 'full';
  const rules = definition.merge as AnyRules | undefined;
  const validate = validatorOf<T>(definition.schema?.['~standard'].validate);

  const view = (document: Document): View<T> => viewOf(document, defaults, validate);
  const fits = (document: Document): boolean => view(document).issues.length === 0;

  const schema = {
    version,
    writableBy: definition.writableBy ?? oldestWriter(definition as CategoryDefinition<unknown>),
  };

  return {
    ...{ name, schema, local },
    initial: view(undefined),
    view,
    check: (next) => {
      checkJson(next, name);
      const { issues } = validate(next as JsonValue);
      if (issues === undefined) return next as JsonValue;
      const found = issues.map((issue) => ({ path: pathOf(issue), message: issue.message }));
      throw invalidValue(name, 'Cannot store', found);
    },
    edit: (stored, from, to) => {
      const on = isFull ? fill(stored, defaults) : stored;
      return edit(on, from, to, (document) => view(document).input);
    },
    upgrade: (document, from) => {
      let value: unknown = document;
      for (let next = from + 1; next <= version; next++) {
        const migration = migrate[next];
        if (migration === undefined || value === undefined) continue;
        value = migration(structuredClone(value));
        checkJson(value, `migrate[${next}]`, 0, true);
      }
      return value as Document;
    },
    schemaOver: (under = FIRST_SCHEMA) => {
      if (under.writableBy > version) throw schemaNewer(name, under);
      // What is made of something newer is never said to be older.
      return {
        version: Math.max(version, under.version),
        writableBy: Math.max(schema.writableBy, under.writableBy),
      };
    },
    merge: (sides) => {
      const { mine, theirs } = sides;
      const based = (base: Document): Document => basedOnDefaults(base, [mine, theirs], defaults, isFull);
      const merged = merge3({
        ...sides,
        base: sides.isExact === false ? sides.base : based(sides.base),
        bases: (sides.bases ?? []).map(based),
        rules: rules as never,
      });
      // Two that fit can be one that does not: then the newer one stays.
      if (fits(merged.value) || !fits(mine) || !fits(theirs)) return merged;
      const { base } = sides;
      const parties = Object.entries({ base, mine, theirs }).filter(([, value]) => value !== undefined);
      return {
        value: theirs,
        clashes: [{ path: [], reason: 'both-changed', ...Object.fromEntries(parties) }],
      };
    },
  };
}
