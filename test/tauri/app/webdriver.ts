/** A client of WebKitWebDriver (W3C WebDriver), and the one app that each driver starts. */

import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { freePort } from '../../support/free-port.ts';

/** Nothing here takes longer, or it hangs for ever, as without a display. In ms. */
const COMMAND_TIMEOUT_MS = 30_000;
const DRIVER = process.env.WEBKIT_WEBDRIVER ?? '/usr/bin/WebKitWebDriver';
/** The key under which WebDriver returns an element. */
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

export interface Browser {
  /** Process id of the app. */
  readonly pid: number;
  /** Runs the body of a function in the page, with `args`; what it returns or resolves with comes back as JSON. */
  run<T>(body: string, ...args: readonly unknown[]): Promise<T>;
  click(selector: string): Promise<void>;
  type(selector: string, text: string): Promise<void>;
  text(selector: string): Promise<string>;
  /** PNG of the page. */
  screenshot(): Promise<Buffer>;
  setSize(width: number, height: number): Promise<void>;
  reload(): Promise<void>;
  handles(): Promise<string[]>;
  switchTo(handle: string): Promise<void>;
  /** Waits until the app, whose last window was closed, has ended; then ends the driver. */
  end(): Promise<void>;
  /** Stops the app and what it has started, as sleep does: no clock of theirs runs, no socket is read. */
  freeze(): void;
  thaw(): void;
  /** `kill -9` of the app and of what it has started. */
  kill(): Promise<void>;
}

/** All processes that `pid` has started, and those they have. */
function descendants(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        // "pid (name) state ppid …": the name may hold anything, spaces and brackets too.
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** Whether it runs. A zombie does not, but one whose other threads go on has not let go of its files either. */
function isAlive(pid: number): boolean {
  try {
    return (
      readdirSync(`/proc/${pid}/task`).length > 1 ||
      !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    );
  } catch {
    return false;
  }
}

function ended(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => process.once('exit', () => resolve()));
}

export async function launch(binary: string, env: Readonly<Record<string, string>>): Promise<Browser> {
  const port = await freePort();
  const driver = spawn(DRIVER, [`--port=${port}`, '--host=127.0.0.1'], {
    env: { ...process.env, ...env, TAURI_WEBVIEW_AUTOMATION: 'true' },
    stdio: ['ignore', 'ignore', 'ignore'],
  });

  async function command<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { value } = (await response.json()) as { value: any };
    if (!response.ok) throw new Error(`WebDriver ${path}: ${value?.error}: ${value?.message}`);
    return value as T;
  }

  function signal(name: NodeJS.Signals): void {
    for (const pid of descendants(driver.pid!)) process.kill(pid, name);
  }

  async function isUp(): Promise<boolean> {
    try {
      await command('GET', '/status');
      return true;
    } catch {
      return false;
    }
  }

  try {
    for (let attempts = 0; !(await isUp()); attempts++) {
      if (attempts === 100 || driver.exitCode !== null) throw new Error(`${DRIVER} does not answer`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { sessionId } = await command<{ sessionId: string }>('POST', '/session', {
      capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': { binary, args: [] } } },
    });
    const session = `/session/${sessionId}`;
    const at = (path: string, body: unknown = {}): Promise<any> => command('POST', session + path, body);
    await at('/timeouts', { script: COMMAND_TIMEOUT_MS });

    const pid = descendants(driver.pid!)[0];
    if (pid === undefined) throw new Error('the app is not running');
    const element = async (selector: string): Promise<string> =>
      (await at('/element', { using: 'css selector', value: selector }))[ELEMENT] as string;

    return {
      pid,
      run: async (body, ...args) => {
        const script = `
          const done = arguments[arguments.length - 1];
          (async function () { ${body} }).apply(null, [...arguments].slice(0, -1)).then(
            (value) => done({ value }),
            (error) => done({ error: error?.stack ?? JSON.stringify(error) }),
          );`;
        const { value, error } = await at('/execute/async', { script, args });
        if (error !== undefined) throw new Error(`in the page: ${error}`);
        return value;
      },
      click: async (selector) => void (await at(`/element/${await element(selector)}/click`)),
      type: async (selector, text) => void (await at(`/element/${await element(selector)}/value`, { text })),
      text: async (selector) => command('GET', `${session}/element/${await element(selector)}/text`),
      screenshot: async () => Buffer.from(await command<string>('GET', `${session}/screenshot`), 'base64'),
      setSize: async (width, height) => void (await at('/window/rect', { width, height })),
      reload: async () => void (await at('/refresh')),
      handles: async () => command('GET', `${session}/window/handles`),
      switchTo: async (handle) => void (await at('/window', { handle })),
      end: async () => {
        for (let polls = 0; isAlive(pid); polls++) {
          if (polls === 200) throw new Error('the app was closed and does not end');
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        driver.kill('SIGKILL');
        await ended(driver);
      },
      freeze: () => signal('SIGSTOP'),
      thaw: () => signal('SIGCONT'),
      kill: async () => {
        signal('SIGKILL');
        driver.kill('SIGKILL');
        await ended(driver);
      },
    };
  } catch (error) {
    signal('SIGKILL');
    driver.kill('SIGKILL');
    throw error;
  }
}
