/** `defineCategory`: what an app says of a category, checked, and what opens a handle on it. */

import { misuse } from '../errors.ts';
import { isRecord } from '../merge/json.ts';
import type { MergeInput } from '../merge/merge3.ts';
import { checkRules } from '../merge/rule.ts';
import { mergeBy } from '../merge-by.ts';
import { checkJson, type JsonValue } from '../protocol/payload.ts';
import type { MergeSides, Merger } from '../sync/merging/merger.ts';
import { OPEN, type StateHost } from '../sync/state-host.ts';
import type { Category, CategoryDefinition } from './definition.ts';
import { createState } from './handle.ts';
import { createModel, type Model } from './model.ts';
import type { StandardSchema } from './standard-schema.ts';
import type { State } from './state.ts';
import { pathOf, validatorOf } from './view.ts';

const NAMES: readonly string[] = [
  'name',
  'schema',
  'default',
  'version',
  'writableBy',
  'migrate',
  'merge',
  'local',
  'whileLocked',
  'adopt',
  'write',
  'debounceMs',
  'maxWaitMs',
  'settle',
  'removal',
  'legacy',
  'history',
] satisfies (keyof CategoryDefinition<unknown>)[];

const isVersion = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) < 1_000_000;

const isWait = (value: unknown): boolean =>
  value === undefined || (Number.isFinite(value) && (value as number) >= 0);

/** Of what may be anything. */
const memberOf = (of: unknown, name: string): unknown => (Object(of) as Record<string, unknown>)[name];

function check(definition: CategoryDefinition<unknown>): void {
  if (typeof definition !== 'object' || definition === null)
    throw new TypeError(misuse('definition', 'an object', definition));
  const fail = (what: string, expected: string, got: unknown): never => {
    throw new TypeError(misuse(what, expected, got));
  };
  const {
    name,
    schema,
    version = 1,
    writableBy,
    migrate,
    merge,
    local,
    whileLocked,
    adopt,
    write,
  } = definition;
  const unknown = Object.keys(definition).find((one) => !NAMES.includes(one));
  if (unknown !== undefined) fail('option', `one of ${NAMES.join(', ')}`, unknown);
  if (typeof name !== 'string') fail('name', 'the name of a category', name);
  if (schema !== undefined && typeof memberOf(schema['~standard'], 'validate') !== 'function')
    fail('schema', 'one of Standard Schema v1, such as of zod, valibot or arktype', schema);
  if (!isVersion(version)) fail('version', 'a whole number from 1', version);
  if (writableBy !== undefined && !(isVersion(writableBy) && writableBy <= version))
    fail('writableBy', `a whole number from 1 to version, which is ${version}`, writableBy);
  if (migrate !== undefined) {
    if (!isRecord(migrate)) fail('migrate', 'an object of functions by version', migrate);
    for (const [to, migration] of Object.entries(migrate)) {
      if (!isVersion(Number(to)) || Number(to) < 2 || Number(to) > version)
        fail('migrate', `versions from 2 to ${version}`, to);
      if (typeof migration !== 'function') fail(`migrate.${to}`, 'a function', migration);
    }
  }
  if (merge !== undefined) checkRules(merge);
  const isNames = Array.isArray(local) && local.every((field) => typeof field === 'string');
  if (local !== undefined && local !== true && !isNames) fail('local', 'true, or names of fields', local);
  if (![undefined, 'clear', 'keep'].includes(whileLocked))
    fail('whileLocked', "'clear' or 'keep'", whileLocked);
  if (![undefined, 'sparse', 'full'].includes(write)) fail('write', "'sparse' or 'full'", write);
  if (adopt !== undefined) {
    const value = memberOf(adopt, 'value');
    if (typeof value !== 'function') fail('adopt.value', 'a function', value);
    if (typeof adopt.policy !== 'function' && ![undefined, 'fill', 'theirs', 'mine'].includes(adopt.policy))
      fail('adopt.policy', "'fill', 'theirs', 'mine' or a function", adopt.policy);
  }
  for (const wait of ['debounceMs', 'maxWaitMs'] as const)
    if (!isWait(definition[wait])) fail(wait, 'milliseconds, from 0', definition[wait]);
}

/** The default is what stands in for everything else, so it must fit. */
function checkDefault(definition: CategoryDefinition<unknown>): void {
  const given = definition.default as JsonValue;
  checkJson(given, 'default');
  const { validate } = definition.schema?.['~standard'] ?? {};
  if (validate === undefined) return;
  const { issues } = validatorOf(validate)(given);
  if (issues === undefined) return;
  const places = issues.map((issue) => pathOf(issue).join('.') || 'the whole').join(', ');
  throw new TypeError(`Invalid default: expected what the schema takes, and these do not fit: ${places}`);
}

function mergerOf<T>(model: Model<T>): Merger {
  const { isEqual, createMerging } = mergeBy();
  return {
    // What devices wrote is JSON, or nothing.
    merge: (sides: MergeSides) => model.merge(sides as MergeInput<JsonValue>),
    ...{ isEqual, createMerging, schemaOver: model.schemaOver },
    upgrade: (value, version) => model.upgrade(value as JsonValue, version),
  };
}

/** No intersection: in one, names of fields that there are none pass. */
interface WithSchema<T, Input> extends CategoryDefinition<T, Input> {
  readonly schema: StandardSchema<Input, T>;
}

/**
 * Defines a category: its name, the schema of its value, and what is shown if nothing is stored. `sync.state` makes a handle of it. It opens nothing, so
 * it can stand in a module. Throws `TypeError` for a definition that cannot be, such as a default that the schema does not take.
 */
export function defineCategory<T, Input = T>(definition: WithSchema<T, Input>): Category<T, Input>;
export function defineCategory<T>(
  definition: Omit<CategoryDefinition<T>, 'schema' | 'default'> & {
    readonly schema?: undefined;
    readonly default: T;
  },
): Category<T>;
export function defineCategory<T, Input>(given: unknown): Category<T, Input> {
  const definition = given as CategoryDefinition<unknown>;
  check(definition);
  checkDefault(definition);
  const model = createModel<T, Input>(definition as CategoryDefinition<T, Input>);
  const { name, settle, removal, legacy, history } = definition;
  const said = { settle, removal, legacy, history };
  const options = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  const category: Category<T, Input> & { readonly [OPEN]: (host: StateHost) => State<T, Input> } = {
    name,
    initial: model.initial.value,
    [OPEN]: (host) => {
      const known = host.states.get(name);
      if (known?.category === category) return known.state as State<T, Input>;
      if (known !== undefined)
        throw new TypeError(
          `Invalid category: ${JSON.stringify(name)} has another definition, of which a handle is open`,
        );
      if (model.local !== true) host.define(name, { ...options, merge: mergerOf(model) });
      const state = createState(model, definition as CategoryDefinition<T, Input>, host);
      host.states.set(name, { category, state });
      return state;
    },
  };
  return category;
}
