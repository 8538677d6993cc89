/** The write policy of `examples/relay-strfry`, asked as strfry asks it: line by line. With strfry itself: `strfry/strfry.test.ts`. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import type { NostrEvent } from '../../src/node.ts';
import { OTHER_KEY, written } from '../sync/devices.ts';

const PROGRAM = new URL('../../examples/relay-strfry/write-policy.mjs', import.meta.url).pathname;
const running: { kill(): unknown }[] = [];
afterEach(() => {
  for (const one of running.splice(0)) one.kill();
});

interface Asked {
  readonly event?: NostrEvent;
  readonly sourceType?: string;
  readonly sourceInfo?: string;
}

/** What it answers to these events, in this order: `accept`, or the reason. */
async function answers(...asked: readonly Asked[]): Promise<string[]> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
  running.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const got: string[] = [];
  for (const { event = EVENT, sourceType = 'IP4', sourceInfo = '127.0.0.1' } of asked) {
    const input = { type: 'new', event, receivedAt: 0, sourceType, sourceInfo };
    child.stdin.write(`${JSON.stringify(input)}\n`);
    const { value } = await lines.next();
    const answer = JSON.parse(String(value)) as { id: string; action: string; msg?: string };
    expect(answer.id).toBe(event.id);
    expect(answer.action).toBe(answer.msg === undefined ? 'accept' : 'reject');
    got.push(answer.msg ?? 'accept');
  }
  return got;
}

const EVENT = written();
const OF_ANOTHER = written({ key: OTHER_KEY });
const isTooFast = (answer: string): boolean => answer.startsWith('rate-limited: ');

test('takes app data, deletions and what pairs, and nothing else', async () => {
  const [data, deletion, pairing, note] = await answers(
    ...[30_078, 5, 24_134, 1].map((kind) => ({ event: written({ kind }) })),
  );
  expect([data, deletion, pairing]).toEqual(['accept', 'accept', 'accept']);
  expect(note).toMatch(/^blocked: kind 1 /);
});

test('asks nothing of what another relay had taken', async () => {
  const event = written({ kind: 1 });
  expect(await answers({ event, sourceType: 'Stream' }, { event, sourceType: 'Sync' })).toEqual([
    'accept',
    'accept',
  ]);
});

test('bounds how fast one author writes, and no other one', async () => {
  // A minute's worth more than it takes at once: a machine that is busy meanwhile earns some of these again.
  const got = await answers(...Array.from({ length: 360 }, () => ({})), { event: OF_ANOTHER });
  expect(got.slice(0, 240).every((one) => one === 'accept')).toBe(true);
  expect(got.slice(240, -1).some(isTooFast)).toBe(true);
  expect(got.at(-1)).toBe('accept');
});

test('bounds how fast one address writes, whatever keys it makes, and no other one', async () => {
  const strangers = Array.from({ length: 4_000 }, (_, n) => ({
    event: { ...EVENT, pubkey: n.toString(16).padStart(64, '0') },
  }));
  const got = await answers(...strangers, { event: OF_ANOTHER, sourceInfo: '192.0.2.1' });
  expect(got.slice(0, 2_400).every((one) => one === 'accept')).toBe(true);
  expect(got.slice(2_400, -1).some(isTooFast)).toBe(true);
  expect(got.at(-1)).toBe('accept');
});
