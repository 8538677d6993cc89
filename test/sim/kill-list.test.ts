/** That the kill list follows the code. `npm run mutants`, which takes ten minutes and more, says who notices. */

import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MUTANTS } from './kill-list.mjs';
import { planted } from './plant.mjs';

test('every fault can be planted, and the history or the tests that notice it are there', () => {
  const misfits = MUTANTS.flatMap((mutant) => {
    const { kept, tests = [] } = mutant;
    const files = [...(kept === undefined ? [] : [`test/sim/regressions/${kept}.json`]), ...tests];
    const lacking = files.filter((file) => !existsSync(new URL(`../../${file}`, import.meta.url)));
    try {
      planted(mutant);
      return lacking;
    } catch (error) {
      return [String(error)];
    }
  });
  expect(misfits).toEqual([]);
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});
