/**
 * `kill -9` of a publishing process, ROUNDS times (200) at moments drawn by SEED (printed): what `publish` had told the app is
 * never lost. Some rounds have the relay down, restarted, wiped, or silent about what it took.
 */

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  createNostrSync,
  fileStore,
  secretKeySigner,
  type NostrEvent,
  type Receipt,
} from '../../src/node.ts';
import { startRelay, type RunningRelay } from '../../src/testing/relay-server.ts';
import { createRandom, numberFrom } from '../support/random.ts';
import { tracesOf } from '../support/traces.ts';
import { KEY, root, startDevice, type Answer } from './processes.ts';

const ROUNDS = numberFrom('ROUNDS', 200);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);
// Several, since a process that starts anew may write five times at once, and stamps must stay near the clock.
const CATEGORIES = ['a', 'b', 'c', 'd'] as const;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Told {
  readonly category: string;
  readonly value: number;
  readonly receipt: Receipt;
}

test(
  `a process killed ${ROUNDS} times (SEED=${SEED}) loses no acknowledged write and uses no stamp twice`,
  { timeout: 60_000 + ROUNDS * 3_000 },
  async () => {
    const { next: random } = createRandom(SEED);
    const folder = await mkdtemp(join(root, 'store-'));
    let relay: RunningRelay = await startRelay({ frameLogSize: 1_000_000 });
    const { url, port } = relay;
    const stopRelay = (): Promise<void> => relay.close();
    const restartRelay = async (): Promise<void> => {
      relay = await startRelay({ relay: relay.relay, port });
    };
    const told: Told[] = [];
    /** By category: the newest value that the store has shown. */
    const heads = new Map<string, number>();
    const counts = { killedEarly: 0, receipts: 0, delivered: 0, offline: 0, savedUntold: 0 };

    for (let round = 0; round < ROUNDS; round++) {
      const category = CATEGORIES[round % CATEGORIES.length]!;
      const mischief = Math.floor(random() * 10);
      const chance = random();
      // From when on the time to the kill runs. A relay that is silent would keep the first receipt back for 5 s.
      const from = chance < 0.1 ? 'spawned' : chance < 0.4 || mischief === 1 ? 'started' : 'first receipt';
      const delayMs = random() * 200;
      if (mischief === 0) await stopRelay();
      if (mischief === 1) relay.relay.misbehave({ dropOk: true });
      if (mischief === 0) counts.offline++;

      const device = startDevice(folder, url);
      device.tell({ do: 'loop', category, from: (heads.get(category) ?? 0) + 1 });
      const before = told.length;
      const hear = (answer: Answer): void => {
        if (answer.type === 'failed') expect.fail(`round ${round}: ${answer.message}`);
        if (answer.type === 'receipt') told.push({ category, value: answer.value, receipt: answer.receipt });
      };
      if (from === 'spawned') counts.killedEarly++;
      for (let left = ['spawned', 'started', 'first receipt'].indexOf(from); left > 0; left--)
        hear((await device.answer())!);
      const killed = wait(delayMs).then(async () => {
        if (mischief === 2) await stopRelay();
        if (mischief === 3) relay.relay.wipe();
        if (mischief === 2 || mischief === 3) await wait(random() * 50);
        await device.kill();
      });
      // What it had printed before it died counts as well.
      for (let answer = await device.answer(); answer !== undefined; answer = await device.answer())
        hear(answer);
      await killed;
      relay.relay.behave();
      if (mischief === 0 || mischief === 2) await restartRelay();
      counts.receipts += told.length - before;
      counts.delivered += told.slice(before).filter(({ receipt }) => receipt.stage !== 'saved').length;

      // Alone with its store the device shows the newest value that it had told of, or a newer one.
      const alone = createNostrSync({ store: fileStore(folder), signer: secretKeySigner(KEY) });
      for (const one of CATEGORIES) {
        const newest = Math.max(0, ...told.filter((each) => each.category === one).map(({ value }) => value));
        const local = await alone.fetch(one).catch((error: unknown) => {
          if ((error as { code?: unknown }).code === 'NO_RELAYS_REACHABLE') return undefined;
          throw error;
        });
        const value = (local?.payload as { value: number } | undefined)?.value ?? 0;
        expect(value, `round ${round}: the head of ${one}`).toBeGreaterThanOrEqual(
          Math.max(newest, heads.get(one) ?? 0),
        );
        if (one === category && value > newest) counts.savedUntold++;
        heads.set(one, value);
      }
      await alone.close();
    }
    console.info(`SEED=${SEED}: ${ROUNDS} kills, ${JSON.stringify(counts)}`);

    const last = createNostrSync({ relays: [url], store: fileStore(folder), signer: secretKeySigner(KEY) });
    const fresh = createNostrSync({ relays: [url], signer: secretKeySigner(KEY) });
    try {
      // Asked, the relay shows what a wipe has taken from it, and is given it again.
      await last.syncAll(CATEGORIES);
      await last.flush({ signal: AbortSignal.timeout(20_000) });
      for (const category of CATEGORIES) {
        if (heads.get(category) === 0) continue;
        const expected = { payload: { value: heads.get(category) }, source: 'relay' };
        expect(await last.fetch(category)).toMatchObject(expected);
        expect(await fresh.fetch(category)).toMatchObject(expected);
      }
    } finally {
      await Promise.all([last.close(), fresh.close()]);
      await stopRelay();
    }

    const secrets = tracesOf({ keys: [KEY], texts: ['"value":', 'x'.repeat(16)] });
    expect(secrets.exec(JSON.stringify(relay.relay.frames))?.[0]).toBeUndefined();

    // What sockets carried.
    const carried = new Map<string, NostrEvent>();
    for (const { direction, frame } of relay.relay.frames) {
      if (direction !== 'in' || !Array.isArray(frame) || frame[0] !== 'EVENT') continue;
      const event = frame[1] as NostrEvent;
      carried.set(event.id, event);
    }
    const stamps = [...carried.values()].map(({ created_at, tags }) => `${tags[0]?.[1]} ${created_at}`);
    expect(stamps.filter((stamp, index) => stamps.indexOf(stamp) !== index)).toEqual([]);
    for (const { receipt } of told) {
      if (receipt.stage !== 'saved' && receipt.supersededBy === undefined)
        expect(carried.has(receipt.eventId)).toBe(true);
    }
    for (const category of CATEGORIES) {
      const inOrder = told
        .filter((one) => one.category === category && carried.has(one.receipt.eventId))
        .map(({ receipt }) => Date.parse(receipt.updatedAt));
      expect(inOrder.every((stamp, index) => index === 0 || stamp > inOrder[index - 1]!)).toBe(true);
    }
    // Or the run was blind.
    if (ROUNDS >= 100)
      for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
  },
);
