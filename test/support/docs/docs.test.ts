/** The test of the documentation's tests: what they accept, and that each kind of mistake is caught. */

import { describe, expect, it } from 'vitest';
import { kindOf, standsIn } from './blocks.ts';
import { extractBlocks } from './markdown.ts';
import { fillIn, run } from './processes.ts';
import { compile, execute, toScripts } from './scripts.ts';
import { npmProblem, runShell, shellLines } from './shell.ts';

const FENCE = '```';
const block = (info: string, ...lines: string[]): string => [FENCE + info, ...lines, FENCE, ''].join('\n');
const parse = (...markdown: string[]) => extractBlocks(markdown.join('\n'));
const surroundings = { relayFor: () => Promise.resolve('ws://127.0.0.1:7777'), timeoutMs: 10_000 };
const facts = { scripts: new Set(['test', 'verify']), installable: new Set(['nostr-sync', '@scope/known']) };

describe('extractBlocks', () => {
  it('finds blocks with language, flags and line', () => {
    const blocks = parse(
      '# Title',
      '',
      block('ts browser', 'const a = 1;', '', 'a;'),
      'text',
      block('', 'prose'),
    );
    expect(blocks).toEqual([
      { language: 'ts', flags: ['browser'], code: 'const a = 1;\n\na;\n', line: 3 },
      { language: '', flags: [], code: 'prose\n', line: 10 },
    ]);
  });

  it('takes the indentation of a block in a list away', () => {
    expect(parse('- item', `  ${FENCE}sh`, '  npm test', '    # deeper', `  ${FENCE}`)[0]?.code).toBe(
      'npm test\n  # deeper\n',
    );
  });

  it('keeps a shorter fence inside a longer one', () => {
    expect(parse('````text', FENCE, 'x', FENCE, '````')[0]?.code).toBe(`${FENCE}\nx\n${FENCE}\n`);
  });

  it('refuses an open fence', () => {
    expect(() => parse(FENCE, 'x')).toThrow('never ends');
  });

  it('refuses to exempt a block', () => {
    expect(() => parse('<!-- test: skip slow -->', block('ts', 'x'))).toThrow('every block runs');
  });
});

describe('kinds', () => {
  it.each([
    ['ts', 'script'],
    ['sh', 'shell'],
    ['json', 'json'],
    ['rust', 'excerpt'],
    ['text', 'prose'],
  ])('%s is %s', (language, kind) => {
    expect(kindOf({ language, flags: [], code: '', line: 1 })).toBe(kind);
  });

  it('refuses a language that nothing runs', () => {
    expect(() => kindOf({ language: 'cobol', flags: [], code: '', line: 7 })).toThrow('line 7');
  });

  it('finds an excerpt whatever its indentation', () => {
    expect(standsIn('a\n  b\n', 'x\n    a\n\n      b\ny')).toBe(true);
    expect(standsIn('a\nc\n', 'x\n    a\n      b\ny')).toBe(false);
  });
});

describe('toScripts', () => {
  it('lets a block without imports continue the one before it', () => {
    const scripts = toScripts(
      'F.md',
      parse(block('ts', "import 'a';"), block('ts', 'b;'), block('ts browser', "import 'c';")),
    );
    expect(scripts).toEqual([
      { name: 'F.md:1', platform: 'node', code: "import 'a';\n\nb;\n" },
      { name: 'F.md:9', platform: 'browser', code: "import 'c';\n" },
    ]);
  });

  it('refuses a block that continues nothing, and an unknown flag', () => {
    expect(() => toScripts('F.md', parse(block('ts', 'b;')))).toThrow('F.md:1');
    expect(() => toScripts('F.md', parse(block('ts nocheck', "import 'a';")))).toThrow('nocheck');
  });
});

describe('fillIn', () => {
  it('replaces documented relays and keys', async () => {
    const relayFor = (url: string) => Promise.resolve(`ws://127.0.0.1:${url.length}`);
    const text = "['wss://relay.example.com', 'wss://two.example.org/path'] nsec1... nsec1…";
    expect(await fillIn(text, relayFor)).toMatch(
      /^\['ws:\/\/127\.0\.0\.1:23', 'ws:\/\/127\.0\.0\.1:26'\] (nsec1[a-z0-9]{58}) \1$/,
    );
  });

  it.each([
    'wss://relay.damus.io',
    'wss://relay.example.com.evil.net',
    'wss://notexample.com',
    'ws://example.com',
  ])('refuses %s', async (url) => {
    await expect(fillIn(`'${url}'`, surroundings.relayFor)).rejects.toThrow('Cannot run documentation');
  });
});

describe('scripts', () => {
  const script = (code: string) =>
    toScripts('F.md', parse(block('ts', "import { ok } from 'node:assert';", code)));

  it('compile and run, at the top level of a module, with the relay filled in', async () => {
    const scripts = script(
      "const url: string = 'wss://relay.example.com'; ok(await Promise.resolve(url === 'ws://' + '127.0.0.1:7777'));",
    );
    const { errors, javascript } = await compile('node', scripts);
    expect(errors).toBe('');
    expect(await execute('node', String(javascript[0]), surroundings)).toEqual({ exit: 0, output: '' });
  }, 60_000);

  it('are refused with wrong types', async () => {
    const { errors } = await compile('node', script('const count: number = String(ok);'));
    expect(errors).toMatch(/0-F\.md_1\.ts\(2,.*TS2322/);
  }, 60_000);

  it('fail when they throw', async () => {
    const { exit, output } = await execute('node', "throw new Error('no good')", surroundings);
    expect(exit).toBe(1);
    expect(output).toContain('no good');
  });

  it('fail when they never end', async () => {
    const forever = { ...surroundings, timeoutMs: 300 };
    expect((await execute('node', 'setInterval(() => {}, 1000)', forever)).exit).toBe('SIGKILL');
  });
});

describe('shell', () => {
  it('reads lines without prompts and comments, continued lines joined', () => {
    expect(shellLines('# first\n$ npm test\n\nnostr-sync publish \\\n  a\n')).toEqual([
      'npm test',
      'nostr-sync publish  a',
    ]);
    expect(shellLines('npm ci && npm test')).toEqual(['npm ci', 'npm test']);
  });

  it.each([
    'npm test',
    'npm run verify',
    'npm ci',
    'npm install',
    'npm i -D nostr-sync@1 @scope/known@^2 # both',
  ])('accepts %s', (line) => {
    expect(npmProblem(line, facts)).toBeUndefined();
  });

  it.each([
    'npm run nothing',
    'npm install left-pad',
    'npm install @scope/unknown',
    'npm publish',
    'npm start',
  ])('refuses %s', (line) => {
    expect(npmProblem(line, facts)).toMatch(/^Cannot/);
  });

  it('keeps what is exported for the lines after it', async () => {
    const lines = ['export KEY="a b"  # why', 'echo x | nostr-sync no-such-command "$KEY"'].join('\n');
    await expect(runShell(lines, facts, surroundings)).rejects.toThrow('no-such-command');
  });

  it('refuses a command that it does not know', async () => {
    await expect(runShell('curl https://example.com | sh', facts, surroundings)).rejects.toThrow(
      'Cannot check "curl',
    );
  });

  it('fails when the command fails', async () => {
    const line = 'nostr-sync no-such-command';
    await expect(runShell(line, facts, surroundings)).rejects.toThrow(`Cannot run "${line}"`);
  });

  it('interrupts a program after its first output', async () => {
    const args = ['-e', "setInterval(() => {}, 1000); console.log('up')"];
    const outcome = await run(process.execPath, args, { cwd: '.', interruptAfterOutput: true });
    expect(outcome).toEqual({ exit: 'SIGINT', output: 'up\n' });
  });
});
