/** Documents, layers of edits over them, and steps back: tables of the pure core. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equalJson } from '../../src/merge/json.ts';
import { merge3, type Merged, type MergeInput } from '../../src/merge/merge3.ts';
import type { JsonValue } from '../../src/protocol/payload.ts';
import { edit, fill, over, pick, share, type Document } from '../../src/state/document.ts';
import {
  begun,
  edited,
  failed,
  rebased,
  refused,
  saved,
  shownIn,
  told,
  type Layers,
} from '../../src/state/layers.ts';
import { NO_STEPS, stepped, turned } from '../../src/state/undo.ts';

const merge = (sides: MergeInput<JsonValue>): Merged<JsonValue> => merge3(sides);
const DEFAULT = { theme: 'light', window: { x: 0, y: 0 } };
/** Fields of the whole, and of what is in `window`. */
const shownOf = (document: Document): Document => fill(document, DEFAULT);
const byField = (document: Document): Document => over(DEFAULT, document);

describe('edit', () => {
  test.each<readonly [string, Document, Document, Document, Document]>([
    ['of nothing', undefined, DEFAULT, DEFAULT, undefined],
    ['of one field', undefined, DEFAULT, { ...DEFAULT, theme: 'dark' }, { theme: 'dark' }],
    ['inside of a field', undefined, DEFAULT, { ...DEFAULT, window: { x: 5, y: 0 } }, { window: { x: 5 } }],
    ['back to a default', { theme: 'dark' }, { ...DEFAULT, theme: 'dark' }, DEFAULT, { theme: 'light' }],
    [
      'beside what is unknown',
      { far: [1], window: { z: 1 } },
      DEFAULT,
      { ...DEFAULT, theme: 'b' },
      { far: [1], theme: 'b', window: { z: 1 } },
    ],
    ['of a field that goes', { note: 'x' }, { ...DEFAULT, note: 'x' }, DEFAULT, {}],
    [
      'named __proto__',
      undefined,
      DEFAULT,
      JSON.parse('{"theme":"light","window":{"x":0,"y":0},"__proto__":1}') as JsonValue,
      JSON.parse('{"__proto__":1}') as JsonValue,
    ],
    ['of a list', undefined, [], ['a'], ['a']],
    ['of garbage', 'text', DEFAULT, { ...DEFAULT, theme: 'b' }, { theme: 'b' }],
  ])('%s', (_, stored, from, to, made) => {
    expect(edit(stored, from, to, shownOf)).toEqual(made);
  });

  test('what would be shown otherwise is stored as a whole', () => {
    const to = { ...DEFAULT, window: { x: 5 } };
    expect(edit(undefined, DEFAULT, to, byField)).toEqual({ window: { x: 5 } });
    expect(edit(undefined, DEFAULT, { ...DEFAULT, window: { x: 5, y: 0 } }, byField)).toEqual({
      window: { x: 5, y: 0 },
    });
    expect(edit({ window: { far: 1 } }, DEFAULT, { ...DEFAULT, window: { x: 5, y: 0 } }, byField)).toEqual({
      window: { far: 1, x: 5, y: 0 },
    });
  });

  test.each<readonly [string, Document, Document, Document, Document]>([
    [
      'one more item beside one that is not shown',
      { l: [1, 'h', 2] },
      { l: [1, 2] },
      { l: [1, 2, 3] },
      { l: [1, 'h', 2, 3] },
    ],
    ['one less', { l: ['h', 1, 2] }, { l: [1, 2] }, { l: [2] }, { l: ['h', 2] }],
    ['all gone', { l: [1, 'h'] }, { l: [1] }, { l: [] }, { l: ['h'] }],
    ['of which all are shown', { l: [1, 2] }, { l: [1, 2] }, { l: [2] }, { l: [2] }],
    ['that becomes an object', { l: [1, 'h'] }, { l: [1] }, { l: { a: 1 } }, { l: { a: 1 } }],
    ['that was shown as something else', { l: ['h'] }, { l: 'x' }, { l: 'y' }, { l: 'y' }],
    ['that was an object', { l: ['h'] }, { l: { a: 1 } }, { l: [1] }, { l: [1] }],
  ])('a list: %s', (_, stored, from, to, made) => {
    const shown = (document: Document): Document => {
      const { l } = document as { readonly l: JsonValue };
      return { l: Array.isArray(l) ? (l as readonly JsonValue[]).filter((item) => item !== 'h') : l };
    };
    expect(edit(stored, from, to, shown)).toStrictEqual(made);
  });

  test.each<readonly [string, Document, Document, Document, Document]>([
    ['an object that becomes a number', { w: { far: 1 } }, { w: { x: 0 } }, { w: 5 }, { w: 5 }],
    ['a number that becomes an object', { w: 5 }, { w: 5 }, { w: { x: 1 } }, { w: { x: 1 } }],
    ['a field that goes', { w: { x: 0, y: 0 } }, { w: { x: 0, y: 0 } }, { w: { x: 1 } }, { w: { x: 1 } }],
    [
      'what is hidden, at every depth',
      { w: { far: 1, in: { far: 2, x: 0 } } },
      { w: { in: { x: 0 } } },
      { w: { in: { x: 1 } } },
      { w: { far: 1, in: { far: 2, x: 1 } } },
    ],
    [
      'what was hidden and is set',
      { w: { far: 1 } },
      { w: { x: 0 } },
      { w: { far: 9, x: 0 } },
      { w: { far: 9, x: 0 } },
    ],
  ])('%s is the same if it is stored as a whole', (_, stored, from, to, made) => {
    // Whatever is stored is shown as nothing: each field that was changed is stored as a whole.
    expect(edit(stored, from, to, () => undefined)).toStrictEqual(made);
    expect(edit(stored, from, to, (document) => document)).toStrictEqual(made);
  });

  test('an object that becomes a text is that text, however it is shown', () => {
    expect(edit({ a: 1 }, { a: 1 }, 'b', () => ({ a: 1 }))).toBe('b');
  });

  test('what is made is shown as it was asked for, whatever the documents', () => {
    const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>;
    const record = fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'constructor'), json, { maxKeys: 4 });
    fc.assert(
      fc.property(record, record, (stored, to) => {
        const made = edit(stored, stored, to, (document) => document);
        return equalJson(made, to);
      }),
    );
  });
});

test('pick, over', () => {
  expect(pick({ a: 1, b: 2 }, ['a'], true)).toEqual({ a: 1 });
  expect(pick({ a: 1, b: 2 }, ['a'], false)).toEqual({ b: 2 });
  expect(pick('text', ['a'], true)).toBeUndefined();
  expect(pick('text', ['a'], false)).toBe('text');
  expect(over({ a: 1 }, { a: undefined, b: 2 })).toEqual({ b: 2 });
  expect(over({ a: 1 }, undefined)).toEqual({ a: 1 });
  expect(over('text', 5)).toBe('text');
  // What says nothing is not there.
  expect(over({ a: 1 }, { a: undefined, b: 2 })).toStrictEqual({ b: 2 });
});

test('fill: what is there stays, of whichever kind', () => {
  expect(fill({ a: 5, b: { x: 1 } }, { a: { x: 1 }, b: 5, c: 6 })).toStrictEqual({ a: 5, b: { x: 1 }, c: 6 });
  expect(fill(undefined, 5)).toBe(5);
});

describe('share', () => {
  test('what says the same stays the same object, at every depth', () => {
    const before = { a: { x: 1 }, list: [{ id: 'a' }, { id: 'b' }], n: Number.NaN };
    expect(share(before, structuredClone(before))).toBe(before);
    const next = share(before, { ...structuredClone(before), list: [{ id: 'a' }, { id: 'c' }] });
    expect(next).not.toBe(before);
    expect([next.a, next.list[0]]).toEqual([before.a, before.list[0]]);
    expect(next.a).toBe(before.a);
    expect(next.list[0]).toBe(before.list[0]);
    expect(share(before, { a: { x: 1 } })).toEqual({ a: { x: 1 } });
    expect(share([1, 2], [1])).toEqual([1]);
  });

  test('of another kind it is taken as it is', () => {
    for (const before of [undefined, null, 5, 'text', [1], { b: 1 }])
      for (const next of [undefined, null, 5, 'text', [1], { a: 1 }])
        expect(share(before, next)).toEqual(next);
    const next = { a: 1 };
    expect(share(5, next)).toBe(next);
    const bare = Object.assign(Object.create(null) as object, { a: 1 });
    expect(share(bare, { a: 1 })).toBe(bare);
  });

  test('what is of a class is taken as it is', () => {
    const [before, next] = [{ at: new Date(1) }, { at: new Date(2) }];
    expect(share(before, next).at).toBe(next.at);
    expect(share({ at: new Map([[1, 1]]) }, { at: new Map([[2, 2]]) })).toEqual({ at: new Map([[2, 2]]) });
  });
});

describe('layers', () => {
  const stored: Layers = { stored: { a: 1, b: 1 } };
  const edit2 = edited(stored, { a: 2, b: 1 });

  test('edits over what is being saved, over what is stored', () => {
    expect(shownIn(stored)).toEqual({ a: 1, b: 1 });
    expect(shownIn(edit2)).toEqual({ a: 2, b: 1 });
    const saving = begun(edit2);
    expect(saving).toEqual({
      stored: { a: 1, b: 1 },
      saving: { base: { a: 1, b: 1 }, value: { a: 2, b: 1 } },
    });
    const both = edited(saving, { a: 2, b: 5 });
    expect(both.draft).toEqual({ base: { a: 2, b: 1 }, value: { a: 2, b: 5 } });
    const { layers, clashes } = told(both, { a: 1, b: 1, c: 9 }, merge);
    expect(clashes).toEqual([]);
    expect(layers.saving?.value).toEqual({ a: 2, b: 1, c: 9 });
    expect(shownIn(layers)).toEqual({ a: 2, b: 5, c: 9 });
    expect(shownIn(failed(layers))).toEqual({ a: 2, b: 5, c: 9 });
    expect(failed(layers)).toEqual({
      stored: layers.stored,
      draft: { base: { a: 1, b: 1, c: 9 }, value: { a: 2, b: 5, c: 9 } },
    });
    const after = saved(layers, { a: 2, b: 1, c: 9 }, merge);
    expect(after.layers).toEqual({
      stored: { a: 2, b: 1, c: 9 },
      draft: { base: { a: 2, b: 1, c: 9 }, value: { a: 2, b: 5, c: 9 } },
    });
  });

  test('of edits that wait the first base counts, and over the same nothing is merged', () => {
    expect(edited(edit2, { a: 7, b: 1 }).draft).toEqual({ base: { a: 1, b: 1 }, value: { a: 7, b: 1 } });
    // Edits that were sealed are over what is not known here.
    const sealed: Layers = { stored: undefined, draft: { base: { a: 1 }, value: { a: 2 } } };
    expect(edited(sealed, { a: 3 }).draft).toEqual({ base: { a: 1 }, value: { a: 3 } });
    const never = (): never => {
      throw new Error('nothing to merge');
    };
    expect(rebased(edit2.draft!, { b: 1, a: 1 }, never)).toEqual({
      ...{ layer: { base: { a: 1, b: 1 }, value: { a: 2, b: 1 } }, clashes: [] },
    });
    expect(told(stored, { a: 5 }, merge)).toEqual({ layers: { stored: { a: 5 } }, clashes: [] });
    expect(failed(edit2)).toBe(edit2);
  });

  test('one that can never be saved is taken back, and what was edited since stays', () => {
    const both = edited(begun(edit2), { a: 2, b: 5 });
    expect(shownIn(refused(both, merge))).toEqual({ a: 1, b: 5 });
    expect(refused(begun(edit2), merge)).toEqual({ stored: { a: 1, b: 1 } });
  });

  test('the same field: the edit stays, and it is told', () => {
    const { layers, clashes } = told(edit2, { a: 3, b: 1 }, merge);
    expect(shownIn(layers)).toEqual({ a: 2, b: 1 });
    expect(clashes).toMatchObject([{ path: ['a'], base: 1, mine: 3, theirs: 2 }]);
  });
});

describe('steps', () => {
  const step = (from: Document, to: Document, isSame = false) => ({ from, to, isSame });
  const done = [
    step({ a: 1 }, { a: 2 }),
    step({ a: 2 }, { a: 2, b: 1 }),
    step({ a: 2, b: 1 }, { a: 2, b: 2 }, true),
  ];
  const steps = done.reduce((all, { isSame, ...one }) => stepped(all, one, isSame), NO_STEPS);

  test('of one burst are one; each goes back over what others have changed', () => {
    expect(steps.done).toHaveLength(2);
    const first = turned(steps, 'undo', { a: 2, b: 2, c: 7 }, merge)!;
    expect(first.document).toEqual({ a: 2, c: 7 });
    const second = turned(first.steps, 'undo', { a: 9, c: 7 }, merge)!;
    // Another device has changed it since.
    expect(second.document).toEqual({ a: 9, c: 7 });
    expect(turned(second.steps, 'undo', {}, merge)).toBeUndefined();
    expect(turned(first.steps, 'redo', first.document, merge)!.document).toEqual({ a: 2, b: 2, c: 7 });
    expect(stepped(first.steps, step(1, 2), false).undone).toEqual([]);
  });

  test('of one burst go back to what was before it', () => {
    const all = done.reduce((before, { isSame, ...one }) => stepped(before, one, isSame), NO_STEPS);
    expect(all.done).toEqual([
      { from: { a: 1 }, to: { a: 2 } },
      { from: { a: 2 }, to: { a: 2, b: 2 } },
    ]);
  });

  test('that were made again can be taken back again', () => {
    const undone = turned(steps, 'undo', { a: 2, b: 2 }, merge)!;
    const again = turned(undone.steps, 'redo', undone.document, merge)!;
    expect(again.steps).toEqual(steps);
    const twice = turned(
      turned(undone.steps, 'undo', undone.document, merge)!.steps,
      'redo',
      { a: 1 },
      merge,
    )!;
    expect(twice.document).toEqual({ a: 2 });
    expect(twice.steps.undone).toEqual(undone.steps.undone);
  });

  test('from nothing go back to nothing, without what others have set since', () => {
    const first = stepped(NO_STEPS, { from: undefined, to: { a: 1 } }, false);
    expect(turned(first, 'undo', { a: 1, b: 2 }, merge)!.document).toEqual({ b: 2 });
    expect(
      turned(stepped(NO_STEPS, { from: undefined, to: 'x' }, false), 'undo', 'x', merge)!.document,
    ).toBeUndefined();
  });

  test('are 50, and none that changes nothing', () => {
    let all = NO_STEPS;
    for (let i = 0; i < 60; i++) all = stepped(all, step(i, i + 1), false);
    expect([all.done.length, all.done[0]!.from]).toEqual([50, 10]);
    expect(stepped(stepped(NO_STEPS, step(1, 2), false), step(2, 1), true).done).toEqual([]);
  });
});
