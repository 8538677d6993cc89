/** The Store port on the program's store, which this engine has for itself. */

import { NostrSyncError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { Answers } from './answers.ts';
import { native, wellFormed } from './native.ts';

/** Begins what stands for one code unit in a text that must be well-formed: no character that anybody writes. */
const ESCAPE = '\u{10FFFE}';

/** A text for the program that says every code unit: lone surrogates, and the escape itself, as the escape and four hex digits. */
function escapeText(text: string): string {
  if (wellFormed(text) === text && !text.includes(ESCAPE)) return text;
  return Array.from(text, (character) => {
    if (character === ESCAPE) return `${ESCAPE}0000`;
    const isWhole = wellFormed(character) === character;
    return isWhole ? character : `${ESCAPE}${character.charCodeAt(0).toString(16)}`;
  }).join('');
}

function unescapeText(text: string): string {
  if (!text.includes(ESCAPE)) return text;
  return text.replaceAll(new RegExp(`${ESCAPE}(....)`, 'gu'), (_, digits: string) =>
    digits === '0000' ? ESCAPE : String.fromCharCode(parseInt(digits, 16)),
  );
}

function entriesOf(answer: string | null): Map<string, string> {
  const found = JSON.parse(answer ?? '[]') as readonly (readonly [string, string])[];
  return new Map(found.map(([key, value]) => [unescapeText(key), unescapeText(value)]));
}

export function createStore(answers: Answers): Store {
  let isClosed = false;
  /** Updates one after the other: no other process has the store open, so no other isolation is needed. */
  let last: Promise<unknown> = Promise.resolve();
  const reads = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  function assertOpen(): void {
    if (isClosed) throw new NostrSyncError('CLOSED', 'Cannot use the store: it is closed');
  }

  async function read(question: (id: number) => void): Promise<string | null> {
    assertOpen();
    const reading = answers.ask(question);
    reads.add(reading);
    const settled = (): void => void reads.delete(reading);
    reading.then(settled, settled);
    return reading;
  }

  async function apply(keys: readonly string[], decide: Parameters<Store['update']>[1]): Promise<void> {
    const current =
      keys.length === 0
        ? new Map<string, string>()
        : entriesOf(await answers.ask((id) => native.storeRead(id, JSON.stringify(keys.map(escapeText)))));
    const changes = [...decide(current)].map(([key, value]) => [
      escapeText(key),
      value === null ? null : escapeText(value),
    ]);
    if (changes.length > 0) await answers.ask((id) => native.storeUpdate(id, JSON.stringify(changes)));
  }

  return {
    get: async (key) => {
      const value = await read((id) => native.storeGet(id, escapeText(key)));
      return value === null ? undefined : unescapeText(value);
    },
    list: async (prefix) => {
      // A prefix may end in half of a character.
      const whole = /[\ud800-\udbff]$/.test(prefix) ? prefix.slice(0, -1) : prefix;
      const found = entriesOf(await read((id) => native.storeList(id, escapeText(whole))));
      if (whole === prefix) return found;
      return new Map([...found].filter(([key]) => key.startsWith(prefix)));
    },
    update: async (keys, decide) => {
      assertOpen();
      const updating = last.then(() => apply(keys, decide));
      last = updating.catch(() => undefined);
      return updating;
    },
    close: async () => {
      isClosed = true;
      closing ??= Promise.allSettled([last, ...reads]).then(() =>
        answers.ask((id) => native.storeClose(id)).then(() => undefined),
      );
      return closing;
    },
  };
}
