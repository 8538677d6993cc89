/** A desktop with a tray: a session bus, and on it what collects the icons of apps. Their menus are used as a panel uses them. */

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { WAIT } from './device.ts';

const WATCHER = '/usr/libexec/ayatana-indicator-application/ayatana-indicator-application-service';

export interface Bus {
  readonly address: string;
  close(): Promise<void>;
}

export interface Tray extends Bus {
  /** Chooses this from the menu of the one icon that is there. */
  choose(label: string): Promise<void>;
}

async function end(process: ChildProcess): Promise<void> {
  const ended = once(process, 'exit');
  process.kill();
  await ended;
}

/** A session bus with no tray on it. */
export async function startBus(): Promise<Bus> {
  const bus = spawn('dbus-daemon', ['--session', '--nofork', '--print-address=1'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [address] = (await once(bus.stdout, 'data')) as [Buffer];
  return { address: String(address).trim(), close: () => end(bus) };
}

export async function startTray(): Promise<Tray> {
  const bus = await startBus();
  const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: bus.address };
  const watcher = spawn(WATCHER, { env, stdio: 'ignore' });
  const call = async (
    to: string,
    path: string,
    method: string,
    ...args: readonly string[]
  ): Promise<string> => {
    const all = ['call', '--session', '--dest', to, '--object-path', path, '--method', method, '--', ...args];
    return (await promisify(execFile)('gdbus', all, { env, timeout: 20_000 })).stdout;
  };
  const property = (to: string, path: string, type: string, name: string): Promise<string> =>
    call(to, path, 'org.freedesktop.DBus.Properties.Get', type, name);

  const watcherPath = '/StatusNotifierWatcher';
  const icons = async (): Promise<string> =>
    property(
      'org.kde.StatusNotifierWatcher',
      watcherPath,
      'org.kde.StatusNotifierWatcher',
      'RegisteredStatusNotifierItems',
    );
  await expect.poll(() => icons().catch(() => undefined), WAIT).toBeDefined();

  return {
    address: bus.address,
    choose: async (label) => {
      await expect.poll(icons, WAIT).toMatch(/':/);
      // A name on the bus and a path, in one.
      const [, owner, path] = /'(:[\d.]+)(\/[^']*)'/.exec(await icons())!;
      const menu = /'([^']*)'/.exec(await property(owner!, path!, 'org.kde.StatusNotifierItem', 'Menu'))![1]!;
      const layout = await call(owner!, menu, 'com.canonical.dbusmenu.GetLayout', '0', '-1', '[]');
      const [, id] = new RegExp(`\\((\\d+), \\{[^}]*'label': <'${label}'>`).exec(layout)!;
      await call(owner!, menu, 'com.canonical.dbusmenu.Event', id!, 'clicked', '<0>', '0');
    },
    close: async () => {
      await end(watcher);
      await bus.close();
    },
  };
}
