/** A value that changes, and can be watched: what every binding to a framework is made of. */

export interface Readable<T> {
  /** The value now. The same object until it changes, and what has not changed inside it stays the same object too. Starts nothing. */
  get(): T;
  /**
   * Calls `listener` with each new value, not with the present one. Returns the function that ends it. The same listener can be added
   * twice. What it throws surfaces as an uncaught error and stops nothing here.
   */
  subscribe(listener: (value: T) => void): () => void;
  /**
   * What a server renders, and a page while it takes over what a server has rendered. The same object each time. Without it: what `get`
   * gives.
   */
  readonly initial?: T;
}

/** What is rendered on a server, and at first by a page that takes it over. */
export function initialOf<T>(readable: Readable<T>): T {
  return 'initial' in readable ? readable.initial : readable.get();
}
