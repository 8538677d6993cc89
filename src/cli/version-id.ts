/** How a version is named on the command line: by its id, or the first digits of it. */

import { InvalidArgumentError } from 'commander';
import type { NostrSync } from '../node.ts';
import { CommandError, EXIT } from './failure.ts';

/** The one version whose id begins with these digits. */
export async function idOf(sync: NostrSync, category: string, prefix: string): Promise<string> {
  const ids = (await sync.history(category)).map(({ eventId }) => eventId);
  const found = ids.filter((id) => id.startsWith(prefix));
  if (found.length === 1) return found[0]!;
  const what = found.length === 0 ? 'no version' : `${found.length} versions`;
  const where = `${JSON.stringify(category)} whose id begins with ${prefix}`;
  throw new CommandError('VERSION_NOT_KEPT', EXIT.absent, `This device keeps ${what} of ${where}`);
}

/** What a person copies of an id. */
export function toIdPrefix(text: string): string {
  if (!/^[0-9a-f]{8,64}$/.test(text))
    throw new InvalidArgumentError('Expected 8 to 64 lower-case hex digits.');
  return text;
}
