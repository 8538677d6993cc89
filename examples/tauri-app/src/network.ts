/** Relays, and what waits for them. */

import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import {
  addRelay,
  getRelays,
  getStatus,
  isNostrSyncError,
  removeRelay,
  type RelayInfo,
  type SyncStatus,
} from 'nostr-sync/tauri';
import { attempt, byId } from './dom.ts';

/** The relays that the user added here. They are this device's own business. */
const SAVED = 'relays';
const savedRelays = (): string[] => JSON.parse(localStorage.getItem(SAVED) ?? '[]') as string[];

function stateOf({ connectedRelayCount, relayCount, outboxDepth }: SyncStatus): readonly [string, string] {
  const changes = outboxDepth === 1 ? '1 change' : `${outboxDepth} changes`;
  if (relayCount === 0) return ['offline', 'No relay yet. Nothing is sent'];
  if (connectedRelayCount === 0)
    return outboxDepth === 0
      ? ['offline', 'Offline. All changes were sent']
      : ['offline', `Offline. ${changes} waiting`];
  return outboxDepth === 0 ? ['synced', 'Up to date'] : ['sending', `Sending ${changes}`];
}

type Row = Pick<RelayInfo, 'url' | 'connected' | 'lastError'>;

function relayItem({ url, connected, lastError }: Row): HTMLLIElement {
  const item = document.createElement('li');
  item.dataset.state = connected ? 'connected' : 'away';
  const name = document.createElement('span');
  name.textContent = url.replace(/^wss?:\/\//, '').replace(/\/$/, '');
  const state = document.createElement('small');
  state.textContent = connected ? 'connected' : 'not connected';
  state.title = connected ? '' : (lastError ?? '');
  const remove = document.createElement('button');
  remove.type = 'button';
  remove.className = 'quiet';
  remove.textContent = 'Remove';
  remove.ariaLabel = `Remove ${url}`;
  remove.addEventListener('click', () => {
    void attempt(async () => {
      await removeRelay(url);
      localStorage.setItem(SAVED, JSON.stringify(savedRelays().filter((saved) => saved !== url)));
      await refresh();
    }, remove);
  });
  item.append(name, state, remove);
  return item;
}

/** The rows as they were last shown, here or in another window. */
const SHOWN = 'shown relays';
let shown = '';

function showRelays(relays: readonly Row[]): void {
  // The engine has them in the order in which it came to know them, which is another one each time that it starts.
  const rows = relays
    .map(({ url, connected, lastError }) => ({ url, connected, lastError }))
    .sort((a, b) => (a.url < b.url ? -1 : 1));
  // Only what changed is drawn anew: a button that has the focus keeps it.
  const now = JSON.stringify(rows);
  if (now === shown) return;
  shown = now;
  localStorage.setItem(SHOWN, now);
  byId('relays').replaceChildren(...rows.map(relayItem));
}

/** So that the list has its length before the engine has said anything. */
export function showFormerRelays(): void {
  const rows = JSON.parse(localStorage.getItem(SHOWN) ?? '[]') as Row[];
  showRelays(rows.map(({ url }) => ({ url, connected: false, lastError: null })));
}

async function refresh(): Promise<void> {
  const [status, relays] = await Promise.all([getStatus(), getRelays()]);
  const [state, text] = stateOf(status);
  byId('status').dataset.state = state;
  byId('status').textContent = text;
  const remedy = byId('remedy');
  remedy.dataset.for = status.relayCount === 0 ? 'no-relay' : state;
  remedy.textContent = status.relayCount === 0 ? 'Add a relay' : 'Retry now';
  showRelays(relays);
}

export async function startNetwork(): Promise<void> {
  const form = byId<HTMLFormElement>('add-relay');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const url = String(new FormData(form).get('url'));
    void attempt(async () => {
      await addRelay(url);
      localStorage.setItem(SAVED, JSON.stringify([...new Set([...savedRelays(), url])]));
      form.reset();
      await refresh();
    }, form);
  });
  for (const suggested of document.querySelectorAll<HTMLButtonElement>('#suggested button'))
    suggested.addEventListener('click', () => {
      form.querySelector('input')!.value = suggested.value;
      form.querySelector('button')!.focus();
    });
  const remedy = byId('remedy');
  remedy.addEventListener('click', () => {
    if (remedy.dataset.for === 'no-relay') form.querySelector('input')!.focus();
    else void attempt(() => invoke('retry'), remedy);
  });

  const refreshSoon = (): void => void refresh().catch(() => undefined);
  await listen('nostr-sync://relay-status', refreshSoon);
  await listen('nostr-sync://delivery', refreshSoon);
}

export async function connect(): Promise<void> {
  for (const url of savedRelays()) await addRelay(url);
  await refresh();
}

/** Why nothing works for the moment. */
export function showTrouble(error: unknown): void {
  byId('status').dataset.state = 'trouble';
  byId('status').textContent = isNostrSyncError(error, 'STORE_FAILED')
    ? 'Another Desk is using this data'
    : 'The sync engine does not answer';
}
