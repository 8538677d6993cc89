/** Runs a machine of either device until it is over: what it hears and says, its time, and an end that leaves nothing. */

import type { Clock } from '../clock.ts';
import type { NostrSyncError } from '../errors.ts';
import { PAIRING_REPEAT_MS } from '../protocol/limits.ts';
import { errorOf, type Ending } from './ending.ts';
import type { Mailbox } from './mailbox.ts';
import type { AbortReason, PairingMessage } from './message.ts';

/** A message of the device with the public key `from`; its signature was checked. */
export interface Heard {
  readonly type: 'message';
  readonly from: string;
  readonly message: PairingMessage;
}

/** What happens to every machine. */
export type CommonInput =
  | Heard
  /** The other device has not answered in time. */
  | { readonly type: 'repeat' }
  | { readonly type: 'expired' }
  | { readonly type: 'cancelled' };

/** What every machine may want. */
export type CommonEffect =
  | { readonly type: 'send'; readonly to: string; readonly message: PairingMessage }
  | { readonly type: 'repeat-later' }
  | { readonly type: 'failed'; readonly ending: Ending | NostrSyncError };

/** `undefined`: nothing changes, and nothing is to be done. */
export type Step<State, Effect> = readonly [State, readonly (Effect | CommonEffect)[]] | undefined;

/** How what this machine alone wants is carried out. */
type Handlers<Effect extends { readonly type: string }> = {
  readonly [E in Effect as E['type']]: (effect: E) => void;
};

export const OVER = { type: 'over' } as const;
export const LATER: CommonEffect = { type: 'repeat-later' };

/** Ends it. The other device is told, if there is one. */
export function ended(
  peer: string | undefined,
  reason: AbortReason,
  ending: Ending | NostrSyncError,
): readonly [typeof OVER, readonly CommonEffect[]] {
  const failed: CommonEffect = { type: 'failed', ending };
  if (peer === undefined) return [OVER, [failed]];
  return [OVER, [{ type: 'send', to: peer, message: { type: 'abort', reason } }, failed]];
}

/** Returns what gives the machine an input. */
export function runMachine<
  State extends { readonly type: string },
  Input,
  Effect extends { readonly type: string },
>(
  start: State,
  step: (state: State, input: Input | CommonInput) => Step<State, Effect>,
  around: {
    readonly mailbox: Mailbox;
    readonly clock: Clock;
    readonly lifeMs: number;
    readonly handlers: Handlers<Effect>;
    readonly fail: (error: NostrSyncError) => void;
    /** Its time was over before it was. */
    readonly expired?: () => void;
    readonly over?: () => void;
  },
): (input: Input | CommonInput) => void {
  const { mailbox, clock } = around;
  let state = start;
  let cancelRepeat = (): void => undefined;
  const common: Handlers<CommonEffect> = {
    send: ({ to, message }) => mailbox.send(to, message),
    'repeat-later': () => {
      cancelRepeat();
      cancelRepeat = clock.after(PAIRING_REPEAT_MS, () => act({ type: 'repeat' }));
    },
    failed: ({ ending }) =>
      around.fail(typeof ending === 'string' ? errorOf(ending, mailbox.reasons()) : ending),
  };
  const handlers: Readonly<Record<string, (effect: never) => void>> = { ...common, ...around.handlers };

  function act(input: Input | CommonInput): void {
    const next = step(state, input);
    if (next === undefined) return;
    const [to, effects] = next;
    state = to;
    for (const effect of effects) handlers[effect.type]!(effect as never);
    if (to.type !== 'over') return;
    cancelRepeat();
    cancelExpiry();
    around.over?.();
    mailbox.hangUp();
  }

  const cancelExpiry = clock.after(around.lifeMs, () => {
    act({ type: 'expired' });
    around.expired?.();
  });
  return act;
}
