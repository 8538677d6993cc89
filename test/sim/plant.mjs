/** Plants the faults of `kill-list.diff` into the engine's source. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../../src', import.meta.url));

/** `text` as part of a regular expression. */
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

/** The text however it is laid out: a formatter may break it after and before any bracket. */
function anywhere(text) {
  const laidOut = escaped(text.trim())
    .replace(/\s+/g, ' ')
    .replace(/\\\( ?/g, String.raw`\(\s*`);
  return new RegExp(laidOut.replace(/ ?\\\)/g, String.raw`,?\s*\)`).replaceAll(' ', String.raw`\s+`), 'g');
}

const parts = await readdir(source, { recursive: true });
const original = new Map(
  await Promise.all(
    parts
      .filter((part) => part.endsWith('.ts'))
      .map(async (part) => [join(source, part), await readFile(join(source, part), 'utf8')]),
  ),
);

/** The files that a mutant changes, as they are then. Throws where a patch does not fit: the list must follow the code. */
export function planted({ name, patches }) {
  const sources = new Map();
  for (const [where, from, to] of patches) {
    const found = [...original].flatMap(([path, text]) =>
      path.startsWith(join(source, where))
        ? [...(sources.get(path) ?? text).matchAll(anywhere(from))].map((match) => ({ path, match }))
        : [],
    );
    if (found.length !== 1)
      throw new Error(`${name}: stands ${found.length} times in src/${where}, instead of once:\n${from}`);
    const [{ path, match }] = found;
    const text = sources.get(path) ?? original.get(path);
    sources.set(path, text.slice(0, match.index) + to + text.slice(match.index + match[0].length));
  }
  return sources;
}
