/** The joiner's machine, step by step: all that does not stand here changes nothing and says nothing. */

import { describe, expect, test } from 'vitest';
import { NostrSyncError } from '../../src/errors.ts';
import {
  joinerStep,
  OFFERING,
  type JoinerEffect,
  type JoinerInput,
  type JoinerSession,
  type JoinerState,
} from '../../src/pair/joiner.ts';
import type { CommonEffect } from '../../src/pair/machine.ts';
import type { PairingMessage } from '../../src/pair/message.ts';
import type { SharedKey } from '../../src/pair/payload.ts';
import { MAX_PAIRING_REPEATS } from '../../src/protocol/limits.ts';

const [HOLDER, STRANGER, SESSION] = ['aa'.repeat(32), 'bb'.repeat(32), '5e'.repeat(32)];
const SHARED: SharedKey = { key: null, pubkey: HOLDER, relays: [], metadata: 'clear', name: 'laptop' };
const OTHER = new NostrSyncError('PAIRING_OTHER_APP', 'another app', { details: { namespace: 'x' } });
const session: JoinerSession = {
  ...{ holder: HOLDER, sessionId: SESSION, transcriptHash: 'hash', name: 'phone', deviceId: 'p' },
  read: (payload) => (payload === 'ours' ? SHARED : OTHER),
};
const step = (state: JoinerState, input: JoinerInput) => joinerStep(session, state, input);

/** One offer, and its repetitions. */
const OFFERS = 1 + MAX_PAIRING_REPEATS;

type Payload = Extract<PairingMessage, { type: 'payload' }>;
const payload = (text: string, payload_type = 'custom'): Payload => ({
  type: 'payload',
  payload_type,
  payload: text,
});

const offering = (more: Partial<Extract<JoinerState, { type: 'offering' }>> = {}): JoinerState => ({
  ...{ type: 'offering', offers: 0, isConfirmed: false, payload: undefined },
  ...more,
});
const STATES = {
  offering: OFFERING,
  'offering, for the last time': offering({ offers: OFFERS }),
  'offering, confirmed': offering({ isConfirmed: true }),
  'offering, with what is shared': offering({ payload: payload('ours') }),
  deciding: { type: 'deciding', shared: SHARED },
  keeping: { type: 'keeping' },
  completing: { type: 'completing' },
  over: { type: 'over' },
} satisfies Record<string, JoinerState>;

type StateName = keyof typeof STATES;

const by = (from: string, message: PairingMessage): JoinerInput => ({ type: 'message', from, message });
const INPUTS = {
  confirmation: by(HOLDER, { type: 'sas-confirm', transcript_hash: 'hash' }),
  'confirmation of another': by(HOLDER, { type: 'sas-confirm', transcript_hash: 'hasH' }),
  'confirmation by a stranger': by(STRANGER, { type: 'sas-confirm', transcript_hash: 'hash' }),
  payload: by(HOLDER, payload('ours')),
  'payload of another app': by(HOLDER, payload('theirs')),
  'payload of another type': by(HOLDER, payload('ours', 'nsec')),
  'payload of a stranger': by(STRANGER, payload('ours')),
  abort: by(HOLDER, { type: 'abort', reason: 'user_denied' }),
  'abort for the digits': by(HOLDER, { type: 'abort', reason: 'sas_mismatch' }),
  'abort of a stranger': by(STRANGER, { type: 'abort', reason: 'user_denied' }),
  'an offer': by(HOLDER, { type: 'offer', version: 1, session_id: SESSION }),
  echo: by(HOLDER, { type: 'echo' }),
  accepted: { type: 'accepted' },
  kept: { type: 'kept' },
  'not kept': { type: 'not-kept' },
  repeat: { type: 'repeat' },
  expired: { type: 'expired' },
  unreachable: { type: 'unreachable' },
  cancelled: { type: 'cancelled' },
} satisfies Record<string, JoinerInput>;

type InputName = keyof typeof INPUTS;
type Effect = JoinerEffect | CommonEffect;
type Ending = Extract<Effect, { type: 'failed' }>['ending'];
type Reason = Extract<PairingMessage, { type: 'abort' }>['reason'];

const later: Effect = { type: 'repeat-later' };
const offer: Effect = {
  ...{ type: 'send', to: HOLDER },
  message: { type: 'offer', version: 1, session_id: SESSION },
};
const complete = (success = true): Effect => ({
  ...{ type: 'send', to: HOLDER },
  message: { type: 'complete', success, name: 'phone', device_id: 'p' },
});
const failed = (ending: Ending): Effect => ({ type: 'failed', ending });
type Step = readonly [JoinerState, readonly Effect[]];
const over = (...effects: Effect[]): Step => [STATES.over, effects];
const ended = (reason: Reason, ending: Ending): Step =>
  over({ type: 'send', to: HOLDER, message: { type: 'abort', reason } }, failed(ending));

const invited: Step = [STATES.deciding, [{ type: 'invited', shared: SHARED }]];
/** As long as the user has not said yes. */
const UNDECIDED = {
  abort: over(failed('cancelled-there')),
  'abort for the digits': over(failed('digits')),
  expired: ended('timeout', 'expired'),
  unreachable: ended('timeout', 'unreachable'),
  cancelled: ended('user_denied', 'cancelled-here'),
};
const CONFIRMING = {
  'confirmation of another': ended('sas_mismatch', 'transcript'),
};

/** What each state makes of what it reacts to. */
const STEPS: Record<StateName, Partial<Record<InputName, Step>>> = {
  offering: {
    ...UNDECIDED,
    ...CONFIRMING,
    confirmation: [STATES['offering, confirmed'], []],
    payload: [STATES['offering, with what is shared'], []],
    'payload of another app': [offering({ payload: payload('theirs') }), []],
    'payload of another type': [offering({ payload: payload('ours', 'nsec') }), []],
    // The first one, too.
    repeat: [offering({ offers: 1 }), [offer, later]],
  },
  'offering, for the last time': {
    ...UNDECIDED,
    ...CONFIRMING,
    confirmation: [offering({ offers: OFFERS, isConfirmed: true }), []],
    payload: [offering({ offers: OFFERS, payload: payload('ours') }), []],
    'payload of another app': [offering({ offers: OFFERS, payload: payload('theirs') }), []],
    'payload of another type': [offering({ offers: OFFERS, payload: payload('ours', 'nsec') }), []],
  },
  'offering, confirmed': {
    ...UNDECIDED,
    ...CONFIRMING,
    confirmation: [STATES['offering, confirmed'], []],
    payload: invited,
    'payload of another app': ended('protocol_error', OTHER),
    'payload of another type': ended('protocol_error', OTHER),
  },
  'offering, with what is shared': {
    ...UNDECIDED,
    ...CONFIRMING,
    confirmation: invited,
    // The first counts.
    payload: [STATES['offering, with what is shared'], []],
    'payload of another app': [STATES['offering, with what is shared'], []],
    'payload of another type': [STATES['offering, with what is shared'], []],
    repeat: [offering({ payload: payload('ours'), offers: 1 }), [offer, later]],
  },
  deciding: {
    ...UNDECIDED,
    accepted: [STATES.keeping, [{ type: 'keep', shared: SHARED }]],
  },
  // What the user has accepted is not taken back.
  keeping: {
    kept: [STATES.completing, [complete(), later]],
    'not kept': over(complete(false)),
  },
  completing: {
    payload: [STATES.completing, [complete()]],
    'payload of another app': [STATES.completing, [complete()]],
    'payload of another type': [STATES.completing, [complete()]],
    repeat: over(complete()),
  },
  over: {},
};

describe.each(Object.keys(STATES) as StateName[])('%s', (name) => {
  test.each(Object.keys(INPUTS) as InputName[])('%s', (input) => {
    const state = STATES[name];
    expect(step(state, INPUTS[input]) ?? [state, []]).toEqual(STEPS[name][input] ?? [state, []]);
  });
});

test('the offer is repeated as often as it may be, and no more', () => {
  let state: JoinerState = OFFERING;
  let times = 0;
  for (let i = 0; i < 100; i++) {
    const [next, effects] = step(state, INPUTS.repeat) ?? [state, []];
    times += effects.filter(({ type }) => type === 'send').length;
    state = next;
  }
  expect(times).toBe(OFFERS);
});
