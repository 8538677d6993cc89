/** A device of the user: the built app on a data folder of its own, and what its user does and sees. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { BINARY } from './build.mjs';
import { launch, type Browser } from './webdriver.ts';

export const PASSPHRASE = 'correct horse battery staple';
export const WAIT = { timeout: 20_000, interval: 50 };

const devices = new Set<Device>();

afterEach(async () => {
  // All of them first: two may be on one folder.
  for (const device of devices) await device.page?.kill();
  for (const { home } of devices) await remove(home);
  devices.clear();
});

/** What the app has started outlives it for a moment, and still writes caches. */
async function remove(folder: string): Promise<void> {
  for (let attempts = 0; ; attempts++) {
    try {
      return rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (attempts === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

export class Device {
  readonly home: string;
  page: Browser | undefined;
  readonly #relays: readonly string[];
  readonly #bus: string;
  readonly #categories: string | undefined;

  /**
   * `home`: the folder of another device, for a second process on the same data. `bus`: the address of a session bus; without, there is none.
   * `categories`: the file of a script for the plugin.
   */
  constructor(
    relays: readonly string[],
    {
      home,
      bus,
      categories,
    }: { readonly home?: string; readonly bus?: string; readonly categories?: string } = {},
  ) {
    this.#relays = relays;
    this.#categories = categories;
    this.#bus = bus ?? 'unix:path=/nonexistent';
    this.home = home ?? mkdtempSync(join(tmpdir(), 'desk-'));
    devices.add(this);
  }

  get env(): Readonly<Record<string, string>> {
    return {
      HOME: this.home,
      XDG_DATA_HOME: join(this.home, 'data'),
      XDG_CACHE_HOME: join(this.home, 'cache'),
      XDG_CONFIG_HOME: join(this.home, 'config'),
      GDK_BACKEND: 'x11',
      DBUS_SESSION_BUS_ADDRESS: this.#bus,
      DESK_RELAYS: this.#relays.join(' '),
      ...(this.#categories !== undefined && { DESK_CATEGORIES: this.#categories }),
    };
  }

  get at(): Browser {
    if (this.page === undefined) throw new Error('the app is not open');
    return this.page;
  }

  async open(): Promise<void> {
    this.page = await launch(BINARY, this.env);
    await expect.poll(() => this.screen(), WAIT).not.toBe('loading');
  }

  /** As its user does: by closing the window, or all of them. */
  async close(): Promise<void> {
    await this.closeWindows();
    await this.ends();
  }

  /** If changes wait, the app asks before it ends; in a tray it goes on. */
  closeWindows(): Promise<void> {
    return this.at.run(`
      const { invoke } = window.__TAURI_INTERNALS__;
      const labels = await invoke('plugin:window|get_all_windows');
      // After the answer: with the last window the page goes.
      setTimeout(() => labels.forEach((label) => void invoke('plugin:window|close', { label: label.label ?? label })));`);
  }

  /** To the question before its end. Not by WebDriver's click: that fails if the app ends before it has answered. */
  answer(value: 'stay' | 'quit'): Promise<void> {
    return this.at.run(
      'setTimeout((one) => document.querySelector(`#quitting [value=${one}]`).click(), 0, arguments[0])',
      value,
    );
  }

  /** The app that has been closed ends. */
  async ends(): Promise<void> {
    await this.at.end();
    this.page = undefined;
  }

  /** Without a word, as a power cut. */
  async kill(): Promise<void> {
    await this.at.kill();
    this.page = undefined;
  }

  screen(): Promise<string> {
    return this.at.run('return document.body.dataset.screen');
  }

  async submit(form: string, fields: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, text] of Object.entries(fields)) await this.at.type(`#${form} [name=${name}]`, text);
    await this.at.click(`#${form} button`);
    await expect.poll(() => this.screen(), WAIT).toBe('app');
  }

  /** Makes the user's key. Resolves with the code for other devices. */
  async create(): Promise<string> {
    await this.at.click('#choose-create');
    await this.submit('create', { passphrase: PASSPHRASE, again: PASSPHRASE });
    await this.at.click('#show-code');
    await expect.poll(() => this.at.text('#code'), WAIT).toMatch(/^ncryptsec1/);
    const code = await this.at.text('#code');
    await this.at.click('#show-code');
    return code;
  }

  async link(code: string): Promise<void> {
    await this.at.click('#choose-link');
    await this.submit('link', { code, passphrase: PASSPHRASE });
  }

  unlock(): Promise<void> {
    return this.submit('unlock', { passphrase: PASSPHRASE });
  }

  setTheme(theme: string): Promise<void> {
    return this.at.run('document.querySelector(`#theme [value=${arguments[0]}]`).click()', theme);
  }

  theme(): Promise<string> {
    return this.at.run('return document.documentElement.dataset.theme');
  }

  write(note: string): Promise<void> {
    return this.at.type('#note', note);
  }

  note(): Promise<string> {
    return this.at.run('return document.querySelector("#note").value');
  }

  status(): Promise<string> {
    return this.at.run('return document.querySelector("#status").textContent');
  }

  /** What Rust has logged. */
  activity(): Promise<string[]> {
    return this.at.run(
      `return (await window.__TAURI_INTERNALS__.invoke('activity')).map(({ text }) => text)`,
    );
  }

  /** A command of the plugin, as the bindings call it. Resolves with what it answers, or with `code` or text of the refusal. */
  invoke(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<any> {
    return this.at.run(
      `const [command, args] = arguments;
       return window.__TAURI_INTERNALS__.invoke('plugin:nostr-sync|' + command, args)
         .catch((error) => ({ refused: error.code ?? String(error) }));`,
      command,
      args,
    );
  }

  /** Opens one of the windows for developers; the page of WebDriver is that one from then on. */
  openWindow(label: 'second' | 'about' | 'developer'): Promise<void> {
    const open = (): Promise<unknown> =>
      this.at.run(`await window.__TAURI_INTERNALS__.invoke('open_window', { label: arguments[0] })`, label);
    return this.toNewWindow(open, label === 'second' ? 'app' : label);
  }

  /** Does what opens a window, and goes to it once this screen is there. */
  async toNewWindow(open: () => Promise<unknown>, screen: string): Promise<void> {
    const before = await this.at.handles();
    await open();
    await expect.poll(() => this.at.handles(), WAIT).toHaveLength(before.length + 1);
    const handle = (await this.at.handles()).find((one) => !before.includes(one))!;
    await this.at.switchTo(handle);
    await expect.poll(() => this.screen(), WAIT).toBe(screen);
  }

  /** Goes to the window of this label. */
  async goTo(label: string): Promise<void> {
    for (const handle of await this.at.handles()) {
      await this.at.switchTo(handle);
      const found = await this.at.run('return window.__TAURI_INTERNALS__.metadata.currentWebview.label');
      if (found === label) return;
    }
    throw new Error(`no window ${label}`);
  }

  /** Every file that the app has written anywhere. */
  files(): Map<string, Buffer> {
    const names = readdirSync(this.home, { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    return new Map(files.map((file) => [file, readFileSync(file)]));
  }
}

export interface Pair {
  readonly laptop: Device;
  readonly phone: Device;
  /** What brought the key from one to the other. */
  readonly code: string;
}

/** Two devices of one user, open and unlocked; each may have a way of its own to the relay. */
export async function openPair(url: string, phoneUrl: string = url): Promise<Pair> {
  const [laptop, phone] = [new Device([url]), new Device([phoneUrl])];
  await Promise.all([laptop.open(), phone.open()]);
  const code = await laptop.create();
  await phone.link(code);
  for (const device of [laptop, phone]) await expect.poll(() => device.status(), WAIT).toBe('Up to date');
  return { laptop, phone, code };
}
