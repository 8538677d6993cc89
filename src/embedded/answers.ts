/** What the program is asked for and answers later: by the number of the question. */

import { fromWire, type WireError } from '../wire.ts';

export interface Answers {
  /** Asks by `question`, which gets its number, and resolves with the text of the answer; `null`: there is none. */
  ask(question: (id: number) => void): Promise<string | null>;
  reply(id: number, error: string | null, value: string | null): void;
}

export function createAnswers(): Answers {
  const waiting = new Map<
    number,
    { readonly resolve: (value: string | null) => void; readonly reject: (error: Error) => void }
  >();
  let last = 0;

  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        last += 1;
        waiting.set(last, { resolve, reject });
        question(last);
      }),
    reply: (id, error, value) => {
      const asked = waiting.get(id);
      waiting.delete(id);
      if (error === null) asked?.resolve(value);
      else asked?.reject(fromWire(JSON.parse(error) as WireError));
    },
  };
}
