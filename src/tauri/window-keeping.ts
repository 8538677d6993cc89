/** What the handles of a window keep on this device beside their values: the process keeps it for them, by two calls. */

import type { Keeping, KeptDocument, KeptDraft } from '../state/keeping.ts';
import type { Ipc } from './ipc.ts';
import { createListen } from './listening.ts';

/** What the process says first: who it is, and keys that are this window's own. */
interface Who extends Pick<Keeping, 'pubkey' | 'adoptedKey'> {
  readonly draftKey: string;
}

/** As `keepingOf` of an engine. */
export function createKeepings(ipc: Ipc): (category: string) => Promise<Keeping | undefined> {
  const listen = createListen(ipc);

  /** Calls it when another page has written what is local of the category. */
  function onLocal(category: string, listener: () => void): () => void {
    let isStopped = false;
    const starting = listen('listen', { event: 'kept' }, (told) => {
      const { category: of, page } = told as { readonly category: string; readonly page: string };
      if (!isStopped && of === category && page !== ipc.page) listener();
    });
    starting.catch(() => undefined);
    return () => {
      isStopped = true;
      starting.then((stop) => stop()).catch(() => undefined);
    };
  }

  return async (category) => {
    const said = { category, page: ipc.page };
    const who = (await ipc.invoke('kept', { ...said, what: 'who' })) as Who | null;
    if (who === null) return undefined;
    const { pubkey, adoptedKey, draftKey } = who;
    const read = (what: string): Promise<unknown> => ipc.invoke('kept', { ...said, pubkey, what });
    const keep = async (what: string, more: object = {}): Promise<void> =>
      void (await ipc.invoke('keep', { ...said, pubkey, what, ...more }));
    let drafts = 0;

    return {
      ...{ pubkey, adoptedKey },
      readLocal: async () => ((await read('local')) as KeptDocument | null) ?? undefined,
      writeLocal: (document) => keep('local', { document }),
      onLocalChange: (listener) => onLocal(category, listener),
      draftKey: () => `${draftKey}.${++drafts}`,
      readDrafts: async () => (await read('drafts')) as readonly KeptDraft[],
      // At once: the page may be going, and the process knows which of two drafts is the newer one.
      writeDraft: (draft, instead) => keep('draft', { draft, instead }),
      holdDraft: (draft, instead) => void keep('held', { draft, instead }).catch(() => undefined),
      dropDrafts: (keys) => (keys.length === 0 ? Promise.resolve() : keep('dropped', { keys })),
      wasAdopted: async () => (await read('adopted')) as boolean,
      markAdopted: () => keep('adopted'),
    };
  };
}
