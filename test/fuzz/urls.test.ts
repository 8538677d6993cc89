/** Relay URLs as people, pages and other apps may spell them, with something changed: URLS of them (50,000), by SEED. */

import { isIPv4 } from 'node:net';
import { expect, test } from 'vitest';
import { canonicalRelayUrl } from '../../src/relay/url.ts';
import { isNostrSyncError } from '../../src/errors.ts';
import { createRandom, numberFrom } from '../support/random.ts';
import { junkText, mutateText, strangeValue } from './mutate.ts';

const URLS = numberFrom('URLS', 50_000);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);

const SPELLINGS = [
  'wss://relay.example.com',
  'wss://relay.example.com:443/',
  'WSS://Relay.Example.COM./path/../?a=b&c',
  'wss://relay.example.com:7777/nostr?x=%2F',
  'wss://münchen.example/ä',
  'wss://[::1]:7777',
  'wss://[2001:db8::1%25eth0]/',
  'ws://localhost:7777',
  'ws://a.localhost',
  'ws://127.0.0.1:7777/?',
  'ws://127.1',
  'ws://0x7f.1',
  'ws://2130706433',
  'ws://[::ffff:127.0.0.1]',
  'ws://localhost.example.com',
  'ws://127.0.0.1.example.com',
  'ws://example.com#localhost',
  'ws://localhost@example.com',
  'wss://user:secret@relay.example.com',
  'wss:relay.example.com',
  'wss:\\\\relay.example.com',
  ' wss://relay.example.com\n',
  'wss://relay.example.com#',
  'https://relay.example.com',
  'javascript:alert(1)',
] as const;

/** Whether a host, as URL has written it, is this computer, decided apart from the code under test. */
function isLoopback(host: string): boolean {
  if (host === '[::1]' || host === 'localhost' || host.endsWith('.localhost')) return true;
  return isIPv4(host) && host.startsWith('127.');
}

test(
  `${URLS} relay URLs, SEED=${SEED}: a typed refusal, or one canonical form`,
  { timeout: 60_000 + URLS },
  () => {
    const random = createRandom(SEED);
    const counts = { refused: 0, taken: 0, loopback: 0 };
    for (let n = 0; n < URLS; n++) {
      const drawn = random.next();
      const spelling = random.pick(SPELLINGS);
      const input =
        drawn < 0.05
          ? strangeValue(random)
          : drawn < 0.1
            ? junkText(random)
            : drawn < 0.2
              ? spelling
              : mutateText(random, spelling);
      const allowInsecure = random.chance(0.1);
      let canonical: string;
      try {
        canonical = canonicalRelayUrl(input, allowInsecure);
      } catch (error) {
        expect(
          isNostrSyncError(error, 'INVALID_RELAY_URL'),
          `${JSON.stringify(input)}: ${String(error)}`,
        ).toBe(true);
        // What somebody typed before the "@" is a password.
        if (input === 'wss://user:secret@relay.example.com') expect(String(error)).not.toContain('secret');
        counts.refused++;
        continue;
      }
      counts.taken++;
      const url = new URL(canonical);
      const why = `${JSON.stringify(input)} as ${canonical}`;
      expect(canonicalRelayUrl(canonical, allowInsecure), why).toBe(canonical);
      expect([url.username, url.password, url.hash], why).toEqual(['', '', '']);
      expect(canonical, why).not.toMatch(/#|[\p{Cc} ]/u);
      if (url.protocol === 'ws:' && !allowInsecure) {
        counts.loopback++;
        expect(isLoopback(url.hostname), why).toBe(true);
      } else expect(['wss:', 'ws:'], why).toContain(url.protocol);
    }
    console.info(`urls: SEED=${SEED} ${JSON.stringify(counts)}`);
    if (URLS >= 5_000)
      for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
  },
);
