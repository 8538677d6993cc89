/** Edits that pages wait with: they are held in memory until they are saved, and go into the store as drafts if their page goes or the app is locked. */

import type { Keeping, KeptDraft } from '../state/keeping.ts';
import type { Note } from '../sync/write.ts';
import type { Make } from './making.ts';

/** A draft of a page, and whose it is. */
export interface PageDraft {
  readonly category: string;
  readonly pubkey: string;
  readonly page: string;
  /** The part of the program in which the page is. */
  readonly origin: string;
  readonly draft: KeptDraft;
  readonly instead: readonly string[];
}

type Notes = ReturnType<Note>;

export interface HeldDrafts {
  /** Until it is saved, or its page goes. */
  hold(made: PageDraft): void;
  /** Puts it into the store. */
  seal(made: PageDraft): Promise<void> | undefined;
  /** Drafts are not wanted any more. Those of them that may be in the store. */
  drop(keys: readonly string[]): readonly string[];
  /** All that is held is sealed: in memory it would stay in plain while the app is locked. */
  lock(): void;
  /** Of what is to be saved together with a write, what says something. */
  needed(notes: Notes): Notes;
  /** A write with these notes has begun; `work` settles with it. */
  writing(notes: Notes, work: Promise<unknown>): void;
  /** It is saved. */
  saved(notes: Notes): void;
  /** Such pages are gone. Resolves when their edits are made, or are drafts in the store. Never rejects. */
  end(isGone: (made: PageDraft) => boolean): Promise<void>;
  /** They are gone from the store. */
  made(keys: readonly string[]): void;
}

/** Drafts whose turn is remembered. */
const MAX_DRAFTS = 1_024;

export function createHeldDrafts(
  keepingOf: (made: Pick<PageDraft, 'category' | 'pubkey'>) => Promise<Keeping>,
  make: Make,
): HeldDrafts {
  const held = new Map<string, PageDraft>();
  /** Keys of drafts that are in the store, as far as pages of this engine have put them there. */
  const stored = new Set<string>();
  /** By key, the `at` of the newest draft: calls may overtake each other. Of what is saved or dropped: without end. */
  const turns = new Map<string, number>();
  const busy = new Map<string, Promise<unknown>>();
  /** Drafts are put into the store one after the other. */
  let last: Promise<unknown> = Promise.resolve();

  function isNext(key: string, at: number): boolean {
    if (!(at > (turns.get(key) ?? 0))) return false;
    turns.delete(key);
    turns.set(key, at);
    if (turns.size > MAX_DRAFTS) turns.delete(turns.keys().next().value!);
    return true;
  }

  /** Nothing is kept under them any more, nor will be. */
  function endKeys(keys: readonly string[]): void {
    for (const key of keys) {
      isNext(key, Infinity);
      held.delete(key);
    }
  }

  function store(made: PageDraft): Promise<void> {
    const { draft, instead } = made;
    const isOver = (): boolean => turns.get(draft.key) === Infinity;
    stored.add(draft.key);
    const storing = last.then(async () => {
      const keeping = await keepingOf(made);
      if (!isOver()) await keeping.writeDraft(draft, instead, Promise.resolve());
      if (isOver()) await keeping.dropDrafts([draft.key]);
    });
    last = storing.catch(() => undefined);
    return storing;
  }

  /** Whether it is the newest of its key; it then takes the place of others. */
  function isTaken({ draft, instead }: PageDraft): boolean {
    if (!isNext(draft.key, draft.at)) return false;
    for (const key of instead) held.delete(key);
    return true;
  }

  async function end(isGone: (made: PageDraft) => boolean): Promise<void> {
    const gone = [...held].filter(([, made]) => isGone(made));
    // A write that has begun goes on, and may be of these edits.
    await Promise.allSettled(gone.map(async ([key]) => busy.get(key)));
    const left = gone.filter(([key, made]) => held.get(key) === made);
    const keysByCategory = new Map<string, string[]>();
    for (const [key, made] of left) {
      const { category } = made;
      try {
        await store(made);
        held.delete(key);
        keysByCategory.set(category, [...(keysByCategory.get(category) ?? []), key]);
      } catch {
        // The store fails: it may not the next time.
      }
    }
    await last;
    await Promise.allSettled([...keysByCategory].map(([category, keys]) => make(category, keys)));
  }

  return {
    hold: (made) => {
      if (isTaken(made)) held.set(made.draft.key, made);
    },
    seal: (made) => (isTaken(made) ? store(made) : undefined),
    drop: (keys) => {
      const inStore = keys.filter((key) => stored.delete(key) || !turns.has(key));
      endKeys(keys);
      return inStore;
    },
    lock: () => {
      for (const made of held.values()) void store(made).catch(() => undefined);
      held.clear();
    },
    needed: (notes) => notes.filter(([key]) => stored.has(key) || !held.has(key)),
    writing: (notes, work) => {
      const settled = work.then(
        () => undefined,
        () => undefined,
      );
      for (const [key] of notes) busy.set(key, settled);
      void settled.then(() => {
        for (const [key] of notes) if (busy.get(key) === settled) busy.delete(key);
      });
    },
    saved: (notes) => {
      const keys = notes.filter(([, text]) => text === '').map(([key]) => key);
      // Those of a former engine are in the store.
      for (const key of keys) if (!turns.has(key)) stored.add(key);
      endKeys(keys);
    },
    end,
    made: (keys) => {
      endKeys(keys);
      for (const key of keys) stored.delete(key);
    },
  };
}
