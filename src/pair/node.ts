/** `nostr-sync/pair` on Node: the key on a user's second device, by QR code, link or typed code, over the app's relays. */

import { randomBytes as nodeRandomBytes, scrypt as nodeScrypt } from 'node:crypto';
import { systemClock } from '../clock.ts';
import { nodePrimitives } from '../crypto/node-primitives.ts';
import { createEventVerifier } from '../protocol/event-verifier.ts';
import { openNodeSocket } from '../relay/node-socket.ts';
import type { Scrypt } from './code.ts';
import { openInvitation, type Invitation } from './invitation.ts';
import { openJoining, type Joining } from './joining.ts';
import type { PairingPorts } from './mailbox.ts';
import type { InvitationOptions, JoiningOptions, PairingOptions } from './options.ts';

export * from './api.ts';

/** Native, off the main thread. */
const scrypt: Scrypt = (password, salt, { N, r, p, dkLen }) =>
  new Promise((resolve, reject) => {
    nodeScrypt(password, salt, dkLen, { N, r, p, maxmem: 2 * 128 * N * r }, (error, derived) => {
      if (error === null) resolve(new Uint8Array(derived));
      else reject(error);
    });
  });

function portsOf({
  openSocket = openNodeSocket,
  clock = systemClock,
  randomBytes = (length) => new Uint8Array(nodeRandomBytes(length)),
}: PairingOptions): PairingPorts {
  return {
    ...{ openSocket, clock, randomBytes },
    primitives: nodePrimitives,
    verifier: createEventVerifier(nodePrimitives),
    scrypt,
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
