/** How a pairing ends if it does not succeed, and the error that stands for it. */

import { NostrSyncError } from '../errors.ts';
import type { AbortReason } from './message.ts';

export type Ending =
  | 'expired'
  /** The key was sent, and no answer came. */
  | 'unconfirmed'
  /** No device answers to the typed code. */
  | 'unanswered'
  | 'cancelled-here'
  | 'cancelled-there'
  /** The other device has the key, and could not keep it. */
  | 'not-kept'
  | 'digits'
  /** What the other device says it agreed on is not what this one agreed on. */
  | 'transcript'
  /** No relay takes the messages of this device. */
  | 'unreachable';

/** What relays last said against it, by URL. */
type Reasons = Readonly<Record<string, string>>;

type ErrorOf = (reasons: Reasons) => NostrSyncError;

/** How the other device's abort ends it here. */
export function endingOf(reason: AbortReason): Ending {
  if (reason === 'sas_mismatch') return 'digits';
  return reason === 'timeout' ? 'expired' : 'cancelled-there';
}

const expired =
  (message: string): ErrorOf =>
  (reasons) =>
    new NostrSyncError('PAIRING_EXPIRED', message, { details: { reasons } });

const cancelled =
  (by: 'this-device' | 'other-device', what: string): ErrorOf =>
  () =>
    new NostrSyncError('PAIRING_CANCELLED', `Cannot pair: ${what}`, { details: { by } });

const digits =
  (what: string): ErrorOf =>
  () =>
    new NostrSyncError('PAIRING_DIGITS', `Cannot pair: ${what}. Make a new invitation`);

const ERRORS: Readonly<Record<Ending, ErrorOf>> = {
  expired: expired('Cannot pair: the time is over; make a new invitation'),
  unconfirmed: expired('The key was sent, but the other device has not said that it took it'),
  unanswered: expired('Cannot pair: no device answers to this code; it may be over, or on other relays'),
  'cancelled-here': cancelled('this-device', 'it was cancelled'),
  'cancelled-there': cancelled('other-device', 'the other device cancelled it'),
  'not-kept': cancelled('other-device', 'the other device could not keep the key'),
  digits: digits('the digits are not those of the other device'),
  transcript: digits('the other device has agreed with somebody else'),
  unreachable: (reasons) =>
    new NostrSyncError(
      'PAIRING_NO_RELAY',
      `Cannot pair: no relay carries messages between devices (kind 24134). ${Object.entries(reasons)
        .map((reason) => reason.join(': '))
        .join('; ')}`,
      { details: { reasons } },
    ),
};

export function errorOf(ending: Ending, reasons: Reasons = {}): NostrSyncError {
  return ERRORS[ending](reasons);
}

/** For an invitation or a code that is none. The message never shows the text: there is a secret in it. */
export function badCode(what: string): NostrSyncError<'PAIRING_BAD_CODE'> {
  return new NostrSyncError('PAIRING_BAD_CODE', `Cannot use the ${what}`);
}
