/**
 * `nostr-sync/merge/text`: texts are merged by their lines. An entry of its own, for the library that finds the differences.
 * That is `diff`: `node-diff3`, which would merge as well, takes half a minute for 4,000 lines of which half are empty.
 */

import { diffArrays } from 'diff';
import { MAX_TEXT_EDITS } from '../protocol/limits.ts';
import { RULE, type Rule } from './rule.ts';
import { choose, whole } from './whole.ts';

type Lines = readonly string[];

/** A text without a character has no line, so that the merge of two removals has none either. */
function linesOf(text: string): Lines {
  return text === '' ? [] : text.split('\n');
}

/** The line of `other` that stands for each line of `one` that both have; `undefined` if they differ by more than we look for. */
function matches(one: Lines, other: Lines): Map<number, number> | undefined {
  const changes = diffArrays([...one], [...other], { maxEditLength: MAX_TEXT_EDITS });
  if (changes === undefined) return undefined;
  const places = new Map<number, number>();
  let [i, j] = [0, 0];
  for (const { added, removed, count } of changes) {
    if (!added && !removed) for (let k = 0; k < count; k++) places.set(i + k, j + k);
    if (!added) i += count;
    if (!removed) j += count;
  }
  return places;
}

/** Whether all lines of `part` stand in `all`, in this order. */
function holds(all: Lines, part: Lines): boolean {
  let next = 0;
  for (const line of all) if (line === part[next]) next++;
  return next === part.length;
}

interface Joined {
  readonly lines: Lines;
  readonly isClash: boolean;
}

/** What the two changes of the same lines come to: if they are not one, both, theirs first, but nothing twice. */
function joinLines(base: Lines, mine: Lines, theirs: Lines): Joined {
  const { value, reason } = choose({ bases: [base], mine, theirs });
  if (reason === undefined) return { lines: value as Lines, isClash: false };
  // No line is left of which neither side has removed one: else it would part these lines from the others.
  if (holds(base, mine) && holds(base, theirs)) return { lines: [], isClash: false };
  // Lines that one side has removed and the other has changed stay: the removal is given up.
  if (holds(theirs, mine)) return { lines: theirs, isClash: mine.length === 0 };
  if (holds(mine, theirs)) return { lines: mine, isClash: theirs.length === 0 };
  return { lines: [...theirs, ...mine], isClash: true };
}

/** Merges what is between the lines that all three have. `undefined` if the texts differ too much. */
function mergeLines(base: Lines, mine: Lines, theirs: Lines): Joined | undefined {
  const [inMine, inTheirs] = [matches(base, mine), matches(base, theirs)];
  if (inMine === undefined || inTheirs === undefined) return undefined;
  const lines: string[] = [];
  let isClash = false;
  let from: readonly [number, number, number] = [0, 0, 0];
  for (let b = 0; b <= base.length; b++) {
    const isEnd = b === base.length;
    const [m, t] = isEnd ? [mine.length, theirs.length] : [inMine.get(b), inTheirs.get(b)];
    if (m === undefined || t === undefined) continue;
    const joined = joinLines(base.slice(from[0], b), mine.slice(from[1], m), theirs.slice(from[2], t));
    isClash ||= joined.isClash;
    for (const line of joined.lines) lines.push(line);
    if (!isEnd) lines.push(base[b]!);
    from = [b + 1, m + 1, t + 1];
  }
  return { lines, isClash };
}

/** What both have: the base of two texts of which no base is known. */
function commonLines(mine: Lines, theirs: Lines): Lines {
  return [...(matches(mine, theirs) ?? new Map<number, number>()).keys()].map((i) => mine[i]!);
}

/**
 * A text, by its lines. If both sides have changed the same lines, both versions are kept, theirs first, and a clash is told.
 * Texts that differ in more than 1,000 lines are merged as a whole.
 */
export const text: Rule<string> = {
  [RULE]: (sides, place) => {
    const { mine, theirs, bases } = sides;
    if (typeof mine !== 'string' || typeof theirs !== 'string' || choose(sides).reason !== 'both-changed')
      return whole[RULE](sides, place);
    const [mineLines, theirLines] = [linesOf(mine), linesOf(theirs)];
    const [known] = bases;
    const base = typeof known === 'string' ? linesOf(known) : commonLines(mineLines, theirLines);
    const merged = mergeLines(base, mineLines, theirLines);
    if (merged === undefined) return whole[RULE](sides, place);
    if (merged.isClash) place.clash(sides, 'both-changed');
    else if (!place.isExact) place.clash(sides, 'uncertain');
    return merged.lines.join('\n');
  },
};
