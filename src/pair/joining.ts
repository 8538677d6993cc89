/** `joinByInvitation`: the machine of `joiner.ts` with relays, time and keys around it. */

import { INVITATION_MS, REACH_RELAY_MS } from '../protocol/limits.ts';
import { onAbort } from './abort.ts';
import { mailboxKey, parseCode } from './code.ts';
import { createDeferred, type Deferred } from './deferred.ts';
import { agreementOf, sessionIdOf } from './derivations.ts';
import { errorOf } from './ending.ts';
import { isInvitation, parseInvitation, type InvitationParts } from './invitation-uri.ts';
import {
  joinerStep,
  OFFERING,
  type JoinerEffect,
  type JoinerInput,
  type JoinerSession,
  type JoinerState,
} from './joiner.ts';
import { runMachine } from './machine.ts';
import { newKey, openMailbox, type PairingPorts } from './mailbox.ts';
import { check, checkJoining, checkRelays, type JoiningOptions } from './options.ts';
import { parseShared, type SharedKey } from './payload.ts';
import { seek } from './seeker.ts';

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

type Keep = NonNullable<Parameters<Joining['accept']>[0]>;

/** What a joining owes its caller. */
interface Promises {
  readonly digits: Deferred<string>;
  readonly inviter: Deferred<Inviter>;
  readonly joined: Deferred<Joined>;
}

/** Gives an input to the machine. */
type Act = (input: Extract<JoinerInput, { readonly type: 'accepted' | 'cancelled' }>) => void;

/**
 * Joins by an invitation, a link with one, or a typed code. Throws `PAIRING_BAD_CODE`, `INVALID_NAMESPACE`, `INVALID_RELAY_URL`; `TypeError` for
 * other misuse. No message shows the text.
 */
export function openJoining(text: string, options: JoiningOptions, ports: PairingPorts): Joining {
  checkJoining(options);
  check(typeof text === 'string', 'invitation', 'a string', typeof text);
  const insecure = options.allowInsecureRelays ?? false;
  const promises: Promises = {
    digits: createDeferred(),
    inviter: createDeferred(),
    joined: createDeferred(),
  };
  let isOver = false;
  const fail = (error: Error): void => {
    isOver = true;
    for (const one of [promises.digits, promises.inviter, promises.joined]) one.reject(error);
  };
  let keep: Keep = () => undefined;
  let act: Act = () => fail(errorOf('cancelled-here'));
  const begin = (uri: string): void => {
    act = pair(parseInvitation(uri, insecure), options, ports, {
      ...{ promises, fail },
      keep: async (joined) => keep(joined),
    });
  };

  if (isInvitation(text)) begin(text);
  else {
    const relays = checkRelays(options.relays ?? [], insecure);
    check(relays.size > 0, 'relays', 'at least one for a typed code', options.relays);
    const found = (uri: string): void => {
      try {
        begin(uri);
      } catch (error) {
        fail(error as Error);
      }
    };
    mailboxKey(ports.scrypt, parseCode(text), options.namespace)
      .then((key) => {
        if (isOver) return void key.fill(0);
        const stop = seek({ key, relays, ports }, found, fail);
        act = () => {
          stop();
          fail(errorOf('cancelled-here'));
        };
      })
      .catch(fail);
  }
  const cancel = (): void => act({ type: 'cancelled' });
  const ignoreSignal = onAbort(options.signal, cancel);
  promises.joined.promise.then(ignoreSignal, ignoreSignal);
  return {
    digits: promises.digits.promise,
    inviter: promises.inviter.promise,
    accept: async (how) => {
      await promises.inviter.promise;
      if (how !== undefined) keep = how;
      act({ type: 'accepted' });
      return promises.joined.promise;
    },
    cancel,
  };
}

/** Runs the machine until it is over. */
function pair(
  { holder, secret, relays }: InvitationParts,
  { namespace, name, deviceId, pubkey, allowInsecureRelays: allowInsecure = false }: JoiningOptions,
  ports: PairingPorts,
  then: {
    readonly promises: Promises;
    readonly keep: (joined: Joined) => Promise<void>;
    readonly fail: (error: Error) => void;
  },
): Act {
  const { clock } = ports;
  const { digits, inviter, joined } = then.promises;
  const key = newKey(ports.randomBytes);
  /** Whether a relay has taken the offer. The digits are shown once one has: before that no person could type them. */
  let isReached = false;
  const refused = new Set<string>();
  const mailbox = openMailbox({
    ...{ key, relays: new Map(relays.map((url) => [url, url])), ports },
    onMessage: (heard) => act(heard),
    onAnswer: (url, { type }) => {
      if (type === 'acknowledged') {
        isReached = true;
        digits.resolve(agreement.digits);
      } else if (type !== 'retry') refused.add(url);
      if (refused.size === relays.length) unreached();
    },
  });
  const agreement = agreementOf({ secret, ownKey: key, peer: holder, holder, joiner: mailbox.pubkey });
  const session: JoinerSession = {
    ...{ holder, name, deviceId, sessionId: sessionIdOf(secret) },
    transcriptHash: agreement.transcriptHash,
    read: (payload) => parseShared(payload, { namespace, allowInsecure, pubkey }),
  };
  secret.fill(0);
  const unreached = (): void => {
    if (!isReached) act({ type: 'unreachable' });
  };
  const cancelReach = clock.after(REACH_RELAY_MS, unreached);

  const act = runMachine<JoinerState, JoinerInput, JoinerEffect>(
    OFFERING,
    (state, input) => joinerStep(session, state, input),
    {
      ...{ mailbox, clock, lifeMs: INVITATION_MS },
      handlers: {
        invited: ({ shared: { name, pubkey } }) => inviter.resolve({ name, pubkey }),
        keep: ({ shared: { key, pubkey, relays, metadata } }) => {
          const what: Joined = { key, pubkey, relays, metadata };
          void then.keep(what).then(
            () => {
              joined.resolve(what);
              act({ type: 'kept' });
            },
            (error: unknown) => {
              joined.reject(error as Error);
              act({ type: 'not-kept' });
            },
          );
        },
      },
      fail: then.fail,
      over: cancelReach,
    },
  );
  act({ type: 'repeat' });
  return act;
}
