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
import { endingOf } from './ending.ts';
import { ended, LATER, OVER, type CommonInput, type Heard, type Step } from './machine.ts';

export type HolderState =
  /** `digits`: typed already. The offer of the device that shows them may still be on its way. */
  | { readonly type: 'waiting'; readonly digits?: string; readonly peer?: undefined }
  | { readonly type: 'asking'; readonly peer: string; readonly agreement: Agreement }
  | Sharing
  | { readonly type: 'over' };

interface Sharing {
  readonly type: 'sharing';
  readonly peer: string;
  readonly agreement: Agreement;
  readonly repeats: number;
}

/** Not over. */
type Open = Exclude<HolderState, { readonly type: 'over' }>;

export type HolderInput =
  | CommonInput
  /** The user has typed six digits. */
  | { readonly type: 'digits'; readonly digits: string };

export type HolderEffect =
  /** Sends the key. */
  | { readonly type: 'share'; readonly to: string }
  /** A device has answered: the user is asked for its digits. */
  | { readonly type: 'joining' }
  /** The digits were right. */
  | { readonly type: 'confirmed' }
  | { readonly type: 'done'; readonly device: { readonly name: string; readonly deviceId: string } };

/** What the machine knows of the session; both pure. */
export interface HolderSession {
  readonly sessionId: string;
  readonly agree: (peer: string) => Agreement;
}

export type HolderStep = Step<HolderState, HolderEffect>;

export function holderStep(session: HolderSession, state: HolderState, input: HolderInput): HolderStep {
  if (state.type === 'over') return undefined;
  switch (input.type) {
    case 'message':
      return heard(session, state, input);
    case 'digits':
      return typed(state, input.digits);
    case 'repeat':
      if (state.type !== 'sharing' || state.repeats >= MAX_PAIRING_REPEATS) return undefined;
      return sharing(state, state.repeats + 1);
    case 'expired':
      return ended(state.peer, 'timeout', state.type === 'sharing' ? 'unconfirmed' : 'expired');
    case 'cancelled':
      return ended(state.peer, 'user_denied', 'cancelled-here');
  }
}

function heard(session: HolderSession, state: Open, { from, message }: Heard): HolderStep {
  if (state.type === 'waiting') {
    if (message.type !== 'offer' || !isSame(message.session_id, session.sessionId)) return undefined;
    const asking: Open = { type: 'asking', peer: from, agreement: session.agree(from) };
    const [next, effects] = (state.digits !== undefined && typed(asking, state.digits)) || [asking, []];
    return [next, [{ type: 'joining' }, ...effects]];
  }
  // H3.
  if (from !== state.peer) return undefined;
  if (message.type === 'abort') return ended(undefined, message.reason, endingOf(message.reason));
  if (message.type !== 'complete' || state.type !== 'sharing') return undefined;
  const { success, name, device_id: deviceId } = message;
  return [
    OVER,
    [success ? { type: 'done', device: { name, deviceId } } : { type: 'failed', ending: 'not-kept' }],
  ];
}

function typed(state: Open, digits: string): HolderStep {
  if (state.type === 'waiting') return [{ type: 'waiting', digits }, []];
  // H2.
  if (!isSame(digits, state.agreement.digits)) return ended(state.peer, 'sas_mismatch', 'digits');
  // H1: the only way into this state.
  const [next, effects] = state.type === 'asking' ? sharing(state, 0) : [state, []];
  return [next, [{ type: 'confirmed' }, ...effects]];
}

function sharing(
  { peer, agreement }: Pick<Sharing, 'peer' | 'agreement'>,
  repeats: number,
): NonNullable<HolderStep> {
  return [
    { type: 'sharing', peer, agreement, repeats },
    [
      { type: 'send', to: peer, message: { type: 'sas-confirm', transcript_hash: agreement.transcriptHash } },
      { type: 'share', to: peer },
      LATER,
    ],
  ];
}
