/** Relay URLs: one form for all spellings, and nothing that is not a relay's. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalRelayUrl } from '../../src/relay/url.ts';

describe('the canonical form of a relay URL', () => {
  test.each([
    ['wss://relay.example.com', 'wss://relay.example.com'],
    ['wss://relay.example.com/', 'wss://relay.example.com'],
    ['WSS://Relay.EXAMPLE.com:443', 'wss://relay.example.com'],
    ['  wss://relay.example.com\n', 'wss://relay.example.com'],
    ['wss://relay.example.com:7777/', 'wss://relay.example.com:7777'],
    ['wss://relay.example.com/path/', 'wss://relay.example.com/path/'],
    ['wss://relay.example.com/a/../b?c=d', 'wss://relay.example.com/b?c=d'],
    ['wss://relay.example.com/?', 'wss://relay.example.com'],
    ['wss://relay.example.com/path?', 'wss://relay.example.com/path'],
    ['wss://bücher.example', 'wss://xn--bcher-kva.example'],
    ['ws://127.0.0.1:7777', 'ws://127.0.0.1:7777'],
    ['ws://127.1:7777', 'ws://127.0.0.1:7777'],
    ['ws://2130706433', 'ws://127.0.0.1'],
    ['ws://localhost:80/', 'ws://localhost'],
    ['ws://relay.localhost', 'ws://relay.localhost'],
    ['ws://[::1]:7777', 'ws://[::1]:7777'],
  ])('of %j is %s', (spelling, canonical) => {
    expect(canonicalRelayUrl(spelling)).toBe(canonical);
    expect(canonicalRelayUrl(canonical)).toBe(canonical);
  });

  test.each([
    [7],
    [undefined],
    [null],
    [new URL('wss://relay.example.com')],
    [''],
    ['relay.example.com'],
    ['wss://'],
    ['https://relay.example.com'],
    ['file:///etc/passwd'],
    ['javascript:alert(1)'],
    ['ws://relay.example.com'],
    ['ws://192.168.0.1'],
    ['ws://localhost.example.com'],
    ['ws://127.0.0.1.example.com'],
    ['ws://notlocalhost'],
    ['ws://relay.example.com/?localhost'],
    ['ws://localhost@relay.example.com'],
    ['wss://user@relay.example.com'],
    ['wss://user:secret@relay.example.com'],
    ['wss://relay.example.com/#fragment'],
    ['wss://relay.example.com/#'],
  ])('does not exist for %s', (input) => {
    expect(() => canonicalRelayUrl(input)).toThrow(expect.objectContaining({ code: 'INVALID_RELAY_URL' }));
  });

  test('allows ws: to any host if the app says so', () => {
    expect(canonicalRelayUrl('ws://relay.example.com', true)).toBe('ws://relay.example.com');
    expect(() => canonicalRelayUrl('http://relay.example.com', true)).toThrow(/Invalid relay URL/);
  });

  test('never shows the password', () => {
    expect(() => canonicalRelayUrl('wss://user:secret@relay.example.com')).toThrow(/^(?!.*secret)/);
  });

  test('is its own canonical form, and still the same place', () => {
    fc.assert(
      fc.property(fc.webUrl({ validSchemes: ['wss'], withQueryParameters: true }), (url) => {
        const canonical = canonicalRelayUrl(url);
        expect(canonicalRelayUrl(canonical)).toBe(canonical);
        expect(new URL(canonical).href).toBe(new URL(url).href.replace(/^([^?]*)\?$/, '$1'));
      }),
    );
  });

  test('of anything throws its own error or is stable', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `wss://${text}`),
          fc.anything(),
        ),
        (input) => {
          try {
            const canonical = canonicalRelayUrl(input);
            expect(canonicalRelayUrl(canonical)).toBe(canonical);
          } catch (error) {
            expect(error).toMatchObject({ code: 'INVALID_RELAY_URL' });
          }
        },
      ),
    );
  });
});
