/** What the engine tells windows is what Rust code is told: the same fields, under the same names. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createNostrSync } from '../../src/node.ts';

const MODELS = join(import.meta.dirname, '../../crates/nostr-sync/src/models.rs');

/** The names that a struct's fields have in JSON. */
async function fieldsOf(struct: string): Promise<readonly string[]> {
  const models = await readFile(MODELS, 'utf8');
  const [, body = ''] =
    new RegExp(`camelCase"\\)\\]\\npub struct ${struct} \\{\\n([\\s\\S]*?)\\n\\}`).exec(models) ?? [];
  return [...body.matchAll(/^ {4}pub (\w+):/gm)].map(([, name]) =>
    name!.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
  );
}

test('RelayInfo and SyncStatus', async () => {
  const sync = createNostrSync({ relays: ['wss://relay.example.invalid'] });
  const [relays, status] = [await sync.getRelays(), await sync.getStatus()];
  await sync.close();
  expect((await fieldsOf('RelayInfo')).toSorted()).toEqual(Object.keys(relays[0]!).toSorted());
  expect((await fieldsOf('SyncStatus')).toSorted()).toEqual(Object.keys(status).toSorted());
});
