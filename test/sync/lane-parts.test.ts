/** The small parts of one relay's lane: offers of pieces, deletion requests, and when a head may go out. */

import { describe, expect, test } from 'vitest';
import type { RelayUrl } from '../../src/protocol/address.ts';
import type { NostrEvent, VerifiedEvent } from '../../src/protocol/event.ts';
import { HOLD_MS, PROOF_MS } from '../../src/protocol/limits.ts';
import type { RequestEnd } from '../../src/relay/requests.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import { EMPTY_RECORD, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf, type Piece } from '../../src/sync/heads/version.ts';
import { createDeletions } from '../../src/sync/relays/deletions.ts';
import { headItem, pieceItem } from '../../src/sync/relays/item.ts';
import { createPieceOffers } from '../../src/sync/relays/piece-offers.ts';
import { createProof } from '../../src/sync/relays/proof.ts';
import { createRelease } from '../../src/sync/relays/release.ts';
import { createTestClock } from '../../src/testing/clock.ts';
import { aRelay, anAddress, anId } from '../names.ts';
import { written } from './devices.ts';

const URL = aRelay('wss://here.example');
const DTAG = anAddress('default/settings/v1');
const event = written() as VerifiedEvent;
const stamp = event.created_at;
const [A, B, C] = ['a', 'b', 'c'].map((letter) => letter.repeat(32)) as [string, string, string];

function piece(name: string, made: number, isThere = false): Piece {
  return { name, stamp: made, deliveries: new Map(isThere ? [[URL, 'confirmed']] : []) };
}

function inPieces(...pieces: Piece[]): HeadRecord {
  return { ...EMPTY_RECORD, head: { ...versionOf(event), pieces }, deliveries: new Map([[URL, 'pending']]) };
}

describe('offers of pieces', () => {
  function open(): { offers: ReturnType<typeof createPieceOffers>; log: string[] } {
    const log: string[] = [];
    const name = (key: string): string => (key === DTAG ? 'head' : key.slice(-1));
    const offers = createPieceOffers(URL, {
      scheduleOnce: ({ key }, version) => void log.push(`schedule ${name(key)} ${version}`),
      unschedule: ({ key }) => void log.push(`unschedule ${name(key)}`),
      forget: ({ key }) => void log.push(`forget ${name(key)}`),
    });
    return { offers, log };
  }

  test('schedule what the relay lacks, and not the head', () => {
    const { offers, log } = open();
    offers.offer(DTAG, inPieces(piece(A, 5), piece(B, 6, true)));
    expect(log).toEqual(['unschedule head', 'schedule a 5']);
    expect([offers.has(DTAG), offers.has(anAddress('default/other/v1'))]).toEqual([true, false]);
  });

  test('leave the head alone if nothing is missing', () => {
    const { offers, log } = open();
    offers.offer(DTAG, inPieces(piece(A, 5, true)));
    offers.offer(DTAG, { ...EMPTY_RECORD, head: versionOf(event) });
    expect([log, offers.has(DTAG)]).toEqual([[], false]);
  });

  test('drop what the next head does not have, and what the relay has meanwhile', () => {
    const { offers, log } = open();
    offers.offer(DTAG, inPieces(piece(A, 5), piece(B, 5)));
    log.length = 0;
    offers.offer(DTAG, inPieces(piece(B, 5, true), piece(C, 7)));
    expect(log).toEqual(['unschedule a', 'forget a', 'unschedule b', 'unschedule head', 'schedule c 7']);
  });

  test('are forgotten with all their pieces', () => {
    const { offers, log } = open();
    offers.offer(DTAG, inPieces(piece(A, 5)));
    log.length = 0;
    offers.unschedule(DTAG);
    offers.forget(DTAG);
    offers.unschedule(DTAG);
    expect([log, offers.has(DTAG)]).toEqual([['unschedule a', 'forget a'], false]);
  });
});

test('two items of one name in two categories, and a head and its piece, are not the same', () => {
  const items = [
    headItem(DTAG),
    pieceItem(DTAG, A),
    pieceItem(anAddress('default/other/v1'), A),
    pieceItem(DTAG, B),
  ];
  expect(new Set(items.map(({ key }) => key)).size).toBe(items.length);
  expect(pieceItem(DTAG, A)).toEqual(pieceItem(DTAG, A));
});

describe('a deletion request', () => {
  const tombstone = written({ content: '', tags: [['deleted', '']] });
  const deletion = { id: 'deletion' } as NostrEvent;
  function relay(url: string): {
    url: RelayUrl;
    publish: () => Promise<{ type: 'acknowledged' }>;
    sent: number;
  } {
    const one = {
      url: aRelay(url),
      sent: 0,
      publish: async () => {
        one.sent++;
        return Promise.resolve({ type: 'acknowledged' } as const);
      },
    };
    return one;
  }

  test('goes once to each relay that has taken the tombstone', () => {
    const deletions = createDeletions();
    const [a, b] = [relay('wss://a.example'), relay('wss://b.example')];
    deletions.taken(a, DTAG, tombstone);
    deletions.follow(DTAG, anId(tombstone.id), deletion);
    deletions.taken(a, anAddress('default/other/v1'), tombstone);
    deletions.taken(a, DTAG, event);
    expect([a.sent, b.sent]).toEqual([0, 0]);
    for (const one of [a, a, b]) deletions.taken(one, DTAG, tombstone);
    expect([a.sent, b.sent]).toEqual([1, 1]);
  });

  test('is forgotten once the head is another, and kept while it is the tombstone', () => {
    const deletions = createDeletions();
    const [a, b] = [relay('wss://a.example'), relay('wss://b.example')];
    deletions.follow(DTAG, anId(tombstone.id), deletion);
    deletions.headChanged(DTAG, anId(tombstone.id));
    deletions.taken(a, DTAG, tombstone);
    deletions.headChanged(DTAG, event.id);
    deletions.taken(b, DTAG, tombstone);
    expect([a.sent, b.sent]).toEqual([1, 0]);
  });
});

describe('a head may go out', () => {
  const heldUntil = (until: number): HeadRecord => ({
    ...EMPTY_RECORD,
    head: versionOf(event),
    own: { device: 'd', id: event.id, stamp, acknowledged: false, lost: false, heldUntil: until },
  });

  function release(
    record: HeadRecord | undefined,
    waitMs = 0,
  ): [ReturnType<ReturnType<typeof createRelease>>, Input[]] {
    const inputs: Input[] = [];
    const replica = {
      get: () => record,
      apply: async (_: string, input: Input) => {
        inputs.push(input);
        return Promise.resolve([]);
      },
    };
    const clock = createTestClock(1_000);
    return [createRelease({ clock, replica, pacer: () => waitMs })(DTAG), inputs];
  }

  test('now, or once its category is paced so', () => {
    const record = inPieces();
    expect(release(record)).toEqual([{ type: 'now', record }, []]);
    expect(release(record, 70)).toEqual([{ type: 'later', waitMs: 70 }, []]);
    expect(release(undefined)).toEqual([{ type: 'no-head' }, []]);
    expect(release(EMPTY_RECORD)).toEqual([{ type: 'no-head' }, []]);
  });

  test('not while it is held, whatever the pace; then the record changes first', () => {
    expect(release(heldUntil(1_500))).toEqual([{ type: 'later', waitMs: 500 }, []]);
    const explored = { type: 'explored', id: event.id, isBlind: true };
    expect(release(heldUntil(1_000))).toEqual([{ type: 'changing' }, [explored]]);
    expect(release(heldUntil(1_001 + HOLD_MS))).toEqual([{ type: 'changing' }, [explored]]);
  });
});

describe('what a relay has lately said to have', () => {
  function open(end: RequestEnd) {
    const clock = createTestClock();
    const log: string[] = [];
    const record = { ...inPieces(piece(A, stamp - 9, true)), proven: new Map([[URL, anId('former')]]) };
    const proof = createProof(URL, {
      clock,
      replica: {
        peek: (dTag) => (dTag === DTAG ? record : undefined),
        apply: async (_, input) => {
          log.push(input.type);
          return Promise.resolve([]);
        },
      },
      ask: async () => {
        log.push('ask');
        return Promise.resolve(end);
      },
      queue: { isOpen: () => true, schedule: () => void log.push('later') },
      audit: { askAgainMs: () => 1 },
      update: () => void log.push('update'),
    });
    return { clock, proof, log };
  }

  test('counts for a while, of heads in pieces, on this connection', async () => {
    const { clock, proof } = open('complete');
    proof.note(anAddress('default/other/v1'), anId('x'));
    proof.note(DTAG, anId('former'));
    expect([proof.lately(anAddress('default/other/v1')), proof.lately(DTAG)?.id]).toEqual([
      undefined,
      'former',
    ]);
    await clock.advance(PROOF_MS - 1);
    expect(proof.lately(DTAG)?.id).toBe('former');
    await clock.advance(1);
    expect(proof.lately(DTAG)).toBeUndefined();
    proof.note(DTAG, undefined);
    expect(proof.lately(DTAG)).toMatchObject({ id: undefined });
    proof.clear();
    expect(proof.lately(DTAG)).toBeUndefined();
  });

  test('is asked for once; without an answer later, without the head all pieces go out', async () => {
    const lacking = open('complete');
    await Promise.all([lacking.proof.renew(DTAG), lacking.proof.renew(DTAG)]);
    expect(lacking.log).toEqual(['ask', 'forget-pieces', 'update']);
    const silent = open('incomplete');
    await silent.proof.renew(DTAG);
    expect(silent.log).toEqual(['ask', 'later']);
    const proven = open('complete');
    proven.proof.note(DTAG, anId('former'));
    await proven.proof.renew(DTAG);
    expect(proven.log).toEqual(['ask', 'update']);
  });
});
