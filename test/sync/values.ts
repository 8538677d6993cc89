/** Large JSON values for tests and how they change: of words that deflate to about a third, the same for the same seed. */

function* numbers(seed: number): Generator<number> {
  for (let x = seed + 1; ;) {
    x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    yield (x ^ (x >>> 12)) >>> 0;
  }
}

/** A value whose JSON takes `bytes`, or up to 40 more. `isDense`: of text that hardly deflates. */
export function valueOf(bytes: number, seed = 1, isDense = false): { readonly notes: string[] } {
  const random = numbers(seed);
  const notes: string[] = [];
  for (let size = 12; size < bytes;) {
    let note = '';
    while (note.length < 30)
      note += isDense ? next().toString(36).padStart(7, '0') : ` ${(next() % 4_096).toString(16)}`;
    notes.push(note.slice(0, 30));
    size += 33;
  }
  return { notes };

  function next(): number {
    return random.next().value as number;
  }
}

/** The same value with `bytes` of other text in its middle. */
export function edited(
  value: { readonly notes: string[] },
  bytes: number,
  seed = 99,
): { readonly notes: string[] } {
  const { notes } = valueOf(bytes, seed, true);
  const middle = Math.floor(value.notes.length / 2);
  return { notes: [...value.notes.slice(0, middle), ...notes, ...value.notes.slice(middle + notes.length)] };
}
