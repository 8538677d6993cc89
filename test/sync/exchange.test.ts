/** What of a relay's answers is of use: only that makes up for what is of none. Without a relay, a store or a signature. */

import { expect, test } from 'vitest';
import { toDTag, type RelayUrl } from '../../src/protocol/address.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import type { RelayConnection } from '../../src/relay/connection.ts';
import type { RequestHandlers } from '../../src/relay/requests.ts';
import { canonicalRelayUrl } from '../../src/relay/url.ts';
import { reconcile } from '../../src/sync/heads/reconcile.ts';
import type { HeadRecord } from '../../src/sync/heads/record.ts';
import type { Replica } from '../../src/sync/heads/replica.ts';
import { createExchanges } from '../../src/sync/relays/exchange.ts';
import { told } from './records.ts';

const D_TAG = toDTag('default', 'settings');
const RELAYS = [canonicalRelayUrl('wss://a.example'), canonicalRelayUrl('wss://b.example')];
const STAMP = 1_767_225_600;
const OLDER = told({ stamp: STAMP - 1 });
const HEAD = told({ stamp: STAMP });
const NEWER = told({ stamp: STAMP + 1 });

/** Returns what shows an event as the next of a new REQ of a relay. */
function asking(): (url: RelayUrl) => (event: VerifiedEvent) => unknown {
  let record: HeadRecord | undefined;
  const replica = {
    get: () => record,
    peek: () => record,
    apply: async (_: unknown, input: Parameters<typeof reconcile>[1]) => {
      const outcome = reconcile(record, input, undefined);
      record = outcome.record;
      return Promise.resolve(outcome.effects);
    },
  } as unknown as Replica;
  const exchanges = createExchanges({
    pubkey: HEAD.pubkey,
    verifier: {
      // Each has the id that it says, and the signature that it has.
      hash: (event) => (event as VerifiedEvent).id,
      verifySignature: () => true,
    },
    replica,
    relays: () => RELAYS,
    onShown: () => undefined,
    onVoid: () => undefined,
    onLoss: () => undefined,
  });
  return (url) => {
    let handlers: RequestHandlers | undefined;
    const request: RelayConnection['request'] = (_filters, _size, given) => {
      handlers = given;
      return () => undefined;
    };
    void exchanges.ask({ url, request } as RelayConnection, { dTags: [D_TAG], filters: [] });
    handlers!.onSent?.();
    return (event) => handlers!.onEvent(event);
  };
}

test('a greater head is of use, and so is the head the first time that a relay shows it; nothing else is', () => {
  const ask = asking();
  const [a, b] = RELAYS.map((url) => ask(url));
  expect([a!(HEAD), a!(HEAD), a!(OLDER), a!(HEAD)]).toEqual(['useful', 'useless', 'useless', 'useless']);
  expect([b!(OLDER), b!(HEAD), b!(HEAD)]).toEqual(['useless', 'useful', 'useless']);
  // A REQ that is sent again makes nothing new of it.
  const again = ask(RELAYS[0]!);
  expect([again(HEAD), again(OLDER), again(NEWER), again(NEWER), again(HEAD)]).toEqual([
    ...['useless', 'useless'],
    ...['useful', 'useless', 'useless'],
  ]);
});
