/**
 * The device that has the key (NIP-AB: the source), as a pure machine. It shows an invitation and waits; it never takes one.
 *
 *     waiting ──offer──▶ asking ──the right digits──▶ sharing ──complete──▶ over
 *        └─────────────────┴── wrong digits, abort, expiry, cancel ──────────▶ over
 *
 * H1. Nothing is shared before the digits of the other device were typed here and are right.
 * H2. One wrong entry ends the session: six digits can be guessed in a million tries, not in one.
 * H3. The first device with a valid offer is the peer. No other device is ever heard or sent anything.
 */

import { MAX_PAIRING_REPEATS } from '../protocol/limits.ts';
import { isSame, type Agreement } from './derivations.ts';
import { endingOf, type Ending } from './ending.ts';
import type { CommonEffect, CommonInput } from './machine.ts';
import type { AbortReason, HolderMessage, PairingMessage } from './message.ts';

export type HolderState =
  /** `digits`: typed already. The offer of the device that shows them may still be on its way. */
  | { readonly type: 'waiting'; readonly digits?: string }
  | { readonly type: 'asking'; readonly peer: string; readonly agreement: Agreement }
  | {
      readonly type: 'sharing';
      readonly peer: string;
      readonly agreement: Agreement;
      readonly repeats: number;
    }
  | { readonly type: 'over' };

/** Not over. */
type Open = Exclude<HolderState, { readonly type: 'over' }>;

export type HolderInput =
  | CommonInput
  /** The user has typed six digits. */
  | { readonly type: 'digits'; readonly digits: string };

export type HolderEffect =
  | CommonEffect<HolderMessage>
  /** Sends the key. */
  | { readonly type: 'share'; readonly to: string }
  /** A device has answered: the user is asked for its digits. */
  | { readonly type: 'joining' }
  /** The digits were right. */
  | { readonly type: 'confirmed' }
  | { readonly type: 'done'; readonly name: string; readonly deviceId: string };

/** What the machine knows of the session; both pure. */
export interface HolderSession {
  readonly sessionId: string;
  readonly agree: (peer: string) => Agreement;
}

export type HolderStep = readonly [HolderState, readonly HolderEffect[]];

const OVER: HolderState = { type: 'over' };

export function holderStep(session: HolderSession, state: HolderState, input: HolderInput): HolderStep {
  if (state.type === 'over') return [state, []];
  switch (input.type) {
    case 'message':
      return heard(session, state, input.from, input.message);
    case 'digits':
      return typed(state, input.digits);
    case 'repeat':
      return repeated(state);
    case 'expired':
      return ended(state, 'timeout', state.type === 'sharing' ? 'unconfirmed' : 'expired');
    case 'cancelled':
      return ended(state, 'user_denied', 'cancelled-here');
  }
}

function heard(session: HolderSession, state: Open, from: string, message: PairingMessage): HolderStep {
  if (state.type === 'waiting') {
    if (message.type !== 'offer' || !isSame(message.session_id, session.sessionId)) return [state, []];
    const asking: Open = { type: 'asking', peer: from, agreement: session.agree(from) };
    const joining: HolderEffect = { type: 'joining' };
    if (state.digits === undefined) return [asking, [joining]];
    const [next, effects] = typed(asking, state.digits);
    return [next, [joining, ...effects]];
  }
  // H3.
  if (from !== state.peer) return [state, []];
  if (message.type === 'abort') return [OVER, [{ type: 'failed', ending: endingOf(message.reason) }]];
  if (message.type !== 'complete' || state.type !== 'sharing') return [state, []];
  const { success, name, device_id: deviceId } = message;
  return [OVER, [success ? { type: 'done', name, deviceId } : { type: 'failed', ending: 'not-kept' }]];
}

function typed(state: Open, digits: string): HolderStep {
  if (state.type === 'waiting') return [{ type: 'waiting', digits }, []];
  // H2.
  if (!isSame(digits, state.agreement.digits)) return ended(state, 'sas_mismatch', 'digits');
  if (state.type === 'sharing') return [state, [{ type: 'confirmed' }]];
  const { peer, agreement } = state;
  // H1: the only way into this state.
  return [
    { type: 'sharing', peer, agreement, repeats: 0 },
    [{ type: 'confirmed' }, ...sharing(peer, agreement)],
  ];
}

function repeated(state: Open): HolderStep {
  if (state.type !== 'sharing' || state.repeats >= MAX_PAIRING_REPEATS) return [state, []];
  return [{ ...state, repeats: state.repeats + 1 }, sharing(state.peer, state.agreement)];
}

function sharing(to: string, { transcriptHash: transcript_hash }: Agreement): readonly HolderEffect[] {
  return [
    { type: 'send', to, message: { type: 'sas-confirm', transcript_hash } },
    { type: 'share', to },
    { type: 'repeat-later' },
  ];
}

/** Ends it, and tells the other device if there is one. */
function ended(state: Open, reason: AbortReason, ending: Ending): HolderStep {
  const failed: HolderEffect = { type: 'failed', ending };
  if (state.type === 'waiting') return [OVER, [failed]];
  return [OVER, [{ type: 'send', to: state.peer, message: { type: 'abort', reason } }, failed]];
}
