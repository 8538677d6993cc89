/**
 * The device that joins (NIP-AB: the target), as a pure machine.
 *
 * Its first input is `repeat`: the offer goes out.
 *
 *     offering ──confirmation and payload──▶ deciding ──accept──▶ keeping ──kept──▶ completing ──▶ over
 *        └─ wrong confirmation, abort, expiry, cancel ─┴──▶ over    └──not kept──▶ over
 *
 * J1. What is shared is given to no caller before the user has accepted it: an invitation may be of a stranger.
 * J2. Only the device that showed the invitation is heard.
 * J3. It is called complete only after the key was kept.
 */

import { MAX_PAIRING_REPEATS } from '../protocol/limits.ts';
import type { NostrSyncError } from '../errors.ts';
import { isSame } from './derivations.ts';
import { endingOf } from './ending.ts';
import { ended, LATER, OVER, type CommonEffect, type CommonInput, type Step } from './machine.ts';
import type { PairingMessage } from './message.ts';
import { PAYLOAD_TYPE, type SharedKey } from './payload.ts';

export type JoinerState =
  | {
      readonly type: 'offering';
      /** How many offers it has made. */
      readonly offers: number;
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
  | { readonly type: 'accepted' }
  | { readonly type: 'kept' }
  | { readonly type: 'not-kept' }
  | { readonly type: 'unreachable' };

export type JoinerEffect =
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

export type JoinerStep = Step<JoinerState, JoinerEffect>;

export const OFFERING: JoinerState = {
  type: 'offering',
  offers: 0,
  isConfirmed: false,
  payload: undefined,
};

export function joinerStep(session: JoinerSession, state: JoinerState, input: JoinerInput): JoinerStep {
  const { holder } = session;
  // What the user has accepted is not taken back.
  const isDecided = state.type !== 'offering' && state.type !== 'deciding';
  switch (input.type) {
    case 'message':
      // J2.
      return input.from === holder ? heard(session, state, input.message) : undefined;
    case 'accepted':
      return state.type === 'deciding'
        ? [{ type: 'keeping' }, [{ type: 'keep', shared: state.shared }]]
        : undefined;
    case 'kept':
      // J3.
      return state.type === 'keeping' ? [{ type: 'completing' }, [complete(session), LATER]] : undefined;
    case 'not-kept':
      return state.type === 'keeping' ? [OVER, [complete(session, false)]] : undefined;
    case 'repeat':
      return repeated(session, state);
    case 'expired':
    case 'unreachable':
      return isDecided ? undefined : ended(holder, 'timeout', input.type);
    case 'cancelled':
      return isDecided ? undefined : ended(holder, 'user_denied', 'cancelled-here');
  }
}

function heard(session: JoinerSession, state: JoinerState, message: PairingMessage): JoinerStep {
  // The other device repeats itself: it has not heard that all is complete.
  if (state.type === 'completing' && message.type === 'payload') return [state, [complete(session)]];
  if (state.type !== 'offering' && state.type !== 'deciding') return undefined;
  if (message.type === 'abort') return ended(undefined, message.reason, endingOf(message.reason));
  if (state.type === 'deciding') return undefined;
  if (message.type === 'payload') return invited(session, { ...state, payload: state.payload ?? message });
  if (message.type !== 'sas-confirm') return undefined;
  if (!isSame(message.transcript_hash, session.transcriptHash))
    return ended(session.holder, 'sas_mismatch', 'transcript');
  return invited(session, { ...state, isConfirmed: true });
}

/** Once both are there, in whatever order they came. */
function invited(session: JoinerSession, state: Offering): JoinerStep {
  const { payload, isConfirmed } = state;
  if (payload === undefined || !isConfirmed) return [state, []];
  // Another app's payload is read as ours would be: it then says that it is none.
  const shared = session.read(payload.payload_type === PAYLOAD_TYPE ? payload.payload : '');
  if ('code' in shared) return ended(session.holder, 'protocol_error', shared);
  return [{ type: 'deciding', shared }, [{ type: 'invited', shared }]];
}

function repeated(session: JoinerSession, state: JoinerState): JoinerStep {
  if (state.type === 'completing') return [OVER, [complete(session)]];
  if (state.type !== 'offering' || state.isConfirmed || state.offers > MAX_PAIRING_REPEATS) return undefined;
  const { holder: to, sessionId: session_id } = session;
  const offer: CommonEffect = { type: 'send', to, message: { type: 'offer', version: 1, session_id } };
  return [{ ...state, offers: state.offers + 1 }, [offer, LATER]];
}

function complete({ holder: to, name, deviceId: device_id }: JoinerSession, success = true): CommonEffect {
  return { type: 'send', to, message: { type: 'complete', success, name, device_id } };
}
