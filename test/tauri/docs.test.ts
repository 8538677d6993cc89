/** The block of docs/TAURI.md that needs a Tauri window runs in one: its IPC goes to the stand-in. */

import { clearMocks, mockIPC, mockWindows } from '@tauri-apps/api/mocks';
import { build } from 'esbuild';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { createNostrSync, secretKeySigner } from '../../src/node.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import { createRelay } from '../../src/testing/relay.ts';
import { extractBlocks } from '../support/docs/markdown.ts';
import { ROOT } from '../support/docs/processes.ts';
import { closeApps, pluginStandIn } from './plugin-stand-in.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';
const URL = 'wss://relay.test';

afterEach(async () => {
  clearMocks();
  vi.unstubAllGlobals();
  await closeApps();
});

/** Runs the code as a module, with the bindings as an app gets them. */
async function runModule(code: string): Promise<void> {
  const folder = await mkdtemp(join(ROOT, 'node_modules/.docs-'));
  try {
    const outfile = join(folder, 'block.mjs');
    await build({
      stdin: { contents: code, resolveDir: ROOT, loader: 'ts' },
      alias: {
        'tauri-plugin-nostr-sync-api': join(ROOT, 'tauri-plugin/guest-js/index.js'),
        'nostr-sync/tauri': join(ROOT, 'src/tauri.ts'),
      },
      bundle: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2023',
      outfile,
      logLevel: 'error',
    });
    await import(/* @vite-ignore */ pathToFileURL(outfile).href);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('the TypeScript of docs/TAURI.md works in a window', async () => {
  const relay = createRelay({});
  const openSocket = connectTo({ [URL]: relay });
  const app = pluginStandIn({ relays: [URL], openSocket });
  app.setSigner(KEY);
  const phone = createNostrSync({ relays: [URL], signer: secretKeySigner(KEY), openSocket });
  await phone.publish('ui-settings', { theme: 'from the phone' });

  const applied: unknown[] = [];
  const askToUnlock = vi.fn();
  vi.stubGlobal('window', globalThis);
  vi.stubGlobal('isTauri', true);
  vi.stubGlobal('apply', (payload: unknown) => applied.push(payload));
  vi.stubGlobal('askToUnlock', askToUnlock);
  mockWindows('main');
  const { ipc } = app.window('main');
  mockIPC((command, given) => {
    const args = given as Record<string, unknown>;
    const send = (args.channel as { readonly onmessage: (message: unknown) => void } | undefined)?.onmessage;
    const channel = send && ipc.channel(send);
    return ipc.invoke(command.slice(command.indexOf('|') + 1), channel ? { ...args, channel } : args);
  });

  const blocks = extractBlocks(await readFile(join(ROOT, 'docs/TAURI.md'), 'utf8'));
  const [block, ...others] = blocks.filter(({ language }) => language === 'typescript');
  expect(others).toEqual([]);
  await runModule(block!.code);

  expect(applied).toEqual([{ theme: 'from the phone' }]);
  expect(askToUnlock).not.toHaveBeenCalled();
  const tags = relay.events().flatMap((event) => event.tags.map(([name]) => name));
  expect(tags).toContain('expiration');
  expect(await phone.fetch('ui-settings')).toMatchObject({ payload: { theme: 'dark' } });
  await phone.close();
});
