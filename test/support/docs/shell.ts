/** Checks and runs the `sh` blocks of a document. The rules stand in `blocks.ts`. */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fillIn, inEmptyFolder, ROOT, run, type Surroundings } from './processes.ts';

export interface PackageFacts {
  readonly scripts: ReadonlySet<string>;
  /** What the documentation may tell a reader to install. */
  readonly installable: ReadonlySet<string>;
}

export async function packageFacts(): Promise<PackageFacts> {
  const text = await readFile(join(ROOT, 'package.json'), 'utf8');
  const manifest = JSON.parse(text) as Record<string, object | undefined>;
  const keysOf = (field: string): string[] => Object.keys(manifest[field] ?? {});
  return {
    scripts: new Set(keysOf('scripts')),
    installable: new Set([
      'nostr-sync',
      ...keysOf('dependencies'),
      ...keysOf('devDependencies'),
      ...keysOf('peerDependencies'),
    ]),
  };
}

/**
 * The commands of a block: without prompts, empty lines and whole-line comments, continued lines
 * joined, and `npm … && npm …` apart.
 */
export function shellLines(code: string): string[] {
  return code
    .replaceAll(/\\\n\s*/g, ' ')
    .split(/\n| && (?=npm\s)/)
    .map((line) => line.trim().replace(/^\$ /, ''))
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** Why a line of `npm` is wrong, or `undefined`. */
export function npmProblem(line: string, facts: PackageFacts): string | undefined {
  const words = line
    .replace(/\s#.*$/, '')
    .trim()
    .split(/\s+/);
  const [command = '', ...rest] = words.slice(1).filter((word) => !word.startsWith('-'));
  if (command === 'ci' && rest.length === 0) return undefined;
  if (['install', 'i', 'add'].includes(command)) {
    const stranger = rest.find((name) => !facts.installable.has(name.replace(/(?<=.)@[^/]*$/, '')));
    return stranger === undefined ? undefined : `Cannot install "${stranger}": package.json does not know it`;
  }
  const script = command === 'run' ? rest[0] : ['test', 'start'].includes(command) ? command : undefined;
  if (script === undefined) return `Cannot check "${line}": unknown npm command`;
  return facts.scripts.has(script) ? undefined : `Cannot run "${line}": package.json has no such script`;
}

const EXPORT = /^export (\w+)=(["']?)(.*?)\2(?:\s+#.*)?$/;
/** Optional environment, optionally something piped in, then the command. */
const OURS = /^(?:\w+=\S+ +)*(?:(?:echo|printf|cat) [^|]*\| *)?(?:npx )?nostr-sync(?:\s|$)/;

/** Checks and runs every line of a block in one folder; throws at the first line that is wrong. */
export async function runShell(code: string, facts: PackageFacts, surroundings: Surroundings): Promise<void> {
  await inEmptyFolder(async (folder) => {
    const bin = await commandFolder(folder);
    const cwd = join(folder, 'work');
    await mkdir(cwd);
    let env: Record<string, string> = {
      ...surroundings.env,
      HOME: cwd,
      PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`,
    };
    for (const line of shellLines(await fillIn(code, surroundings.relayFor))) {
      const assignment = EXPORT.exec(line);
      if (assignment !== null) {
        env = { ...env, [String(assignment[1])]: String(assignment[3]) };
      } else if (/^npm\s/.test(line)) {
        const problem = npmProblem(line, facts);
        if (problem !== undefined) throw new Error(problem);
      } else if (OURS.test(line)) {
        const interruptAfterOutput = /#.*ctrl-c/i.test(line);
        const command = `set -euo pipefail; ${line.replaceAll(/\bnpx nostr-sync\b/g, 'nostr-sync')}`;
        const { timeoutMs } = surroundings;
        const result = await run('bash', ['-c', command], { cwd, env, timeoutMs, interruptAfterOutput });
        const interrupted = result.exit === 130 || result.exit === 'SIGINT';
        if (result.exit !== 0 && !(interruptAfterOutput && interrupted)) {
          throw new Error(`Cannot run "${line}": exit ${result.exit}\n${result.output}`);
        }
      } else {
        throw new Error(`Cannot check "${line}": only npm, nostr-sync and export are known`);
      }
    }
  });
}

/** A folder for PATH in which `nostr-sync` is the built command. */
async function commandFolder(parent: string): Promise<string> {
  const bin = join(parent, 'bin');
  await mkdir(bin);
  const main = join(ROOT, 'dist/cli/main.js');
  const text = `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`;
  await writeFile(join(bin, 'nostr-sync'), text, { mode: 0o755 });
  return bin;
}
