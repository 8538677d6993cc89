/** A page whose settings are on all devices of its user: `?relay=wss://…` says over which relays, one or several times. */

import { browserKeyStore, createNostrSync, identity } from 'nostr-sync';
import { byId, enterIsPrimary } from './dom.ts';
import { addDevice } from './invite.ts';
import { askForCode, joinByLink, takeInvitation, type Joiner } from './join.ts';
import { showSettings } from './settings.ts';

const NAMESPACE = 'second-device-example';
const RELAYS_KEY = `${NAMESPACE}/relays`;
// Before anything else, so that nothing else sees it.
const invitation = takeInvitation();

function relaysOfPage(): readonly string[] {
  const asked = new URLSearchParams(location.search).getAll('relay');
  const kept: unknown = JSON.parse(localStorage.getItem(RELAYS_KEY) ?? '[]');
  const all = [...asked, ...(Array.isArray(kept) ? kept.map(String) : [])];
  return all.length > 0 ? [...new Set(all)] : ['ws://localhost:7447'];
}

async function start(): Promise<void> {
  let relays = relaysOfPage();
  let me = await identity({ namespace: NAMESPACE, keyStore: browserKeyStore(NAMESPACE) });
  const sync = createNostrSync({ namespace: NAMESPACE, relays, signer: me.signer });
  const name = innerWidth < 600 ? 'Phone' : 'Computer';
  showSettings(sync);
  sync.on('status', ({ connectedRelayCount, pendingChanges }) => {
    const place = connectedRelayCount > 0 ? 'Connected' : 'Offline';
    byId('status').textContent = pendingChanges > 0 ? `${place}, saved on this device` : place;
  });
  sync.on('conflict', ({ shown }) => {
    if (shown === 'theirs')
      byId('news').textContent =
        'Your other device had other settings. Those of this device are in its history.';
  });
  const joiner = (): Joiner => ({
    ...{ me, sync, relays, name },
    onJoined: (joined) => {
      me = joined;
      relays = [...new Set([...relays, ...joined.relays])];
      localStorage.setItem(RELAYS_KEY, JSON.stringify(relays));
      byId('news').textContent = 'This device has joined.';
    },
  });
  byId('add').addEventListener('click', () => void addDevice(me, relays, name));
  byId('join').addEventListener('click', () => askForCode(joiner()));
  for (const dialog of document.querySelectorAll('dialog')) enterIsPrimary(dialog);
  if (invitation !== undefined) joinByLink(joiner(), invitation);
}

void start().catch((error: unknown) => {
  byId('status').textContent = `Cannot start: ${String(error)}`;
});
