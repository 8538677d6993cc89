/** A device that has a typed code: it asks in the mailbox of the code for the invitation. */

import { CODE_ANSWER_MS, MAX_PAIRING_REPEATS } from '../protocol/limits.ts';
import { runMachine, type CommonEffect, type CommonInput } from './machine.ts';
import { openMailbox, type MailboxOptions } from './mailbox.ts';

type SeekerState = { readonly type: 'asking'; readonly left: number } | { readonly type: 'over' };
type SeekerEffect = CommonEffect | { readonly type: 'found'; readonly uri: string };

const OVER: SeekerState = { type: 'over' };

/** Returns what cancels it. `found` may throw: then it has failed. */
export function seek(
  options: Pick<MailboxOptions, 'key' | 'relays' | 'ports'>,
  found: (uri: string) => void,
  fail: (error: Error) => void,
): () => void {
  const mailbox = openMailbox({
    ...{ ...options, heardBy: 'authors' },
    onMessage: (from, message) => act({ type: 'message', from, message }),
  });
  const { pubkey } = mailbox;

  function step(state: SeekerState, input: CommonInput): readonly [SeekerState, readonly SeekerEffect[]] {
    const left = state.type === 'asking' ? state.left : 0;
    switch (input.type) {
      case 'message': {
        // Only what is of the key of the code: whoever has that, knows the code.
        const { from, message } = input;
        if (from !== pubkey || message.type !== 'invite') return [state, []];
        return [OVER, [{ type: 'found', uri: message.uri }]];
      }
      case 'repeat':
        if (left === 0) return [state, []];
        return [
          { type: 'asking', left: left - 1 },
          [{ type: 'send', to: pubkey, message: { type: 'hello' } }, { type: 'repeat-later' }],
        ];
      case 'expired': {
        // If a relay took the question, the code is wrong or over; if none did, they are in the way.
        const isTaken = Object.keys(mailbox.reasons()).length < options.relays.size;
        return [OVER, [{ type: 'failed', ending: isTaken ? 'unanswered' : 'unreachable' }]];
      }
      case 'cancelled':
        return [OVER, [{ type: 'failed', ending: 'cancelled-here' }]];
    }
  }

  const act = runMachine<SeekerState, CommonInput, SeekerEffect>(
    { type: 'asking', left: 1 + MAX_PAIRING_REPEATS },
    step,
    {
      ...{ mailbox, clock: options.ports.clock, lifeMs: CODE_ANSWER_MS, fail },
      handlers: {
        found: ({ uri }) => {
          try {
            found(uri);
          } catch (error) {
            fail(error as Error);
          }
        },
      },
    },
  );
  act({ type: 'repeat' });
  return () => act({ type: 'cancelled' });
}
