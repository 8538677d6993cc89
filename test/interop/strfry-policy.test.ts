/** The write policy of `examples/relay-strfry`, asked as strfry asks it: line by line. strfry itself cannot be installed here. */

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { OTHER_KEY, PUBKEY, written, type Draft } from '../sync/devices.ts';

const PROGRAM = new URL('../../examples/relay-strfry/write-policy.mjs', import.meta.url).pathname;
const running: { kill(): unknown }[] = [];
afterEach(() => {
  for (const one of running.splice(0)) one.kill();
});

interface Asked extends Draft {
  readonly authed?: string;
  readonly sourceType?: string;
}

/** What it answers to these events, in this order: `accept`, or the reason. */
async function answers(...asked: readonly Asked[]): Promise<string[]> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
  running.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const got: string[] = [];
  for (const { authed, sourceType = 'IP4', ...draft } of asked) {
    const event = written(draft);
    const input = { type: 'new', event, receivedAt: 0, sourceType, sourceInfo: '127.0.0.1' };
    child.stdin.write(`${JSON.stringify({ ...input, ...(authed !== undefined && { authed }) })}\n`);
    const { value } = await lines.next();
    const answer = JSON.parse(String(value)) as { id: string; action: string; msg?: string };
    expect(answer.id).toBe(event.id);
    expect(answer.action).toBe(answer.msg === undefined ? 'accept' : 'reject');
    got.push(answer.msg ?? 'accept');
  }
  return got;
}

test('takes app data and deletions of their author alone, and what pairs', async () => {
  const own = { authed: PUBKEY };
  expect(await answers(own, { ...own, kind: 5 }, { kind: 24_134 })).toEqual(['accept', 'accept', 'accept']);
  const [stranger, another, note] = await answers({}, { ...own, key: OTHER_KEY }, { ...own, kind: 1 });
  expect(stranger).toMatch(/^auth-required: /);
  expect(another).toMatch(/^restricted: /);
  expect(note).toMatch(/^blocked: kind 1 /);
});

test('asks nothing of what another relay had taken', async () => {
  expect(await answers({ sourceType: 'Stream' }, { sourceType: 'Sync' })).toEqual(['accept', 'accept']);
});

test('bounds how fast one author writes, and no other one', async () => {
  const own = { authed: PUBKEY };
  // A minute's worth more than it takes at once: a machine that is busy meanwhile earns some of these again.
  const got = await answers(...Array.from({ length: 360 }, () => own), { kind: 24_134, key: OTHER_KEY });
  expect(got.slice(0, 240).every((one) => one === 'accept')).toBe(true);
  expect(got.slice(240, -1).some((one) => one.startsWith('rate-limited: '))).toBe(true);
  expect(got.at(-1)).toBe('accept');
});
