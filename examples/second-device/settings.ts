/** The form: what the user sets goes to all devices, and what another device has set is shown. */

import type { NostrSync } from 'nostr-sync';
import { byId } from './dom.ts';

export interface Settings {
  readonly theme: string;
  readonly fontSize: number;
  readonly note: string;
}

export function showSettings(sync: NostrSync): void {
  const form = byId('settings') as HTMLFormElement;
  const field = (name: string): HTMLInputElement => form.elements.namedItem(name) as HTMLInputElement;

  function look({ theme, fontSize }: Settings): void {
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    document.documentElement.style.setProperty('--text-size', `${fontSize}px`);
  }

  sync.subscribe(['settings'], ({ payload }) => {
    const { theme = 'auto', fontSize = 16, note = '' } = (payload ?? {}) as Partial<Settings>;
    field('theme').value = theme;
    field('fontSize').value = String(fontSize);
    // What is being typed is not taken away.
    if (document.activeElement !== field('note')) field('note').value = note;
    look({ theme, fontSize, note });
  });
  form.addEventListener('change', () => {
    const settings: Settings = {
      theme: field('theme').value,
      fontSize: Number(field('fontSize').value),
      note: field('note').value,
    };
    look(settings);
    void sync.publish('settings', { ...settings });
  });
}
