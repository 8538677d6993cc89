/** `nostr-sync/pair` in browsers, webviews and workers: the key on a user's second device, by QR code, link or typed code, over the app's relays. */

import { systemClock } from '../clock.ts';
import { noblePrimitives } from '../crypto/noble-primitives.ts';
import { createEventVerifier } from '../protocol/event-verifier.ts';
import { openBrowserSocket } from '../relay/browser-socket.ts';
import { openInvitation, type Invitation } from './invitation.ts';
import { openJoining, type Joining } from './joining.ts';
import type { PairingPorts } from './mailbox.ts';
import type { InvitationOptions, JoiningOptions, PairingOptions } from './options.ts';

export * from './api.ts';

function portsOf({
  openSocket = openBrowserSocket,
  clock = systemClock,
  randomBytes = (length) => crypto.getRandomValues(new Uint8Array(length)),
}: PairingOptions): PairingPorts {
  return {
    ...{ openSocket, clock, randomBytes },
    primitives: noblePrimitives,
    verifier: createEventVerifier(noblePrimitives),
    // Loaded only if there is a code to type; and it lets the page live on meanwhile.
    scrypt: async (password, salt, work) => {
      const { scryptAsync } = await import('@noble/hashes/scrypt.js');
      return scryptAsync(password, salt, work);
    },
  };
}

/**
 * On the device that has the key: an invitation to show, once it is known which of the app's relays carry one. Rejects with
 * `PAIRING_NO_RELAY`, whose `details` say what each relay said; `INVALID_NAMESPACE`, `INVALID_RELAY_URL`, `PAIRING_CANCELLED`;
 * `TypeError` or `RangeError` for other misuse, which never show the key.
 */
export async function createInvitation(options: InvitationOptions): Promise<Invitation> {
  return openInvitation(options, portsOf(options));
}

/**
 * On the device that joins: by an invitation, a link whose fragment is one, or a typed code. Throws `PAIRING_BAD_CODE`,
 * `INVALID_NAMESPACE`, `INVALID_RELAY_URL`; `TypeError` for other misuse. No message shows the invitation.
 */
export function joinByInvitation(invitationOrCode: string, options: JoiningOptions): Joining {
  return openJoining(invitationOrCode, options, portsOf(options));
}
