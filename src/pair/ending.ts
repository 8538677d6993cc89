/** How a pairing ends if it does not succeed, and the error that stands for it. */

import { NostrSyncError } from '../errors.ts';
import type { AbortReason } from './message.ts';

export type Ending =
  | 'expired'
  /** The key was sent, and no answer came. */
  | 'unconfirmed'
  | 'cancelled-here'
  | 'cancelled-there'
  /** The other device has the key, and could not keep it. */
  | 'not-kept'
  | 'digits'
  /** What the other device says it agreed on is not what this one agreed on. */
  | 'transcript'
  /** No relay takes the messages of this device. */
  | 'unreachable'
  /** No device answers to the typed code. */
  | 'unanswered';

export type PairingError = NostrSyncError<
  'PAIRING_EXPIRED' | 'PAIRING_CANCELLED' | 'PAIRING_DIGITS' | 'PAIRING_NO_RELAY'
>;

/** How the other device's abort ends it here. */
export function endingOf(reason: AbortReason): Ending {
  switch (reason) {
    case 'sas_mismatch':
      return 'digits';
    case 'timeout':
      return 'expired';
    case 'user_denied':
    case 'protocol_error':
      return 'cancelled-there';
  }
}

/** `reasons`: what relays last said against it, by URL. */
export function errorOf(ending: Ending, reasons: Readonly<Record<string, string>>): PairingError {
  switch (ending) {
    case 'expired':
      return expired('Cannot pair: the time is over; make a new invitation', reasons);
    case 'unconfirmed':
      return expired('The key was sent, but the other device has not said that it took it', reasons);
    case 'unanswered':
      return expired(
        'Cannot pair: no device answers to this code; it may be over, or on other relays',
        reasons,
      );
    case 'cancelled-here':
      return cancelled('this-device', 'Cannot pair: it was cancelled');
    case 'cancelled-there':
      return cancelled('other-device', 'Cannot pair: the other device cancelled it');
    case 'not-kept':
      return cancelled('other-device', 'Cannot pair: the other device could not keep the key');
    case 'digits':
      return digits('the digits are not those of the other device');
    case 'transcript':
      return digits('the other device has agreed with somebody else');
    case 'unreachable':
      return noRelay(reasons);
  }
}

export function noRelay(reasons: Readonly<Record<string, string>>): NostrSyncError<'PAIRING_NO_RELAY'> {
  const words = Object.entries(reasons).map(([url, reason]) => `${url}: ${reason}`);
  return new NostrSyncError(
    'PAIRING_NO_RELAY',
    `Cannot pair: no relay carries messages between devices (kind 24134). ${words.join('; ')}`,
    { details: { reasons } },
  );
}

const expired = (
  message: string,
  reasons: Readonly<Record<string, string>>,
): NostrSyncError<'PAIRING_EXPIRED'> =>
  new NostrSyncError('PAIRING_EXPIRED', message, { details: { reasons } });

const cancelled = (
  by: 'this-device' | 'other-device',
  message: string,
): NostrSyncError<'PAIRING_CANCELLED'> =>
  new NostrSyncError('PAIRING_CANCELLED', message, { details: { by } });

const digits = (what: string): NostrSyncError<'PAIRING_DIGITS'> =>
  new NostrSyncError('PAIRING_DIGITS', `Cannot pair: ${what}. Make a new invitation`);
