/** A window for developers: what happened, and the app's other windows. Ctrl+Shift+D opens it. */

import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { attempt, byId } from './dom.ts';

interface Line {
  /** Unix time in ms. */
  readonly at: number;
  readonly text: string;
}

function addLine({ at, text }: Line): void {
  const item = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = new Date(at).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  item.append(time, ` ${text}`);
  byId('activity').prepend(item);
}

for (const label of ['second', 'about'])
  byId(label).addEventListener('click', () => {
    void attempt(() => invoke('open_window', { label }), byId(label));
  });
void attempt(async () => {
  await listen<Line>('activity', ({ payload }) => addLine(payload));
  for (const line of await invoke<Line[]>('activity')) addLine(line);
});
