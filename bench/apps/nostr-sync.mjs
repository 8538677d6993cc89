/** The small app on this library: one setting, kept on the device, encrypted, on all devices of a person. */

import { browserKeyStore, createNostrSync, defineCategory, identity } from 'nostr-sync';
import { show } from './page.mjs';

const settings = defineCategory({ name: 'settings', default: { theme: 'light' } });
const { signer } = await identity({ namespace: 'bench', keyStore: browserKeyStore('bench') });
const sync = createNostrSync({ namespace: 'bench', relays: ['ws://127.0.0.1:9'], signer });
const state = sync.state(settings);

const draw = show((theme) => void state.update({ theme }));
draw(state.get().theme);
state.subscribe(({ theme }) => draw(theme));
