/** A device that has a typed code: it asks in the mailbox of the code for the invitation. */

import { CODE_ANSWER_MS, MAX_PAIRING_REPEATS, PAIRING_REPEAT_MS } from '../protocol/limits.ts';
import { errorOf } from './ending.ts';
import { openMailbox, type MailboxOptions } from './mailbox.ts';

/** Returns what stops it. One of `found` and `failed` is called, once, unless it is stopped before. */
export function seek(
  options: Pick<MailboxOptions, 'key' | 'relays' | 'ports'>,
  found: (uri: string) => void,
  failed: (error: Error) => void,
): () => void {
  const { clock } = options.ports;
  let left = MAX_PAIRING_REPEATS;
  let cancelAsking = (): void => undefined;
  const mailbox = openMailbox({
    ...{ ...options, heardBy: 'authors' },
    onMessage: ({ from, message }) => {
      if (from !== mailbox.pubkey || message.type !== 'invite') return;
      stop();
      found(message.uri);
    },
  });
  const ask = (): void => {
    mailbox.send(mailbox.pubkey, { type: 'hello' });
    if (left-- > 0) cancelAsking = clock.after(PAIRING_REPEAT_MS, ask);
  };
  const cancelWaiting = clock.after(CODE_ANSWER_MS, () => {
    const reasons = mailbox.reasons();
    stop();
    // If a relay took the question, the code is wrong or over; if none did, they are in the way.
    const isTaken = Object.keys(reasons).length < options.relays.size;
    failed(errorOf(isTaken ? 'unanswered' : 'unreachable', reasons));
  });
  const stop = (): void => {
    cancelAsking();
    cancelWaiting();
    mailbox.close();
  };
  ask();
  return stop;
}
