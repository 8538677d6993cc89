/** Fenced code blocks of a Markdown text (CommonMark section 4.5), with where they stand. */

export interface CodeBlock {
  /** First word of the info string in lower case, `''` when there is none. */
  readonly language: string;
  /** The other words of the info string. */
  readonly flags: readonly string[];
  readonly code: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
}

const OPENING = /^( *(?:[-*] |\d+\. )? *)(`{3,}|~{3,})([^`]*)$/;

/** Throws when a fence is left open, and when a comment tries to exempt a block from being tested. */
export function extractBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { indent: number; fence: string; info: string; line: number; code: string[] } | undefined;
  for (const [index, text] of markdown.split(/\r?\n/).entries()) {
    if (open === undefined) {
      if (/<!--\s*test\s*:/i.test(text)) {
        throw new Error(`Cannot exempt a block from its test (line ${index + 1}): every block runs`);
      }
      const match = OPENING.exec(text);
      if (match === null) continue;
      const [, before = '', fence = '', info = ''] = match;
      open = { indent: before.length, fence, info: info.trim(), line: index + 1, code: [] };
    } else if (isClosing(text, open.fence)) {
      const [language = '', ...flags] = open.info.split(/\s+/);
      blocks.push({
        language: language.toLowerCase(),
        flags,
        code: `${open.code.join('\n')}\n`,
        line: open.line,
      });
      open = undefined;
    } else {
      const indent = Math.min(open.indent, text.length - text.trimStart().length);
      open.code.push(text.slice(indent));
    }
  }
  if (open !== undefined) throw new Error(`Cannot read the code block of line ${open.line}: it never ends`);
  return blocks;
}

function isClosing(text: string, fence: string): boolean {
  const trimmed = text.trim();
  return trimmed.length >= fence.length && trimmed === fence.charAt(0).repeat(trimmed.length);
}
