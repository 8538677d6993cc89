/** The page: a key first, then the list, settings and devices, and a word about how all of it stands. */

import { useSyncStatus } from 'nostr-sync/react';
import { StrictMode, useState, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { Ask } from './ask.tsx';
import { Devices, isInvited } from './devices.tsx';
import { List } from './list.tsx';
import { Settings } from './settings.tsx';
import { hasKey, sync, unlock } from './sync.ts';
import './style.css';

// A device that was invited gets the key of the other one.
const first = isInvited || (await hasKey()) ? await unlock() : undefined;

function App(): ReactNode {
  const [me, setMe] = useState(first);
  if (me === undefined) return <Start onKey={async (nsec) => setMe(await unlock(nsec))} />;
  return (
    <>
      <header>
        <h1>Groceries</h1>
        <Badge />
      </header>
      <List />
      <Settings />
      <Devices me={me} onJoined={setMe} />
    </>
  );
}

function Start({ onKey }: { onKey: (nsec?: string) => Promise<void> }): ReactNode {
  return (
    <section aria-label="Start">
      <h1>Groceries</h1>
      <p>One list on all your devices. It is encrypted here: nobody else can read it.</p>
      <button className="primary" onClick={() => void onKey()}>
        Start a new list
      </button>
      <p>You have one? Choose “Add a device” there, and point this device’s camera at the picture.</p>
      <Ask label="Or paste its key (nsec1…)" onText={onKey} />
    </section>
  );
}

/** Whether a relay is there, and whether it has everything. */
function Badge(): ReactNode {
  const { connectedRelayCount: relays = 0, pendingChanges: pending = 0 } = useSyncStatus(sync) ?? {};
  const unsynced =
    pending > 0 ? `, ${pending} ${pending === 1 ? 'change' : 'changes'} only on this device` : '';
  return (
    <p role="status" className={relays > 0 && pending === 0 ? 'badge' : 'badge warns'}>
      {(relays > 0 ? 'Online' : 'Offline') + unsynced}
    </p>
  );
}

createRoot(document.getElementById('app')!).render(<StrictMode children={<App />} />);
