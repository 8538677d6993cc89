/** An engine over a store that fails, and is well again. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createNostrSync, fileStore, memoryStore, secretKeySigner } from '../../src/node.ts';
import { startRelay } from '../../src/testing/relay-server.ts';

const KEY = '5c0c523f52a5b6fad39ed2403092df8cebc36318b39383bca6c00808626fab3a';

test('a store that another engine holds fails each call with STORE_FAILED, and works once it is free', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-'));
  const relay = await startRelay();
  const open = () =>
    createNostrSync({ relays: [relay.url], signer: secretKeySigner(KEY), store: fileStore(folder) });
  const first = open();
  await first.publish('settings', 1);
  const second = open();
  try {
    await expect(second.publish('settings', 2)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(second.fetch('settings')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await first.close();
    expect((await second.publish('settings', 2)).stage).toBe('delivered');
    expect(await second.getPubkey()).toHaveLength(64);
  } finally {
    await Promise.all([first.close(), second.close()]);
    await relay.close();
    await rm(folder, { recursive: true });
  }
});

// Found by `npm run fuzz -- store --seed 1`, entry 15.
test.each(['', 'x'.repeat(5_000), 'a\u0000b', '\ud800'])(
  'a stored device id that no event can carry (%j) is replaced, and the device writes on',
  async (stored) => {
    const store = memoryStore();
    await store.update([], () => new Map([['device-id', stored]]));
    const sync = createNostrSync({ store, signer: secretKeySigner(KEY) });
    try {
      expect((await sync.publish('settings', 1)).stage).toBe('saved');
      const { deviceId } = await sync.getStatus();
      expect(deviceId).toMatch(/^[0-9a-f-]{36}$/);
      expect(await store.get('device-id')).toBe(deviceId);
    } finally {
      await sync.close();
    }
  },
);
