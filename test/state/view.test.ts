/** What of a stored document is shown: by three schema libraries alike. */

import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { StandardSchema } from '../../src/node.ts';
import type { JsonValue } from '../../src/protocol/payload.ts';
import { createModel, type Model } from '../../src/state/model.ts';
import { validatorOf, viewOf } from '../../src/state/view.ts';

interface Settings {
  theme: 'light' | 'dark';
  font: number;
  window: { x: number; y: number };
  list: { id: string }[];
  note?: string | undefined;
}
const DEFAULT: Settings = { theme: 'light', font: 14, window: { x: 0, y: 0 }, list: [] };

const libraries: Readonly<Record<string, StandardSchema<Settings>>> = {
  zod: z.object({
    theme: z.enum(['light', 'dark']),
    font: z.number(),
    window: z.object({ x: z.number(), y: z.number() }),
    list: z.array(z.object({ id: z.string() })),
    note: z.string().optional(),
  }),
  valibot: v.object({
    theme: v.picklist(['light', 'dark']),
    font: v.number(),
    window: v.object({ x: v.number(), y: v.number() }),
    list: v.array(v.object({ id: v.string() })),
    note: v.optional(v.string()),
  }),
  arktype: type({
    theme: "'light' | 'dark'",
    font: 'number',
    window: { x: 'number', y: 'number' },
    list: type({ id: 'string' }).array(),
    'note?': 'string',
  }),
};

const modelOf = (schema: StandardSchema<Settings>): Model<Settings> =>
  createModel({ name: 'settings', schema, default: DEFAULT });

const pathsOf = (model: Model<Settings>, document: JsonValue): string[] =>
  model.view(document).issues.map(({ path }) => path.join('.'));

describe.each(Object.entries(libraries))('%s', (_, schema) => {
  const model = modelOf(schema);

  test('nothing stored: the defaults', () => {
    expect(model.view(undefined)).toMatchObject({ value: DEFAULT, issues: [], isLost: false });
    expect(model.view({})).toMatchObject({ value: DEFAULT, issues: [], isLost: false });
  });

  test.each([
    ['a field of a wrong value', { theme: 'blue', font: 20 }, { ...DEFAULT, font: 20 }, ['theme']],
    ['a field of a wrong type', { theme: 'dark', font: '20' }, { ...DEFAULT, theme: 'dark' }, ['font']],
    [
      'a part of a field',
      { window: { x: 5, y: 'no' } },
      { ...DEFAULT, window: { x: 5, y: 0 } },
      ['window.y'],
    ],
    ['a field that is no object', { window: 3, font: 20 }, { ...DEFAULT, font: 20 }, ['window']],
    [
      'items of a list',
      { list: [{ id: 'a' }, { id: 1 }, { id: 'b' }, {}] },
      { ...DEFAULT, list: [{ id: 'a' }, { id: 'b' }] },
      ['list.1.id', 'list.3.id'],
    ],
    ['an optional field', { note: 7, font: 20 }, { ...DEFAULT, font: 20 }, ['note']],
  ])('%s is replaced by its default alone, and told', (_name, document, shown, paths) => {
    const { value, issues, isLost } = model.view(document);
    expect(value).toEqual(shown);
    expect(issues.map(({ path }) => path.join('.')).sort()).toEqual(paths);
    expect(issues.every(({ message }) => message.length > 0)).toBe(true);
    expect(isLost).toBe(false);
  });

  test('what is not stored inside of a field is its default, and no fault', () => {
    expect(model.view({ window: { x: 5 } })).toMatchObject({
      value: { ...DEFAULT, window: { x: 5, y: 0 } },
      issues: [],
    });
  });

  test.each([['text'], [3], [null], [['a']]])(
    '%j is none of it: the defaults, and it is told',
    (document) => {
      expect(model.view(document)).toMatchObject({ value: DEFAULT, isLost: true });
      expect(pathsOf(model, document)).toEqual(['']);
    },
  );

  test('an edit is of the field alone: what does not fit, and what is unknown, stay as they came', () => {
    const stored = { theme: 'blue', window: { x: 1, far: true }, later: { a: [1] } };
    const { input } = model.view(stored);
    const document = model.edit(stored, input, { ...(input as object), font: 20 });
    expect(document).toEqual({ ...stored, font: 20 });
  });

  test('items that do not fit stay in their places when the others are edited', () => {
    const stored = { list: [{ id: 'a' }, { id: 1 }, { id: 'b' }] };
    const { input } = model.view(stored);
    const to = { ...(input as object), list: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] } as JsonValue;
    expect(model.edit(stored, input, to)).toEqual({
      list: [{ id: 'a' }, { id: 1 }, { id: 'b' }, { id: 'c' }],
    });
  });

  test('what does not fit is not taken from the app, and the words of the error do not quote it', () => {
    const failing = (): unknown => model.check({ ...DEFAULT, theme: 'hunter2' });
    expect(failing).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }));
    expect(failing).not.toThrow('hunter2');
    expect(failing).toThrow('theme');
  });
});

test('a strict schema that names no field loses that field alone', () => {
  const schema = z.strictObject({ theme: z.enum(['light', 'dark']), font: z.number() });
  const model = createModel({ name: 'settings', schema, default: { theme: 'light', font: 14 } });
  expect(model.view({ theme: 'dark', font: 20, later: 1 })).toMatchObject({
    value: { theme: 'dark', font: 20 },
    issues: [{ path: ['later'] }],
    isLost: false,
  });
});

test('a rule between fields loses the field that breaks it', () => {
  const schema = z
    .object({ from: z.number(), to: z.number(), name: z.string() })
    .refine(({ from, to }) => from <= to, 'from is above to');
  const model = createModel({ name: 'range', schema, default: { from: 0, to: 10, name: '' } });
  expect(model.view({ from: 20, to: 30, name: 'x' })).toMatchObject({ value: { to: 30, name: 'x' } });
  expect(model.view({ from: 20, name: 'x' })).toMatchObject({
    value: { from: 0, to: 10, name: 'x' },
    issues: [{ path: ['from'] }],
  });
});

test('a schema that transforms gives what it makes, and is given what is stored', () => {
  const schema = z.object({ at: z.string().transform((text) => new Date(text)), n: z.number() });
  const model = createModel({ name: 'log', schema, default: { at: '2026-01-01T00:00:00.000Z', n: 0 } });
  const { input, value } = model.view({ at: '2026-02-03T00:00:00.000Z' });
  expect(value.at).toEqual(new Date('2026-02-03T00:00:00.000Z'));
  expect(input).toEqual({ at: '2026-02-03T00:00:00.000Z', n: 0 });
});

test('a schema that throws is a fault of the value; an asynchronous one is a mistake', () => {
  const throwing = validatorOf<unknown>(() => {
    throw new Error('broken');
  });
  expect(throwing({})).toEqual({ issues: [{ message: 'broken' }] });
  expect(() => validatorOf<unknown>(async () => ({ value: 1 }))({})).toThrow(
    'Invalid schema: expected a synchronous one, got a promise',
  );
});

test('a schema that never has enough ends', () => {
  const never = (value: unknown): { issues: { message: string; path: string[] }[] } | { value: unknown } =>
    JSON.stringify(value) === '{"a":1}' ? { value } : { issues: [{ message: 'no', path: ['a'] }] };
  expect(viewOf({ a: 2, b: 3 }, { a: 1 }, never as never)).toMatchObject({ value: { a: 1 } });
});

test('an item with several faults is one that does not fit, and those after it stay', () => {
  const schema = z.object({ list: z.array(z.object({ id: z.string(), n: z.number() })) });
  const model = createModel({ name: 'list', schema, default: { list: [] } });
  const document = { list: [{ id: 1, n: 'x' }, { id: 'b', n: 2 }, {}, { id: 'd', n: 4 }] };
  expect(model.view(document).value).toEqual({
    list: [
      { id: 'b', n: 2 },
      { id: 'd', n: 4 },
    ],
  });
});
