/**
 * How the code blocks of the documentation are tested: each as a reader would use it.
 *
 * - A `ts` or `js` block that imports something is a module; one that imports nothing continues the block before it,
 *   and both run as one. A module must end by itself: whatever it opened, it closes.
 * - Modules are compiled by tsc against this package's exports, then run by Node in an empty folder. With the flag
 *   `browser` (in the fence: ts browser) both use the package's `browser` condition, with IndexedDB, WebSocket and a
 *   NIP-07 signer in place.
 * - Every `wss://….example.com` (or `.net`, `.org`) becomes an embedded relay of its own; one URL is one relay within
 *   a document. Any other relay is an error: documentation does not write to the world. `nsec1...` becomes a fresh key.
 * - `sh`: a line of `npm` names a script that exists or installs what package.json knows; a line of `nostr-sync` or
 *   `npx nostr-sync` runs the built command; `export NAME=value` holds for the lines after it. A line whose comment
 *   mentions Ctrl-C runs until its first output, and must then end on SIGINT.
 * - `json` parses. What other tools compile (`rust`, `toml`, `svelte`, …) must stand, as it is, in a file of
 *   `examples/`, `crates/` or `tauri-plugin/`. `text` is prose. Any other language is an error, and no block can be exempted.
 */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CodeBlock } from './markdown.ts';
import { ROOT } from './processes.ts';

export type BlockKind = 'script' | 'shell' | 'json' | 'excerpt' | 'prose';

const KINDS: ReadonlyMap<string, BlockKind> = new Map([
  ...['ts', 'typescript', 'js', 'javascript'].map((language) => [language, 'script'] as const),
  ...['sh', 'bash', 'shell', 'console'].map((language) => [language, 'shell'] as const),
  ['json', 'json'],
  ...['rust', 'toml', 'svelte', 'vue', 'tsx', 'jsx', 'html'].map(
    (language) => [language, 'excerpt'] as const,
  ),
  ['', 'prose'],
  ['text', 'prose'],
]);

export function kindOf(block: CodeBlock): BlockKind {
  const kind = KINDS.get(block.language);
  if (kind === undefined) {
    throw new Error(`Cannot test the block of line ${block.line}: nothing here runs "${block.language}"`);
  }
  return kind;
}

/** The files in which excerpts may stand. */
export async function exampleTexts(): Promise<string[]> {
  const texts: string[] = [];
  for (const folder of ['examples', 'crates', 'tauri-plugin']) {
    const options = { recursive: true, withFileTypes: true } as const;
    for (const entry of await readdir(join(ROOT, folder), options).catch(() => [])) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || /[\\/](?:node_modules|target|dist|gen)[\\/]/.test(path)) continue;
      if (/\.(?:rs|toml|svelte|vue|tsx|jsx|html|json|ts)$/.test(path))
        texts.push(await readFile(path, 'utf8'));
    }
  }
  return texts;
}

/** Whether `code` stands in `text`, whatever the indentation and empty lines. */
export function standsIn(code: string, text: string): boolean {
  return flatten(text).includes(flatten(code));
}

function flatten(source: string): string {
  return source
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n');
}
