/** The order of a list that two sides have changed. */

/** What tells one item of a list from the others. */
export type Key = string | number;

/** Whether what both lists have stands in the same order in both. */
export function isSameOrder(a: Iterable<Key>, b: Iterable<Key>): boolean {
  const [left, right] = [new Set(a), new Set(b)];
  const common = [...right].filter((key) => left.has(key));
  return [...left].filter((key) => right.has(key)).every((key, i) => key === common[i]);
}

/**
 * All keys of both, each once. What both have stands as in `first`. What only `second` has stays behind what it followed there, and
 * behind what only `first` has at that place.
 */
export function joinOrders(first: ReadonlySet<Key>, second: ReadonlySet<Key>): Key[] {
  const followersByKey = new Map<Key | undefined, Key[]>([[undefined, []]]);
  let followers = followersByKey.get(undefined)!;
  for (const key of second) {
    if (first.has(key)) followersByKey.set(key, (followers = []));
    else followers.push(key);
  }
  const joined: Key[] = [];
  let pending = followersByKey.get(undefined)!;
  for (const key of first) {
    if (second.has(key)) {
      for (const follower of pending) joined.push(follower);
      pending = followersByKey.get(key)!;
    }
    joined.push(key);
  }
  return joined.concat(pending);
}
