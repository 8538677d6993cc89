/** One question at a time to one provider: a person sees one popup, and an extension may forget questions that come together. */

interface Turn {
  /** Of one that was left: ends it at once. */
  begin: () => void;
}

interface Line {
  holder?: Turn | undefined;
  /** In the order in which they came. */
  waiting: Turn[];
  /** Those that go before these, the first of them last: thousands may wait, and each begins at the same cost. */
  next: Turn[];
}

/** The only state that engines share: two of them on a page ask the same extension, and the same person. */
const own = new WeakMap<object, Line>();

/**
 * Where all copies of this package on a page find the lines: an app and a library in it may each bring their own, perhaps of other
 * versions. Whoever changes the shape of `Line` changes the name.
 */
const NAME = Symbol.for('nostr-sync.turns');

/** The lines of the whole page; those of this copy alone, if something else has the name. */
function shared(): WeakMap<object, Line> {
  const page = globalThis as { [NAME]?: WeakMap<object, Line> };
  try {
    const lines = (page[NAME] ??= own);
    // Throws if it is something else.
    own.has.call(lines, own);
    return lines;
  } catch {
    return own;
  }
}

/**
 * Calls `begin` when it is this caller's turn with `provider`, perhaps at once. What is urgent goes before what is not.
 * Returns what ends the turn, or the waiting for it; ending twice is fine.
 */
export function takeTurn(provider: object, isUrgent: boolean, begin: () => void): () => void {
  const lines = shared();
  const line = lines.get(provider) ?? { waiting: [], next: [] };
  lines.set(provider, line);
  const turn: Turn = { begin };
  (isUrgent ? line.next : line.waiting).push(turn);
  goOn(line);
  return () => {
    turn.begin = () => {
      line.holder = undefined;
    };
    if (line.holder !== turn) return;
    turn.begin();
    goOn(line);
  };
}

function goOn(line: Line): void {
  while (line.holder === undefined) {
    if (line.next.length === 0) [line.next, line.waiting] = [line.waiting.reverse(), []];
    line.holder = line.next.pop();
    if (line.holder === undefined) return;
    line.holder.begin();
  }
}
