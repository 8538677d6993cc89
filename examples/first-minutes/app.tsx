import { browserKeyStore, createNostrSync, defineCategory, identity } from 'nostr-sync';
import { useSync } from 'nostr-sync/react';
import { createRoot } from 'react-dom/client';

const settings = defineCategory({ name: 'ui-settings', default: { theme: 'light', fontSize: 14 } });

const { signer } = await identity({ namespace: 'my-app', keyStore: browserKeyStore('my-app') });
const sync = createNostrSync({ namespace: 'my-app', relays: ['ws://localhost:7447'], signer });
const state = sync.state(settings);

function App() {
  const [{ theme }, update] = useSync(state);
  const other = theme === 'light' ? 'dark' : 'light';
  return <button onClick={() => void update({ theme: other })}>{theme}</button>;
}

createRoot(document.getElementById('app')!).render(<App />);
