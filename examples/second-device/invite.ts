/** "Add a device": a QR code that opens this app on the other device, a code to type there, and the digits that come back. */

import type { Identity } from 'nostr-sync';
import { createInvitation } from 'nostr-sync/pair';
import { renderSVG } from 'uqr';
import { byId, say, show } from './dom.ts';

type Invitation = Awaited<ReturnType<typeof createInvitation>>;

/** The address of this app with an invitation behind the `#`, which no server sees. */
function linkOf({ uri }: Invitation): string {
  return `${location.origin}${location.pathname}${location.search}#${uri}`;
}

export async function addDevice(me: Identity, relays: readonly string[], name: string): Promise<void> {
  const dialog = byId('invitation') as HTMLDialogElement;
  const text = byId('invitation-text');
  const digits = byId('digits') as HTMLInputElement;
  const abort = new AbortController();
  const close = (): void => dialog.close();
  byId('invitation-close').addEventListener('click', close, { signal: abort.signal });
  dialog.addEventListener('close', () => abort.abort(), { once: true });
  text.textContent = 'Asking the relays…';
  byId('invitation-close').textContent = 'Cancel';
  digits.value = '';
  show(false, 'offer', 'digits-row', 'confirm');
  dialog.showModal();
  try {
    const { signal } = abort;
    const invitation = await me.pair(createInvitation, { relays, name, carrier: 'code', signal });
    text.textContent = 'Point the camera of your other device at this picture.';
    byId('qr').innerHTML = renderSVG(linkOf(invitation), { border: 2, ecc: 'L' });
    byId('code').textContent = invitation.code ?? '';
    show(true, 'offer');
    invitation.on('joining', () => {
      text.textContent = 'A device has answered.';
      show(false, 'offer');
      show(true, 'digits-row', 'confirm');
      digits.focus();
    });
    const confirm = (): void =>
      void invitation.confirm(digits.value).catch((error: unknown) => (text.textContent = say(error)));
    byId('confirm').addEventListener('click', confirm, { signal });
    const joined = await invitation.done;
    text.textContent = `${joined.name} has joined.`;
  } catch (error) {
    text.textContent = say(error);
  }
  // The picture and the code are worth nothing any more.
  byId('qr').replaceChildren();
  byId('code').textContent = '';
  show(false, 'offer', 'digits-row', 'confirm');
  byId('invitation-close').textContent = 'Close';
}
