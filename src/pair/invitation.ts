/** `createInvitation`: the machine of `holder.ts` with relays, time and keys around it. */

import type { RelayUrl } from '../protocol/address.ts';
import { INVITATION_MS, PAIRING_CODE_MS } from '../protocol/limits.ts';
import { onAbort } from './abort.ts';
import { createCode, mailboxKey, parseCode } from './code.ts';
import { createDeferred } from './deferred.ts';
import { agreementOf, sessionIdOf } from './derivations.ts';
import { openWithEcho } from './echo.ts';
import { errorOf } from './ending.ts';
import {
  holderStep,
  type HolderEffect,
  type HolderInput,
  type HolderSession,
  type HolderState,
} from './holder.ts';
import { invitationUri } from './invitation-uri.ts';
import { runMachine } from './machine.ts';
import { newKey, openMailbox, type Mailbox, type PairingPorts } from './mailbox.ts';
import { check, checkInvitation, type InvitationOptions } from './options.ts';
import { encodeShared, PAYLOAD_TYPE, type SharedKey } from './payload.ts';

/** The device that joined, as it calls itself. */
export interface JoinedDevice {
  readonly name: string;
  readonly deviceId: string;
}

/** An invitation that is open: what to show, and what becomes of it. */
export interface Invitation {
  /** `nostrpair://…`, to be shown as a QR code, alone or after the `#` of a link to the app. Anyone who reads it may try to join. */
  readonly uri: string;
  /** With `carrier: 'code'`: to be typed on the other device, `XXXX-XXXX-XXXX`. */
  readonly code: string | undefined;
  /** Unix time in ms. */
  readonly expiresAt: number;
  /** `joining`: a device has answered and shows six digits, to be typed here. `expired`: the time is over. Returns what removes the listener. */
  on(event: 'joining' | 'expired', listener: () => void): () => void;
  /**
   * The digits that the user reads on the device that joins. If they are right, the key goes out. If they are not, rejects with
   * `PAIRING_DIGITS` and the invitation is void. If no device has answered yet, waits for one. `RangeError`, and no attempt, if they are
   * not six digits.
   */
  confirm(digits: string): Promise<void>;
  /** Resolves once the other device has kept the key. Rejects with a `PAIRING_…` error. */
  readonly done: Promise<JoinedDevice>;
  /** Ends it; the other device is told. Idempotent. */
  cancel(): void;
}

/**
 * Makes an invitation on the relays of the app that carry one: at most three, of those that echo. Rejects with `PAIRING_NO_RELAY` and what
 * each relay said, `INVALID_NAMESPACE`, `INVALID_RELAY_URL`, `PAIRING_CANCELLED`; `TypeError` or `RangeError` for other misuse.
 */
export async function openInvitation(options: InvitationOptions, ports: PairingPorts): Promise<Invitation> {
  const { shared, wanted } = checkInvitation(options);
  const { signal } = options;
  const key = newKey(ports.randomBytes);
  const secret = ports.randomBytes(32);
  let act: Act = () => undefined;
  const { mailbox, relays, reasons } = await openWithEcho(
    { key, relays: wanted, ports, onMessage: (heard) => act(heard) },
    signal,
  );
  const holder = mailbox.pubkey;
  const wipe = (): void => {
    secret.fill(0);
    shared.key?.fill(0);
  };
  try {
    if (signal?.aborted === true) throw errorOf('cancelled-here');
    if (relays.length === 0) throw errorOf('unreachable', reasons);
    const session: HolderSession = {
      sessionId: sessionIdOf(secret),
      agree: (joiner) => agreementOf({ secret, ownKey: key, peer: joiner, holder, joiner }),
    };
    const uri = invitationUri({ holder, secret, relays });
    const spelled = new Map(relays.map((url) => [url, wanted.get(url) ?? url]));
    const carried = options.carrier === 'code' ? await openCode(options, uri, spelled, ports) : undefined;
    const [invitation, heard] = invite(options, ports, { session, mailbox, shared, uri, carried, wipe });
    act = heard;
    return invitation;
  } catch (error) {
    mailbox.close();
    wipe();
    throw error;
  }
}

type Act = (input: HolderInput) => void;

/** A code, and the mailbox in which a device that knows it finds the invitation. */
interface Carried {
  readonly code: string;
  readonly mailbox: Mailbox;
}

async function openCode(
  { namespace }: InvitationOptions,
  uri: string,
  relays: ReadonlyMap<RelayUrl, string>,
  ports: PairingPorts,
): Promise<Carried> {
  const code = createCode(ports.randomBytes);
  const mailbox = openMailbox({
    ...{ key: await mailboxKey(ports.scrypt, parseCode(code), namespace), relays, ports, heardBy: 'authors' },
    onMessage: ({ from, message }) => {
      if (from === mailbox.pubkey && message.type === 'hello') mailbox.send(from, { type: 'invite', uri });
    },
  });
  return { code, mailbox };
}

/** Runs the machine until it is over. */
function invite(
  { namespace, signal }: InvitationOptions,
  { clock }: PairingPorts,
  material: {
    readonly session: HolderSession;
    readonly mailbox: Mailbox;
    readonly shared: SharedKey;
    readonly uri: string;
    readonly carried: Carried | undefined;
    /** Nothing secret is left of it. */
    readonly wipe: () => void;
  },
): readonly [Invitation, Act] {
  const { session, mailbox, shared, uri, carried, wipe } = material;
  const lifeMs = carried === undefined ? INVITATION_MS : PAIRING_CODE_MS;
  const listeners = { joining: new Set<() => void>(), expired: new Set<() => void>() };
  const done = createDeferred<JoinedDevice>();
  const confirmed = createDeferred<void>();
  let isOver = false;

  // What a listener throws is the app's, and stops nothing here.
  const tell = (event: keyof typeof listeners): void => listeners[event].forEach(queueMicrotask);

  const expiresAt = clock.now() + lifeMs;
  const act = runMachine<HolderState, HolderInput, HolderEffect>(
    { type: 'waiting' },
    (state, input) => holderStep(session, state, input),
    {
      ...{ mailbox, clock, lifeMs },
      handlers: {
        share: ({ to }) => {
          const payload = encodeShared(namespace, shared);
          mailbox.send(to, { type: 'payload', payload_type: PAYLOAD_TYPE, payload });
        },
        joining: () => {
          // The invitation has its device: no other one needs it.
          carried?.mailbox.close();
          tell('joining');
        },
        confirmed: () => confirmed.resolve(),
        done: ({ device }) => done.resolve(device),
      },
      fail: (error) => {
        confirmed.reject(error);
        done.reject(error);
      },
      expired: () => tell('expired'),
      over: () => {
        isOver = true;
        carried?.mailbox.close();
        wipe();
      },
    },
  );
  const cancel = (): void => act({ type: 'cancelled' });
  const ignoreSignal = onAbort(signal, cancel);
  done.promise.then(ignoreSignal, ignoreSignal);

  const invitation: Invitation = {
    ...{ uri, code: carried?.code, expiresAt, done: done.promise, cancel },
    on: (event, listener) => {
      check(Object.hasOwn(listeners, event), 'event', "'joining' or 'expired'", event);
      listeners[event].add(listener);
      return () => void listeners[event].delete(listener);
    },
    confirm: async (digits) => {
      act({ type: 'digits', digits: sixDigits(digits) });
      // If it is over, `done` says why.
      await (isOver ? done.promise : confirmed.promise);
    },
  };
  return [invitation, act];
}

/** As people write them: `123 456`. The messages do not show them. */
function sixDigits(digits: unknown): string {
  if (typeof digits !== 'string') throw new TypeError('Invalid digits: expected a string of six');
  const typed = digits.replace(/[\s-]/g, '');
  if (!/^\d{6}$/.test(typed)) throw new RangeError('Invalid digits: expected six of them');
  return typed;
}
