/**
 * `npm run mutants`: plants each fault of `kill-list.mjs` into a copy of the engine's source, one at a time, and looks who
 * notices: the named test, the history that was kept for it, or the simulator, within so many seeds. Prints a table. One
 * that survives is a hole in the proof.
 *
 *     --only TEXT    those whose name contains it
 *     --seeds N      the simulator's budget (5000), on `--workers W` threads
 *     --blind        asks the simulator alone: no named test, no kept history
 *     --keep FILE    keeps the history, shrunk, by which the simulator caught it
 *     --check        only looks whether each patch fits the source, and each named test is there and passes
 */

import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle, FLAGS } from './bundle.mjs';
import { MUTANTS } from './kill-list.mjs';
import { escaped, planted } from './plant.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '5000' },
    workers: { type: 'string', default: String(availableParallelism()) },
    blind: { type: 'boolean', default: false },
    keep: { type: 'string' },
    check: { type: 'boolean', default: false },
  },
});
/** Of one run of the simulator or of tests. */
const LIMIT_MS = 900_000;

// Looking who notices

function run(command, args, cwd) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
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

/** The named tests that fail. Throws where none of that name ran, or not to its end: such a run notices nothing. */
async function failingTests(sources, tests, folder) {
  for (const part of ['src', 'test', 'package.json', 'vitest.config.ts', 'tsconfig.json'])
    await cp(join(root, part), join(folder, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await mkdir(join(folder, 'dist'));
  for (const [path, text] of sources) await writeFile(path.replace(root, `${folder}/`), text);
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const files = [...new Set(tests.map(([file]) => file))];
  const names = tests.map(([, name]) => escaped(name)).join('|');
  const report = join(folder, 'report.json');
  const { code, output } = await run(
    process.execPath,
    [vitest, 'run', '--project', 'unit', ...files, '-t', names, '--reporter=json', `--outputFile=${report}`],
    folder,
  );
  if (code === 'out of time')
    throw new Error(`${files.join(', ')}: no end within ${LIMIT_MS / 1000} s\n${output.slice(-2_000)}`);
  const { testResults } = JSON.parse(await readFile(report, 'utf8'));
  const ran = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'passed' || status === 'failed');
  for (const [file, name] of tests)
    if (!ran.some(({ fullName }) => fullName.includes(name)))
      throw new Error(`${file}: no test ${JSON.stringify(name)} ran\n${output}`);
  return ran.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
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

/** `{ by, after, message }`, or `undefined` where nobody notices. */
async function caught({ name, test, kept }, sources, folder) {
  if (test !== undefined && !values.blind) {
    const [failing] = await failingTests(sources, [test], folder);
    return failing === undefined ? undefined : { by: test.join(': '), after: 'a named test' };
  }
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
const tests = chosen.flatMap(({ test }) => (test === undefined || values.blind ? [] : [test]));
// A test that fails without the fault proves nothing about it.
const broken = tests.length === 0 ? [] : await inFolder((folder) => failingTests(new Map(), tests, folder));
if (broken.length > 0) throw new Error(`fail on the untouched source: ${broken.join('; ')}`);

let survivors = 0;
if (!values.check) process.stdout.write('| fault | noticed by | after | time |\n|---|---|---|---|\n');
for (const mutant of values.check ? [] : chosen) {
  const startedAt = performance.now();
  const found = await inFolder((folder) => caught(mutant, planted(mutant), folder));
  if (found === undefined) survivors++;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  const budget = mutant.test === undefined || values.blind ? `${values.seeds} seeds` : mutant.test.join(': ');
  // Apart from the table.
  if (found?.message !== undefined) process.stderr.write(`  ${found.message}\n`);
  const { by, after } = found ?? { by: '**SURVIVES**', after: budget };
  process.stdout.write(`| ${mutant.name} | ${by} | ${after} | ${seconds} s |\n`);
}
process.stdout.write(`${chosen.length - survivors} passed, ${survivors} failed\n`);
process.exitCode = survivors === 0 ? 0 : 1;
