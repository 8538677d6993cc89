/** `joinByInvitation`: the machine of `joiner.ts` with relays, time and keys around it. */

import { misuse, NostrSyncError } from '../errors.ts';
import type { RelayUrl } from '../protocol/address.ts';
import type { Answer } from '../protocol/answer.ts';
import {
  CODE_ANSWER_MS,
  INVITATION_MS,
  KIND_PAIRING,
  MAX_PAIRING_REPEATS,
  PAIRING_REPEAT_MS,
  REACH_RELAY_MS,
} from '../protocol/limits.ts';
import { mailboxKey, parseCode } from './code.ts';
import { createDeferred, type Deferred } from './deferred.ts';
import { agreementOf, sessionIdOf } from './derivations.ts';
import { errorOf, type Ending } from './ending.ts';
import { isInvitation, parseInvitation, type InvitationParts } from './invitation-uri.ts';
import {
  joinerStep,
  OFFERING,
  type JoinerEffect,
  type JoinerInput,
  type JoinerSession,
  type JoinerState,
} from './joiner.ts';
import { hangUpOnceSaid, newKey, openMailbox, type PairingPorts } from './mailbox.ts';
import type { PairingMessage } from './message.ts';
import { checkJoining, checkRelays, type JoiningOptions } from './options.ts';
import { parseShared, type SharedKey } from './payload.ts';

/** The device that invites, as it calls itself. */
export interface Inviter {
  readonly name: string;
  /** Under which it syncs, hex: show the first eight digits. */
  readonly pubkey: string;
}

/** What the other device shares. */
export type Joined = Omit<SharedKey, 'name'>;

/** A device that is joining another one: what to show, and what to ask. */
export interface Joining {
  /** Six digits, to be shown at once: the user types them on the other device. Rejects with a `PAIRING_…` error. */
  readonly digits: Promise<string>;
  /** Who invites, once the digits were typed there. The user must say yes to it: then `accept`. Rejects with a `PAIRING_…` error. */
  readonly inviter: Promise<Inviter>;
  /**
   * The user says yes: resolves with the key, after `keep` (which saves it) has resolved. Only then the other device is told that all went
   * well. Rejects with what `keep` rejects with, or a `PAIRING_…` error; waits for `inviter`.
   */
  accept(keep?: (joined: Joined) => void | Promise<void>): Promise<Joined>;
  /** Ends it, unless it was accepted; the other device is told. Idempotent. */
  cancel(): void;
}

/** What a joining owes its caller. */
interface Promises {
  readonly digits: Deferred<string>;
  readonly inviter: Deferred<Inviter>;
  readonly joined: Deferred<Joined>;
}

/** A part of a joining: looking for the invitation, or pairing by it. */
interface Phase {
  readonly accept: (keep: Keep) => void;
  readonly cancel: () => void;
}

type Keep = (joined: Joined) => void | Promise<void>;

/**
 * Joins by an invitation, a link with one, or a typed code. Throws `PAIRING_BAD_CODE`, `INVALID_NAMESPACE`, `INVALID_RELAY_URL`; `TypeError` for
 * other misuse. No message shows the text.
 */
export function openJoining(text: string, options: JoiningOptions, ports: PairingPorts): Joining {
  checkJoining(options);
  if (typeof text !== 'string') throw new TypeError(misuse('invitation', 'a string', typeof text));
  const promises: Promises = {
    digits: createDeferred(),
    inviter: createDeferred(),
    joined: createDeferred(),
  };
  const { signal } = options;
  const insecure = options.allowInsecureRelays ?? false;
  const begin = (parts: InvitationParts): Phase => pair(parts, options, ports, promises, finished);
  const finished = (): void => signal?.removeEventListener('abort', cancel);
  let phase: Phase;
  if (isInvitation(text)) phase = begin(parseInvitation(text, insecure));
  else {
    const relays = checkRelays(options.relays ?? [], insecure);
    if (relays.size === 0) throw new TypeError('Invalid relays: a typed code needs at least one');
    phase = search(parseCode(text), relays, options, ports, {
      found: (uri) => {
        phase = begin(parseInvitation(uri, insecure));
      },
      failed: (error) => {
        finished();
        rejectAll(promises, error);
      },
    });
  }
  const cancel = (): void => phase.cancel();
  signal?.addEventListener('abort', cancel);
  if (signal?.aborted === true) cancel();
  return {
    digits: promises.digits.promise,
    inviter: promises.inviter.promise,
    accept: async (keep = () => undefined) => {
      await promises.inviter.promise;
      phase.accept(keep);
      return promises.joined.promise;
    },
    cancel,
  };
}

function rejectAll({ digits, inviter, joined }: Promises, error: Error): void {
  for (const one of [digits, inviter, joined]) one.reject(error);
}

/** Asks in the mailbox of a code for the invitation. */
function search(
  data: string,
  relays: ReadonlyMap<RelayUrl, string>,
  { namespace }: JoiningOptions,
  ports: PairingPorts,
  then: { readonly found: (uri: string) => void; readonly failed: (error: Error) => void },
): Phase {
  const { clock } = ports;
  let isOver = false;
  let end = (): void => undefined;
  const fail = (ending: Ending, reasons: Readonly<Record<string, string>>): void => {
    if (isOver) return;
    isOver = true;
    end();
    then.failed(errorOf(ending, reasons));
  };

  async function open(): Promise<void> {
    const key = await mailboxKey(ports.scrypt, data, namespace);
    if (isOver) return void key.fill(0);
    let cancelRepeat = (): void => undefined;
    const mailbox = openMailbox({
      ...{ key, relays, ports },
      filter: (pubkey) => ({ kinds: [KIND_PAIRING], authors: [pubkey] }),
      onMessage: (from, message) => {
        if (isOver || from !== mailbox.pubkey || message.type !== 'invite') return;
        isOver = true;
        end();
        try {
          then.found(message.uri);
        } catch (error) {
          then.failed(error as Error);
        }
      },
    });
    const cancelWaiting = clock.after(CODE_ANSWER_MS, () => {
      // If a relay took the question, the code is wrong or over; if none did, they are in the way.
      fail(isTaken(mailbox.reasons(), relays) ? 'unanswered' : 'unreachable', mailbox.reasons());
    });
    end = () => {
      cancelRepeat();
      cancelWaiting();
      mailbox.close();
    };
    const ask = (left: number): void => {
      mailbox.send(mailbox.pubkey, { type: 'hello' });
      if (left > 0) cancelRepeat = clock.after(PAIRING_REPEAT_MS, () => ask(left - 1));
    };
    ask(MAX_PAIRING_REPEATS);
  }

  void open();
  return { accept: () => undefined, cancel: () => fail('cancelled-here', {}) };
}

const isTaken = (reasons: Readonly<Record<string, string>>, relays: ReadonlyMap<RelayUrl, string>): boolean =>
  Object.keys(reasons).length < relays.size;

/** Runs the machine until it is over. */
function pair(
  { holder, secret, relays }: InvitationParts,
  options: JoiningOptions,
  ports: PairingPorts,
  promises: Promises,
  finished: () => void,
): Phase {
  const { clock } = ports;
  const { namespace, name, deviceId, allowInsecureRelays: allowInsecure = false } = options;
  const key = newKey(ports.randomBytes);
  let keep: Keep = () => undefined;
  let state: JoinerState = OFFERING;
  let cancelRepeat = (): void => undefined;

  const mailbox = openMailbox({
    ...{ key, relays: new Map(relays.map((url) => [url, url])), ports },
    filter: (pubkey) => ({ kinds: [KIND_PAIRING], '#p': [pubkey] }),
    onMessage: (from, message: PairingMessage) => act({ type: 'message', from, message }),
    onAnswer: (url, answer) => reach.answered(url, answer),
  });
  const agreement = agreementOf({ secret, ownKey: key, peer: holder, holder, joiner: mailbox.pubkey });
  const session: JoinerSession = {
    ...{ holder, name, deviceId, sessionId: sessionIdOf(secret) },
    transcriptHash: agreement.transcriptHash,
    read: (payload) => refuseOther(parseShared(payload, { namespace, allowInsecure }), options.pubkey),
  };
  secret.fill(0);

  function act(input: JoinerInput): void {
    const wasOver = state.type === 'over';
    const [next, effects] = joinerStep(session, state, input);
    state = next;
    for (const effect of effects) carryOut(effect);
    if (!wasOver && next.type === 'over') close();
  }

  function carryOut(effect: JoinerEffect): void {
    switch (effect.type) {
      case 'send':
        return mailbox.send(holder, effect.message);
      case 'repeat-later':
        cancelRepeat();
        cancelRepeat = clock.after(PAIRING_REPEAT_MS, () => act({ type: 'repeat' }));
        return;
      case 'invited':
        return promises.inviter.resolve(inviterOf(effect.shared));
      case 'keep':
        return void kept(effect.shared, keep, promises.joined).then((type) => act({ type }));
      case 'failed': {
        const { ending } = effect;
        return rejectAll(promises, typeof ending === 'string' ? errorOf(ending, mailbox.reasons()) : ending);
      }
      case 'joined':
      case 'finished':
        return;
    }
  }

  function close(): void {
    cancelRepeat();
    cancelExpiry();
    reach.cancel();
    finished();
    hangUpOnceSaid(mailbox, clock);
  }

  const cancelExpiry = clock.after(INVITATION_MS, () => act({ type: 'expired' }));
  const reach = createReach(clock, relays.length, {
    onReached: () => promises.digits.resolve(agreement.digits),
    onUnreachable: () => act({ type: 'unreachable' }),
  });
  act({ type: 'started' });
  return {
    accept: (how) => {
      keep = how;
      act({ type: 'accepted' });
    },
    cancel: () => act({ type: 'cancelled' }),
  };
}

const inviterOf = ({ name, pubkey }: SharedKey): Inviter => ({ name, pubkey });

/** Hands over what is shared. It is joined once the app has kept it. */
async function kept(
  { key, pubkey, relays, metadata }: SharedKey,
  keep: Keep,
  { resolve, reject }: Promises['joined'],
): Promise<'kept' | 'not-kept'> {
  const joined: Joined = { key, pubkey, relays, metadata };
  try {
    await keep(joined);
  } catch (error) {
    reject(error as Error);
    return 'not-kept';
  }
  resolve(joined);
  return 'kept';
}

/** Whether a relay has taken the offer. The digits are shown once one has: before that nobody could type them. */
function createReach(
  clock: PairingPorts['clock'],
  count: number,
  then: { readonly onReached: () => void; readonly onUnreachable: () => void },
): { readonly answered: (url: RelayUrl, answer: Answer) => void; readonly cancel: () => void } {
  const refused = new Set<RelayUrl>();
  let isReached = false;
  const cancel = clock.after(REACH_RELAY_MS, () => {
    if (!isReached) then.onUnreachable();
  });
  return {
    cancel,
    answered: (url, answer) => {
      if (answer.type === 'acknowledged') {
        isReached = true;
        return then.onReached();
      }
      if (answer.type === 'retry') return;
      refused.add(url);
      if (!isReached && refused.size === count) then.onUnreachable();
    },
  };
}

/** If the other device has no key to share, this device's own signer must be of the same public key. */
function refuseOther(
  shared: ReturnType<typeof parseShared>,
  own: string | undefined,
): ReturnType<typeof parseShared> {
  if ('code' in shared || shared.key !== null || own === undefined || own === shared.pubkey) return shared;
  const { pubkey } = shared;
  return new NostrSyncError(
    'PAIRING_OTHER_KEY',
    'Cannot pair: the signer of this device has another public key',
    { details: { pubkey } },
  );
}
