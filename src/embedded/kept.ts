/**
 * What the handles of a program's pages keep on this device beside their values, in the engine's store: they have none. It is `keeping.ts` of the
 * state layer, by calls.
 */

import { NostrSyncError } from '../errors.ts';
import type { NostrSync } from '../nostr-sync.ts';
import { toDTag } from '../protocol/address.ts';
import { keepingOf, type Keeping, type KeptDocument, type KeptDraft } from '../state/keeping.ts';
import { INSIDE, type Inside } from '../sync/inside.ts';
import type { Note } from '../sync/write.ts';
import { createHeldDrafts, type HeldDrafts, type PageDraft } from './held.ts';
import { createMaking } from './making.ts';
import { native } from './native.ts';

/** What a page says with `kept` and `keep`. Unchecked. */
export interface KeptArgs {
  readonly category: string;
  /** Whose it is: what `who` has said. */
  readonly pubkey: string;
  /** Names the page: a reloaded one has another name. */
  readonly page: string;
  readonly what: string;
  readonly document: KeptDocument;
  readonly draft: KeptDraft;
  readonly instead: readonly string[];
  readonly keys: readonly string[];
}

type Notes = ReturnType<Note>;

export interface Kept extends Pick<HeldDrafts, 'needed' | 'writing' | 'saved'> {
  read(origin: string, args: KeptArgs): Promise<unknown>;
  write(origin: string, args: KeptArgs): Promise<void>;
  /** What is to be saved together with a write of that category, checked. Throws `TypeError`. */
  checkNotes(category: string, notes: unknown): Notes;
  /** The pages of this part of the program are gone, or those of all. Resolves as `HeldDrafts.end`. */
  end(origin?: string): Promise<void>;
}

/** Pages that are remembered after their end. */
const MAX_PAGES = 64;

/** Whether it is, under any identity, a key that the handles of one category have for drafts, or the one that says that data was taken in. */
function isKey(kind: 'draft' | 'adopted', key: unknown, dTag: string): key is string {
  if (typeof key !== 'string') return false;
  const [, rest = ''] = /^(?:draft|adopted)\/[0-9a-f]{64}\/(.*)$/s.exec(key) ?? [];
  if (!key.startsWith(kind) || !rest.startsWith(dTag)) return false;
  return kind === 'draft' ? /^\/[\w.-]{1,80}$/.test(rest.slice(dTag.length)) : rest === dTag;
}

function createKeepings(
  ports: Pick<Parameters<typeof createMaking>[0], 'boxes'> & { readonly engine: NostrSync },
): (category: string, pubkey?: string) => Promise<Keeping | undefined> {
  const { [INSIDE]: inside } = ports.engine as unknown as { readonly [INSIDE]: Inside };
  return async (category, pubkey) => {
    const known: Inside['known'] = async () => {
      const opened = await inside.known();
      // Also an identity that was left: what waits is its own.
      return opened && { ...opened, pubkey: pubkey ?? opened.pubkey };
    };
    return keepingOf(category, { ...ports.boxes, tabs: undefined, inside: { ...inside, known } });
  };
}

export function createKept(
  ports: Pick<Parameters<typeof createMaking>[0], 'sync' | 'clock' | 'boxes' | 'definitions'> & {
    readonly engine: NostrSync;
    readonly namespace: string;
  },
): Kept {
  const { engine, namespace } = ports;
  const keepingFor = createKeepings(ports);
  const tellOfLocal = (category: string, page = ''): void =>
    native.event('kept', JSON.stringify({ category, page }));
  const making = createMaking({
    ...{ ...ports, keepingOf: keepingFor, onLocal: tellOfLocal },
    onMade: (keys) => held.made(keys),
  });
  const held = createHeldDrafts(keepingAt, making);
  /** By part of the program, the page that it has; and those that are gone, the newest last: an edit may come after its page has gone. */
  const pages = new Map<string, string>();
  const gonePages = new Set<string>();

  function checkKeys(category: string, keys: unknown): asserts keys is readonly string[] {
    const dTag = toDTag(namespace, category);
    if (!Array.isArray(keys) || !keys.every((key) => isKey('draft', key, dTag)))
      throw new TypeError(`Invalid keys: expected those of drafts of ${JSON.stringify(category)}`);
  }

  async function keepingAt({ category, pubkey }: Pick<KeptArgs, 'category' | 'pubkey'>): Promise<Keeping> {
    if (!/^[0-9a-f]{64}$/.test(pubkey)) throw new TypeError('Invalid pubkey: expected 64 hex digits');
    const keeping = await keepingFor(category, pubkey);
    if (keeping === undefined)
      throw new NostrSyncError('SIGNER_NOT_SET', 'Cannot keep it: no signer was ever set');
    return keeping;
  }

  function draftIn(origin: string, { category, pubkey, page, draft, instead }: KeptArgs): PageDraft {
    const { key, version, at, base, value } = Object(draft) as KeptDraft;
    checkKeys(category, instead);
    checkKeys(category, [key]);
    return { ...{ category, pubkey, page, origin, instead }, draft: { key, version, at, base, value } };
  }

  async function hold(made: PageDraft): Promise<void> {
    held.hold(made);
    if (gonePages.has(made.page)) await held.end(({ page }) => page === made.page);
  }

  engine.on('status', ({ pubkey }) => {
    if (pubkey === null) held.lock();
  });

  return {
    ...{ needed: held.needed, writing: held.writing, saved: held.saved },
    read: async (origin, args) => {
      const { category, page, what } = args;
      pages.set(origin, page);
      // A page that was reloaded is another one.
      await held.end((made) => made.origin === origin && made.page !== page);
      if (what === 'who') {
        const found = await keepingFor(category);
        return found && { ...found, draftKey: found.draftKey() };
      }
      const keeping = await keepingAt(args);
      if (what === 'local') return keeping.readLocal();
      if (what === 'drafts') return keeping.readDrafts();
      if (what === 'adopted') return keeping.wasAdopted();
      throw new TypeError(
        `Invalid what: expected who, local, drafts or adopted, got ${JSON.stringify(what)}`,
      );
    },
    write: async (origin, args) => {
      const { category, page, what, keys } = args;
      if (what === 'held') return hold(draftIn(origin, args));
      if (what === 'draft') return held.seal(draftIn(origin, args));
      if (what === 'dropped') {
        checkKeys(category, keys);
        return (await keepingAt(args)).dropDrafts(held.drop(keys));
      }
      const keeping = await keepingAt(args);
      if (what === 'adopted') return keeping.markAdopted();
      if (what !== 'local')
        throw new TypeError(
          `Invalid what: expected held, draft, dropped, local or adopted, got ${JSON.stringify(what)}`,
        );
      const { version, value } = Object(args.document) as KeptDocument;
      await keeping.writeLocal({ version, value });
      tellOfLocal(category, page);
    },
    checkNotes: (category, notes) => {
      const dTag = toDTag(namespace, category);
      const isNote = (note: unknown): boolean => {
        const [key, text] = (Array.isArray(note) ? note : []) as readonly unknown[];
        return text === '' ? isKey('draft', key, dTag) : text === '1' && isKey('adopted', key, dTag);
      };
      if (!Array.isArray(notes) || !notes.every(isNote))
        throw new TypeError(`Invalid notes: expected those of ${JSON.stringify(category)}`);
      return notes as Notes;
    },
    end: async (origin) => {
      for (const [from, page] of pages) {
        if (origin !== undefined && from !== origin) continue;
        pages.delete(from);
        gonePages.add(page);
        if (gonePages.size > MAX_PAGES) gonePages.delete(gonePages.values().next().value!);
      }
      return held.end((made) => origin === undefined || made.origin === origin);
    },
  };
}
