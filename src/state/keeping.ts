/** What an identity keeps on this device of a category beside its value: what never leaves the device, and edits made while locked. As ciphertext. */

import { isRecord } from '../merge/json.ts';
import { toDTag } from '../protocol/address.ts';
import { decodePayload } from '../protocol/payload.ts';
import { closeBox, openBox } from '../signer/box.ts';
import { isAlong, type AlongDraft } from '../sync/kept-along.ts';
import type { StateHost } from '../sync/state-host.ts';
import type { Channel } from '../tabs/tabs.ts';
import type { Document } from './document.ts';
import type { Layer } from './layers.ts';

export interface KeptDocument {
  readonly version: number;
  readonly value: Document;
}

export interface KeptDraft extends Layer {
  readonly version: number;
  /** When it was made, in ms: of two that say the same field the later one counts. */
  readonly at: number;
  /** Its key of the store. */
  readonly key: string;
  /** It was made under another key, which this one has taken the place of: over this. */
  readonly former?: { readonly value?: KeptDocument; readonly local?: KeptDocument } | undefined;
}

export interface Keeping {
  readonly pubkey: string;
  /** `undefined`: there is none, or none that can be read. Rejects as the signer and the store do. */
  readLocal(): Promise<KeptDocument | undefined>;
  writeLocal(kept: KeptDocument): Promise<void>;
  /** Calls it when another tab has written it. Returns what ends that. */
  onLocalChange(listener: () => void): () => void;
  /** A key of a draft that no other handle has. */
  draftKey(): string;
  /** All that are here, of whichever handle, the newest first. Rejects as the signer and the store do. */
  readDrafts(): Promise<readonly KeptDraft[]>;
  /** In the place of these, of which it may be one. Once `before` is over, unless the page is going. */
  writeDraft(draft: KeptDraft, instead: readonly string[], before: Promise<unknown>): Promise<void>;
  dropDrafts(keys: readonly string[]): Promise<void>;
  /** An edit that waits in a page which may go without a word: it is kept from then on. The arguments are those of `writeDraft`. */
  holdDraft?(draft: KeptDraft, instead: readonly string[]): void;
  /** Whether data of before syncing was taken in, and what says so. */
  wasAdopted(): Promise<boolean>;
  readonly adoptedKey: string;
  /** There was nothing to take in. */
  markAdopted(): Promise<void>;
}

const KEY_BYTES = 8;

/** `undefined`: no signer was ever set on this device. */
export async function keepingOf(
  name: string,
  host: Pick<StateHost, 'inside' | 'randomBytes' | 'primitives' | 'tabs' | 'keeping'>,
): Promise<Keeping | undefined> {
  if (host.keeping !== undefined) return host.keeping(name);
  const opened = await host.inside.known();
  if (opened === undefined) return undefined;
  const { pubkey, namespace, store, hand } = opened;
  const dTag = toDTag(namespace, name);
  const localKey = `local/${pubkey}/${dTag}`;
  const draftPrefix = `draft/${pubkey}/${dTag}/`;
  const adoptedKey = `adopted/${pubkey}/${dTag}`;

  let channel: Channel | undefined;

  const boxed = (content: object): Promise<string> => closeBox(JSON.stringify(content), pubkey, host);

  /** What a box says; nothing if it is none of ours. */
  const read = async (box: string | undefined): Promise<Said | undefined> => saidIn(await openedText(box));

  const openedText = async (box: string | undefined): Promise<string | undefined> =>
    box && openBox(box, hand.decrypt);

  return {
    pubkey,
    readLocal: async () => read(await store.get(localKey)),
    writeLocal: async ({ version, value }) => {
      const box = await boxed({ version, value });
      await store.update([], () => new Map([[localKey, box]]));
      channel?.post('written');
    },
    onLocalChange: (listener) => {
      channel?.close();
      channel = host.tabs?.join(`nostr-sync/${store.sharedName}/${localKey}`, listener);
      return () => channel?.close();
    },
    draftKey: () => draftPrefix + host.randomBytes(KEY_BYTES).join(''),
    readDrafts: async () => {
      const drafts: KeptDraft[] = [];
      for (const [key, box] of await store.list(draftPrefix)) {
        const draft = isAlong(key) ? alongIn(await openedText(box)) : await read(box);
        if (draft !== undefined) drafts.push({ ...draft, key });
      }
      return drafts.sort((a, b) => b.at - a.at);
    },
    writeDraft: async ({ key, version, at, base, value }, instead, before) => {
      const box = await boxed({ version, at, base, value });
      const others = instead.filter((one) => one !== key);
      const changes = new Map([...others.map((one) => [one, null] as const), [key, box]]);
      if (store.updateSync?.(changes)) return;
      await before;
      await store.update([], () => changes);
    },
    dropDrafts: async (keys) => {
      if (keys.length > 0) await store.update([], () => new Map(keys.map((key) => [key, null])));
    },
    wasAdopted: async () => (await store.get(adoptedKey)) !== undefined,
    adoptedKey,
    markAdopted: () => store.update([], () => new Map([[adoptedKey, '1']])),
  };
}

type Said = KeptDocument & Layer & Pick<KeptDraft, 'at'>;

function saidIn(text: unknown): Said | undefined {
  if (typeof text !== 'string' || text === '') return undefined;
  const said = decodePayload(text);
  if (!isRecord(said) || !Number.isSafeInteger(said['version'])) return undefined;
  const { version, at = 0, base, value } = said as unknown as Omit<Said, 'at'> & { readonly at?: number };
  return { version, at, base, value };
}

function alongIn(text: string | undefined): Omit<KeptDraft, 'key'> | undefined {
  if (!text) return undefined;
  const { draft, value, version = 1, local } = Object(decodePayload(text)) as AlongDraft;
  const [said, here] = [saidIn(draft), saidIn(local)];
  const former = {
    ...(typeof value === 'string' && { value: { version, value: decodePayload(value) as Document } }),
    ...(here && { local: here }),
  };
  return said && { ...said, former };
}
