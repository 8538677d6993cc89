/** Desk: the same settings on two devices. */

import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { getCurrentWindow } from '@tauri-apps/api/window';
import { attempt } from './dom.ts';
import { showScreen, startLock } from './lock.ts';
import { connect, showFormerRelays, showTrouble, startNetwork } from './network.ts';
import { quit, startQuit } from './quit.ts';
import { followValues, hideValues, showValues, startValues } from './values.ts';

/** Another process may be using the data, or be about to end. */
async function untilItWorks(start: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await start();
    } catch (error) {
      showTrouble(error);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
}

startLock();
startValues();
showFormerRelays();
void attempt(async () => {
  // Another window may lock or unlock as well: whoever did, the log says so.
  await listen('activity', () => {
    void showScreen().then(() => {
      if (document.body.dataset.screen === 'app') void attempt(showValues);
      else hideValues();
    });
  });
  await showScreen();
  await startNetwork();
  await startQuit();
  await Promise.all([untilItWorks(connect), untilItWorks(followValues)]);
});

document.addEventListener('keydown', (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  if (event.key === 'w') void getCurrentWindow().close();
  if (event.key === 'q') void attempt(quit);
  if (event.shiftKey && event.key === 'D') void attempt(() => invoke('open_window', { label: 'developer' }));
});
