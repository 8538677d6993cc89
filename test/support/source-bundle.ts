/** Source under test for processes of their own: not what was built some time ago. */

import { build } from 'esbuild';

/** Bundles modules into `folder`, each as `NAME.mjs`. */
export async function bundleSource(folder: string, modules: readonly URL[]): Promise<void> {
  await build({
    entryPoints: modules.map(({ pathname }) => pathname),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    // `ws` is CommonJS and requires Node's own modules.
    banner: {
      js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`,
    },
    logLevel: 'warning',
  });
}
