/** The documentation does what it says: every code block of README.md and every `ts` block of docs/ is run. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRelay } from 'nostr-sync/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exampleTexts, kindOf, standsIn } from './support/docs/blocks.ts';
import { type CodeBlock, extractBlocks } from './support/docs/markdown.ts';
import { ROOT, type Surroundings } from './support/docs/processes.ts';
import { compile, type CompiledScripts, execute, type Platform, toScripts } from './support/docs/scripts.ts';
import { packageFacts, runShell } from './support/docs/shell.ts';

const PLATFORMS: readonly Platform[] = ['node', 'browser'];

const relays = new Map<string, ReturnType<typeof startRelay>>();

/** One embedded relay per document and documented URL. */
function surroundingsOf(file: string): Surroundings {
  return {
    relayFor: async (documented) => {
      const key = `${file} ${documented}`;
      const relay = relays.get(key) ?? startRelay();
      relays.set(key, relay);
      return (await relay).url;
    },
  };
}

afterAll(async () => {
  for (const relay of relays.values()) await (await relay).close();
});

const docs = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
const documents = ['README.md', ...docs.map((name) => `docs/${name}`)].map((file) => {
  const blocks = extractBlocks(readFileSync(join(ROOT, file), 'utf8'));
  return { file, blocks: file === 'README.md' ? blocks : blocks.filter(({ language }) => language === 'ts') };
});
const ofKind = (blocks: readonly CodeBlock[], kind: ReturnType<typeof kindOf>): CodeBlock[] =>
  blocks.filter((block) => kindOf(block) === kind);

/** The objects that stand in a comment behind the `console.log` of them. */
const saidToPrint = (code: string): string[] =>
  [...code.matchAll(/console\.log\(.*\); \/\/ (\{ .* \})/g)].map(([, said]) => said!);

it('README.md has code to run', () => {
  const readme = documents.find(({ file }) => file === 'README.md');
  expect(ofKind(readme?.blocks ?? [], 'script').length).toBeGreaterThan(0);
});

it('README.md shows how what two devices change apart comes together (remotestorage.js#826)', () => {
  const scripts = toScripts('README.md', ofKind(documents[0]!.blocks, 'script'));
  const example = scripts.find(({ code }) => /const \[laptop, phone\] = .*merged/s.test(code));
  const both = "{ theme: 'dark', fontSize: 14 }";
  // It is run below.
  expect(saidToPrint(example?.code ?? '')).toEqual([both, both]);
  // The second of all examples.
  const code = documents[0]!.blocks.filter(({ language }) => language.startsWith('ts'));
  expect(code.findIndex((block) => block.code.includes('const [laptop, phone] ='))).toBe(1);
});

describe.each(PLATFORMS)('scripts for %s', (platform) => {
  const scripts = documents.flatMap(({ file, blocks }) =>
    toScripts(file, ofKind(blocks, 'script'))
      .filter((script) => script.platform === platform)
      .map((script) => ({ ...script, file })),
  );
  let compiled: CompiledScripts;
  beforeAll(async () => {
    compiled = await compile(platform, scripts);
  }, 60_000);

  it('compile', () => {
    expect(compiled.errors).toBe('');
  });

  for (const [index, script] of scripts.entries()) {
    it(`${script.name} runs, ends, and prints what it says`, async () => {
      const javascript = compiled.javascript[index];
      if (javascript === undefined) expect.fail(compiled.errors);
      const { exit, output } = await execute(platform, javascript, surroundingsOf(script.file));
      expect(exit, output).toBe(0);
      const lines = output.split('\n');
      for (const said of saidToPrint(script.code)) expect(lines).toContain(said);
    });
  }
});

for (const { file, blocks } of documents) {
  for (const block of ofKind(blocks, 'shell')) {
    it(`${file}:${block.line} names commands that work`, { timeout: 60_000 }, async () => {
      await expect(runShell(block.code, await packageFacts(), surroundingsOf(file))).resolves.toBeUndefined();
    });
  }
  for (const block of ofKind(blocks, 'json')) {
    it(`${file}:${block.line} is JSON`, () => {
      expect(() => JSON.parse(block.code) as unknown).not.toThrow();
    });
  }
  for (const block of ofKind(blocks, 'excerpt')) {
    it(`${file}:${block.line} stands in an example that is compiled`, async () => {
      const texts = await exampleTexts();
      expect(texts.some((text) => standsIn(block.code, text))).toBe(true);
    });
  }
}
