/** What is done about what one relay is owed: each step of `heads/owed.ts` is taken. Without engine, relay or store. */

import { expect, test } from 'vitest';
import { toDTag } from '../../src/protocol/address.ts';
import { CONFIRM_DELAY_MS, SPREAD_DELAY_MS } from '../../src/protocol/limits.ts';
import { canonicalRelayUrl } from '../../src/relay/url.ts';
import { EMPTY_RECORD, type Delivery, type HeadRecord } from '../../src/sync/heads/record.ts';
import type { Replica } from '../../src/sync/heads/replica.ts';
import { versionOf, type Piece } from '../../src/sync/heads/version.ts';
import type { Audit } from '../../src/sync/relays/audit.ts';
import type { Proof } from '../../src/sync/relays/proof.ts';
import type { Queue } from '../../src/sync/relays/queue.ts';
import { createNextSteps, type NextSteps } from '../../src/sync/relays/next-steps.ts';
import { IN_PIECES, nameOf, told } from './records.ts';

const D_TAG = toDTag('default', 'settings');
const RELAY = canonicalRelayUrl('wss://a.example');
const HEAD = told({ stamp: 9 });

const recordOf = (delivery: Delivery | undefined, ...pieces: Piece[]): HeadRecord => ({
  ...EMPTY_RECORD,
  head: { ...versionOf(HEAD), pieces: pieces.length > 0 ? pieces : undefined },
  deliveries: new Map(delivery === undefined ? [] : [[RELAY, delivery]]),
});
const LACKING: Piece = { name: nameOf(1), stamp: 9, deliveries: new Map() };
const SHARED: Piece = { name: nameOf(2), stamp: 1, deliveries: new Map([[RELAY, 'confirmed']]) };

interface Bench {
  readonly steps: NextSteps;
  readonly log: string[];
  readonly state: { record: HeadRecord | undefined; isAsking: boolean; isScheduled: boolean };
}

function setUp(record: HeadRecord | undefined): Bench {
  const log: string[] = [];
  const note =
    (what: string) =>
    (...args: readonly unknown[]): void =>
      void log.push([what, ...args.filter((one) => typeof one === 'number')].join(' '));
  const state: Bench['state'] = { record, isAsking: false, isScheduled: false };
  // Of each port what is not here is not asked for.
  const steps = createNextSteps(RELAY, {
    randomBytes: (length) => new Uint8Array(length),
    replica: { peek: () => state.record } as unknown as Replica,
    queue: {
      isUnderWay: () => state.isScheduled,
      isScheduled: () => state.isScheduled,
      scheduleOnce: note('head'),
      unschedule: note('no head'),
      forget: note('forget head'),
    } as unknown as Queue,
    audit: {
      isAsking: () => state.isAsking,
      put: note('look'),
      remove: note('no look'),
    } as unknown as Audit,
    proof: {
      lately: () => undefined,
      renew: async () => Promise.resolve(note('prove')()),
    } as unknown as Proof,
    pieces: {
      has: () => false,
      offer: note('pieces'),
      unschedule: note('no pieces'),
      forget: note('forget pieces'),
    },
  });
  return { steps, log, state };
}

const NOTHING_OWED = ['no head', 'no pieces'];
const FORGOTTEN = ['forget head', 'forget pieces'];

test.each<[string, HeadRecord | undefined, readonly string[]]>([
  ['without a head nothing is kept or looked for', undefined, [...NOTHING_OWED, 'no look', ...FORGOTTEN]],
  ['of a confirmed head nothing is kept', recordOf('confirmed'), [...NOTHING_OWED, 'no look', ...FORGOTTEN]],
  ['another device’s head is asked for first', recordOf(undefined), ['look 0']],
  ['a head that is owed goes out', recordOf('pending'), ['no look', 'pieces', 'head']],
  ['missing pieces go out before their head', recordOf('pending', LACKING), ['no look', 'pieces']],
  ['shared pieces are proven first', recordOf('pending', LACKING, SHARED), ['no look', 'no pieces', 'prove']],
  ['a head with an OK is read back', recordOf('acknowledged'), [...NOTHING_OWED, `look ${CONFIRM_DELAY_MS}`]],
  [
    'a head that others have shown is looked for once it can have spread',
    recordOf('unseen'),
    [...NOTHING_OWED, `look ${SPREAD_DELAY_MS / 2}`],
  ],
  ['the look at a relay that refused the head stays', recordOf('refused'), [...NOTHING_OWED, ...FORGOTTEN]],
  [
    'of a head that is not whole here nothing goes out',
    { ...recordOf('pending'), head: versionOf(told({ stamp: 9, tags: IN_PIECES })) },
    [...NOTHING_OWED, ...FORGOTTEN],
  ],
])('%s', (_, record, expected) => {
  const { steps, log } = setUp(record);
  steps.take(D_TAG);
  expect(log).toEqual(expected);
});

test('a relay that is being asked is not asked again before it has answered', () => {
  const { steps, log, state } = setUp(recordOf(undefined));
  state.isAsking = true;
  steps.take(D_TAG);
  expect(log).toEqual([]);
});

test('what is scheduled is proven once it is its turn', () => {
  const { steps, log, state } = setUp(recordOf('pending', LACKING, SHARED));
  state.isScheduled = true;
  steps.take(D_TAG);
  expect(log).toEqual(['no look', 'no pieces']);
});

test('a relay that was asked, and has not shown the head, is sent it', () => {
  const { steps, log } = setUp(recordOf(undefined));
  steps.wasAsked(D_TAG);
  expect(log).toEqual(['pieces', 'head']);
});

test('that it was asked changes nothing for a head that it was owed anyway', () => {
  const { steps, log } = setUp(recordOf('acknowledged'));
  steps.wasAsked(D_TAG);
  expect(log).toEqual([]);
});
