/**
 * What a device keeps of an identity beside its values, taken along to another key: what never leaves the device, edits that wait for a
 * signer, and that data from before syncing was taken in. The boxes are opened, and closed for the other key.
 */

import { isNostrSyncError } from '../errors.ts';
import { closeBox, openBox, type BoxPorts } from '../signer/box.ts';
import type { Changes, Store } from '../store/store.ts';
import type { CarriedValue } from './values/carried-values.ts';
import type { Hand } from './values/signing.ts';

interface Kept {
  readonly pubkey: string;
  readonly namespace: string;
  readonly store: Pick<Store, 'get' | 'list'>;
}

/** What is local comes first: edits are over it. */
const KINDS = ['local', 'draft', 'adopted'];
const ALONG = 'along-';

const entriesOf = async (
  { store, pubkey, namespace }: Kept,
  kind: string,
): Promise<(readonly [tail: string, text: string])[]> => {
  const prefix = `${kind}/${pubkey}/`;
  const entries = await store.list(`${prefix}${namespace}/`);
  return [...entries].map(([key, text]) => [key.slice(prefix.length), text]);
};

export async function hasKept(kept: Kept): Promise<boolean> {
  const found = await Promise.all(KINDS.map((kind) => entriesOf(kept, kind)));
  return found.flat().length > 0;
}

/**
 * What an edit of another identity is kept as: its own text, and those of the document that it was over, of which the edit may not know.
 */
export interface AlongDraft {
  readonly draft: string;
  readonly value?: string | undefined;
  readonly version?: number | undefined;
  readonly local?: string | undefined;
}

/**
 * The entries under the key `to`. What is there already stays: nothing is replaced. Rejects as the store does, and as the signer does
 * rather than leave something behind; what can never be opened is left. `values`: what comes along beside it.
 */
export async function keptAlong(
  kept: Kept & { readonly hand: Pick<Hand, 'decrypt' | 'isLocal'> },
  values: readonly CarriedValue[],
  to: string,
  ports: BoxPorts,
): Promise<Changes> {
  const changes = new Map<string, string>();
  const locals = new Map<string, string>();
  const unlessForGood = (error: unknown): undefined => {
    if (!kept.hand.isLocal() || !isNostrSyncError(error, 'DECRYPTION_FAILED')) throw error;
  };

  function ofDraft(draft: string, dTag: string): string {
    const value = values.find((one) => one.dTag === dTag);
    const along: AlongDraft = {
      ...{ draft, local: locals.get(dTag) },
      ...(value && { value: value.text, version: value.schema?.version }),
    };
    return JSON.stringify(along);
  }

  for (const kind of KINDS)
    for (const [tail, text] of await entriesOf(kept, kind)) {
      const [, dTag = tail, id] = kind === 'draft' ? /^(.*)\/(.*)$/.exec(tail)! : [];
      const at = `${kind}/${to}/${dTag}${id === undefined ? '' : `/${ALONG}${id}`}`;
      const said = kind === 'adopted' ? text : await openBox(text, kept.hand.decrypt).catch(unlessForGood);
      if (!said) continue;
      if (kind === 'local') locals.set(dTag, said);
      if ((await kept.store.get(at)) !== undefined) continue;
      const made = id === undefined ? said : ofDraft(said, dTag);
      changes.set(at, kind === 'adopted' ? made : await closeBox(made, to, ports));
    }
  return changes;
}

/** Whether the draft with this key of the store has come along. */
export const isAlong = (key: string): boolean => key.slice(key.lastIndexOf('/') + 1).startsWith(ALONG);
