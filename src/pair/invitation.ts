/** `createInvitation`: the machine of `holder.ts` with relays, time and keys around it. */

import { misuse } from '../errors.ts';
import type { RelayUrl } from '../protocol/address.ts';
import { INVITATION_MS, KIND_PAIRING, PAIRING_CODE_MS, PAIRING_REPEAT_MS } from '../protocol/limits.ts';
import { createCode, mailboxKey, parseCode } from './code.ts';
import { createDeferred } from './deferred.ts';
import { agreementOf, sessionIdOf, type Agreement } from './derivations.ts';
import { openWithEcho, type Echoes } from './echo.ts';
import { errorOf, noRelay } from './ending.ts';
import {
  holderStep,
  type HolderEffect,
  type HolderInput,
  type HolderSession,
  type HolderState,
} from './holder.ts';
import { invitationUri } from './invitation-uri.ts';
import { hangUpOnceSaid, newKey, openMailbox, type Mailbox, type PairingPorts } from './mailbox.ts';
import type { PairingMessage } from './message.ts';
import { checkInvitation, checkRelays, type InvitationOptions } from './options.ts';
import { encodeShared, PAYLOAD_TYPE, type SharedKey } from './payload.ts';

/** The device that joined, as it calls itself. */
export interface JoinedDevice {
  readonly name: string;
  readonly deviceId: string;
}

/** An invitation that is open: what to show, and what becomes of it. */
export interface Invitation {
  /** `nostrpair://…`, to be shown as a QR code, alone or after the `#` of a link to the app. Whoever reads it may try to join. */
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

/** What an invitation is made of, all of it gone when it ends. */
interface Material extends Pick<Echoes, 'mailbox'> {
  /** Of this session, 32 bytes. */
  readonly key: Uint8Array;
  readonly secret: Uint8Array;
  readonly shared: SharedKey;
  readonly uri: string;
  readonly carried: { readonly code: string; readonly mailbox: Mailbox } | undefined;
}

type Listener = (from: string, message: PairingMessage) => void;

/**
 * Makes an invitation on the relays of the app that carry one: at most three, of those that echo. Rejects with `PAIRING_NO_RELAY` and what
 * each relay said, `INVALID_NAMESPACE`, `INVALID_RELAY_URL`, `PAIRING_CANCELLED`; `TypeError` or `RangeError` for other misuse.
 */
export async function openInvitation(options: InvitationOptions, ports: PairingPorts): Promise<Invitation> {
  const shared = checkInvitation(options);
  const wanted = checkRelays(options.relays, options.allowInsecureRelays);
  const key = newKey(ports.randomBytes);
  const secret = ports.randomBytes(32);
  let listener: Listener = () => undefined;
  const echoes = await openWithEcho(
    {
      ...{ key, relays: wanted, ports },
      filter: (pubkey) => ({ kinds: [KIND_PAIRING], '#p': [pubkey] }),
      onMessage: (from, message) => listener(from, message),
    },
    options.signal,
  );
  const { mailbox, relays, reasons } = echoes;
  const fail = (error: Error): never => {
    mailbox.close();
    wipe({ secret, shared });
    throw error;
  };
  if (options.signal?.aborted === true) fail(errorOf('cancelled-here', {}));
  if (relays.length === 0) fail(noRelay(reasons));
  const uri = invitationUri({ holder: mailbox.pubkey, secret, relays });
  const spellings = new Map(relays.map((url) => [url, wanted.get(url) ?? url]));
  const carried = options.carrier === 'code' ? await openCode(options, uri, spellings, ports) : undefined;
  const { invitation, take } = invite(options, ports, { key, secret, shared, uri, carried, mailbox });
  listener = take;
  return invitation;
}

/** A code, and the mailbox in which a device that knows it finds the invitation. */
async function openCode(
  { namespace }: InvitationOptions,
  uri: string,
  relays: ReadonlyMap<RelayUrl, string>,
  ports: PairingPorts,
): Promise<{ readonly code: string; readonly mailbox: Mailbox }> {
  const code = createCode(ports.randomBytes);
  const mailbox = openMailbox({
    ...{ key: await mailboxKey(ports.scrypt, parseCode(code), namespace), relays, ports },
    filter: (pubkey) => ({ kinds: [KIND_PAIRING], authors: [pubkey] }),
    onMessage: (from, message) => {
      if (from === mailbox.pubkey && message.type === 'hello') mailbox.send(from, { type: 'invite', uri });
    },
  });
  return { code, mailbox };
}

/** Runs the machine until it is over. */
function invite(
  { namespace, signal }: InvitationOptions,
  ports: PairingPorts,
  material: Material,
): { readonly invitation: Invitation; readonly take: Listener } {
  const { mailbox, shared, carried } = material;
  const { clock } = ports;
  const session = sessionOf(material);
  const lifeMs = carried === undefined ? INVITATION_MS : PAIRING_CODE_MS;
  const { on, tell } = createListeners();
  const done = createDeferred<JoinedDevice>();
  const confirmed = createDeferred<void>();
  let state: HolderState = { type: 'waiting' };
  let cancelRepeat = (): void => undefined;

  function act(input: HolderInput): void {
    const wasOver = state.type === 'over';
    const [next, effects] = holderStep(session, state, input);
    state = next;
    for (const effect of effects) carryOut(effect);
    if (!wasOver && next.type === 'over') close();
  }

  function carryOut(effect: HolderEffect): void {
    switch (effect.type) {
      case 'send':
        return mailbox.send(effect.to, effect.message);
      case 'share': {
        const payload = encodeShared(namespace, shared);
        return mailbox.send(effect.to, { type: 'payload', payloadType: PAYLOAD_TYPE, payload });
      }
      case 'repeat-later':
        cancelRepeat();
        cancelRepeat = clock.after(PAIRING_REPEAT_MS, () => act({ type: 'repeat' }));
        return;
      case 'joining':
        // The invitation has its device: no other one needs it.
        carried?.mailbox.close();
        return tell('joining');
      case 'confirmed':
        return confirmed.resolve();
      case 'done':
        return done.resolve({ name: effect.name, deviceId: effect.deviceId });
      case 'failed': {
        const error = errorOf(effect.ending, mailbox.reasons());
        confirmed.reject(error);
        return done.reject(error);
      }
    }
  }

  /** Nothing is left: no timer, no socket, no secret. */
  function close(): void {
    cancelRepeat();
    cancelExpiry();
    signal?.removeEventListener('abort', cancel);
    carried?.mailbox.close();
    wipe(material);
    hangUpOnceSaid(mailbox, clock);
  }

  const expiresAt = clock.now() + lifeMs;
  const cancelExpiry = clock.after(lifeMs, () => {
    act({ type: 'expired' });
    tell('expired');
  });
  const cancel = (): void => act({ type: 'cancelled' });
  signal?.addEventListener('abort', cancel);
  if (signal?.aborted === true) cancel();

  const invitation: Invitation = {
    ...{ uri: material.uri, code: carried?.code, expiresAt, done: done.promise, cancel, on },
    confirm: async (digits) => {
      act({ type: 'digits', digits: sixDigits(digits) });
      // If it is over, `done` says why.
      await (state.type === 'over' ? done.promise : confirmed.promise);
    },
  };
  return { invitation, take: (from, message) => act({ type: 'message', from, message }) };
}

function sessionOf({ mailbox, secret, key: ownKey }: Material): HolderSession {
  const holder = mailbox.pubkey;
  const agree = (peer: string): Agreement => agreementOf({ secret, ownKey, peer, holder, joiner: peer });
  return { sessionId: sessionIdOf(secret), agree };
}

/** Who hears of what, besides the promises. */
function createListeners(): Pick<Invitation, 'on'> & {
  readonly tell: (event: 'joining' | 'expired') => void;
} {
  const listeners = { joining: new Set<() => void>(), expired: new Set<() => void>() };
  return {
    on: (event, listener) => {
      if (!Object.hasOwn(listeners, event))
        throw new TypeError(misuse('event', "'joining' or 'expired'", event));
      listeners[event].add(listener);
      return () => void listeners[event].delete(listener);
    },
    // What a listener throws is the app's, and stops nothing here.
    tell: (event) => {
      for (const listener of listeners[event]) queueMicrotask(listener);
    },
  };
}

/** As people write them: `123 456`. The messages do not show them. */
function sixDigits(digits: unknown): string {
  if (typeof digits !== 'string') throw new TypeError('Invalid digits: expected a string of six');
  const typed = digits.replace(/[\s-]/g, '');
  if (!/^\d{6}$/.test(typed)) throw new RangeError('Invalid digits: expected six of them');
  return typed;
}

function wipe({ secret, shared }: Pick<Material, 'secret' | 'shared'>): void {
  secret.fill(0);
  shared.key?.fill(0);
}
