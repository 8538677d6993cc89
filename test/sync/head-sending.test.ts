/** One head to one relay: what goes out, and what each answer of the relay leads to. Without engine, relay or store. */

import { expect, test } from 'vitest';
import { toDTag } from '../../src/protocol/address.ts';
import type { Answer } from '../../src/protocol/answer.ts';
import { CONFIRM_DELAY_MS } from '../../src/protocol/limits.ts';
import { canonicalRelayUrl } from '../../src/relay/url.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import type { Replica } from '../../src/sync/heads/replica.ts';
import { versionOf, type Piece } from '../../src/sync/heads/version.ts';
import type { Audit } from '../../src/sync/relays/audit.ts';
import { createHeadSending, type HeadSending } from '../../src/sync/relays/head-sending.ts';
import { headItem } from '../../src/sync/relays/item.ts';
import type { Proof } from '../../src/sync/relays/proof.ts';
import type { Queue } from '../../src/sync/relays/queue.ts';
import { nameOf, told } from './records.ts';

const D_TAG = toDTag('default', 'settings');
const RELAY = canonicalRelayUrl('wss://a.example');
const AGAIN_MS = 70;
const HEAD = told({ stamp: 9 });
const NEWER = told({ stamp: 10 });
const SHOWN = told({ stamp: 11 });

interface Bench {
  readonly sending: HeadSending;
  /** What was done, in order. */
  readonly log: string[];
  readonly inputs: Input[];
  readonly state: {
    record: HeadRecord;
    answer: Answer;
    isReleased: boolean;
    isWriting: boolean;
    isPending: boolean;
    /** Happens while the relay is waited for. */
    meanwhile: () => void;
  };
  send(): Promise<void>;
}

function setUp(answer: Answer = { type: 'acknowledged' }): Bench {
  const log: string[] = [];
  const inputs: Input[] = [];
  const note =
    (what: string) =>
    (...args: readonly unknown[]): void =>
      void log.push([what, ...args.filter((one) => typeof one === 'number')].join(' '));
  const state: Bench['state'] = {
    ...{ record: { ...EMPTY_RECORD, head: versionOf(HEAD) }, answer, meanwhile: () => undefined },
    ...{ isReleased: true, isWriting: false, isPending: true },
  };
  // Of each port what is not here is not asked for.
  const sending = createHeadSending(RELAY, {
    replica: {
      peek: () => state.record,
      claim: () => (state.isWriting ? undefined : state.record.head?.event),
      apply: async (_, input) => {
        inputs.push(input);
        log.push(`apply ${input.type}`);
        return Promise.resolve([]);
      },
    } as Partial<Replica> as Replica,
    queue: {
      occupy: note('occupy'),
      schedule: note('schedule'),
      transmit: async () => {
        state.meanwhile();
        return Promise.resolve({ answer: state.answer, count: 1 });
      },
      againMs: (_, sent) => (sent.answer.type === 'retry' ? AGAIN_MS : AGAIN_MS + 1),
    } as Partial<Queue> as Queue,
    proof: { lately: () => undefined, note: note('proof') } as unknown as Proof,
    audit: { put: note('audit') } as unknown as Audit,
    isPending: () => state.isPending,
    released: () => (state.isReleased ? state.record : undefined),
    update: note('update'),
    settled: note('settled'),
    refused: async () => Promise.resolve(note('refused')()),
    onTaken: note('taken'),
    onAnswer: note('answer'),
  });
  return { sending, log, inputs, state, send: () => sending.send(headItem(D_TAG)) };
}

const SUPERSEDED: Answer = { type: 'superseded' };
const reset = { voids: new Map([[NEWER.id, NEWER.created_at]]) };

test('a head that was taken is proof of its pieces, and is settled once that is saved', async () => {
  const { log, inputs, send } = setUp();
  await send();
  expect(log).toEqual(['occupy', 'answer', 'proof', 'apply answered', 'taken', 'settled']);
  expect(inputs).toEqual([
    {
      ...{ type: 'answered', relay: RELAY, id: HEAD.id, event: HEAD },
      ...{ delivery: 'acknowledged', superseded: false },
    },
  ]);
});

test('nothing goes out that may not yet, or while a newer write is being saved', async () => {
  const early = setUp();
  early.state.isReleased = false;
  await early.send();
  const writing = setUp();
  writing.state.isWriting = true;
  await writing.send();
  expect([early.log, writing.log]).toEqual([[], []]);
});

test('a head goes out only if the relay has lately said to have the pieces that it shares', async () => {
  const { log, state, send } = setUp();
  const shared: Piece = { name: nameOf(1), stamp: 1, deliveries: new Map([[RELAY, 'confirmed']]) };
  const head = { ...versionOf(HEAD), pieces: [shared] };
  state.record = { ...EMPTY_RECORD, head, proven: new Map([[RELAY, told({ stamp: 1 }).id]]) };
  await send();
  expect(log).toEqual(['update']);
});

test('a head does not go out before its pieces, though its turn has come: they are offered', async () => {
  const { log, state, send } = setUp();
  const lacking: Piece = { name: nameOf(1), stamp: 9, deliveries: new Map() };
  state.record = { ...state.record, head: { ...versionOf(HEAD), pieces: [lacking] } };
  await send();
  expect(log).toEqual(['update']);
  const taken: Piece = { ...lacking, deliveries: new Map([[RELAY, 'acknowledged']]) };
  state.record = { ...state.record, head: { ...versionOf(HEAD), pieces: [taken] } };
  await send();
  expect(log).toContain('apply answered');
});

test('a relay that has something newer is asked for it at once', async () => {
  const { log, inputs, send } = setUp(SUPERSEDED);
  await send();
  expect(log).toEqual(['occupy', 'answer', 'apply answered', 'audit 0', 'settled']);
  expect(inputs).toMatchObject([{ superseded: true }]);
});

test('after a reset the head is sent again to a relay that may hold what was voided', async () => {
  const { log, state, sending, send } = setUp(SUPERSEDED);
  state.record = { ...state.record, ...reset };
  const again = ['occupy', 'answer', 'audit 0', `schedule ${AGAIN_MS}`, 'settled'];
  await send();
  expect(log).toEqual(again);
  log.length = 0;
  sending.shown(D_TAG, NEWER.id);
  await send();
  expect(log).toEqual(again);
});

test('after a reset the head is superseded by what the relay has shown if that counts, until it shows nothing', async () => {
  const { log, inputs, state, sending, send } = setUp(SUPERSEDED);
  state.record = { ...state.record, ...reset };
  sending.shown(D_TAG, SHOWN.id);
  await send();
  expect(inputs).toMatchObject([{ superseded: true }]);
  sending.shown(D_TAG, undefined);
  log.length = 0;
  await send();
  expect(log).toContain(`schedule ${AGAIN_MS}`);
});

test.each<Answer>([
  { type: 'refused', reason: 'blocked: no' },
  { type: 'too-large', reason: 'invalid: too large' },
])('a head that is $type for good is not sent again', async (answer) => {
  const { log, send } = setUp(answer);
  await send();
  expect(log).toEqual(['occupy', 'answer', 'refused', 'settled']);
});

test('a head of which the answer is unclear is sent again, and soon looked for', async () => {
  const { log, state, send } = setUp({ type: 'retry', reason: 'error: later' });
  await send();
  expect(log).toEqual(['occupy', 'answer', `schedule ${AGAIN_MS}`, `audit ${CONFIRM_DELAY_MS}`, 'settled']);
  state.isPending = false;
  log.length = 0;
  await send();
  expect(log).toEqual(['occupy', 'answer', `schedule ${AGAIN_MS}`, 'settled']);
});

test('a head that the relay certainly has not is sent again, and not looked for', async () => {
  const { log, send } = setUp({ type: 'auth-required', reason: 'auth-required: sign in' });
  await send();
  expect(log).toEqual(['occupy', 'answer', `schedule ${AGAIN_MS + 1}`, 'settled']);
});

test('a head whose place a newer one has taken is not sent again', async () => {
  const { log, state, send } = setUp({ type: 'auth-required', reason: 'auth-required: sign in' });
  state.meanwhile = (): void => {
    state.record = { ...EMPTY_RECORD, head: versionOf(NEWER) };
  };
  await send();
  expect(log).toEqual(['occupy', 'answer', 'settled']);
});
