/**
 * The kill list, read from `kill-list.diff`: faults that someone could well put into the engine, and that the simulator must notice, or the
 * unit tests that it names. Of each `# name`:
 *
 *     @ where      a file or a folder of `src`; left out, it is `sync`
 *     - old text   stands exactly once there, whatever its white space,
 *     + new text   and this is put in its place; `@`, `-` and `+` may come again
 *     kept: file   a history in `regressions` that is tried before the simulator draws new ones
 *     tests: files unit tests of which one must fail, in the simulator's place
 */

import { readFile } from 'node:fs/promises';

const text = await readFile(new URL('kill-list.diff', import.meta.url), 'utf8');

function read(lines) {
  const mutant = { name: lines[0].slice(2), patches: [] };
  let where = 'sync';
  for (const line of lines.slice(1)) {
    const rest = line.slice(2);
    if (line.startsWith('@ ')) where = rest;
    else if (line.startsWith('- ')) mutant.patches.push([where, rest]);
    else if (line.startsWith('+ ') || line === '+') mutant.patches.at(-1)?.push(rest);
    else if (line.startsWith('kept: ')) mutant.kept = line.slice('kept: '.length);
    else if (line.startsWith('tests: ')) mutant.tests = line.slice('tests: '.length).split(' ');
    else throw new Error(`${mutant.name}: cannot read ${JSON.stringify(line)}`);
  }
  if (mutant.patches.length === 0 || mutant.patches.some((patch) => patch.length !== 3))
    throw new Error(`${mutant.name}: a patch is "- old" and "+ new"`);
  return mutant;
}

export const MUTANTS = text
  .split('\n\n')
  .map((block) => block.trim().split('\n'))
  .filter(([first]) => first.startsWith('# '))
  .map(read);
