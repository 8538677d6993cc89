/** Programs that have a file store open, as processes of their own. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleSource } from './source-bundle.ts';

/** What `storeProgram` needs in `root`, once. */
export function bundleStore(root: string): Promise<void> {
  return bundleSource(root, [new URL('../../src/store/file.ts', import.meta.url)]);
}

/**
 * The words that run `script` on Node with `store` on `folder`, not opened yet, and with `put(changes)` or `put(key, value)`,
 * `print(line)` and `heard()`, which awaits a line of ours. The program ends with the script.
 */
export function storeProgram(root: string, folder: string, script: string): string[] {
  const source = `
    import { createInterface } from 'node:readline';
    import { fileStore } from ${JSON.stringify(pathToFileURL(join(root, 'file.mjs')).href)};
    const store = fileStore(${JSON.stringify(folder)});
    const put = (key, value) =>
      store.update([], () => new Map(typeof key === 'string' ? [[key, value]] : key));
    const print = (line) => process.stdout.write(line + '\\n');
    const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    const heard = () => lines.next();
    ${script}
    process.exit();`;
  return [process.execPath, '--input-type=module', '-e', source];
}
