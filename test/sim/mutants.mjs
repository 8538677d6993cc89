/**
 * `npm run mutants`: plants each fault of `kill-list.diff` into a copy of the engine's source, one at a time, and looks if the
 * simulator notices: by the history that was kept for it, or within so many seeds; or, if the list names unit tests for it, whether
 * these do. Prints a table. One that survives is a hole in the proof. Faults of pure files are planted by the lane `mutation`, for
 * their unit tests to notice.
 *
 *     --only TEXT    those whose name contains it
 *     --seeds N      the simulator's budget (5000), on `--workers W` threads
 *     --blind        leaves out the kept histories
 *     --keep FILE    keeps the history, shrunk, by which the simulator caught it
 */

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle, FLAGS } from './bundle.mjs';
import { MUTANTS } from './kill-list.mjs';
import { planted } from './plant.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '5000' },
    workers: { type: 'string', default: String(availableParallelism()) },
    blind: { type: 'boolean', default: false },
    keep: { type: 'string' },
  },
});
/** Of one run of the simulator. */
const LIMIT_MS = 900_000;

// Looking who notices

function run(command, args, cwd, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', ...env },
    });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-100_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 'out of time', output });
    });
  });
}

async function bundleOf(sources, folder) {
  const outfile = join(folder, 'main.mjs');
  await bundle(outfile, {
    logLevel: 'error',
    plugins: [
      {
        name: 'mutant',
        setup: ({ onLoad }) =>
          onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) =>
            sources.has(path) ? { contents: sources.get(path), loader: 'ts' } : undefined,
          ),
      },
    ],
  });
  return outfile;
}

/** The failing histories in what the simulator printed, the first seed first. */
function failuresIn(output) {
  return [...output.matchAll(/^seed (\d+).*\n {2}(\S+) at \d+ ms: (.*)$/gm)]
    .map(([, seed, invariant, message]) => ({ seed: Number(seed), invariant, message }))
    .toSorted((a, b) => a.seed - b.seed);
}

const simulate = (bundled, ...args) => run(process.execPath, [...FLAGS, bundled, ...args], root);

/** As `caught`, by unit tests. */
async function caughtByTests({ name, tests }, sources, folder) {
  const file = join(folder, 'planted.json');
  await writeFile(file, JSON.stringify([...sources]));
  const vitest = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--config',
    'test/sim/planted.config.ts',
    ...tests,
  ];
  const { code, output } = await run(process.execPath, vitest, root, { PLANTED: file });
  const message = /^ FAIL +(.*)$/m.exec(output)?.[1];
  if (code === 0) return undefined;
  // Nor is a run that breaks off a fault that was noticed.
  if (message === undefined) throw new Error(`${name}: vitest ended (${code})\n${output.slice(-2_000)}`);
  return { by: 'unit tests', after: tests.join(', '), message };
}

/** `{ by, after, message }`, or `undefined` where nobody notices. */
async function caught(mutant, sources, folder) {
  const { name, kept, tests } = mutant;
  if (tests !== undefined) return caughtByTests(mutant, sources, folder);
  const bundled = await bundleOf(sources, folder);
  if (kept !== undefined && !values.blind) {
    const file = `test/sim/regressions/${kept}.json`;
    const { code, output } = await simulate(bundled, '--replay', file);
    const [failure] = failuresIn(output);
    if (code !== 0 && failure !== undefined)
      return { by: failure.invariant, after: `the history ${kept}`, message: failure.message };
  }
  const budget = ['--seeds', values.seeds, '--workers', values.workers];
  const { code, output } = await simulate(bundled, '--first', ...budget);
  const [first] = failuresIn(output);
  if (first === undefined) {
    // Neither is a run that breaks off, nor one that is blind to something, a fault that was noticed.
    if (!/^\d+ histories with violations$/m.test(output))
      throw new Error(`${name}: the simulator ended (${code}) without a word\n${output.slice(-2_000)}`);
    return undefined;
  }
  if (values.keep !== undefined) await simulate(bundled, '--seed', String(first.seed), '--keep', values.keep);
  return { by: first.invariant, after: `${first.seed} seeds`, message: first.message };
}

async function inFolder(work) {
  // Inside the project, so that its packages are found.
  const folder = await mkdtemp(join(root, 'node_modules/.mutant-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const chosen = MUTANTS.filter(({ name }) => name.includes(values.only));
if (chosen.length === 0) throw new Error('no mutant has this in its name');
// All of them first: an hour into the run is no time to learn that the code has moved on.
const misfits = chosen.flatMap((mutant) => {
  try {
    planted(mutant);
    return [];
  } catch (error) {
    return [error.message];
  }
});
if (misfits.length > 0) throw new Error(`patches that do not fit:\n${misfits.join('\n')}`);
let survivors = 0;
process.stdout.write('| fault | noticed by | after | time |\n|---|---|---|---|\n');
for (const mutant of chosen) {
  const startedAt = performance.now();
  const found = await inFolder((folder) => caught(mutant, planted(mutant), folder));
  if (found === undefined) survivors++;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  // Apart from the table.
  if (found?.message !== undefined) process.stderr.write(`  ${found.message}\n`);
  const { by, after } = found ?? {
    by: '**SURVIVES**',
    after: mutant.tests?.join(', ') ?? `${values.seeds} seeds`,
  };
  process.stdout.write(`| ${mutant.name} | ${by} | ${after} | ${seconds} s |\n`);
}
process.stdout.write(`${chosen.length - survivors} passed, ${survivors} failed\n`);
process.exitCode = survivors === 0 ? 0 : 1;
