/** That the kill list follows the code. `npm run mutants`, which takes ten minutes and more, says who notices. */

import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MUTANTS } from './kill-list.mjs';
import { planted } from './plant.mjs';

test('every fault can be planted, and is looked for where there is something', () => {
  const misfits = MUTANTS.flatMap((mutant) => {
    const { test: named, kept } = mutant;
    const files = [
      ...(named === undefined ? [] : [`../../${named[0]}`]),
      ...(kept === undefined ? [] : [`regressions/${kept}.json`]),
    ].filter((file) => !existsSync(new URL(file, import.meta.url)));
    try {
      planted(mutant);
      return files;
    } catch (error) {
      return [...files, String(error)];
    }
  });
  expect(misfits).toEqual([]);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});
