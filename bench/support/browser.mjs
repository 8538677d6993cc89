/** Chromium, and pages on loopback that reach nothing else. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { chromium } from 'playwright-core';

const TYPES = { html: 'text/html', js: 'text/javascript', wasm: 'application/wasm' };

/** A folder that is served on loopback, and a browser. `open` shows the page of a script in a profile of its own. */
export async function startBrowser() {
  const folder = mkdtempSync(join(tmpdir(), 'nostr-sync-bench-'));
  const server = createServer(({ url }, response) => {
    const [, app, name = ''] = url.split('/');
    const type = TYPES[name.split('.').at(-1)];
    if (type === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': type });
    const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body></body><script type="module" src="${app}.js"></script>`;
    response.end(name === 'index.html' ? page : readFileSync(join(folder, app, basename(name))));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  return {
    folder,
    open: async (app) => {
      const page = await (await browser.newContext()).newPage();
      const elsewhere = [];
      page.on('request', (request) => {
        if (new URL(request.url()).hostname !== '127.0.0.1') elsewhere.push(request.url());
      });
      await page.goto(`http://127.0.0.1:${server.address().port}/${app}/index.html`);
      return { page, elsewhere };
    },
    close: async () => {
      await browser.close();
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
