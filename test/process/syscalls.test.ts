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
import { KEY, root, startDevice, type Command, type Surroundings } from './processes.ts';

const newFolder = (name: string): Promise<string> => mkdtemp(join(root, `${name}-`));
/** Runs end after as many points as there are: far fewer than these. */
const MOST_POINTS = 100;

const publish = (value: number, waitFor: 'saved' | 'replicated', fillerLength = 0): Command => ({
  do: 'publish',
  category: 'settings',
  value,
  waitFor,
  filler: fillerLength,
});
/** The third makes the log longer than it may be, so that it is rewritten. */
const STEPS = [
  publish(11, 'saved'),
  publish(12, 'replicated'),
  publish(13, 'saved', 60_000),
  publish(14, 'saved'),
];

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

/** strace of a device on this folder alone: its log, the next log, and the folder itself. */
function traced(folder: string, output: string, options: readonly string[]): Surroundings {
  const log = join(folder, 'entries.log');
  return {
    under: [
      ...['strace', '-f', '-qq', '-s', '0', '-o', output],
      ...[log, `${log}.new`, folder].flatMap((path) => ['-P', path]),
      ...options,
    ],
    // One thread for files, so that calls have one order and one count.
    env: { UV_THREADPOOL_SIZE: '1' },
  };
}

interface Run {
  /** Whether the fault was met. */
  readonly met: boolean;
  readonly saved: readonly number[];
  readonly refused: readonly number[];
}

async function live(call: string, fault: string, when: string): Promise<Run> {
  const folder = await newFolder('store');
  await cp(template, folder, { recursive: true });
  const output = `${folder}.strace`;
  const relay = await startRelay({ limits: { maxEventBytes: 200_000, maxFrameBytes: 200_000 } });
  const why = `${call} ${fault} ${when}`;
  try {
    const device = startDevice(
      folder,
      relay.url,
      traced(folder, output, ['-e', `trace=${call}`, '-e', `inject=${call}:${fault}:when=${when}`]),
    );
    const [saved, refused]: [number[], number[]] = [[], []];
    expect(await device.answer(), why).toEqual({ type: 'started' });
    for (const step of STEPS) {
      const answer = await device.ask(step);
      if (answer === undefined) break;
      const { value } = step as { value: number };
      if (answer.type === 'receipt') saved.push(value);
      else {
        expect(answer, why).toMatchObject({ type: 'failed', code: 'STORE_FAILED' });
        refused.push(value);
      }
    }
    await device.kill();
    const met = /INJECTED|killed by SIGKILL/.test(
      // The SIGKILL of the test comes after the last step, and meets no call.
      saved.length + refused.length < STEPS.length
        ? 'killed by SIGKILL'
        : await readFile(output, 'utf8').then((text) => text.replaceAll(/.*killed by SIGKILL.*/g, '')),
    );

    // Alone with its store: the newest that was told to be saved, or the one after it; never one that was refused.
    const alone = createNostrSync({ store: fileStore(folder), signer: secretKeySigner(KEY) });
    const { value } = (await alone.fetch('settings'))!.payload as { value: number };
    await alone.close();
    expect(value, why).toBeGreaterThanOrEqual(Math.max(...saved, 1));
    expect(refused, why).not.toContain(value);
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
const ERRORS = ['EIO', 'ENOSPC'] as const;

describe.each(CALLS)('at every %s', (call) => {
  test('a device that is killed loses nothing that it had told', async () => {
    let point = 1;
    for (; point < MOST_POINTS; point++) {
      const { met, refused } = await live(call, 'signal=KILL', String(point));
      expect(refused).toEqual([]);
      if (!met) break;
    }
    console.info(`${call}: killed at ${point - 1} points`);
    expect(point).toBeGreaterThan(1);
  });

  test.each(ERRORS)(
    'that fails once with %s, a write is refused or saved, and the next is saved',
    async (error) => {
      let [point, refusals] = [1, 0];
      for (; point < MOST_POINTS; point++) {
        const { met, saved, refused } = await live(call, `error=${error}`, String(point));
        expect(saved.length + refused.length).toBe(STEPS.length);
        expect(refused.length).toBeLessThanOrEqual(1);
        refusals += refused.length;
        if (!met) break;
      }
      console.info(`${call}: ${error} at ${point - 1} points, ${refusals} refused`);
      expect(point).toBeGreaterThan(1);
    },
  );
});

test.each([
  ['pwrite64', 'EIO'],
  ['fdatasync', 'ENOSPC'],
])(
  'from any %s on that fails with %s for good, what was saved stays, and the rest is refused',
  async (call, error) => {
    for (let point = 1; point < MOST_POINTS; point++) {
      const { met, saved, refused } = await live(call, `error=${error}`, `${point}+`);
      if (!met) break;
      expect([...saved, ...refused]).toEqual(STEPS.map((step) => (step as { value: number }).value));
    }
  },
);

test('each write that is told to be saved was flushed before, by a call of its own', async () => {
  const folder = await newFolder('store');
  const output = `${folder}.strace`;
  // Nobody is there: all that is flushed are the writes.
  const device = startDevice(folder, 'ws://127.0.0.1:9', {
    under: ['strace', '-f', '-qq', '-s', '20', '-o', output, '-e', 'trace=fdatasync,pwrite64,write'],
    env: { UV_THREADPOOL_SIZE: '1' },
  });
  expect(await device.answer()).toEqual({ type: 'started' });
  const writes = 50;
  for (let value = 1; value <= writes; value++)
    expect(await device.ask(publish(value, 'saved'))).toMatchObject({ type: 'receipt', value });
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
