/** Compiles and runs the `ts` and `js` blocks of a document. The rules stand in `blocks.ts`. */

import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CodeBlock } from './markdown.ts';
import { fillIn, inEmptyFolder, type Outcome, ROOT, run, type Surroundings } from './processes.ts';

export type Platform = 'node' | 'browser';

/** A module made of one block and those that continue it. */
export interface Script {
  /** Where it starts: `README.md:12`. */
  readonly name: string;
  readonly platform: Platform;
  readonly code: string;
}

/** Joins blocks into the modules that they make up. */
export function toScripts(file: string, blocks: readonly CodeBlock[]): Script[] {
  const scripts: Script[] = [];
  for (const block of blocks) {
    const name = `${file}:${block.line}`;
    const stranger = block.flags.find((flag) => flag !== 'browser');
    if (stranger !== undefined) throw new Error(`Cannot run ${name}: unknown flag "${stranger}"`);
    const platform = block.flags.includes('browser') ? 'browser' : 'node';
    if (/^import\b/m.test(block.code)) {
      scripts.push({ name, platform, code: block.code });
      continue;
    }
    const previous = scripts.pop();
    if (previous === undefined)
      throw new Error(`Cannot run ${name}: it imports nothing and continues nothing`);
    scripts.push({ ...previous, code: `${previous.code}\n${block.code}` });
  }
  return scripts;
}

export interface CompiledScripts {
  /** What tsc said, `''` when it was content. */
  readonly errors: string;
  /** The JavaScript of each script, in order. Empty when there are errors. */
  readonly javascript: readonly string[];
}

/** Compiles scripts of one platform in one go. */
export async function compile(platform: Platform, scripts: readonly Script[]): Promise<CompiledScripts> {
  if (scripts.length === 0) return { errors: '', javascript: [] };
  return await inConsumerFolder(async (folder) => {
    const names = scripts.map(({ name }, index) => `${index}-${name.replaceAll(/[^\w.-]+/g, '_')}`);
    for (const [index, { code }] of scripts.entries()) {
      // `export {}`: also a block that imports nothing but types may await at its top level.
      await writeFile(join(folder, `${names[index]}.ts`), `${code}\nexport {};\n`);
    }
    const compilerOptions = {
      target: 'ES2023',
      lib: ['ES2023', 'DOM', 'DOM.Iterable'],
      types: ['node'],
      module: 'NodeNext',
      moduleResolution: 'NodeNext',
      strict: true,
      skipLibCheck: true,
      noEmitOnError: true,
      outDir: 'out',
      rootDir: '.',
      ...(platform === 'browser' ? { customConditions: ['browser'] } : {}),
    };
    const files = names.map((name) => `${name}.ts`);
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const result = await run(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
      cwd: folder,
      timeoutMs: 60_000,
    });
    if (result.exit !== 0) return { errors: result.output, javascript: [] };
    const outputs = names.map((name) => readFile(join(folder, 'out', `${name}.js`), 'utf8'));
    return { errors: '', javascript: await Promise.all(outputs) };
  });
}

/** Runs compiled code in Node: the module in a consumer's folder, its working folder a new, empty one. */
export async function execute(
  platform: Platform,
  javascript: string,
  surroundings: Surroundings,
): Promise<Outcome> {
  return await inConsumerFolder(async (folder) => {
    await writeFile(join(folder, 'main.js'), await fillIn(javascript, surroundings.relayFor));
    const args = [join(folder, 'main.js')];
    if (platform === 'browser') {
      await writeFile(join(folder, 'page.js'), PAGE);
      args.unshift('--conditions=browser', '--import', join(folder, 'page.js'));
    }
    return await inEmptyFolder((cwd) => {
      const env = { ...surroundings.env, HOME: cwd };
      return run(process.execPath, args, { env, timeoutMs: surroundings.timeoutMs, cwd });
    });
  });
}

/** What a page offers and Node does not. `ws` by its file: under the condition `browser` its name is a stub. */
const PAGE = `
import 'fake-indexeddb/auto';
import { WebSocket } from '${pathToFileURL(join(ROOT, 'node_modules/ws/wrapper.mjs')).href}';
import { secretKeySigner } from 'nostr-sync';
Object.assign(globalThis, { WebSocket, window: globalThis });
globalThis.nostr = secretKeySigner(crypto.getRandomValues(new Uint8Array(32)));
`;

let folders = 0;

/** A folder from which `nostr-sync` resolves to this package as to an installed one. */
async function inConsumerFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  folders += 1;
  const folder = join(ROOT, 'node_modules/.cache/nostr-sync-docs', `${process.pid}-${folders}`);
  try {
    await mkdir(join(folder, 'node_modules'), { recursive: true });
    await symlink(ROOT, join(folder, 'node_modules/nostr-sync'), 'junction');
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }));
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
