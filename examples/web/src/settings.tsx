/** Settings: each field is synced as it is changed, and what two devices chose differently can be taken back. */

import { useSync } from 'nostr-sync/react';
import type { ReactNode } from 'react';
import { settings, sync } from './sync.ts';

const state = sync.state(settings);

export function Settings(): ReactNode {
  const [{ theme, fontSize }, update, { clashes = [] }] = useSync(state);
  document.documentElement.dataset['theme'] = theme;
  document.documentElement.style.fontSize = `${fontSize}px`;
  return (
    <section aria-label="Settings">
      <label>
        Theme
        <select
          value={theme}
          onChange={(event) => void update({ theme: event.target.value as typeof theme })}
        >
          <option value="auto">As the system</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
      </label>
      <label>
        Text size
        <input
          type="range"
          min={12}
          max={24}
          value={fontSize}
          onChange={(event) => void update({ fontSize: event.target.valueAsNumber })}
        />
      </label>
      {clashes.map(({ path, mine, theirs }) => (
        <p role="alert" key={path.join()}>
          Two devices changed {path.join(' ')}: {String(theirs)} is shown, {String(mine)} was the other.{' '}
          <button onClick={() => void update({ [path[0]!]: mine }).then(state.acknowledge)}>
            Use {String(mine)}
          </button>
          <button onClick={state.acknowledge}>Keep {String(theirs)}</button>
        </p>
      ))}
    </section>
  );
}
