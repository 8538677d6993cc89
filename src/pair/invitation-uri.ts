/** An invitation as text (NIP-AB): `nostrpair://…`, alone or as the fragment of a link to the app, which no server sees. */

import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import type { RelayUrl } from '../protocol/address.ts';
import { isHex32 } from '../protocol/event.ts';
import { MAX_INVITATION_CHARS, MAX_PAIRING_RELAYS } from '../protocol/limits.ts';
import { badCode } from './ending.ts';
import { usableRelays } from './payload.ts';

export interface InvitationParts {
  /** The key that the holder made for this session, hex. */
  readonly holder: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  readonly relays: readonly RelayUrl[];
}

const SCHEME = 'nostrpair://';
const VERSION = '1';

const bad = (what: string): Error => badCode(`invitation: ${what}`);

export function invitationUri({ holder, secret, relays }: InvitationParts): string {
  const places = relays.map((relay) => `&relay=${encodeURIComponent(relay)}`).join('');
  return `${SCHEME}${holder}?secret=${bytesToHex(secret)}${places}&v=${VERSION}`;
}

/** Whether a text is an invitation, or a link with one, rather than a typed code. */
export function isInvitation(text: string): boolean {
  return fragmentOf(text).startsWith(SCHEME);
}

/** What stands after the `#` of a link; the text itself if it is no link. Some browsers escape what they put there. */
function fragmentOf(text: string): string {
  const trimmed = text.trim();
  const fragment = trimmed.slice(trimmed.indexOf('#') + 1);
  return /^nostrpair%3a/i.test(fragment) ? decoded(fragment) : fragment;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw bad('it is cut or damaged');
  }
}

/** Reads an invitation, or a link with one. Throws `PAIRING_BAD_CODE`. Parameters that NIP-AB does not know are ignored. */
export function parseInvitation(text: string, allowInsecure: boolean): InvitationParts {
  if (text.length > MAX_INVITATION_CHARS) throw bad(`it has more than ${MAX_INVITATION_CHARS} characters`);
  const [holder, query = ''] = fragmentOf(text).slice(SCHEME.length).split('?');
  const fields = query.split('&').map((field) => field.split('='));
  const valuesOf = (name: string): string[] =>
    fields.flatMap(([key, value = '']) => (key === name ? [decoded(value)] : []));
  const [secret, ...others] = valuesOf('secret');
  const [version = VERSION] = valuesOf('v');
  if (version !== VERSION) throw bad('it is of a newer version of this app');
  if (!isHex32(holder) || !isHex32(secret) || others.length > 0) throw bad('it is cut or damaged');
  const named = valuesOf('relay');
  const relays = usableRelays(named, allowInsecure);
  if (relays.length < named.length)
    throw bad('a relay in it is no wss: URL (ws: is for loopback only; allowInsecureRelays changes that)');
  if (named.length === 0) throw bad('it names no relay');
  return { holder, secret: hexToBytes(secret), relays: [...new Set(relays)].slice(0, MAX_PAIRING_RELAYS) };
}
