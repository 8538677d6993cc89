/** What this app syncs, over which relays, and under whose key. */

import { browserKeyStore, createNostrSync, defineCategory, identity, nsecDecode } from 'nostr-sync';
import { items } from 'nostr-sync/merge';
import { z } from 'zod';

export const settings = defineCategory({
  name: 'settings',
  schema: z.object({ theme: z.enum(['auto', 'light', 'dark']), fontSize: z.number().min(12).max(24) }),
  default: { theme: 'auto', fontSize: 16 },
});
export const groceries = defineCategory({
  name: 'groceries',
  schema: z.object({ items: z.array(z.object({ id: z.string(), text: z.string(), isDone: z.boolean() })) }),
  default: { items: [] },
  merge: { items: items('id') },
});

const namespace = 'web-example';
const keyStore = browserKeyStore(namespace);
const asked = new URLSearchParams(location.search).getAll('relay');
export const relays = asked.length > 0 ? asked : ['ws://localhost:7447'];
export const sync = createNostrSync({ namespace, relays });

export const hasKey = async (): Promise<boolean> => (await keyStore.load()) !== undefined;

/** With the key that this device has, or the one given (`nsec1…`), or a new one. */
export async function unlock(nsec?: string): ReturnType<typeof identity> {
  if (nsec !== undefined) await keyStore.save(nsecDecode(nsec));
  const me = await identity({ namespace, keyStore });
  await sync.setSigner(me.signer);
  return me;
}
