/**
 * `kill -9` of a process that publishes values in pieces, LARGE_ROUNDS times (60) at moments drawn by SEED (printed), over two
 * relays that take their time: no device ever sees a mixture or a part, and after each kill the category can be read.
 */

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  createNostrSync,
  fileStore,
  isNostrSyncError,
  secretKeySigner,
  type FetchResult,
} from '../../src/node.ts';
import { startRelay } from '../../src/testing/relay-server.ts';
import { createRandom, filler, numberFrom } from '../support/random.ts';
import { KEY, root, startDevice } from './processes.ts';

const ROUNDS = numberFrom('LARGE_ROUNDS', 60);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);
const FILLER_BYTES = 120_000;
const LARGE = { maxPayloadSize: 409_600 };

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test(
  `a process killed ${ROUNDS} times while it publishes 120 KB (SEED=${SEED}) leaves the older or the newer value`,
  { timeout: 60_000 + ROUNDS * 8_000 },
  async () => {
    const { next: random } = createRandom(SEED);
    const folder = await mkdtemp(join(root, 'large-'));
    const relays = await Promise.all([startRelay({ latencyMs: 15 }), startRelay({ latencyMs: 3 })]);
    const urls = relays.map(({ url }) => url);
    const counts = { torn: 0, unreadable: 0, seen: 0, killedBetweenPieces: 0, rounds: 0 };
    let newest = 0;
    let hasSaved = false;
    const look = (result: FetchResult | null): void => {
      const { value, text } = result!.payload as { value: number; text: string };
      counts.seen++;
      if (text !== filler(FILLER_BYTES, value)) counts.torn++;
      newest = Math.max(newest, value);
    };
    const watcher = createNostrSync({ relays: urls, signer: secretKeySigner(KEY), ...LARGE });
    watcher.on('updated', look);
    try {
      const first = { value: 0, text: filler(FILLER_BYTES, 0) };
      await watcher.publish('big', first, { waitFor: 'replicated' });
      for (; counts.rounds < ROUNDS; counts.rounds++) {
        const device = startDevice(folder, urls.join(','));
        device.tell({ do: 'loop', category: 'big', from: newest + 1, filler: FILLER_BYTES });
        await device.answer();
        // On a slow machine it would never get there.
        if (counts.rounds % 3 === 0) await device.answer();
        await wait(random() * 800);
        await device.kill();
        // What the relays have now, for a device that has nothing.
        const fresh = createNostrSync({ relays: urls, signer: secretKeySigner(KEY), ...LARGE });
        await fresh.fetch('big').then(look, () => counts.unreadable++);
        await fresh.close();
        await watcher.fetch('big').then(look, () => counts.unreadable++);
        // And the device itself, alone with its store.
        const alone = createNostrSync({ store: fileStore(folder), signer: secretKeySigner(KEY), ...LARGE });
        const own = await alone.fetch('big').catch((error: unknown) => {
          // It may have been killed before it saved anything at all, and know of the older value from the relays alone.
          const isEmpty =
            !hasSaved &&
            (isNostrSyncError(error, 'NO_RELAYS_REACHABLE') || isNostrSyncError(error, 'INCOMPLETE'));
          if (!isEmpty) counts.unreadable++;
        });
        if (own) {
          hasSaved = true;
          look(own);
          const ids = relays.flatMap(({ relay }) => relay.events().map(({ id }) => id));
          if (!ids.includes(own.eventId)) counts.killedBetweenPieces++;
        }
        await alone.close();
      }
      console.info(`SEED=${SEED}: ${JSON.stringify(counts)}`);
      // In the end everything gets through, and everybody agrees.
      const last = createNostrSync({
        relays: urls,
        store: fileStore(folder),
        signer: secretKeySigner(KEY),
        ...LARGE,
      });
      await last.flush({ signal: AbortSignal.timeout(60_000) });
      const [mine, theirs] = [await last.fetch('big'), await watcher.fetch('big')];
      await last.close();
      expect(theirs?.payload).toEqual(mine?.payload);
      expect({ torn: counts.torn, unreadable: counts.unreadable }).toEqual({ torn: 0, unreadable: 0 });
      // Or the run was blind.
      expect(counts.killedBetweenPieces).toBeGreaterThan(0);
    } finally {
      await watcher.close();
      await Promise.all(relays.map(({ close }) => close()));
    }
  },
);
