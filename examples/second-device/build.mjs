/** Bundles the page: `node examples/second-device/build.mjs`, after `npm run build`. Any web server can serve what it writes, or its own. */

import { build } from 'esbuild';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = import.meta.dirname;

/** Writes index.html, style.css and app.js into a folder. */
export async function buildPage(folder) {
  mkdirSync(folder, { recursive: true });
  for (const file of ['index.html', 'style.css']) cpSync(join(HERE, file), join(folder, file));
  await build({
    entryPoints: [join(HERE, 'app.ts')],
    outfile: join(folder, 'app.js'),
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    conditions: ['browser'],
    logLevel: 'error',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(HERE, 'dist');
  await buildPage(folder);
  console.log(`Built into ${folder}. Serve it on this computer: npx serve ${folder}`);
}
