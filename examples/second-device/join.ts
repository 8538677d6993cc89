/** "Join another device": by a link that was opened, or a code that is typed. */

import type { Identity, JoinedIdentity, NostrSync } from 'nostr-sync';
import { joinByInvitation } from 'nostr-sync/pair';
import { byId, say, show } from './dom.ts';

export interface Joiner {
  readonly me: Identity;
  readonly sync: NostrSync;
  readonly relays: readonly string[];
  readonly name: string;
  readonly onJoined: (joined: JoinedIdentity) => void;
}

/** The invitation behind the `#` of the address. It is taken out of the address and of this tab's history before anything else. */
export function takeInvitation(): string | undefined {
  const { hash, pathname, search } = location;
  if (!/^#nostrpair(:|%3a)/i.test(hash)) return undefined;
  history.replaceState(null, '', pathname + search);
  return hash.slice(1);
}

/** Asks for a code. */
export function askForCode(joiner: Joiner): void {
  const field = byId('text') as HTMLInputElement;
  const abort = open('On the other device, choose “Add a device”. Then type its code here.');
  field.value = '';
  show(true, 'text-row', 'use');
  field.focus();
  const use = (): void => {
    show(false, 'text-row', 'use');
    void join(joiner, field.value, abort);
  };
  byId('use').addEventListener('click', use, { signal: abort.signal });
}

export function joinByLink(joiner: Joiner, invitation: string): void {
  void join(joiner, invitation, open('Looking for the other device…'));
}

function open(text: string): AbortController {
  const dialog = byId('joining') as HTMLDialogElement;
  const abort = new AbortController();
  byId('joining-text').textContent = text;
  byId('joining-close').textContent = 'Cancel';
  show(false, 'text-row', 'use', 'accept', 'shown-digits');
  byId('joining-close').addEventListener('click', () => dialog.close(), { signal: abort.signal });
  dialog.addEventListener('close', () => abort.abort(), { once: true });
  dialog.showModal();
  return abort;
}

async function join(
  { me, sync, relays, name, onJoined }: Joiner,
  invitation: string,
  abort: AbortController,
): Promise<void> {
  const text = byId('joining-text');
  const shown = byId('shown-digits');
  try {
    text.textContent = 'Looking for the other device…';
    const { signal } = abort;
    const joining = await me.join(joinByInvitation, invitation, { name, relays, signal }, { sync });
    const digits = await joining.digits;
    text.textContent = 'Type these digits on your other device.';
    shown.textContent = digits.replace(/(\d{3})(\d{3})/, '$1 $2');
    show(true, 'shown-digits');
    const inviter = await joining.inviter;
    text.textContent = `${inviter.name} (${inviter.pubkey.slice(0, 8)}) shares its data with this device. Is that yours?`;
    show(false, 'shown-digits');
    show(true, 'accept');
    await new Promise<void>((resolve, reject) => {
      byId('accept').addEventListener('click', () => resolve(), { signal, once: true });
      signal.addEventListener('abort', () => reject(new Error('Cancelled')));
    });
    show(false, 'accept');
    onJoined(await joining.accept());
    text.textContent = 'This device has joined.';
    (byId('joining') as HTMLDialogElement).close();
  } catch (error) {
    text.textContent = say(error);
    shown.textContent = '';
    show(false, 'accept', 'shown-digits');
    byId('joining-close').textContent = 'Close';
  }
}
