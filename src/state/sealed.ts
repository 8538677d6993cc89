/** Edits that cannot be saved now, kept as ciphertext until they can: while locked, while the signer fails, and when the page goes. */

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
  /** What this handle seals next is another draft, and the last one waits for a signer. */
  next(): void;
  /**
   * Drafts that wait, but for the one that this handle still has in memory. They are this handle's from now on. `areAlong`: those of another
   * identity, or those of this one.
   */
  take(areAlong: boolean): Promise<readonly KeptDraft[]>;
  /** What empties their entries, for the write that saves them. */
  notes(): readonly (readonly [key: string, text: string])[];
  /** They are saved. */
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

export function createSealed(): Sealed {
  let keeping: Keeping | undefined;
  let key: string | undefined;
  /** Those of this handle that are in the store. */
  const keys = new Set<string>();
  /** Saves are in the order of the calls. */
  let last: Promise<unknown> = Promise.resolve();

  return {
    enter: (next) => {
      if (next?.pubkey !== keeping?.pubkey) {
        keys.clear();
        key = undefined;
      }
      keeping = next;
    },
    seal: async (draft, version) => {
      if (keeping === undefined) return false;
      key ??= keeping.draftKey();
      keys.add(key);
      const [to, at] = [keeping, key];
      const writing = last.then(() => to.writeDraft({ ...reduced(draft), version, key: at }));
      last = writing.catch(() => undefined);
      await writing;
      return true;
    },
    next: () => {
      if (key !== undefined) keys.delete(key);
      key = undefined;
    },
    take: async (areAlong) => {
      await last;
      const drafts = (await keeping?.readDrafts()) ?? [];
      const others = drafts.filter(
        (draft) => !keys.has(draft.key) && (draft.former !== undefined) === areAlong,
      );
      for (const draft of others) keys.add(draft.key);
      return others;
    },
    notes: () => [...keys].map((one) => [one, ''] as const),
    saved: async () => {
      await last;
      const all = [...keys];
      keys.clear();
      key = undefined;
      await keeping?.dropDrafts(all);
    },
  };
}
