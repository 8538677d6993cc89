/** What a person and a desktop do to a window from outside: focus, hiding, keys. Through the X server, as for any app. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

async function xdotool(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('xdotool', args, { timeout: 20_000 });
  return stdout.trim();
}

/** The window of this title of the process `pid`, once it is on the screen. */
export async function findWindow(pid: number, title: string): Promise<AppWindow> {
  const ids = await xdotool(
    'search',
    '--all',
    '--sync',
    '--onlyvisible',
    '--pid',
    String(pid),
    '--name',
    `^${title}$`,
  );
  return appWindow(ids.split('\n')[0]!);
}

export interface AppWindow {
  /** No window manager is there to do it. */
  focus(): Promise<void>;
  /** As minimising does. */
  hide(): Promise<void>;
  show(): Promise<void>;
}

function appWindow(id: string): AppWindow {
  return {
    focus: async () => void (await xdotool('windowfocus', '--sync', id)),
    hide: async () => void (await xdotool('windowunmap', '--sync', id)),
    show: async () => void (await xdotool('windowmap', '--sync', id)),
  };
}

/** Presses keys one after the other, by their names in X, in whichever window has the focus. */
export async function press(...keys: readonly string[]): Promise<void> {
  await xdotool('key', '--delay', '0', ...keys);
}

export async function typeText(text: string): Promise<void> {
  await xdotool('type', '--delay', '0', text);
}
