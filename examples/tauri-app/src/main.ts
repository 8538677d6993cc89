/** Desk: the same settings on two devices. */

import { listen } from '@tauri-apps/api/event';
import { getCurrentWindow } from '@tauri-apps/api/window';
import { attempt } from './dom.ts';
import { showScreen, startLock } from './lock.ts';
import { startNetwork } from './network.ts';
import { hideValues, startValues } from './values.ts';

startLock();
void attempt(async () => {
  // Another window may lock or unlock as well: whoever did, the log says so.
  await listen('activity', () => {
    void showScreen().then(() => {
      if (document.body.dataset.screen !== 'app') hideValues();
    });
  });
  await showScreen();
  await Promise.all([startNetwork(), startValues()]);
});

document.addEventListener('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === 'w') void getCurrentWindow().close();
});
