/** One question at a time to one provider: a person sees one popup, and an extension may forget questions that come together. */

interface Turn {
  readonly isUrgent: boolean;
  readonly begin: () => void;
}

interface Line {
  holder: Turn | undefined;
  readonly waiting: Turn[];
}

/** The only state that engines share: two of them on a page ask the same extension, and the same person. */
const lines = new WeakMap<object, Line>();

/**
 * Calls `begin` when it is this caller's turn with `provider`, perhaps at once. What is urgent goes before what is not.
 * Returns what ends the turn, or the waiting for it; ending twice is fine.
 */
export function takeTurn(provider: object, isUrgent: boolean, begin: () => void): () => void {
  const line = lines.get(provider) ?? { holder: undefined, waiting: [] };
  lines.set(provider, line);
  const turn: Turn = { isUrgent, begin };
  const firstLater = isUrgent ? line.waiting.findIndex((other) => !other.isUrgent) : -1;
  line.waiting.splice(firstLater < 0 ? line.waiting.length : firstLater, 0, turn);
  goOn(line);
  return () => {
    const at = line.waiting.indexOf(turn);
    if (at >= 0) line.waiting.splice(at, 1);
    if (line.holder !== turn) return;
    line.holder = undefined;
    goOn(line);
  };
}

function goOn(line: Line): void {
  if (line.holder !== undefined) return;
  line.holder = line.waiting.shift();
  line.holder?.begin();
}
