/** Relay URLs: one canonical form, decided on the parsed host. */

import { describe, NostrSyncError } from '../errors.ts';
import type { RelayUrl } from '../protocol/address.ts';

const LOOPBACK = /^(localhost|.*\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;

function parse(input: string): URL | undefined {
  try {
    return new URL(input);
  } catch {
    return undefined;
  }
}

/**
 * The canonical form of a relay URL; the same for every spelling of it, and of itself. Throws `INVALID_RELAY_URL` unless
 * it is `wss:` (or `ws:` to loopback, or to anywhere with `allowInsecure`) without credentials and fragment.
 */
export function canonicalRelayUrl(input: unknown, allowInsecure = false): RelayUrl {
  const fail = (expected: string, got = describe(input)): never => {
    throw new NostrSyncError('INVALID_RELAY_URL', `Invalid relay URL: expected ${expected}, got ${got}`);
  };
  if (typeof input !== 'string') return fail('a string such as "wss://relay.example.com"');
  const url = parse(input) ?? fail('a URL such as "wss://relay.example.com"');
  if (url.username !== '' || url.password !== '') return fail('no credentials in it', 'one with credentials');
  if (url.hash !== '' || input.includes('#')) return fail('no fragment');
  if (url.protocol === 'ws:' && !allowInsecure && !LOOPBACK.test(url.hostname)) {
    return fail('wss: (ws: is for loopback only; allowInsecureRelays changes that)');
  }
  if (url.protocol !== 'wss:' && url.protocol !== 'ws:') return fail('wss:');
  // An empty query is none: this takes its question mark away.
  if (url.search === '') url.search = '';
  return (url.pathname === '/' && url.search === '' ? url.origin : url.href) as RelayUrl;
}
