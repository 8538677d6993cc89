/** `npm run playground`: builds the page, serves it on this computer alone, and opens it. `--no-open`: opens nothing. Until Ctrl-C. */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { buildPlayground } from './build.mjs';

const FOLDER = join(import.meta.dirname, 'dist');
const TYPES = { '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.js': 'text/javascript' };
const OPENERS = { darwin: ['open'], win32: ['cmd', '/c', 'start', ''] };

await buildPlayground(FOLDER);
const server = createServer(({ url }, response) => {
  const { pathname } = new URL(url, 'http://localhost');
  const file = pathname === '/' ? '/index.html' : pathname;
  const type = TYPES[extname(file)];
  if (type === undefined || file.includes('/', 1)) return void response.writeHead(404).end();
  response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(readFileSync(join(FOLDER, file)));
});
server.listen(0, '127.0.0.1', () => {
  const address = `http://127.0.0.1:${server.address().port}/`;
  console.log(`${address} (Ctrl-C ends it; as files: ${FOLDER})`);
  if (process.argv.includes('--no-open')) return;
  const [command, ...args] = OPENERS[process.platform] ?? ['xdg-open'];
  // Without a browser the address is enough.
  spawn(command, [...args, address], { stdio: 'ignore', detached: true })
    .on('error', () => undefined)
    .unref();
});
