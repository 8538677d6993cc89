/**
 * A device whose system calls fail, by strace: killed at, or told EIO or ENOSPC by, every write, flush and rename of a publish,
 * an acknowledgement and a compaction, one after the other until a run comes to its end untouched.
 */

import { cp, mkdtemp, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { createNostrSync, fileStore, secretKeySigner } from '../../src/node.ts';
import { startRelay } from '../../src/testing/relay-server.ts';
import { filler } from '../support/random.ts';
import {
  atEveryPoint,
  ERRORS,
  expectToShow,
  hasFailedCalls,
  injecting,
  nameOf,
  STEPS,
  type Fault,
  type Told,
} from '../support/system-calls.ts';
import { KEY, root, startDevice } from './processes.ts';

const newFolder = (name: string): Promise<string> => mkdtemp(join(root, `${name}-`));
/** One thread for files, so that calls have one order and one count. */
const ENV = { UV_THREADPOOL_SIZE: '1' };

/** A store whose log is just short of its compaction. */
let template: string;
beforeAll(async () => {
  template = await newFolder('template');
  const sync = createNostrSync({ store: fileStore(template), signer: secretKeySigner(KEY) });
  const log = join(template, 'entries.log');
  const limit = 1024 * 1024;
  for (let value = 1, size = 0; size < limit - 130_000; value++) {
    const text = filler(Math.min(40_000, Math.max(100, Math.floor((limit - 110_000 - size) / 4))));
    await sync.publish('settings', { value: Math.min(value, 10), text }, { waitFor: 'saved' });
    size = (await stat(log)).size;
  }
  await sync.close();
});

interface Run extends Told {
  /** Whether the fault was met. */
  readonly met: boolean;
}

async function live(fault: Fault): Promise<Run> {
  const folder = await newFolder('store');
  await cp(template, folder, { recursive: true });
  const output = `${folder}.strace`;
  const relay = await startRelay({ limits: { maxEventBytes: 200_000, maxFrameBytes: 200_000 } });
  const why = nameOf(fault);
  try {
    const device = startDevice(folder, relay.url, { under: injecting(folder, output, [fault]), env: ENV });
    const [saved, refused]: [number[], number[]] = [[], []];
    expect(await device.answer(), why).toEqual({ type: 'started' });
    for (const step of STEPS) {
      const answer = await device.ask({ do: 'publish', category: 'settings', ...step });
      if (answer === undefined) break;
      const { value } = step;
      if (answer.type === 'receipt') saved.push(value);
      else {
        expect(answer, why).toMatchObject({ type: 'failed', code: 'STORE_FAILED' });
        refused.push(value);
      }
    }
    await device.kill();
    // One that was killed after the last step, by the test or by strace, has met nothing.
    const met = saved.length + refused.length < STEPS.length || (await hasFailedCalls(output));

    // Alone with its store.
    const alone = createNostrSync({ store: fileStore(folder), signer: secretKeySigner(KEY) });
    const { value } = (await alone.fetch('settings'))!.payload as { value: number };
    await alone.close();
    expectToShow(value, { saved, refused }, why);
    // And with a relay every device has it.
    const next = createNostrSync({
      relays: [relay.url],
      store: fileStore(folder),
      signer: secretKeySigner(KEY),
    });
    await next.flush({ signal: AbortSignal.timeout(20_000) });
    await next.close();
    const fresh = createNostrSync({ relays: [relay.url], signer: secretKeySigner(KEY) });
    expect(await fresh.fetch('settings'), why).toMatchObject({ payload: { value }, source: 'relay' });
    await fresh.close();
    return { met, saved, refused };
  } finally {
    await relay.close();
  }
}

const CALLS = ['pwrite64', 'fdatasync', 'fsync', 'rename'] as const;

describe.each(CALLS)('at every %s', (call) => {
  test('a device that is killed loses nothing that it had told', async () => {
    const points = await atEveryPoint(async (point) => {
      const { met, refused } = await live({ call, fault: 'signal=KILL', when: String(point) });
      expect(refused).toEqual([]);
      return met;
    });
    console.info(`${call}: killed at ${points} points`);
    expect(points).toBeGreaterThan(0);
  });

  test.each(ERRORS)(
    'that fails once with %s, a write is refused or saved, and the next is saved',
    async (error) => {
      let refusals = 0;
      const points = await atEveryPoint(async (point) => {
        const fault = { call, fault: `error=${error}`, when: String(point) };
        const { met, saved, refused } = await live(fault);
        expect(saved.length + refused.length).toBe(STEPS.length);
        expect(refused.length).toBeLessThanOrEqual(1);
        refusals += refused.length;
        return met;
      });
      console.info(`${call}: ${error} at ${points} points, ${refusals} refused`);
      expect(points).toBeGreaterThan(0);
    },
  );
});

test.each([
  ['pwrite64', 'EIO'],
  ['fdatasync', 'ENOSPC'],
])(
  'from any %s on that fails with %s for good, what was saved stays, and the rest is refused',
  async (call, error) => {
    await atEveryPoint(async (point) => {
      const { met, saved, refused } = await live({ call, fault: `error=${error}`, when: `${point}+` });
      if (met) expect([...saved, ...refused]).toEqual(STEPS.map(({ value }) => value));
      return met;
    });
  },
);

test('each write that is told to be saved was flushed before, by a call of its own', async () => {
  const folder = await newFolder('store');
  const output = `${folder}.strace`;
  // Nobody is there: all that is flushed are the writes.
  const device = startDevice(folder, 'ws://127.0.0.1:9', {
    under: ['strace', '-f', '-qq', '-s', '20', '-o', output, '-e', 'trace=fdatasync,pwrite64,write'],
    env: ENV,
  });
  expect(await device.answer()).toEqual({ type: 'started' });
  const writes = 50;
  for (let value = 1; value <= writes; value++)
    expect(await device.ask({ do: 'publish', category: 'settings', value, waitFor: 'saved' })).toMatchObject({
      type: 'receipt',
      value,
    });
  await device.kill();
  let [flushes, receipts, unflushed] = [0, 0, 0];
  for (const line of (await readFile(output, 'utf8')).split('\n')) {
    if (/pwrite64\(/.test(line)) unflushed++;
    if (/fdatasync(\(\d+\)| resumed>\)).*= 0/.test(line)) [flushes, unflushed] = [flushes + 1, 0];
    if (!/write\(1, "\{\\"type\\":\\"receipt/.test(line)) continue;
    receipts++;
    expect(unflushed, line).toBe(0);
    expect(flushes, line).toBeGreaterThanOrEqual(receipts);
  }
  console.info(`${receipts} receipts, ${flushes} fdatasync`);
  expect(receipts).toBe(writes);
});
