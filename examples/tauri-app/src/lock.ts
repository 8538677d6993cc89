/** Making, linking, locking and unlocking: all of it in Rust; this asks. */

import { invoke } from '@tauri-apps/api/core';
import { attempt, byId } from './dom.ts';

type KeyState = 'none' | 'locked' | 'unlocked';
const SCREENS = { none: 'welcome', locked: 'locked', unlocked: 'app' } as const;

export async function showScreen(): Promise<void> {
  const screen = SCREENS[await invoke<KeyState>('key_state')];
  if (document.body.dataset.screen === screen) return;
  document.body.dataset.screen = screen;
  // The keyboard goes on where the eye does.
  byId(screen).querySelector<HTMLElement>('input:not([type=radio]), textarea')?.focus();
}

function onSubmit(id: string, command: string): void {
  const form = byId<HTMLFormElement>(id);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => {
      await invoke(command, Object.fromEntries(new FormData(form)));
      form.reset();
      await showScreen();
    }, form);
  });
}

export function startLock(): void {
  onSubmit('create', 'create_key');
  onSubmit('link', 'link_device');
  onSubmit('unlock', 'unlock');
  const lock = byId('lock');
  lock.addEventListener('click', () => {
    void attempt(async () => {
      hideCode();
      await invoke('lock');
      await showScreen();
    }, lock);
  });
  // What has the focus can be copied, by keys as well.
  byId('code').addEventListener('focus', () => getSelection()?.selectAllChildren(byId('code')));
  const show = byId('show-code');
  show.addEventListener('click', () => {
    if (!byId('code').hidden) return hideCode();
    void attempt(async () => {
      byId('code').textContent = await invoke<string>('device_code');
      byId('code').hidden = false;
      show.setAttribute('aria-expanded', 'true');
      show.textContent = 'Hide the code';
    }, show);
  });
}

function hideCode(): void {
  byId('code').hidden = true;
  byId('code').textContent = '';
  byId('show-code').setAttribute('aria-expanded', 'false');
  byId('show-code').textContent = 'Show the code';
}
