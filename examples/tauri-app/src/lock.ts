/** Making, linking, locking, unlocking and changing the key: all of it in Rust; this asks. */

import { invoke } from '@tauri-apps/api/core';
import { hideCode, startCode } from './code.ts';
import { attempt, byId } from './dom.ts';
import { publishNote } from './values.ts';

type KeyState = 'none' | 'locked' | 'unlocked';
const SCREENS = { none: 'welcome', locked: 'locked', unlocked: 'app' } as const;

/** What of the welcome is shown. */
type Step = 'choice' | 'link' | 'create';

export async function showScreen(): Promise<void> {
  const screen = SCREENS[await invoke<KeyState>('key_state')];
  if (document.body.dataset.screen === screen) return;
  document.body.dataset.screen = screen;
  if (screen === 'welcome') showStep('choice');
  else focusFirst(screen, 'input:not([type=radio])');
}

/** The keyboard goes on where the eye does. */
function focusFirst(id: string, selector = 'input, textarea, button'): void {
  byId(id).querySelector<HTMLElement>(selector)?.focus();
}

function showStep(step: Step): void {
  for (const one of ['choice', 'link', 'create'] as const) byId(one).hidden = one !== step;
  for (const form of document.querySelectorAll<HTMLFormElement>('#welcome form')) form.reset();
  focusFirst(step);
}

function onSubmit(id: string, command: string): void {
  const form = byId<HTMLFormElement>(id);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(async () => {
      const { again, ...fields } = Object.fromEntries(new FormData(form));
      if (again !== undefined && again !== fields.passphrase) throw new Error('The two passphrases differ.');
      await invoke(command, fields);
      form.reset();
      await showScreen();
    }, form);
  });
}

export function startLock(): void {
  onSubmit('create', 'create_key');
  onSubmit('link', 'link_device');
  onSubmit('unlock', 'unlock');
  startCode();
  for (const step of ['link', 'create'] as const)
    byId(`choose-${step}`).addEventListener('click', () => showStep(step));
  for (const back of document.querySelectorAll('.back'))
    back.addEventListener('click', () => showStep('choice'));

  const lock = byId('lock');
  lock.addEventListener('click', () => {
    void attempt(async () => {
      hideCode();
      await publishNote();
      await invoke('lock');
      await showScreen();
    }, lock);
  });

  const forgetting = byId<HTMLDialogElement>('forgetting');
  for (const forget of document.querySelectorAll('.forget'))
    forget.addEventListener('click', () => {
      forgetting.returnValue = '';
      forgetting.showModal();
    });
  forgetting.addEventListener('close', () => {
    if (forgetting.returnValue !== 'forget') return;
    void attempt(async () => {
      hideCode();
      await publishNote();
      await invoke('forget_key');
      await showScreen();
    });
  });
}
