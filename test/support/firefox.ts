/** Real Firefox for tests, by WebDriver BiDi over its own socket: Playwright drives only a Firefox that it has built itself. */

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

const START_MS = 60_000;
const COMMAND_MS = 60_000;
/** The least that Firefox knows, so that a site is soon full. */
const LEAST_STORAGE_KB = 20 * 1024;

/** No first-run pages, no updates, and nothing beyond this computer: whatever is not loopback meets a closed port. */
const PREFERENCES: Readonly<Record<string, string | number | boolean>> = {
  'app.update.disabledForTesting': true,
  'browser.aboutwelcome.enabled': false,
  'browser.sessionstore.resume_from_crash': false,
  'browser.shell.checkDefaultBrowser': false,
  'browser.startup.page': 0,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'network.proxy.type': 1,
  'network.proxy.http': '127.0.0.1',
  'network.proxy.http_port': 9,
  'network.proxy.ssl': '127.0.0.1',
  'network.proxy.ssl_port': 9,
  'toolkit.startup.max_resumed_crashes': -1,
};

/** The browser's path: `FIREFOX_PATH`, or where Debian's package `firefox-esr` puts it. */
function firefoxPath(): string {
  return process.env['FIREFOX_PATH'] ?? '/usr/bin/firefox-esr';
}

/** As global setup it stops the lane at once where there is no Firefox. */
export default function requireFirefox(): void {
  try {
    execFileSync(firefoxPath(), ['--version'], { stdio: 'pipe', env: { ...process.env, MOZ_HEADLESS: '1' } });
  } catch (cause) {
    throw new Error(
      `Cannot run the browser lane: no Firefox at ${firefoxPath()}. Install Debian's package "firefox-esr" or set FIREFOX_PATH.`,
      { cause },
    );
  }
}

/** A value as BiDi sends it, as far as it is needed here. */
interface RemoteValue {
  readonly type: string;
  readonly value?: string;
}

type Reply =
  | { readonly id: number; readonly type: 'success'; readonly result: Record<string, unknown> }
  | { readonly id: number; readonly type: 'error'; readonly error: string; readonly message: string };

export interface FirefoxTab {
  /** Runs `work` in the page; arguments and results are JSON. */
  evaluate<T, A>(work: (arg: A) => T | Promise<T>, arg?: A): Promise<T>;
  close(): Promise<void>;
}

export interface Firefox {
  tab(url: string): Promise<FirefoxTab>;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Whether by `SIGKILL` or because it was told to. Resolves when it is gone. */
  end(how: 'kill' | 'close'): Promise<void>;
}

/** `storageKb`: what all sites may store, each a fifth of it. */
export async function startFirefox(profile: string, storageKb: number = LEAST_STORAGE_KB): Promise<Firefox> {
  const limit = { 'dom.quotaManager.temporaryStorage.fixedLimit': storageKb };
  const preferences = Object.entries({ ...PREFERENCES, ...limit }).map(
    ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
  );
  writeFileSync(join(profile, 'user.js'), preferences.join(''));
  const child = spawn(
    firefoxPath(),
    ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      // A group of its own: its pages are processes as well.
      detached: true,
      env: { ...process.env, HOME: profile, MOZ_HEADLESS: '1' },
    },
  );
  const exited = once(child, 'exit');
  const send = await connect(await listening(child));
  await send('session.new', { capabilities: {} });

  async function call<T, A>(context: string, work: (arg: A) => T | Promise<T>, arg?: A): Promise<T> {
    const { result, exceptionDetails } = (await send('script.callFunction', {
      functionDeclaration: `async (arg) => JSON.stringify(await (${work.toString()})(arg && JSON.parse(arg)))`,
      arguments: arg === undefined ? [] : [{ type: 'string', value: JSON.stringify(arg) }],
      awaitPromise: true,
      target: { context },
    })) as { result?: RemoteValue; exceptionDetails?: { text: string } };
    if (result === undefined) throw new Error(exceptionDetails?.text ?? 'no result');
    return (result.value === undefined ? undefined : JSON.parse(result.value)) as T;
  }

  return {
    tab: async (url) => {
      const { context } = (await send('browsingContext.create', { type: 'tab' })) as { context: string };
      await send('browsingContext.navigate', { context, url, wait: 'complete' });
      return {
        evaluate: (work, arg) => call(context, work, arg),
        close: async () => void (await send('browsingContext.close', { context })),
      };
    },
    signal: (signal) => void process.kill(-child.pid!, signal),
    end: async (how) => {
      if (how === 'close') await send('browser.close', {}).catch(() => undefined);
      const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), how === 'kill' ? 0 : 10_000);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** Where it listens, as it says itself. */
async function listening(child: ChildProcess): Promise<string> {
  const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), START_MS);
  const said: string[] = [];
  try {
    for await (const line of createInterface({ input: child.stderr! })) {
      const url = /WebDriver BiDi listening on (ws:\S+)/.exec(line)?.[1];
      if (url !== undefined) return url;
      said.push(line);
    }
  } finally {
    clearTimeout(timer);
    // Whatever else it says is read, or it would stop at a full pipe.
    child.stderr!.resume();
  }
  throw new Error(`Firefox did not start: ${said.join('\n')}`);
}

/** A connection to it: sends a command and waits for the reply. */
async function connect(url: string): Promise<(method: string, params: object) => Promise<object>> {
  const socket = new WebSocket(`${url}/session`);
  await once(socket, 'open');
  const waiting = new Map<number, (reply: Reply) => void>();
  let lastId = 0;
  socket.on('message', (data) => {
    const reply = JSON.parse((data as Buffer).toString()) as Reply;
    waiting.get(reply.id)?.(reply);
  });
  const gone: Reply = { id: 0, type: 'error', error: 'gone', message: 'the browser has ended' };
  socket.on('error', () => undefined);
  socket.on('close', () => waiting.forEach((settle) => settle(gone)));
  return async (method, params) => {
    const id = ++lastId;
    const reply = await new Promise<Reply>((resolve) => {
      const timer = setTimeout(() => resolve({ ...gone, message: 'no reply in time' }), COMMAND_MS);
      waiting.set(id, (settled) => {
        clearTimeout(timer);
        waiting.delete(id);
        resolve(settled);
      });
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ id, method, params }));
      else waiting.get(id)!(gone);
    });
    if (reply.type === 'error') throw new Error(`${method}: ${reply.error}: ${reply.message}`);
    return reply.result;
  };
}
