/** The code that brings the key to another device: shown, copied, and as a picture. */

import { invoke } from '@tauri-apps/api/core';
import { encode } from 'uqr';
import { attempt, byId } from './dom.ts';

/** Light modules around it, as the standard has it. */
const QUIET_ZONE = 4;
/** Width of a module in CSS pixels: a whole number, so that all are as wide. */
const MODULE_PX = 5;

function draw(code: string): void {
  // In capitals it takes less room.
  const { data, size } = encode(code.toUpperCase(), { border: QUIET_ZONE, ecc: 'L' });
  const modules = data.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')));
  const picture = byId('code-picture');
  picture.setAttribute('viewBox', `0 0 ${size} ${size}`);
  for (const side of ['width', 'height']) picture.setAttribute(side, String(size * MODULE_PX));
  picture.querySelector('path')!.setAttribute('d', modules.join(''));
}

function setShown(isShown: boolean): void {
  byId('code-panel').hidden = !isShown;
  byId('show-code').setAttribute('aria-expanded', String(isShown));
  byId('show-code').textContent = isShown ? 'Hide the code' : 'Show the code';
}

export function hideCode(): void {
  setShown(false);
  byId('code').textContent = '';
  byId('code-picture').querySelector('path')!.removeAttribute('d');
  byId('copy-code').textContent = 'Copy the code';
}

export function startCode(): void {
  const [show, copy] = [byId('show-code'), byId('copy-code')];
  show.addEventListener('click', () => {
    if (!byId('code-panel').hidden) return hideCode();
    void attempt(async () => {
      const code = await invoke<string>('device_code');
      byId('code').textContent = code;
      draw(code);
      setShown(true);
    }, show);
  });
  copy.addEventListener('click', () => {
    void attempt(async () => {
      // WebKit lets a page copy while it handles the click, not after it has waited.
      const code = invoke<string>('device_code').then((text) => new Blob([text], { type: 'text/plain' }));
      await navigator.clipboard.write([new ClipboardItem({ 'text/plain': code })]);
      copy.textContent = 'Copied';
    }, copy);
  });
  // What has the focus can be copied, by keys as well.
  byId('code').addEventListener('focus', () => getSelection()?.selectAllChildren(byId('code')));
}
