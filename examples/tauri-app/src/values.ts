/** The values that are the same on all devices: applied as soon as they change here, in another window, or elsewhere. */

import { invoke } from '@tauri-apps/api/core';
import { getStatus, publish, subscribe, syncAll, type FetchResult } from 'nostr-sync/tauri';
import { attempt, byId } from './dom.ts';

interface Settings {
  readonly theme: 'system' | 'light' | 'dark';
  /** In CSS pixels. */
  readonly fontSize: number;
}
interface Note {
  readonly text: string;
}

const DEFAULTS: Settings = { theme: 'system', fontSize: 16 };
const CATEGORIES = ['settings', 'note'];
/** A note is published when its writer pauses. */
const PAUSE_MS = 400;
const NO_NOTE = 'Nothing was written yet';

let settings = DEFAULTS;
let areHidden = false;
let pause: ReturnType<typeof setTimeout> | undefined;

/** Another version of the app may have written it: what does not fit is left as it is. */
function settingsOf(payload: unknown): Settings {
  const { theme, fontSize } = (payload ?? {}) as Partial<Settings>;
  return {
    theme: theme === 'light' || theme === 'dark' || theme === 'system' ? theme : DEFAULTS.theme,
    fontSize: typeof fontSize === 'number' && fontSize >= 12 && fontSize <= 24 ? fontSize : DEFAULTS.fontSize,
  };
}

function applySettings(next: Settings): void {
  settings = next;
  document.documentElement.dataset.theme = next.theme;
  document.documentElement.style.setProperty('--text', `${next.fontSize}px`);
  byId('theme').querySelector<HTMLInputElement>(`[value=${next.theme}]`)!.checked = true;
  byId<HTMLInputElement>('font-size').value = String(next.fontSize);
  byId('font-size-value').textContent = `${next.fontSize} px`;
}

function changeSettings(change: Partial<Settings>): void {
  applySettings({ ...settings, ...change });
  void attempt(() => publish('settings', settings));
}

async function applyNote({ payload, deviceId, updatedAt }: FetchResult): Promise<void> {
  // What is being written here wins: it is newer, and is published in a moment.
  if (pause !== undefined) return;
  const { text } = (payload ?? {}) as Partial<Note>;
  const note = byId<HTMLTextAreaElement>('note');
  const next = typeof text === 'string' ? text : '';
  if (note.value !== next) {
    const { selectionStart, selectionEnd } = note;
    note.value = next;
    note.setSelectionRange(selectionStart, selectionEnd);
  }
  const isHere = (await getStatus()).deviceId === deviceId;
  const time = new Date(updatedAt).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  byId('note-origin').textContent = `Written at ${time} on ${isHere ? 'this device' : 'another device'}`;
}

/** What was written since the last pause, before anything hides or ends it. */
export async function publishNote(): Promise<void> {
  if (pause === undefined) return;
  clearTimeout(pause);
  pause = undefined;
  byId('note-origin').textContent = 'Written just now on this device';
  const text = byId<HTMLTextAreaElement>('note').value;
  // Saved is enough: relays have time.
  await attempt(() => publish('note', { text } satisfies Note, { waitFor: 'saved' }));
}

/** What was unlocked is nobody's business any more. */
export function hideValues(): void {
  areHidden = true;
  clearTimeout(pause);
  pause = undefined;
  byId<HTMLTextAreaElement>('note').value = '';
  byId('note-origin').textContent = NO_NOTE;
}

export function startValues(): void {
  applySettings(DEFAULTS);
  byId('theme').addEventListener('change', (event) => {
    changeSettings({ theme: (event.target as HTMLInputElement).value as Settings['theme'] });
  });
  byId('font-size').addEventListener('input', (event) => {
    changeSettings({ fontSize: (event.target as HTMLInputElement).valueAsNumber });
  });
  byId('reset').addEventListener('click', () => {
    void attempt(() => invoke('reset_settings'), byId('reset'));
  });
  byId('note').addEventListener('input', () => {
    clearTimeout(pause);
    pause = setTimeout(() => void publishNote(), PAUSE_MS);
  });
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) void publishNote();
  });
}

function apply(result: FetchResult): void {
  if (result.category === 'settings') applySettings(settingsOf(result.payload));
  else void applyNote(result);
}

/** Unlocked again, maybe by another key: a subscription tells nothing twice. */
export async function showValues(): Promise<void> {
  if (!areHidden) return;
  areHidden = false;
  const results = await syncAll(CATEGORIES);
  if (!results.some(({ category }) => category === 'settings')) applySettings(DEFAULTS);
  for (const result of results) apply(result);
}

export async function followValues(): Promise<void> {
  await subscribe(CATEGORIES, apply);
}
