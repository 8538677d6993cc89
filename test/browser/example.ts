/** An example as a user would have it: in a folder of its own, with its packages beside it. */

import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT: string = join(import.meta.dirname, '../..');

export interface Example {
  readonly folder: string;
  remove(): void;
}

export function copyExample(name: string): Example {
  // Below the folder of our packages, which are found from there.
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, `${name}-`));
  const isOwn = (path: string): boolean => !/[\\/](node_modules|dist)$/.test(path);
  cpSync(join(ROOT, 'examples', name), folder, { recursive: true, filter: isOwn });
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/nostr-sync'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
