/** Why a head is said again, as a table: state → need. */

import { describe, expect, test } from 'vitest';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import {
  DAY_SECONDS,
  END_MARGIN_SECONDS,
  MAX_AHEAD_SECONDS,
  MAX_CONTRADICTIONS,
  MAX_RENEWAL_SECONDS,
  RELAYS_TAKE_SECONDS,
  SKEW_REPORT_SECONDS,
} from '../../src/protocol/limits.ts';
import { deviceHash } from '../../src/protocol/causality.ts';
import { NOTHING } from '../../src/sync/heads/own-stamps.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { needOf, pastStampOf } from '../../src/sync/values/needs.ts';
import { keptOf } from '../../src/sync/heads/kept.ts';
import { aRelay, anId } from '../names.ts';
import { told } from './records.ts';

const NOW = 1_700_000_000;
const ID = anId('a'.repeat(64));

const eventOf = (created_at: number, ...tags: string[][]): VerifiedEvent =>
  ({
    ...{ id: ID, pubkey: 'f'.repeat(64), sig: '', kind: 30_078, content: '' },
    ...{ created_at, tags: [['d', 'a/b/v1'], ['device_id', 'phone'], ...tags] },
    // As good as verified: nothing here looks at the signature.
  }) as unknown as VerifiedEvent;
const recordOf = (event: VerifiedEvent, more: Partial<HeadRecord> = {}): HeadRecord => ({
  ...{ ...EMPTY_RECORD, head: versionOf(event), ...more },
});
const own = (more: object = {}): NonNullable<HeadRecord['own']> => ({
  ...{ device: deviceHash('phone'), id: ID, stamp: 0, acknowledged: false, lost: false, ...more },
});
const RIVALS = [keptOf({ event: told({ stamp: 5 }), pieces: undefined }, undefined, true)];
const ends = (seconds: number): VerifiedEvent => eventOf(NOW - 9_000, ['expiration', String(seconds)]);
const renewed = (seconds: number): VerifiedEvent =>
  eventOf(NOW - 50, ['vv', `${deviceHash('phone')}:${NOW - 50 - seconds}`]);
const tied = { contradictions: MAX_CONTRADICTIONS };
const ofReset = (stamp: number): Partial<HeadRecord> => ({ voids: new Map([[anId('b'.repeat(64)), stamp]]) });
/** Further ahead than relays take. */
const FAR = NOW + RELAYS_TAKE_SECONDS + 1;
const future = eventOf(NOW + SKEW_REPORT_SECONDS + 1);

describe('a head needs', () => {
  test.each<[string, string | undefined, HeadRecord | undefined, boolean?]>([
    ['nothing if there is none', undefined, undefined],
    ['nothing if it was withdrawn', undefined, EMPTY_RECORD],
    ['nothing as a rule', undefined, recordOf(eventOf(NOW))],
    ['to be said again if relays keep its rival', 'tie', recordOf(eventOf(NOW), tied)],
    ['nothing while that was seen once', undefined, recordOf(eventOf(NOW), { contradictions: 1 })],
    ['to be said once more if it lost again', 'tie', recordOf(renewed(MAX_RENEWAL_SECONDS - 1), tied)],
    ['nothing more if that was tried enough', undefined, recordOf(renewed(MAX_RENEWAL_SECONDS), tied)],
    ['nothing while it has not ended', undefined, recordOf(ends(NOW + 1))],
    ['nothing if it has just ended, by this clock alone', undefined, recordOf(ends(NOW))],
    [
      'its end if a relay lacks it, too',
      'end',
      recordOf(ends(NOW), { deliveries: new Map([[aRelay('wss://a'), 'pending']]) }),
    ],
    [
      'its end if a relay refuses it',
      'end',
      recordOf(ends(NOW), { deliveries: new Map([[aRelay('wss://a'), 'refused']]) }),
    ],
    [
      'nothing while every relay still has it',
      undefined,
      recordOf(ends(NOW), { deliveries: new Map([[aRelay('wss://a'), 'confirmed']]) }),
    ],
    [
      'nothing yet if there are rivals, which may be merged first',
      undefined,
      recordOf(ends(NOW), { deliveries: new Map([[aRelay('wss://a'), 'refused']]), rivals: RIVALS }),
    ],
    [
      'its end after the margin, with rivals as well',
      'end',
      recordOf(ends(NOW - END_MARGIN_SECONDS), { rivals: RIVALS }),
    ],
    ['its end after the margin, whatever relays have', 'end', recordOf(ends(NOW - END_MARGIN_SECONDS))],
    ['its end rather than a renewal', 'end', recordOf(ends(NOW - END_MARGIN_SECONDS), tied)],
    ['to tell of a reset that it had not heard of', 'void', recordOf(eventOf(NOW), ofReset(NOW + 1))],
    ['to tell nothing of what it is above anyhow', undefined, recordOf(eventOf(NOW), ofReset(NOW))],
    [
      'to tell nothing again',
      undefined,
      recordOf(eventOf(NOW, ['void', `${'b'.repeat(64)}:${NOW + 1}`]), ofReset(NOW + 1)),
    ],
    [
      'nothing that would be signed too far ahead',
      undefined,
      recordOf(eventOf(NOW + MAX_AHEAD_SECONDS), tied),
    ],
    ['a renewal just before that', 'tie', recordOf(eventOf(NOW + MAX_AHEAD_SECONDS - 1), tied)],
    ['an older stamp if every relay finds it too late', 'late', recordOf(future, { own: own() }), true],
    ['none while relays do not say so', undefined, recordOf(future, { own: own() }), false],
    ['none if it is not the own write', undefined, recordOf(future), true],
  ])('%s', (_, need, record, isLate = false) => {
    expect(needOf(record, NOW, isLate, true)).toBe(need);
  });

  test('its end at once though there are rivals, if these are not merged', () => {
    const refused = new Map([[aRelay('wss://a'), 'refused']] as const);
    const record = recordOf(ends(NOW), { deliveries: refused, rivals: RIVALS });
    expect(needOf(record, NOW, false)).toBe('end');
  });
});

describe('a write from the future is stamped', () => {
  test.each<[string, number | undefined, HeadRecord]>([
    [
      'a day ago if it is above nothing',
      NOW - DAY_SECONDS + 1,
      recordOf(future, { own: own({ above: [] }) }),
    ],
    [
      'a day ago if it is above nothing but own writes from the future',
      NOW - DAY_SECONDS + 1,
      recordOf(future, { own: own({ above: [NOTHING, FAR] }) }),
    ],
    [
      'above own ones that are not from the future, which were above nothing',
      NOW - 6,
      recordOf(future, { own: own({ above: [NOTHING, NOW - 7, FAR] }) }),
    ],
    ['just above what it is above', NOW - 6, recordOf(future, { own: own({ above: [NOW - 7, NOW - 99] }) })],
    [
      'above what is not itself from the future',
      NOW - 6,
      recordOf(future, { own: own({ above: [NOW - 7, FAR] }) }),
    ],
    [
      'not at all if all that it is above is from the future',
      undefined,
      recordOf(future, { own: own({ above: [FAR] }) }),
    ],
    [
      'not at all if a relay has an own write from the future that it follows, whatever it has taken in of others',
      undefined,
      recordOf(
        eventOf(future.created_at, [
          'vv',
          `${deviceHash('phone')}:${future.created_at}`,
          `${deviceHash('tablet')}:${NOW - 3}`,
        ]),
        { own: own({ above: [FAR] }) },
      ),
    ],
    [
      'above the value before, if it was not kept what it is above',
      NOW - 4,
      recordOf(future, { own: own(), former: [versionOf(eventOf(NOW - 5))] }),
    ],
    [
      'above what it has taken in of other devices',
      NOW - 2,
      recordOf(
        eventOf(future.created_at, [
          'vv',
          `${deviceHash('phone')}:${future.created_at}`,
          `${deviceHash('tablet')}:${NOW - 3}`,
        ]),
        { own: own({ above: [NOW - 7] }) },
      ),
    ],
    [
      'above what it has taken in of a device whose signer is late, which has not seen that by its vector',
      NOW,
      recordOf(
        eventOf(future.created_at, [
          'vv',
          `${deviceHash('phone')}:${future.created_at}`,
          `${deviceHash('tablet')}:${NOW - 3}`,
        ]),
        {
          own: own({
            above: [NOW - 7],
            taken: {
              rivals: [keptOf({ event: eventOf(NOW - 1), pieces: undefined }, undefined, true)],
              joint: new Map(),
            },
          }),
        },
      ),
    ],
    [
      'not again while relays may have what it is above, a little ahead',
      undefined,
      recordOf(future, { own: own({ above: [NOW - 7, NOW + RELAYS_TAKE_SECONDS] }) }),
    ],
    [
      'above an own one that this device has not sent: a copy of its store may have',
      NOW - 6,
      recordOf(future, { own: own({ above: [], past: [NOW - 7, FAR] }) }),
    ],
    ['not again if a relay has it', undefined, recordOf(future, { own: own({ acknowledged: true }) })],
    [
      'not again if it is hardly ahead',
      undefined,
      recordOf(eventOf(NOW + SKEW_REPORT_SECONDS), { own: own({ above: [] }) }),
    ],
    [
      'not again if another device made it',
      undefined,
      recordOf(future, { own: own({ id: 'c'.repeat(64) }) }),
    ],
  ])('%s', (_, stamp, record) => {
    expect(pastStampOf(record, NOW)).toBe(stamp);
  });
});
