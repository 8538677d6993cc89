/** What Node alone has: a store in files. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNostrSync, fileStore, generateKey, secretKeySigner } from 'nostr-sync';

test('a file store opens, keeps what is written, and opens again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-runner-'));
  const key = generateKey();
  const open = () =>
    createNostrSync({ signer: secretKeySigner(key), store: fileStore(join(folder, 'state')) });
  try {
    const first = open();
    await first.publish('settings', { theme: 'dark' }, { waitFor: 'saved' });
    await first.close();
    const second = open();
    expect((await second.fetch('settings')).payload).toEqual({ theme: 'dark' });
    await second.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
