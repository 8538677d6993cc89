/** How a window closes: with what was just typed saved, and not without a word while changes wait. */

import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { getCurrentWindow } from '@tauri-apps/api/window';
import { getStatus } from 'nostr-sync/tauri';
import { attempt, byId } from './dom.ts';
import { publishNote } from './values.ts';

async function ask(): Promise<void> {
  const { pendingChanges } = await getStatus();
  byId('quitting-text').textContent =
    pendingChanges === 1
      ? 'One change is on no relay yet. It is saved here, and goes out when Desk runs again.'
      : `${pendingChanges} changes are on no relay yet. They are saved here, and go out when Desk runs again.`;
  const dialog = byId<HTMLDialogElement>('quitting');
  dialog.returnValue = '';
  if (!dialog.open) dialog.showModal();
}

export async function quit(): Promise<void> {
  await publishNote();
  await invoke('quit');
}

export async function startQuit(): Promise<void> {
  byId('quitting').addEventListener('close', () => {
    // Escape is no yes.
    const isYes = byId<HTMLDialogElement>('quitting').returnValue === 'quit';
    void attempt(() => invoke(isYes ? 'quit' : 'stay'));
  });
  await getCurrentWindow().listen('closing', () => {
    void publishNote().then(() => attempt(() => invoke('may_close')));
  });
  await listen('quitting', () => void attempt(ask));
  if (await invoke<boolean>('is_quitting')) void attempt(ask);
}
