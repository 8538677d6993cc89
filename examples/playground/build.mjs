/** Builds the page: `node examples/playground/build.mjs`, after `npm run build`. Static files: any web server has them, and a browser opens them from the disk. */

import { build } from 'esbuild';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = import.meta.dirname;

/** Writes index.html, style.css and app.js into a folder. */
export async function buildPlayground(folder) {
  mkdirSync(folder, { recursive: true });
  for (const file of ['index.html', 'style.css']) cpSync(join(HERE, file), join(folder, file));
  await build({
    entryPoints: [join(HERE, 'app.ts')],
    outfile: join(folder, 'app.js'),
    bundle: true,
    minify: true,
    // No module: browsers load none from the disk.
    format: 'iife',
    platform: 'browser',
    target: 'es2023',
    conditions: ['browser'],
    logLevel: 'error',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(HERE, 'dist');
  await buildPlayground(folder);
  console.log(`Built into ${folder}: open ${join(folder, 'index.html')}`);
}
