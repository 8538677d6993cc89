/** Runs a machine of either device until it is over: what it hears and says, its time, and an end that leaves nothing. */

import type { Clock } from '../clock.ts';
import type { NostrSyncError } from '../errors.ts';
import { PAIRING_REPEAT_MS } from '../protocol/limits.ts';
import { errorOf, type Ending } from './ending.ts';
import type { Mailbox } from './mailbox.ts';
import type { PairingMessage } from './message.ts';

/** What happens to every machine. */
export type CommonInput =
  /** A message of the device with the public key `from`; its signature was checked. */
  | { readonly type: 'message'; readonly from: string; readonly message: PairingMessage }
  /** The other device has not answered in time. */
  | { readonly type: 'repeat' }
  | { readonly type: 'expired' }
  | { readonly type: 'cancelled' };

/** What every machine may want. */
export type CommonEffect<Message extends PairingMessage = PairingMessage> =
  | { readonly type: 'send'; readonly to: string; readonly message: Message }
  | { readonly type: 'repeat-later' }
  | { readonly type: 'failed'; readonly ending: Ending | NostrSyncError };

type Step<State, Input, Effect> = (state: State, input: Input) => readonly [State, readonly Effect[]];

/** How the effects are carried out that this machine alone has. */
type Handlers<Effect extends { readonly type: string }> = {
  readonly [E in Exclude<Effect, CommonEffect> as E['type']]: (effect: E) => void;
};

/** Returns what gives the machine an input. */
export function runMachine<
  State extends { readonly type: string },
  Input,
  Effect extends { readonly type: string },
>(
  start: State,
  step: Step<State, Input | CommonInput, Effect | CommonEffect>,
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
  const handlers: Readonly<Record<string, (effect: never) => void>> = {
    send: ({ to, message }: Extract<CommonEffect, { readonly type: 'send' }>) => mailbox.send(to, message),
    'repeat-later': () => {
      cancelRepeat();
      cancelRepeat = clock.after(PAIRING_REPEAT_MS, () => act({ type: 'repeat' }));
    },
    failed: ({ ending }: Extract<CommonEffect, { readonly type: 'failed' }>) =>
      around.fail(typeof ending === 'string' ? errorOf(ending, mailbox.reasons()) : ending),
    ...around.handlers,
  };

  function act(input: Input | CommonInput): void {
    if (state.type === 'over') return;
    const [next, effects] = step(state, input);
    state = next;
    for (const effect of effects) handlers[effect.type]!(effect as never);
    if (next.type !== 'over') return;
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
