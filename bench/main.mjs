/**
 * `npm run bench -- [--report] [NAME...]`: every benchmark but those of Rust, or those named, each in a process of its own. Prints one table, keeps the
 * whole run in `bench/results.json`, and fails when a target is missed. Only ratios mean anything: both sides of each are
 * measured in turn, in one run, on one machine.
 */

import { execFileSync, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { isMet } from './support/harness.mjs';

const BENCHMARKS = [
  'sync-all',
  'traffic',
  'throughput',
  'push',
  'junk',
  'large-payload',
  'pieces',
  'growth',
  'costs',
  'merge',
  'history',
  'state',
  'apps',
];
/** These take minutes: only by name. */
const BY_NAME = ['scale', 'rust', 'rust-apps'];

/** What a run is of, and on what. */
function printMachine() {
  const [{ model }] = cpus();
  const git = (...args) => execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim();
  const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ', with changes';
  console.log(
    `commit ${git('rev-parse', '--short', 'HEAD')}${changed}; Node ${process.version}; ${availableParallelism()} x ${model}; load ${loadavg()[0].toFixed(1)}`,
  );
}

/** In the child: runs one benchmark and hands the rows to the parent. */
async function runHere(name) {
  const { run } = await import(`./${name}.mjs`);
  const rows = await run();
  // What a benchmark leaves open (workers, timers) ends with its process.
  process.send(rows, () => process.exit(0));
}

function runApart(name) {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, ['--child', name], { execArgv: ['--expose-gc'] });
    let rows;
    child.on('message', (message) => {
      rows = message;
    });
    child.on('exit', (code) =>
      rows === undefined ? reject(new Error(`${name} failed with code ${code}`)) : resolve(rows),
    );
  });
}

function targetOf({ target }) {
  if (target === undefined) return '';
  return 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`;
}

function print(rows) {
  const table = rows.map((row) => [
    row.name,
    row.what,
    row.ratio.toFixed(2),
    targetOf(row),
    row.target === undefined ? '' : isMet(row) ? 'pass' : 'FAIL',
    row.raw,
  ]);
  table.unshift(['name', 'what', 'ratio', 'target', '', 'medians']);
  const widths = table[0].map((_, column) => Math.max(...table.map((cells) => cells[column].length)));
  for (const cells of table)
    console.log(
      cells
        .map((cell, i) => (i === 2 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
        .join('  ')
        .trimEnd(),
    );
}

async function main(args) {
  // On a machine with other work, as in CI, a missed target is shown, but no fault of the code's.
  const isReport = args.includes('--report');
  const names = args.filter((arg) => arg !== '--report');
  const known = [...BENCHMARKS, ...BY_NAME];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`Unknown benchmark ${unknown.join(', ')}: expected ${known.join(', ')}`);
    return 2;
  }
  const rows = [];
  let broken = 0;
  for (const name of names.length > 0 ? names : BENCHMARKS) {
    console.error(`${name} …`);
    try {
      rows.push(...(await runApart(name)));
    } catch (error) {
      broken++;
      console.error(error.message);
    }
  }
  printMachine();
  print(rows);
  // A part of a run does not replace a whole one.
  if (names.length === 0 && broken === 0) {
    const results = rows.map((row) => ({
      ...row,
      ratio: Number(row.ratio.toPrecision(3)),
      ...(row.target && { met: isMet(row) }),
    }));
    const content = { node: process.version, cpus: availableParallelism(), results };
    writeFileSync(join(import.meta.dirname, 'results.json'), `${JSON.stringify(content, null, 2)}\n`);
  }
  const missed = rows.filter((row) => !isMet(row));
  if (missed.length > 0) console.error(`Missed: ${missed.map((row) => row.name).join('; ')}`);
  return broken > 0 || (missed.length > 0 && !isReport) ? 1 : 0;
}

if (process.argv[2] === '--child') await runHere(process.argv[3]);
else process.exitCode = await main(process.argv.slice(2));
