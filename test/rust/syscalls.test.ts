/**
 * A Rust process whose system calls on its store fail, by strace: killed at, or told EIO or ENOSPC by, each of them, one after the other
 * until a run comes to its end untouched; and writes that are cut short, by a limit on the size of files.
 */

import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createNostrSync, memoryStore, secretKeySigner } from 'nostr-sync';
import { startRelay } from 'nostr-sync/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { killLineProcesses } from '../support/line-process.ts';
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
import { startRustDevice, type RustDevice } from './rust-device.ts';

const KEY = randomBytes(32).toString('hex');
const CATEGORY = 'settings';
const FILLER_OF_TEMPLATE = 60_000;
const RELAY = { limits: { maxEventBytes: 200_000, maxFrameBytes: 200_000 } };

const root = mkdtempSync(join(tmpdir(), 'nostr-sync-syscalls-'));
const newFolder = (): string => mkdtempSync(join(root, 'store-'));
afterAll(() => {
  killLineProcesses();
  rmSync(root, { recursive: true });
});

const sizeOf = (folder: string): number => statSync(join(folder, 'entries.log')).size;

function start(folder: string, relays: readonly string[], under: readonly string[] = []): RustDevice {
  return startRustDevice({ key: KEY, category: CATEGORY, relays, folder, under });
}

/** How long a device may take to answer to all that it is told, or to end under a fault. In ms. */
const LIFE_MS = 60_000;

/** What hangs says where. */
async function inTime<T>(why: string, { told }: RustDevice, work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = setTimeout(LIFE_MS, undefined, { signal: over.signal }).then(() => {
    throw new Error(`${why}: no end after ${LIFE_MS} ms; told: ${told.map(({ event }) => event).join(', ')}`);
  });
  return Promise.race([work, late]).finally(() => over.abort());
}

/** What a device tells of the steps, until it is over; then it is. */
async function stepsOf(device: RustDevice, why: string): Promise<Told & Pick<Run, 'isWhole'>> {
  const [saved, refused]: [number[], number[]] = [[], []];
  for (const { value, filler: length } of STEPS) {
    const text = length > 0 ? filler(length) : '';
    const told = await device.publish({ value, text }).catch(() => undefined);
    if (told === undefined) break;
    if (told.event === 'published') saved.push(value);
    else {
      expect(told.error, why).toMatchObject({ code: 'STORE_FAILED' });
      refused.push(value);
    }
  }
  return { saved, refused, isWhole: await stop(device) };
}

/** Ends a device as Ctrl-C does. Says whether it came to its end by itself. */
async function stop(device: RustDevice): Promise<boolean> {
  device.process.signal('SIGINT');
  await device.process.ended;
  return device.next('closed').then(
    () => true,
    () => false,
  );
}

/** A store whose log the next value of some length makes longer than it may be. */
const template = join(root, 'template');
beforeAll(async () => {
  const folder = newFolder();
  const device = start(folder, []);
  await device.next('started');
  for (let size = 0; ;) {
    await device.publish({ value: 1, text: filler(FILLER_OF_TEMPLATE) });
    // Rewritten: what was before that is the template.
    if (sizeOf(folder) < size) break;
    size = sizeOf(folder);
    rmSync(template, { recursive: true, force: true });
    cpSync(folder, template, { recursive: true });
  }
  await device.process.kill();
});

interface Run extends Told {
  /** Whether it answered to all that it was told, and closed its store. */
  readonly isWhole: boolean;
  /** What it wrote on stderr. */
  readonly reason: string;
}

/** One life of a device on a copy of the template, under a command; then what it has told is there, on this device and on another. */
async function live(why: string, under: (folder: string, output: string) => readonly string[]): Promise<Run> {
  const folder = newFolder();
  cpSync(template, folder, { recursive: true });
  const [output, reasons] = [`${folder}.strace`, `${folder}.stderr`];
  const relay = await startRelay(RELAY);
  try {
    const toFile = ['sh', '-c', 'exec "$@" 2>"$0"', reasons];
    const device = start(folder, [relay.url], [...toFile, ...under(folder, output)]);
    const { saved, refused, isWhole } = await inTime(why, device, stepsOf(device, why));
    const reason = readFileSync(reasons, 'utf8');
    expect(reason, why).not.toContain('panicked');

    // Alone with its store.
    const alone = start(folder, []);
    const hasShown = (): boolean => alone.told.some(({ event }) => event === 'value');
    await vi.waitFor(() => expect(hasShown(), `${why}: a value`).toBe(true), { timeout: 20_000 });
    const { payload } = await alone.next('value');
    const { value } = payload as { readonly value: number };
    expectToShow(value, { saved, refused }, why);
    await alone.process.kill();
    // And with a relay every device has it.
    const again = start(folder, [relay.url]);
    const other = createNostrSync({ namespace: 'headless', relays: [relay.url], store: memoryStore() });
    await other.setSigner(secretKeySigner(KEY));
    // `expect.poll` does not know to which of the tests that run at once it belongs.
    const isThere = async (): Promise<void> =>
      expect((await other.fetch(CATEGORY))?.payload, why).toEqual(payload);
    await vi.waitFor(isThere, { timeout: 20_000, interval: 100 });
    await other.close();
    await again.process.kill();
    return { saved, refused, isWhole, reason };
  } finally {
    await relay.close();
  }
}

interface FaultyRun extends Run {
  /** Whether a fault was met. */
  readonly met: boolean;
}

async function liveWith(...faults: readonly Fault[]): Promise<FaultyRun> {
  let output = '';
  const run = await live(faults.map(nameOf).join(', '), (folder, path) => {
    output = path;
    return injecting(folder, path, faults);
  });
  return { ...run, met: !run.isWhole || (await hasFailedCalls(output)) };
}

const VALUES = STEPS.map(({ value }) => value);
const valuesOf = ({ saved, refused }: Told): number[] => [...saved, ...refused].sort((a, b) => a - b);
/** With how many lives go on at once. */
const WRITING = [
  ['write', 6],
  ['fdatasync', 6],
  ['fsync', 5],
  ['rename', 2],
  ['ftruncate', 2],
] as const;
/** Without these no store is opened. */
const OPENING = ['fsync', 'ftruncate', 'openat', 'read', 'unlink'];
const OTHERS = [
  ['openat', 6],
  ['read', 8],
  ['unlink', 3],
] as const;

// They wait most of their time: for relays, and for the second after which the next value may go out.
describe.concurrent('a Rust process', { timeout: 120_000 }, () => {
  test.each(WRITING)('killed at every %s, it loses nothing that it had told', async (call, atOnce) => {
    const points = await atEveryPoint(async (point) => {
      const { met, refused } = await liveWith({ call, fault: 'signal=KILL', when: String(point) });
      expect(refused).toEqual([]);
      return met;
    }, atOnce);
    console.info(`${call}: killed at ${points} points`);
    expect(points).toBeGreaterThan(0);
  });

  test.each([...WRITING, ...OTHERS])(
    'if any %s fails once, a write is refused or saved, and the next is saved',
    async (call, atOnce) => {
      let refusals = 0;
      const points = await atEveryPoint(async (point) => {
        // In turn: the store does not look at which it is.
        const fault = `error=${ERRORS[point % ERRORS.length]}`;
        const run = await liveWith({ call, fault, when: String(point) });
        expect(run.isWhole).toBe(true);
        expect(valuesOf(run)).toEqual(VALUES);
        expect(run.refused.length).toBeLessThanOrEqual(1);
        refusals += run.refused.length;
        return run.met;
      }, atOnce);
      console.info(`${call}: failed at ${points} points, ${refusals} refused`);
      expect(points).toBeGreaterThan(0);
    },
  );

  test.each(OPENING)('if every %s fails, it says so and ends', async (call) => {
    const { saved, refused, isWhole, reason } = await liveWith({ call, fault: 'error=EIO', when: '1+' });
    expect({ saved, refused, isWhole }).toEqual({ saved: [], refused: [], isWhole: false });
    expect(reason).toMatch(/^Error: StoreFailed\("Cannot open the store in .*Input\/output error/m);
  });

  test.each([
    ['write', 'EIO'],
    ['fdatasync', 'ENOSPC'],
  ])(
    'from any %s on that fails with %s for good, what was saved stays, and the rest is refused',
    async (call, error) => {
      const points = await atEveryPoint(async (point) => {
        const run = await liveWith({ call, fault: `error=${error}`, when: `${point}+` });
        // In this order: nothing is saved after what was refused.
        expect([...run.saved, ...run.refused]).toEqual(VALUES);
        return run.met;
      }, 6);
      expect(points).toBeGreaterThan(0);
    },
  );

  test('what cannot be flushed, nor be cut off, does not come back', async () => {
    let refusals = 0;
    const points = await atEveryPoint(async (point) => {
      const run = await liveWith(
        { call: 'fdatasync', fault: 'error=EIO', when: String(point) },
        // The first is that of opening.
        { call: 'ftruncate', fault: 'error=EIO', when: '2+' },
      );
      expect(valuesOf(run)).toEqual(VALUES);
      refusals += run.refused.length;
      return run.met;
    }, 6);
    expect(points).toBeGreaterThan(0);
    expect(refusals).toBeGreaterThan(0);
  });

  test('nothing is added to a rewritten log before the folder that lists it is flushed', async () => {
    let output = '';
    const run = await live('the folder after the rename', (folder, path) => {
      output = path;
      return injecting(folder, path, [
        // Two of opening, that of the new log, and that of the folder.
        { call: 'fsync', fault: 'error=EIO', when: '4' },
        // So that it is seen.
        { call: 'rename', fault: 'delay_enter=1', when: '1+' },
      ]);
    });
    expect(run.refused).toEqual([]);
    const lines = readFileSync(output, 'utf8').split('\n');
    const failed = lines.findIndex((line) => line.includes('(INJECTED)'));
    expect(lines[failed - 1]).toContain('rename(');
    expect(lines.slice(failed + 1).filter((line) => line.includes('rename('))).toHaveLength(1);
  });

  test('a write that is cut short is refused whole, and what was saved stays', async () => {
    const size = sizeOf(template);
    const block = 512;
    let short = 0;
    const under = (more: number, path: string): string[] => {
      // What is over the limit fails with EFBIG, after as much as there is room for. Without the trap the signal would end the process.
      const limited = `trap "" XFSZ; ulimit -f ${Math.ceil(size / block) + more}; exec "$@"`;
      return ['sh', '-c', limited, 'sh', 'strace', '-f', '-qq', '-s', '0', '-e', 'trace=write', '-o', path];
    };
    const lives = [0, 1, 2, 3, 5, 9, 20, 100].map(async (more) => {
      let output = '';
      const run = await live(`${more} blocks more`, (_folder, path) => under(more, (output = path)));
      expect(run.isWhole).toBe(true);
      expect(valuesOf(run)).toEqual(VALUES);
      expect(run.refused.length).toBeGreaterThan(0);
      const calls = readFileSync(output, 'utf8').matchAll(/write\(\d+, .*, (\d+)\) += (\d+)$/gm);
      for (const [, asked, done] of calls) short += Number(done) < Number(asked) ? 1 : 0;
    });
    await Promise.all(lives);
    console.info(`${short} writes were cut short`);
    expect(short).toBeGreaterThan(0);
  });
});
