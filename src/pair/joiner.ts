/**
 * The device that joins (NIP-AB: the target), as a pure machine.
 *
 *     offering ──confirmation and payload──▶ deciding ──accept──▶ keeping ──kept──▶ completing ──▶ over
 *        └─ wrong confirmation, abort, expiry, cancel ─┴──▶ over    └──not kept──▶ over
 *
 * J1. What is shared is given to nobody before the user has accepted it: an invitation may be of a stranger.
 * J2. Only the device that showed the invitation is heard.
 * J3. It is called complete only after the key was kept.
 */

import { MAX_PAIRING_REPEATS } from '../protocol/limits.ts';
import type { NostrSyncError } from '../errors.ts';
import { isSame } from './derivations.ts';
import { endingOf, type Ending } from './ending.ts';
import type { CommonEffect, CommonInput } from './machine.ts';
import type { AbortReason, JoinerMessage, PairingMessage } from './message.ts';
import { PAYLOAD_TYPE, type SharedKey } from './payload.ts';

export type JoinerState =
  | {
      readonly type: 'offering';
      readonly repeats: number;
      /** The other user has typed the digits. */
      readonly isConfirmed: boolean;
      /** It may overtake the confirmation. */
      readonly payload: Payload | undefined;
    }
  | { readonly type: 'deciding'; readonly shared: SharedKey }
  | { readonly type: 'keeping' }
  /** The other device is told, and told once more. */
  | { readonly type: 'completing' }
  | { readonly type: 'over' };

type Payload = Extract<PairingMessage, { readonly type: 'payload' }>;
type Offering = Extract<JoinerState, { readonly type: 'offering' }>;

export type JoinerInput =
  | CommonInput
  | { readonly type: 'started' }
  | { readonly type: 'accepted' }
  | { readonly type: 'kept' }
  | { readonly type: 'not-kept' }
  | { readonly type: 'unreachable' };

export type JoinerEffect =
  | CommonEffect<JoinerMessage>
  /** The other user has confirmed: this one is asked. */
  | { readonly type: 'invited'; readonly shared: SharedKey }
  /** The app is given what is shared, to keep it. */
  | { readonly type: 'keep'; readonly shared: SharedKey };

/** What the machine knows of the session; all pure. */
export interface JoinerSession {
  /** Public key of the device that showed the invitation. */
  readonly holder: string;
  readonly sessionId: string;
  readonly transcriptHash: string;
  readonly read: (payload: string) => SharedKey | NostrSyncError;
  readonly name: string;
  readonly deviceId: string;
}

export type JoinerStep = readonly [JoinerState, readonly JoinerEffect[]];

const OVER: JoinerState = { type: 'over' };
const LATER: JoinerEffect = { type: 'repeat-later' };
export const OFFERING: JoinerState = {
  type: 'offering',
  repeats: 0,
  isConfirmed: false,
  payload: undefined,
};

export function joinerStep(session: JoinerSession, state: JoinerState, input: JoinerInput): JoinerStep {
  switch (input.type) {
    case 'started':
      return state.type === 'offering' ? [state, offer(session)] : [state, []];
    case 'message':
      // J2.
      return input.from === session.holder ? heard(session, state, input.message) : [state, []];
    case 'accepted':
      if (state.type !== 'deciding') return [state, []];
      return [{ type: 'keeping' }, [{ type: 'keep', shared: state.shared }]];
    case 'kept':
      // J3.
      if (state.type !== 'keeping') return [state, []];
      return [{ type: 'completing' }, [complete(session), LATER]];
    case 'not-kept':
      if (state.type !== 'keeping') return [state, []];
      return [OVER, [complete(session, false)]];
    case 'repeat':
      return repeated(session, state);
    case 'expired':
      return ended(session, state, 'timeout', 'expired');
    case 'unreachable':
      return ended(session, state, 'timeout', 'unreachable');
    case 'cancelled':
      return ended(session, state, 'user_denied', 'cancelled-here');
  }
}

function heard(session: JoinerSession, state: JoinerState, message: PairingMessage): JoinerStep {
  // The other device repeats itself: it has not heard that all is complete.
  if (state.type === 'completing' && message.type === 'payload') return [state, [complete(session)]];
  if (state.type !== 'offering' && state.type !== 'deciding') return [state, []];
  if (message.type === 'abort') return [OVER, [{ type: 'failed', ending: endingOf(message.reason) }]];
  if (state.type !== 'offering') return [state, []];
  if (message.type === 'payload') return invited(session, { ...state, payload: state.payload ?? message });
  if (message.type !== 'sas-confirm') return [state, []];
  if (!isSame(message.transcript_hash, session.transcriptHash))
    return ended(session, state, 'sas_mismatch', 'transcript');
  return invited(session, { ...state, isConfirmed: true });
}

/** Once both are there, in whatever order they came. */
function invited(session: JoinerSession, state: Offering): JoinerStep {
  const { payload, isConfirmed } = state;
  if (payload === undefined || !isConfirmed) return [state, []];
  // Another app's payload is read as ours would be: it then says that it is none.
  const shared = session.read(payload.payload_type === PAYLOAD_TYPE ? payload.payload : '');
  if ('code' in shared) return ended(session, state, 'protocol_error', shared);
  return [{ type: 'deciding', shared }, [{ type: 'invited', shared }]];
}

function repeated(session: JoinerSession, state: JoinerState): JoinerStep {
  if (state.type === 'offering' && state.repeats < MAX_PAIRING_REPEATS && !state.isConfirmed)
    return [{ ...state, repeats: state.repeats + 1 }, offer(session)];
  if (state.type !== 'completing') return [state, []];
  return [OVER, [complete(session)]];
}

function offer({ holder: to, sessionId: session_id }: JoinerSession): readonly JoinerEffect[] {
  return [{ type: 'send', to, message: { type: 'offer', version: 1, session_id } }, LATER];
}

function complete({ holder: to, name, deviceId: device_id }: JoinerSession, success = true): JoinerEffect {
  return { type: 'send', to, message: { type: 'complete', success, name, device_id } };
}

/** What the user has accepted is not taken back. */
function ended(
  { holder: to }: JoinerSession,
  state: JoinerState,
  reason: AbortReason,
  ending: Ending | NostrSyncError,
): JoinerStep {
  if (state.type !== 'offering' && state.type !== 'deciding') return [state, []];
  return [
    OVER,
    [
      { type: 'send', to, message: { type: 'abort', reason } },
      { type: 'failed', ending },
    ],
  ];
}
