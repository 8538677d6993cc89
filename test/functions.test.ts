/** A function of the source that is longer than 120 lines says why it is one: "One closure: …" in the comment above it. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');
const MAX_LINES = 120;

interface LongFunction {
  readonly name: string;
  readonly lines: number;
  readonly hasReason: boolean;
}

/** All functions that are longer than allowed, those within others as well. */
function longFunctionsOf(file: string, text: string): LongFunction[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const lineAt = (position: number): number => source.getLineAndCharacterOfPosition(position).line;
  const found: LongFunction[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const lines = lineAt(node.end) - lineAt(node.getStart()) + 1;
      const above = text.slice(node.getFullStart(), node.getStart());
      const [comment = ''] = above.match(/\/\*\*(?:(?!\*\/).)*\*\/\s*$/s) ?? [];
      const hasReason = /\bOne closure: \S/.test(comment);
      const name = node.name === undefined ? 'a function' : node.name.getText();
      if (lines > MAX_LINES) found.push({ name: `${file}: ${name}`, lines, hasReason });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const long = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => longFunctionsOf(`src/${file}`, readFileSync(join(ROOT, 'src', file), 'utf8')));

test('a function of more than 120 lines says in its comment why it is one', () => {
  expect(long.filter(({ hasReason }) => !hasReason)).toEqual([]);
});

test('a reason is asked of long functions alone', () => {
  const body = '  void 0;\n'.repeat(MAX_LINES - 2);
  const shortest = `function f() {\n${body}}\n`;
  const longer = `function f() {\n${body}  void 0;\n}\n`;
  const said = (text: string): readonly boolean[] =>
    longFunctionsOf('f.ts', text).map(({ hasReason }) => hasReason);
  expect(said(shortest)).toEqual([]);
  expect(said(longer)).toEqual([false]);
  expect(said(`/** One closure: it is short. */\n${longer}`)).toEqual([true]);
  expect(said(`/** One closure: of another. */\nconst a = 1;\n${longer}`)).toEqual([false]);
  expect(said(`const f = ${longer.replace('function f() {', '() => {')}`)).toEqual([false]);
});
