/** A new phone joins the laptop by a QR code, whose link a camera would open. The link is of this page, as both devices are; what follows its `#` is taken out of the address at once. */

import { generateKey } from 'nostr-sync';
import { createInvitation, joinByInvitation } from 'nostr-sync/pair';
import type { Device } from './device.ts';
import { find } from './dom.ts';
import type { PlayRelay } from './network.ts';
import { pictureOf } from './picture.ts';

/** What is behind the `#`, if it is an invitation. It is in no history and in no address from here on. */
function takeInvitation(): string | undefined {
  const { hash, pathname, search } = location;
  if (!hash.startsWith('#nostrpair')) return undefined;
  history.replaceState(null, '', pathname + search);
  return hash.slice(1);
}

export function createPairing(laptop: Device, phone: Device, relays: readonly PlayRelay[]): void {
  const section = find(document, '.pairing');
  const news = find(section, '.news');
  const fresh = find(section, '.fresh') as HTMLButtonElement;
  const invite = find(section, '.invite') as HTMLButtonElement;
  const picture = find(section, '.qr');
  const link = find(section, 'a') as HTMLAnchorElement;
  const form = find(section, 'form');
  const digits = find(form, 'input') as HTMLInputElement;
  const accept = find(section, '.accept') as HTMLButtonElement;
  const common = { namespace: 'playground', relays: relays.map(({ url }) => url) };
  const show = (element: HTMLElement, isShown: boolean): void => void (element.hidden = !isShown);
  const showLink = (uri: string): void => {
    link.href = `${location.href.split('#')[0]}#${uri}`;
    picture.replaceChildren(pictureOf(link.href));
    for (const step of [picture, link]) show(step, true);
  };
  const hideLink = (): void => {
    for (const step of [picture, link]) show(step, false);
    // Nobody needs the secret in it any more.
    picture.replaceChildren();
    link.removeAttribute('href');
  };
  let confirm = (_digits: string): Promise<void> => Promise.resolve();
  let join = (): Promise<void> => Promise.resolve();

  function attempt(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      news.textContent = error instanceof Error ? error.message : String(error);
      hideLink();
      for (const step of [form, accept]) show(step, false);
      show(invite, true);
    });
  }

  fresh.addEventListener('click', () =>
    attempt(async () => {
      await phone.useKey(generateKey(), 'none');
      news.textContent = 'The phone is new: it has a key of its own, and nothing of the laptop.';
      show(fresh, false);
      show(invite, true);
    }),
  );

  invite.addEventListener('click', () =>
    attempt(async () => {
      const { openSocket, key } = laptop;
      const invitation = await createInvitation({ ...common, openSocket, key: key(), name: laptop.name });
      news.textContent =
        'The laptop shows this picture, and the phone’s camera opens the link in it. Here a click does that:';
      show(invite, false);
      showLink(invitation.uri);
      confirm = (typed) => invitation.confirm(typed);
      invitation.on('joining', () => show(form, true));
      await invitation.done;
      news.textContent = 'The phone has joined, with what it had itself.';
      show(fresh, true);
    }),
  );

  async function joinBy(invitation: string): Promise<void> {
    const { openSocket, name } = phone;
    hideLink();
    const joining = joinByInvitation(invitation, { ...common, openSocket, name, deviceId: name });
    news.textContent = `The phone shows ${await joining.digits}. Type it on the laptop:`;
    digits.value = '';
    const inviter = await joining.inviter;
    show(form, false);
    news.textContent = '';
    accept.textContent = `Join ${inviter.name}?`;
    show(accept, true);
    join = async () => {
      show(accept, false);
      await joining.accept(({ key }) => phone.useKey(key!, 'missing'));
    };
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    attempt(() => confirm(digits.value));
  });
  accept.addEventListener('click', () => attempt(() => join()));
  addEventListener('hashchange', () => {
    const invitation = takeInvitation();
    if (invitation !== undefined) attempt(() => joinBy(invitation));
  });
  // One that an earlier visit has left: who has sent it is gone.
  takeInvitation();
}
