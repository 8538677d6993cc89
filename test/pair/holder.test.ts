/** The holder's machine, step by step: all that does not stand here changes nothing and says nothing. */

import { describe, expect, test } from 'vitest';
import { MAX_PAIRING_REPEATS } from '../../src/protocol/limits.ts';
import {
  holderStep,
  type HolderEffect,
  type HolderInput,
  type HolderState,
  type HolderStep,
} from '../../src/pair/holder.ts';
import type { CommonEffect } from '../../src/pair/machine.ts';
import type { PairingMessage } from '../../src/pair/message.ts';

const SESSION = '5e'.repeat(32);
const [PEER, STRANGER] = ['aa'.repeat(32), 'bb'.repeat(32)];
const agree = (peer: string) => ({
  digits: peer === PEER ? '863346' : '111111',
  transcriptHash: `hash of ${peer}`,
});
const agreement = agree(PEER);
const step = (state: HolderState, input: HolderInput) =>
  holderStep({ sessionId: SESSION, agree }, state, input);

const STATES = {
  waiting: { type: 'waiting' },
  'waiting, with digits': { type: 'waiting', digits: '863346' },
  'waiting, with wrong digits': { type: 'waiting', digits: '863347' },
  asking: { type: 'asking', peer: PEER, agreement },
  sharing: { type: 'sharing', peer: PEER, agreement, repeats: 0 },
  'sharing, for the last time': { type: 'sharing', peer: PEER, agreement, repeats: MAX_PAIRING_REPEATS },
  over: { type: 'over' },
} satisfies Record<string, HolderState>;

type StateName = keyof typeof STATES;

const by = (from: string, message: PairingMessage): HolderInput => ({ type: 'message', from, message });
const offer = (session_id = SESSION): PairingMessage => ({ type: 'offer', version: 1, session_id });
const complete = (success: boolean): PairingMessage => ({
  type: 'complete',
  success,
  name: 'phone',
  device_id: 'p',
});
const abort = (reason: Extract<PairingMessage, { type: 'abort' }>['reason']): PairingMessage => ({
  type: 'abort',
  reason,
});

const INPUTS = {
  offer: by(PEER, offer()),
  'offer of a stranger': by(STRANGER, offer()),
  'offer of another session': by(PEER, offer('00'.repeat(32))),
  'right digits': { type: 'digits', digits: '863346' },
  'wrong digits': { type: 'digits', digits: '863347' },
  complete: by(PEER, complete(true)),
  'complete, not kept': by(PEER, complete(false)),
  'complete of a stranger': by(STRANGER, complete(true)),
  abort: by(PEER, abort('user_denied')),
  'abort for the digits': by(PEER, abort('sas_mismatch')),
  'abort for the time': by(PEER, abort('timeout')),
  'abort of a stranger': by(STRANGER, abort('user_denied')),
  hello: by(PEER, { type: 'hello' }),
  echo: by(PEER, { type: 'echo' }),
  'its own confirmation': by(PEER, { type: 'sas-confirm', transcript_hash: agreement.transcriptHash }),
  'a payload': by(PEER, { type: 'payload', payload_type: 'custom', payload: 'x' }),
  repeat: { type: 'repeat' },
  expired: { type: 'expired' },
  cancelled: { type: 'cancelled' },
} satisfies Record<string, HolderInput>;

type InputName = keyof typeof INPUTS;

type Effect = HolderEffect | CommonEffect;
const joining: Effect = { type: 'joining' };
const confirmed: Effect = { type: 'confirmed' };
const share: Effect[] = [
  { type: 'send', to: PEER, message: { type: 'sas-confirm', transcript_hash: agreement.transcriptHash } },
  { type: 'share', to: PEER },
  { type: 'repeat-later' },
];
type Ending = Extract<Effect, { type: 'failed' }>['ending'];
const failed = (ending: Ending): Effect => ({ type: 'failed', ending });
const say = (reason: Extract<PairingMessage, { type: 'abort' }>['reason']): Effect => ({
  ...{ type: 'send', to: PEER },
  message: { type: 'abort', reason },
});
const over = (...effects: Effect[]): readonly [HolderState, Effect[]] => [STATES.over, effects];

/** What each state makes of what it reacts to. */
const STEPS: Record<StateName, Partial<Record<InputName, readonly [HolderState, readonly Effect[]]>>> = {
  waiting: {
    offer: [STATES.asking, [joining]],
    'offer of a stranger': [{ type: 'asking', peer: STRANGER, agreement: agree(STRANGER) }, [joining]],
    'right digits': [STATES['waiting, with digits'], []],
    'wrong digits': [STATES['waiting, with wrong digits'], []],
    expired: over(failed('expired')),
    cancelled: over(failed('cancelled-here')),
  },
  'waiting, with digits': {
    offer: [STATES.sharing, [joining, confirmed, ...share]],
    'offer of a stranger': [
      STATES.over,
      [
        joining,
        { type: 'send', to: STRANGER, message: { type: 'abort', reason: 'sas_mismatch' } },
        failed('digits'),
      ],
    ],
    'wrong digits': [STATES['waiting, with wrong digits'], []],
    expired: over(failed('expired')),
    cancelled: over(failed('cancelled-here')),
  },
  'waiting, with wrong digits': {
    offer: over(joining, say('sas_mismatch'), failed('digits')),
    'offer of a stranger': [
      STATES.over,
      [
        joining,
        { type: 'send', to: STRANGER, message: { type: 'abort', reason: 'sas_mismatch' } },
        failed('digits'),
      ],
    ],
    'right digits': [STATES['waiting, with digits'], []],
    expired: over(failed('expired')),
    cancelled: over(failed('cancelled-here')),
  },
  asking: {
    'right digits': [STATES.sharing, [confirmed, ...share]],
    'wrong digits': over(say('sas_mismatch'), failed('digits')),
    abort: over(failed('cancelled-there')),
    'abort for the digits': over(failed('digits')),
    'abort for the time': over(failed('expired')),
    expired: over(say('timeout'), failed('expired')),
    cancelled: over(say('user_denied'), failed('cancelled-here')),
  },
  sharing: {
    'right digits': [STATES.sharing, [confirmed]],
    'wrong digits': over(say('sas_mismatch'), failed('digits')),
    complete: over({ type: 'done', device: { name: 'phone', deviceId: 'p' } }),
    'complete, not kept': over(failed('not-kept')),
    abort: over(failed('cancelled-there')),
    'abort for the digits': over(failed('digits')),
    'abort for the time': over(failed('expired')),
    repeat: [{ ...STATES.sharing, repeats: 1 }, share],
    expired: over(say('timeout'), failed('unconfirmed')),
    cancelled: over(say('user_denied'), failed('cancelled-here')),
  },
  'sharing, for the last time': {
    'right digits': [STATES['sharing, for the last time'], [confirmed]],
    'wrong digits': over(say('sas_mismatch'), failed('digits')),
    complete: over({ type: 'done', device: { name: 'phone', deviceId: 'p' } }),
    'complete, not kept': over(failed('not-kept')),
    abort: over(failed('cancelled-there')),
    'abort for the digits': over(failed('digits')),
    'abort for the time': over(failed('expired')),
    expired: over(say('timeout'), failed('unconfirmed')),
    cancelled: over(say('user_denied'), failed('cancelled-here')),
  },
  over: {},
};

describe.each(Object.keys(STATES) as StateName[])('%s', (name) => {
  test.each(Object.keys(INPUTS) as InputName[])('%s', (input) => {
    const state = STATES[name];
    expect(step(state, INPUTS[input]) ?? [state, []]).toEqual(STEPS[name][input] ?? [state, []]);
  });
});

test('the key is repeated as often as it may be, and no more', () => {
  let state: HolderState = STATES.sharing;
  let times = 0;
  for (let i = 0; i < 100; i++) {
    const [next, effects]: NonNullable<HolderStep> = step(state, INPUTS.repeat) ?? [state, []];
    times += effects.filter(({ type }) => type === 'share').length;
    state = next;
  }
  expect(times).toBe(MAX_PAIRING_REPEATS);
});
