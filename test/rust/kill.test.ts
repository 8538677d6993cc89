/**
 * A Rust process that is killed with `kill -9` while it publishes. KILLS times (20). What it has said is published is there afterwards,
 * and reaches the other device.
 */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createNostrSync, memoryStore, secretKeySigner } from 'nostr-sync';
import { expect, onTestFinished, test } from 'vitest';
import { startLineProcess } from '../support/line-process.ts';
import { createRandom, filler, numberFrom } from '../support/random.ts';
import { startRustDevice } from './rust-device.ts';

const KILLS = numberFrom('KILLS', 20);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);

test(
  `${KILLS} kills lose nothing that was saved (seed ${SEED})`,
  { timeout: 30_000 + KILLS * 10_000 },
  async () => {
    const random = createRandom(SEED);
    const command = join(import.meta.dirname, '../../dist/cli/main.js');
    const relay = startLineProcess([process.execPath, command, 'relay', '--port', '0', '--json']);
    onTestFinished(() => relay.kill());
    const { url } = JSON.parse((await relay.line())!) as { readonly url: string };
    const folder = mkdtempSync(join(tmpdir(), 'nostr-sync-kill-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const key = randomBytes(32).toString('hex');
    let next = 1;
    let saved = 0;
    for (let round = 0; round < KILLS; round++) {
      // Every third round without a relay: what is saved then has to wait.
      const relays = round % 3 === 2 ? [] : [url];
      const device = startRustDevice({ key, category: 'count', relays, folder });
      await device.next('started');
      if (saved > 0) {
        const { payload } = await device.next('value');
        expect((payload as { readonly n: number }).n).toBeGreaterThanOrEqual(saved);
      }
      const isLarge = round % 4 === 3;
      const publishing = (async () => {
        for (;;) {
          const n = next++;
          const told = await device.publish({ n, filler: isLarge ? filler(60_000) : '' });
          if (told.event === 'published') saved = n;
        }
      })();
      publishing.catch(() => undefined);
      await sleep(random.below(250));
      await device.process.kill();
      await publishing.catch(() => undefined);
    }
    const last = startRustDevice({ key, category: 'count', relays: [url], folder });
    onTestFinished(() => last.process.kill());
    const { payload } = await last.next('value');
    expect((payload as { readonly n: number }).n).toBeGreaterThanOrEqual(saved);
    expect(saved).toBeGreaterThan(0);
    const sync = createNostrSync({
      namespace: 'headless',
      relays: [url],
      store: memoryStore(),
      maxPayloadSize: 400_000,
    });
    onTestFinished(() => sync.close());
    await sync.setSigner(secretKeySigner(key));
    await expect.poll(async () => (await sync.fetch('count'))?.payload, { timeout: 20_000 }).toEqual(payload);
  },
);
