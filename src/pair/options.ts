/** What an app passes in to pair, checked: every mistake names the argument, what was expected and what came, and never a key. */

import { isSecretKey } from '../crypto/key-bytes.ts';
import { publicKeyOf } from '../crypto/schnorr.ts';
import { isBytes, misuse } from '../errors.ts';
import { checkNamespace, type RelayUrl } from '../protocol/address.ts';
import { isHex32 } from '../protocol/event.ts';
import { MAX_DEVICE_ID_CHARS, MAX_DEVICE_NAME_CHARS, MAX_PAIRING_PAYLOAD_BYTES } from '../protocol/limits.ts';
import { canonicalRelayUrl } from '../relay/url.ts';
import type { PairingPorts } from './mailbox.ts';
import { deviceName } from './message.ts';
import { encodeShared, fitsPayload, type SharedKey } from './payload.ts';

/** What both devices say. */
export interface PairingOptions extends Partial<Pick<PairingPorts, 'openSocket' | 'clock' | 'randomBytes'>> {
  /** As in the engine: an app's devices pair with each other alone. `INVALID_NAMESPACE` otherwise. */
  readonly namespace: string;
  /** What the other device shows of this one, 1 to 64 characters: "Anna's laptop". */
  readonly name: string;
  /** Ends the pairing as `cancel` does. */
  readonly signal?: AbortSignal;
  /** Allows `ws:` relays beyond loopback. Default false. */
  readonly allowInsecureRelays?: boolean;
}

export interface InvitationOptions extends PairingOptions {
  /** The sync key, 32 bytes (copied); `null` if the signer does not give it away: the other device must have that signer as well. */
  readonly key: Uint8Array | null;
  /** Hex. Needed if `key` is `null`. */
  readonly pubkey?: string;
  /** The app's relays; the other device gets all of them. `INVALID_RELAY_URL` otherwise. */
  readonly relays: readonly string[];
  /** `'code'`: also a code to type, which counts for 300 s; an invitation alone counts for 120 s. Default `'qr'`. */
  readonly carrier?: 'qr' | 'code';
}

export interface JoiningOptions extends PairingOptions {
  /** The app's relays, on which the holder of a typed code is looked for. An invitation names its own. */
  readonly relays?: readonly string[];
  /** This device's id, as in the engine. */
  readonly deviceId: string;
  /** The public key of this device's own signer, if it has one: `PAIRING_OTHER_KEY` if the other device has none to share, and another public key. */
  readonly pubkey?: string;
}

/** Throws `TypeError` if an argument is not what it should be. */
export function check(isRight: boolean, name: string, expected: string, got: unknown): void {
  if (!isRight) throw new TypeError(misuse(name, expected, got));
}

/** By canonical URL, as the user spelled it. */
export function checkRelays(
  relays: readonly string[],
  allowInsecure: boolean | undefined,
): ReadonlyMap<RelayUrl, string> {
  check(Array.isArray(relays), 'relays', 'an array of URLs', relays);
  return new Map(relays.map((url: unknown) => [canonicalRelayUrl(url, allowInsecure), String(url)]));
}

function checkPairing(options: InvitationOptions | JoiningOptions): void {
  const { name, signal, allowInsecureRelays = false, pubkey } = options;
  checkNamespace(options.namespace);
  const isName = name !== '' && deviceName(name) === name;
  check(isName, 'name', `1 to ${MAX_DEVICE_NAME_CHARS} characters that can be seen, on one line`, name);
  const isSwitch = typeof allowInsecureRelays === 'boolean';
  check(isSwitch, 'allowInsecureRelays', 'true or false', allowInsecureRelays);
  const { aborted, addEventListener } = Object(signal) as Partial<AbortSignal>;
  const isSignal = typeof aborted === 'boolean' && typeof addEventListener === 'function';
  check(signal === undefined || isSignal, 'signal', 'an AbortSignal', signal);
  check(pubkey === undefined || isHex32(pubkey), 'pubkey', '64 lower-case hex digits', pubkey);
}

/** What the holder will share, its key copied, and the relays. */
export function checkInvitation(options: InvitationOptions): {
  readonly shared: SharedKey;
  readonly wanted: ReadonlyMap<RelayUrl, string>;
} {
  checkPairing(options);
  const { key, carrier = 'qr' } = options;
  check(carrier === 'qr' || carrier === 'code', 'carrier', "'qr' or 'code'", carrier);
  const copy = key === null ? null : copyOfKey(key);
  const pubkey = copy === null ? options.pubkey : publicKeyOf(copy);
  if (pubkey === undefined) throw new TypeError('Invalid pubkey: expected one, as there is no key to share');
  if (options.pubkey !== undefined && options.pubkey !== pubkey)
    throw new RangeError(misuse('pubkey', 'that of the key', options.pubkey));
  const wanted = checkRelays(options.relays, options.allowInsecureRelays);
  const shared: SharedKey = {
    ...{ key: copy, pubkey, relays: [...wanted.values()] },
    ...{ metadata: 'clear', name: options.name },
  };
  if (!fitsPayload(encodeShared(options.namespace, shared)))
    throw new RangeError(
      `Invalid relays: expected less text, so that all that is shared takes at most ${MAX_PAIRING_PAYLOAD_BYTES} bytes`,
    );
  return { shared, wanted };
}

/** The messages tell types and lengths at most. */
function copyOfKey(key: unknown): Uint8Array {
  if (!isBytes(key))
    throw new TypeError(`Invalid key: expected a Uint8Array of 32 bytes or null, got type ${typeof key}`);
  const copy = Uint8Array.from(key);
  if (copy.length !== 32) throw new RangeError(`Invalid key: expected 32 bytes, got ${copy.length}`);
  if (!isSecretKey(copy))
    throw new RangeError('Invalid key: expected one above 0 and below the order of secp256k1');
  return copy;
}

export function checkJoining(options: JoiningOptions): void {
  checkPairing(options);
  const { deviceId } = options;
  const isId = typeof deviceId === 'string' && deviceId !== '' && deviceId.length <= MAX_DEVICE_ID_CHARS;
  check(isId, 'deviceId', `1 to ${MAX_DEVICE_ID_CHARS} characters`, deviceId);
}
