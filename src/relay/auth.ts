/** AUTH with one relay (NIP-42): answers the newest challenge, once something was refused for lack of AUTH, and not too often. */

import type { Clock } from '../clock.ts';
import type { Ms } from '../protocol/address.ts';
import { prefixOf, saysWrongTime } from '../protocol/answer.ts';
import type { EventTemplate, SignedEvent } from '../protocol/event.ts';
import { AUTH_INTERVAL_CAP_MS, AUTH_INTERVAL_MS, KIND_AUTH, OK_TIMEOUT_MS } from '../protocol/limits.ts';

/** `'declined'`: a signer was asked and gave none, since it may be a person who said no. `undefined`: there is no signer to ask. */
export type SignedAuth = SignedEvent | 'declined' | undefined;
export type SignAuth = (template: EventTemplate) => Promise<SignedAuth>;

/** Whether a relay has asked who this is (NIP-42), and has taken the answer. */
export type AuthState = 'none' | 'required' | 'accepted';

export interface AuthExchange {
  state(): AuthState;
  /** The relay sent a challenge, and has not accepted an answer to it: it may show a stranger less than there is. */
  isOpen(): boolean;
  /** The relay sent a challenge: only the newest counts. */
  challenged(challenge: string): void;
  /** Whether a relay that says this wants AUTH. */
  isWanted(reason: string): boolean;
  /** The relay refused something for lack of AUTH, or may have held something back. */
  require(): void;
  /** A signer was set, or the user acts: one that said no is asked again. */
  retry(): void;
  /** An OK came. Returns whether it was about our AUTH. */
  answered(eventId: string, accepted: boolean, reason: string): boolean;
  /** The socket is gone: what was said on it counts no more. */
  reset(): void;
}

/** One closure: the challenge, the answer to it and how often a signer is asked change together, with every message of the relay. */
export function createAuthExchange(ports: {
  readonly clock: Clock;
  /** The URL as the user spelled it: relays compare it to the letter. What the relay calls itself does not matter. */
  readonly url: string;
  readonly signAuth: SignAuth;
  readonly send: (event: SignedEvent) => void;
  readonly onRequired: () => void;
  readonly onAccepted: () => void;
  /** There is no AUTH for now: no signer gives one, or the relay does not accept it. */
  readonly onRefused: () => void;
  /** The relay finds the time of an AUTH wrong: told once, until it accepts one. */
  readonly onWrongTime: (reason: string) => void;
}): AuthExchange {
  const { clock } = ports;
  let state: AuthState = 'none';
  let { url } = ports;
  /** Whether the other spelling of the last slash was tried on this connection. */
  let isRespelled = false;
  /** The signer gave no AUTH: it is not asked again by itself, since it may be a person who said no. */
  let isDeclined = false;
  let isTimeTold = false;
  let challenge: string | undefined;
  let eventId: string | undefined;
  let signing = false;
  let signedAt = -Infinity;
  /** Grows with each signature: a relay that is never satisfied must not make us ask a person for ever. */
  let intervalMs = AUTH_INTERVAL_MS;
  let generation = 0;
  let cancelTimer = (): void => undefined;

  async function authenticate(): Promise<void> {
    cancelTimer();
    if (signing || challenge === undefined || state !== 'required') return;
    if (isDeclined) return ports.onRefused();
    const now = clock.now();
    const waitMs = signedAt + intervalMs - now;
    if (waitMs > 0 && waitMs <= intervalMs) {
      cancelTimer = clock.after(waitMs, () => void authenticate());
      return;
    }
    if (signedAt !== -Infinity) intervalMs = Math.min(intervalMs * 2, AUTH_INTERVAL_CAP_MS);
    const mine = generation;
    const answering = challenge;
    signing = true;
    signedAt = now;
    const event = await ports.signAuth(authTemplate(now, url, answering));
    signing = false;
    isDeclined = event === 'declined';
    if (mine !== generation || challenge !== answering) return authenticate();
    if (event === undefined || event === 'declined') return ports.onRefused();
    eventId = event.id;
    ports.send(event);
    // An answer that never comes must not keep us from asking again.
    cancelTimer = clock.after(OK_TIMEOUT_MS, () => {
      eventId = undefined;
      ports.onRefused();
    });
  }

  const isOpen = (): boolean => challenge !== undefined && state !== 'accepted';

  function require(): void {
    state = 'required';
    if (eventId === undefined) void authenticate();
  }

  return {
    state: () => state,
    challenged: (text) => {
      // Some say it again with everything that they refuse, also of what was on its way before the answer to it.
      if (text === challenge && (eventId !== undefined || state === 'accepted')) return;
      challenge = text;
      eventId = undefined;
      if (state === 'accepted') state = 'none';
      void authenticate();
    },
    isOpen,
    isWanted: (reason) => {
      const prefix = prefixOf(reason);
      return prefix === 'auth-required' || (prefix === 'restricted' && isOpen());
    },
    require: () => {
      require();
      ports.onRequired();
    },
    retry: () => {
      isDeclined = false;
      if (state === 'required') require();
    },
    answered: (id, accepted, reason) => {
      if (id !== eventId) return false;
      cancelTimer();
      eventId = undefined;
      if (!accepted && !isTimeTold && saysWrongTime(reason)) {
        isTimeTold = true;
        ports.onWrongTime(reason);
      }
      if (accepted) {
        isTimeTold = false;
        state = 'accepted';
        ports.onAccepted();
      } else if (isRespelled) ports.onRefused();
      else {
        isRespelled = true;
        url = url.endsWith('/') ? url.slice(0, -1) : `${url}/`;
        signedAt = -Infinity;
        void authenticate();
      }
      return true;
    },
    reset: () => {
      generation++;
      intervalMs = AUTH_INTERVAL_MS;
      isRespelled = false;
      cancelTimer();
      state = 'none';
      challenge = undefined;
      eventId = undefined;
    },
  };
}

/** The event of kind 22242 that is to be signed. `now` in ms. */
function authTemplate(now: Ms, url: string, challenge: string): EventTemplate {
  return {
    kind: KIND_AUTH,
    created_at: Math.floor(now / 1000),
    tags: [
      ['relay', url],
      ['challenge', challenge],
    ],
    content: '',
  };
}
