/** Edits that cannot be saved now, kept as ciphertext until they can: while locked, while the signer fails, and when the page goes. */

import type { Clock } from '../clock.ts';
import type { Keeping, KeptDraft } from './keeping.ts';
import type { Layer } from './layers.ts';
import type { Document } from './document.ts';
import { equalJson, isRecord, member } from '../merge/json.ts';
import { pick } from './document.ts';

export interface Sealed {
  /** Another identity, or none that is known. */
  enter(keeping: Keeping | undefined): void;
  /** Saves it, in the place of what this handle has sealed before. `false`: no key is known to seal it for. */
  seal(draft: Layer, version: number): Promise<boolean>;
  /** The same for a page that may go without a word, if this is one. */
  hold(draft: Layer, version: number): void;
  /** What this handle seals next is another draft, and the last one waits for a signer. */
  next(): void;
  /** Drafts that wait, the newest first, but for those that this handle has in memory. `areAlong`: those of another identity, or those of this one. */
  read(areAlong: boolean): Promise<readonly KeptDraft[]>;
  /** They are in what this handle has in memory from now on: what it seals or saves takes their place. */
  take(drafts: readonly KeptDraft[]): void;
  /** What empties their entries, for the write that saves them. What is sealed from now on is not in it, and is another draft. */
  notes(): readonly (readonly [key: string, text: string])[];
  /** What `notes` had last is saved. */
  saved(): Promise<void>;
}

/** Of two objects only the fields that differ. */
function reduced({ base, value }: Layer): Layer {
  if (!isRecord(base) || !isRecord(value)) return { base, value };
  const names = [...new Set([...Object.keys(base), ...Object.keys(value)])].filter(
    (name) => !equalJson(member(base, name), member(value, name)),
  );
  const [before, after] = [base, value].map((one): Document => pick(one, names, true));
  return { base: before, value: after };
}

export function createSealed(clock: Clock): Sealed {
  let keeping: Keeping | undefined;
  let key: string | undefined;
  /** Those of this handle that are in the store. */
  const keys = new Set<string>();
  let noted: readonly string[] = [];
  let lastAt = 0;
  /** Saves are in the order of the calls. */
  let last: Promise<unknown> = Promise.resolve();

  function made(draft: Layer, version: number, to: Keeping): [draft: KeptDraft, instead: readonly string[]] {
    key ??= to.draftKey();
    keys.add(key);
    lastAt = Math.max(clock.now(), lastAt + 1);
    return [{ ...reduced(draft), version, key, at: lastAt }, [...keys]];
  }

  return {
    enter: (next) => {
      if (next?.pubkey !== keeping?.pubkey) {
        keys.clear();
        noted = [];
        key = undefined;
      }
      keeping = next;
    },
    seal: async (draft, version) => {
      if (keeping === undefined) return false;
      const writing = keeping.writeDraft(...made(draft, version, keeping), last);
      last = writing.catch(() => undefined);
      await writing;
      return true;
    },
    hold: (draft, version) => {
      if (keeping?.holdDraft !== undefined) keeping.holdDraft(...made(draft, version, keeping));
    },
    next: () => {
      if (key !== undefined) keys.delete(key);
      key = undefined;
    },
    read: async (areAlong) => {
      await last;
      const drafts = (await keeping?.readDrafts()) ?? [];
      return drafts.filter((draft) => !keys.has(draft.key) && (draft.former !== undefined) === areAlong);
    },
    take: (drafts) => {
      for (const draft of drafts) keys.add(draft.key);
    },
    notes: () => {
      noted = [...keys];
      key = undefined;
      return noted.map((one) => [one, ''] as const);
    },
    saved: async () => {
      const all = noted;
      noted = [];
      for (const one of all) keys.delete(one);
      await last;
      await keeping?.dropDrafts(all);
    },
  };
}
