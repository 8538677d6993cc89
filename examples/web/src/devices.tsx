/** "Add a device": a picture and a code on this one; on the new one, what it is asked. */

import type { Identity } from 'nostr-sync';
import { createInvitation, joinByInvitation } from 'nostr-sync/pair';
import { useEffect, useState, type ReactNode } from 'react';
import { renderSVG } from 'uqr';
import { Ask, say } from './ask.tsx';
import { relays, sync } from './sync.ts';

const name = navigator.userAgent.includes('Mobile') ? 'Phone' : 'Computer';

// Before anything else: an invitation behind the `#` is taken out of the address.
const { hash, pathname, search } = location;
export const isInvited = hash.startsWith('#nostrpair');
let invitation = isInvited ? hash.slice(1) : undefined;
if (isInvited) history.replaceState(null, '', pathname + search);

type Props = { me: Identity; onJoined: (me: Identity) => void };

export function Devices({ me, onJoined }: Props): ReactNode {
  const [shown, show] = useState<ReactNode>('');
  const attempt = (work: () => Promise<void>): void =>
    void work().catch((error: unknown) => show(<p role="alert">{say(error)}</p>));

  async function invite(): Promise<void> {
    const offer = await me.pair(createInvitation, { relays, name, carrier: 'code' });
    const svg = renderSVG(`${location.origin}${pathname}${search}#${offer.uri}`, {
      ecc: 'L',
    });
    show(
      <p>
        Point the camera of the other device at the picture, or type there: <output>{offer.code}</output>
        <span className="qr" role="img" aria-label="QR code" dangerouslySetInnerHTML={{ __html: svg }} />
      </p>,
    );
    offer.on('joining', () =>
      show(<Ask label="What does it show?" onText={(text) => offer.confirm(text)} />),
    );
    show(`${(await offer.done).name} has joined.`);
  }

  async function join(text: string): Promise<void> {
    const joining = await me.join(joinByInvitation, text, { name, relays }, { sync });
    const digits = await joining.digits;
    show(
      <p>
        Type on your other device: <output>{digits}</output>
      </p>,
    );
    const inviter = await joining.inviter;
    const accept = async (): Promise<void> => {
      onJoined(await joining.accept());
      show('This device has joined.');
    };
    show(<button onClick={() => attempt(accept)}>Join {inviter.name}</button>);
  }

  useEffect(() => {
    const text = invitation;
    invitation = undefined;
    if (text !== undefined) attempt(() => join(text));
  }, []);
  return (
    <section aria-label="Devices">
      <p className="row">
        <button onClick={() => attempt(invite)}>Add a device</button>
        <button onClick={() => show(<Ask label="Its code" onText={join} />)}>Join another device</button>
      </p>
      {shown && <div>{shown}</div>}
    </section>
  );
}
