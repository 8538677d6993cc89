import { useSync } from 'nostr-sync/react';
import { settings } from './settings';

export function Settings() {
  const [{ theme, size }, update, { status }] = useSync(settings);
  return (
    <form className={theme}>
      <input
        type="number"
        value={size}
        onChange={(event) => void update({ size: event.target.valueAsNumber })}
      />
      <small>{status === 'synced' ? 'On all devices' : 'On this device'}</small>
    </form>
  );
}
