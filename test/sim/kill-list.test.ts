/** That the kill list follows the code. `npm run mutants`, which takes ten minutes and more, says who notices. */

import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MUTANTS } from './kill-list.mjs';
import { planted } from './plant.mjs';

test('every fault can be planted, and the history that was kept for it is there', () => {
  const misfits = MUTANTS.flatMap((mutant) => {
    const { kept } = mutant;
    const isThere = kept === undefined || existsSync(new URL(`regressions/${kept}.json`, import.meta.url));
    try {
      planted(mutant);
      return isThere ? [] : [kept];
    } catch (error) {
      return [String(error)];
    }
  });
  expect(misfits).toEqual([]);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});
