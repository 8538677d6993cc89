/** `reconcile` as a table: in each state of a record, what each input makes of it. */

import { describe, expect, test } from 'vitest';
import type { EventId } from '../../src/protocol/address.ts';
import { deviceHash } from '../../src/protocol/causality.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import type { Effect, Input, Outcome } from '../../src/sync/heads/input.ts';
import { reconcile } from '../../src/sync/heads/reconcile.ts';
import type { Kept } from '../../src/sync/heads/kept.ts';
import { EMPTY_RECORD, floorOf, isHeld, type HeadRecord } from '../../src/sync/heads/record.ts';
import { versionOf } from '../../src/sync/heads/version.ts';
import { aRelay, anId } from '../names.ts';
import { IN_PIECES, nameOf, OUR_HASH, OURS, REMOVAL, told, voiding } from './records.ts';

const RELAY = aRelay('wss://relay.example');
const OTHER = aRelay('wss://other.example');
const DAY = 86_400;

// Events. Stamps: what was there before 5, the head 10, what comes 20.

const BEFORE = told({ stamp: 5 });
const MINE = told({ stamp: 10, by: OURS, seen: { 'their-device': 5 }, id: 'c' });
const MINE_IN_PIECES = told({ stamp: 10, by: OURS, seen: { 'their-device': 5 }, tags: IN_PIECES });
const MINE_FUTURE = told({ stamp: 100 * DAY, by: OURS, seen: { 'their-device': 5 } });
const THEIRS = told({ stamp: 10, id: 'd' });
const THEIRS_IN_PIECES = told({ stamp: 10, tags: IN_PIECES });
const OLDER = told({ stamp: 7, by: 'third-device' });
const OLDER_IN_PIECES = told({ stamp: 7, by: 'third-device', tags: IN_PIECES });
const CARRIED = told({ stamp: 8, by: OURS });
const TIED = told({ stamp: 10, id: 'e' });
const NEWER = told({ stamp: 20 });
const NEWER_SEEN = told({ stamp: 20, seen: { [OURS]: 10 } });
const NEWER_PLAIN = told({ stamp: 20, seen: false });
const RESET = told({ stamp: 20, tags: voiding(MINE_FUTURE) });
const NEXT = told({ stamp: 20, by: OURS, seen: { 'their-device': 10 } });
const MERGE = told({ stamp: 15, by: OURS, seen: { 'their-device': 10, 'third-device': 7 } });
const LATE = told({ stamp: 10, by: OURS });
const AGAIN = told({ stamp: 15, by: OURS, content: MINE.content });
const EARLIER = told({ stamp: 6, by: OURS, content: MINE.content });
const SMALL = told({ stamp: 12, by: OURS, seen: { 'their-device': 5 } });
const REMOVED = told({ stamp: 10, tags: REMOVAL });
const PIECE = told({ stamp: 10 });
const OLD_PIECE = told({ stamp: 5 });

const NAMES = new Map<string, string>(
  Object.entries({
    ...{ BEFORE, MINE, MINE_IN_PIECES, MINE_FUTURE, THEIRS, THEIRS_IN_PIECES, OLDER, TIED },
    ...{ OLDER_IN_PIECES, CARRIED },
    ...{ MERGE, NEWER, NEWER_SEEN, NEWER_PLAIN, RESET, NEXT, LATE, AGAIN, EARLIER, SMALL, REMOVED },
  }).map(([name, { id }]) => [id, name]),
);
const nameIn = (event: VerifiedEvent | undefined): string =>
  event === undefined ? 'none' : (NAMES.get(event.id) ?? 'renewed');

// States

const shown = (event: VerifiedEvent, relay = RELAY): Input => ({
  ...{ type: 'shown', relay, event, relays: [RELAY, OTHER] },
});
type Write = Extract<Input, { readonly type: 'write' }>;
const write = (event: VerifiedEvent, more: Partial<Write> = {}): Write => ({
  ...{ type: 'write', event, device: OUR_HASH, isRead: false },
  ...more,
});
const PIECES = { names: [nameOf(1)], made: new Map([[nameOf(1), PIECE]]) };

function after(...inputs: readonly Input[]): HeadRecord | undefined {
  let record: HeadRecord | undefined;
  for (const input of inputs) ({ record } = reconcile(record, input, undefined));
  return record;
}

const answered = (id: EventId, delivery: 'acknowledged' | 'refused' = 'acknowledged'): Input => ({
  ...{ type: 'answered', relay: RELAY, id, delivery },
});

const carried = (more: { readonly isAbsent: boolean; readonly isDecided?: boolean }): Input => ({
  ...{ type: 'carried', event: CARRIED, device: OUR_HASH, isDecided: false, ...more },
});

const STATES = {
  'nothing known': undefined,
  'an own write that no relay has': after(shown(BEFORE), write(MINE)),
  'a first own write': after(write(MINE)),
  'an own write that a relay has': after(shown(BEFORE), write(MINE), answered(MINE.id)),
  'an own write that was read back': after(shown(BEFORE), write(MINE), shown(MINE)),
  'an own write that all refuse': after(shown(BEFORE), write(MINE), answered(MINE.id, 'refused')),
  'an own write that is held': after(shown(BEFORE), write(MINE, { heldUntil: 1_000 })),
  'a blind own write': after(write(MINE, { isBlind: true })),
  'an own write from the future': after(shown(BEFORE), write(MINE_FUTURE)),
  'an own write in pieces': after(shown(BEFORE), write(MINE_IN_PIECES, PIECES)),
  'an own write that was withdrawn': after(shown(BEFORE), write(MINE), { type: 'withdraw', id: MINE.id }),
  'a first own write that was withdrawn': after(write(MINE), { type: 'withdraw', id: MINE.id }),
  'the head of another': after(shown(BEFORE), shown(THEIRS)),
  'a head of another that was read': after(shown(BEFORE), shown(THEIRS), { type: 'read', id: THEIRS.id }),
  'a head of another that cannot be read': after(shown(BEFORE), shown(THEIRS), {
    type: 'unreadable',
    id: THEIRS.id,
  }),
  'a head of another in pieces that are not here': after(shown(BEFORE), shown(THEIRS_IN_PIECES)),
  'a head of another in pieces': after(shown(BEFORE), shown(THEIRS_IN_PIECES), {
    type: 'assembled',
    id: THEIRS_IN_PIECES.id,
    made: new Map([[nameOf(1), PIECE]]),
    lacking: new Map(),
  }),
  'an own write over one in pieces': after(shown(BEFORE), write(MINE_IN_PIECES, PIECES), write(SMALL)),
  'a removal by another': after(shown(BEFORE), shown(REMOVED)),
  'a head with a rival': after(shown(BEFORE), shown(THEIRS), shown(OLDER, OTHER)),
  'a head with a rival in pieces that are not here': after(
    ...[shown(BEFORE), shown(THEIRS), shown(OLDER_IN_PIECES, OTHER)],
  ),
  'an own write over a rival that was merged': after(
    ...[shown(BEFORE), shown(THEIRS), shown(OLDER, OTHER), write(MERGE)],
  ),
} satisfies Record<string, HeadRecord | undefined>;
type State = keyof typeof STATES;

// What has changed, in words

function tellEffect(effect: Effect): string {
  if (effect.type === 'advanced') return `advanced${effect.renews === undefined ? '' : ', saying the same'}`;
  return effect.type === 'conflict'
    ? `conflict of ${nameIn(effect.mine)} with ${nameIn(effect.theirs)}`
    : effect.type;
}

const nameOfKept = ({ id, isInPieces, pieces, isBeforeJoining }: Kept): string =>
  `${NAMES.get(id)}${isInPieces && pieces === undefined ? ' (lacking)' : ''}${isBeforeJoining ? ' (carried)' : ''}`;

/** Of a record, all that an input may change, each in a few words. */
function factsOf(record: HeadRecord | undefined): Readonly<Record<string, string>> {
  const { head, own } = record ?? {};
  const on = (deliveries: ReadonlyMap<string, string> = new Map()): string =>
    `${deliveries.get(RELAY) ?? '-'}/${deliveries.get(OTHER) ?? '-'}`;
  const pieces = (head?.pieces ?? []).map(
    ({ stamp, deliveries, buried }) =>
      `${stamp} ${on(deliveries)}${buried === undefined ? '' : ` under ${buried}`}`,
  );
  return {
    head: nameIn(head?.event),
    former: record?.former.map(({ event }) => nameIn(event)).join(' ') ?? '',
    reading: head?.reading ?? 'unread',
    relays: on(record?.deliveries),
    pieces: pieces.join(', '),
    orphans: String(record?.orphans.map(({ since = '?' }) => `since ${since}`) ?? ''),
    proven: record?.proven.has(RELAY) === true ? 'yes' : 'no',
    floor: String(floorOf(record)),
    own:
      own === undefined
        ? 'none'
        : [
            'write',
            ...(own.acknowledged ? ['taken'] : []),
            ...(own.lost ? ['lost'] : []),
            ...(own.isBlind === true ? ['blind'] : []),
            ...(own.heldUntil === undefined ? [] : ['held']),
          ].join(' '),
    met: own?.met === undefined ? '' : nameIn(own.met),
    withdrawn: own?.withdrawn?.map((id) => NAMES.get(id)).join(' ') ?? '',
    contradictions: String(record?.contradictions ?? 0),
    'taken before': String(own?.acknowledgedBefore ?? ''),
    rivals: record?.rivals.map(nameOfKept).join(' ') ?? '',
    past: record?.past.map(nameOfKept).join(' ') ?? '',
    contains: [...(record?.joint.values() ?? [])].join(' '),
  };
}

function tell(before: HeadRecord | undefined, { record, effects }: Outcome): string {
  const [old, now] = [factsOf(before), factsOf(record)];
  const changes = Object.keys(now).flatMap((fact) =>
    now[fact] === old[fact] ? [] : [`${fact}: ${now[fact]!.trim() || 'none'}`],
  );
  if (effects.length === 0 && changes.length === 0)
    return record === before ? 'nothing' : 'nothing that can be seen';
  return [...effects.map(tellEffect), ...changes].join('; ');
}

// Inputs. `id`: of the head.

const INPUTS = {
  'a write': () => write(NEXT),
  'a write with the stamp of the head': () => write(LATE),
  'a reset by this device': () => write(NEXT, { voids: new Map([[MINE_FUTURE.id, MINE_FUTURE.created_at]]) }),
  'an older event': () => shown(OLDER, OTHER),
  'an event of the same stamp that loses': () => shown(TIED, OTHER),
  'a newer event': () => shown(NEWER, OTHER),
  'a newer event that had seen the own write': () => shown(NEWER_SEEN, OTHER),
  'a newer event of a writer without vectors': () => shown(NEWER_PLAIN, OTHER),
  'a reset by another device': () => shown(RESET, OTHER),
  'the head, shown': (_, record) => shown(record?.head?.event ?? BEFORE, OTHER),
  'an OK': (id) => answered(id),
  'a refusal': (id) => answered(id, 'refused'),
  'an OK for something newer': (id) => ({ ...answered(id), superseded: true }) as Input,
  'an answer about another event': () => answered(anId('0'.repeat(64))),
  'an OK for the write before the head': (_, record) => {
    const event = record?.former[0]?.event ?? OLDER;
    return { ...answered(event.id), event } as Input;
  },
  'an OK for something newer than the write before the head': (_, record) => {
    const event = record?.former[0]?.event ?? OLDER;
    return { ...answered(event.id), event, superseded: true } as Input;
  },
  'a complete answer without the head': (id) => ({
    type: 'lacking',
    relay: RELAY,
    id: id,
    instead: undefined,
  }),
  'a complete answer with another of the same stamp': (id) => ({
    type: 'lacking',
    relay: RELAY,
    id: id,
    instead: 10,
  }),
  'a doubt': (id) => ({ type: 'doubted', relay: RELAY, id: id }),
  'an export': (id) => ({ type: 'exported', id }),
  'a withdrawal': (id) => ({ type: 'withdraw', id: id }),
  'a renewal': (id, record) => ({
    type: 'renew',
    id: id,
    event: {
      ...(record?.head?.event ?? MINE),
      id: anId('9'.repeat(64)),
      created_at: (record?.head?.event.created_at ?? 0) + 1,
    },
  }),
  'a lower stamp': (id) => ({
    type: 'restamp',
    id: id,
    event: EARLIER,
    made: new Map([[nameOf(1), OLD_PIECE]]),
  }),
  'the end of the question': (id) => ({ type: 'explored', id: id, isBlind: true }),
  'the end of the question, as decided before more turned up': (id, record) => ({
    ...{ type: 'explored', id, isBlind: true, upTo: floorOf(record) - 1 },
  }),
  'the end of the question, by all that has turned up': (id, record) => ({
    ...{ type: 'explored', id, isBlind: true, upTo: floorOf(record) },
  }),
  'the end of the question, with another stamp': (id) => ({
    type: 'explored',
    id: id,
    isBlind: false,
    again: AGAIN,
  }),
  'that it was read': (id) => ({ type: 'read', id: id }),
  'that it cannot be read': (id) => ({ type: 'unreadable', id: id }),
  'its pieces': (id) => ({
    type: 'assembled',
    id: id,
    made: new Map([[nameOf(1), PIECE]]),
    lacking: new Map(),
  }),
  'its pieces, of which a relay lacks one': (id) => ({
    type: 'assembled',
    id: id,
    made: new Map([[nameOf(1), PIECE]]),
    lacking: new Map([[RELAY, new Set([nameOf(1)])]]),
  }),
  'that a piece is lost': (id) => ({ type: 'torn', id: id }),
  'an OK for a piece': () => ({ type: 'piece', relay: RELAY, name: nameOf(1), delivery: 'acknowledged' }),
  'a piece, shown': () => ({ type: 'piece', relay: RELAY, name: nameOf(1), delivery: 'confirmed' }),
  'that a relay lacks a piece': () => ({ type: 'piece', relay: RELAY, name: nameOf(1), delivery: undefined }),
  'that what a relay had of pieces does not count': (id) => ({ type: 'forget-pieces', relay: RELAY, id: id }),
  'a tombstone in the place of a piece': (id) => ({
    type: 'buried',
    relay: RELAY,
    id: id,
    name: nameOf(1),
    stamp: 12,
  }),
  'pieces above their tombstones': (id) => ({
    type: 'remade',
    id: id,
    made: new Map([[nameOf(1), told({ stamp: 13 })]]),
  }),
  'that every relay has the head': (id) => ({ type: 'replicated', id: id, at: 99 }),
  'that orphans were collected': () => ({ type: 'collected', names: new Set([nameOf(1)]) }),
  'that a relay was removed': () => ({ type: 'forget-relay', relay: RELAY }),
  'that the rivals add nothing': (id) => ({
    type: 'settled',
    id: id,
    ids: new Set([OLDER.id]),
    seen: new Map([[deviceHash('third-device'), 7]]),
  }),
  'the pieces of a rival': () => ({
    ...{ type: 'gathered', id: OLDER_IN_PIECES.id, made: new Map([[nameOf(1), OLD_PIECE]]) },
  }),
  'a version of a backup': () => ({ type: 'remembered', event: OLDER }),
  'a version of a backup, in pieces': () => ({
    ...{ type: 'remembered', event: OLDER_IN_PIECES, made: new Map([[nameOf(1), OLD_PIECE]]) },
  }),
  'a version of a backup that is above the head': () => ({ type: 'remembered', event: NEWER }),
  'a value of another key, and every relay has none': () => carried({ isAbsent: true }),
  'a value of another key, and it is not known what relays have': () => carried({ isAbsent: false }),
  'a value of another key, about which the app has decided': () =>
    carried({ isAbsent: false, isDecided: true }),
  'nothing new': () => ({ type: 'resave' }),
} satisfies Record<string, (id: EventId, record: HeadRecord | undefined) => Input>;

/** What a value of another key gives way to. */
const GIVES_WAY: Readonly<Record<string, string>> = {
  'an own write that no relay has': 'gave-way; past: CARRIED (carried) BEFORE',
  'a first own write': 'gave-way; past: CARRIED (carried)',
  'an own write that a relay has': 'gave-way; past: CARRIED (carried) BEFORE',
  'an own write that was read back': 'gave-way; past: CARRIED (carried) BEFORE',
  'an own write that all refuse': 'gave-way; past: CARRIED (carried) BEFORE',
  'an own write that is held': 'gave-way; past: CARRIED (carried) BEFORE',
  'a blind own write': 'gave-way; past: CARRIED (carried)',
  'an own write from the future': 'gave-way; past: CARRIED (carried) BEFORE',
  'an own write in pieces': 'gave-way; past: CARRIED (carried) BEFORE',
  'an own write that was withdrawn': 'gave-way; past: CARRIED (carried)',
  'the head of another': 'gave-way; past: CARRIED (carried) BEFORE',
  'a head of another that was read': 'gave-way; past: CARRIED (carried) BEFORE',
  'a head of another that cannot be read': 'gave-way; past: CARRIED (carried) BEFORE',
  'a head of another in pieces that are not here': 'gave-way; past: CARRIED (carried) BEFORE',
  'a head of another in pieces': 'gave-way; past: CARRIED (carried) BEFORE',
  'an own write over one in pieces': 'gave-way; past: MINE_IN_PIECES CARRIED (carried) BEFORE',
  'a removal by another': 'gave-way; past: CARRIED (carried) BEFORE',
  'a head with a rival': 'gave-way; past: CARRIED (carried) BEFORE',
  'a head with a rival in pieces that are not here': 'gave-way; past: CARRIED (carried) BEFORE',
  'an own write over a rival that was merged': 'gave-way; past: THEIRS CARRIED (carried) OLDER BEFORE',
};

/** What each input makes of each state. Of a state that is not listed: nothing. */
const TABLE: Readonly<Record<keyof typeof INPUTS, Partial<Readonly<Record<State, string>>>>> = {
  'a write': {
    'nothing known': 'head: NEXT; floor: 20; own: write',
    'an own write that no relay has': 'head: NEXT; former: MINE BEFORE; floor: 20; past: MINE BEFORE',
    'a first own write': 'head: NEXT; former: MINE; floor: 20; past: MINE',
    'an own write that a relay has':
      'head: NEXT; former: MINE BEFORE; relays: -/-; floor: 20; own: write; taken before: 10; past: MINE BEFORE',
    'an own write that was read back':
      'head: NEXT; former: MINE BEFORE; relays: -/-; floor: 20; own: write; taken before: 10; past: MINE BEFORE',
    'an own write that all refuse':
      'head: NEXT; former: MINE BEFORE; relays: -/-; floor: 20; past: MINE BEFORE',
    'an own write that is held': 'head: NEXT; former: MINE BEFORE; floor: 20',
    'a blind own write': 'head: NEXT; former: MINE; floor: 20; past: MINE',
    'an own write from the future': 'stale',
    'an own write in pieces':
      'head: NEXT; former: MINE_IN_PIECES BEFORE; pieces: none; orphans: since ?; floor: 20; past: MINE_IN_PIECES BEFORE',
    'an own write that was withdrawn': 'head: NEXT; former: BEFORE; floor: 20; past: BEFORE',
    'a first own write that was withdrawn': 'head: NEXT; floor: 20',
    'the head of another':
      'head: NEXT; former: THEIRS BEFORE; relays: -/-; floor: 20; own: write; past: THEIRS BEFORE',
    'a head of another that was read':
      'head: NEXT; former: THEIRS; reading: unread; relays: -/-; floor: 20; own: write; past: THEIRS BEFORE',
    'a head of another that cannot be read':
      'head: NEXT; reading: unread; relays: -/-; floor: 20; own: write',
    'a head of another in pieces that are not here': 'head: NEXT; relays: -/-; floor: 20; own: write',
    'a head of another in pieces':
      'head: NEXT; former: THEIRS_IN_PIECES; relays: -/-; pieces: none; orphans: since ?; floor: 20; own: write; past: THEIRS_IN_PIECES BEFORE',
    'an own write over one in pieces':
      'head: NEXT; former: SMALL BEFORE; floor: 20; past: SMALL MINE_IN_PIECES BEFORE',
    'a removal by another':
      'head: NEXT; former: REMOVED; relays: -/-; floor: 20; own: write; past: REMOVED BEFORE',
    'a head with a rival':
      'head: NEXT; former: THEIRS BEFORE; relays: -/-; floor: 20; own: write; past: THEIRS BEFORE',
    'a head with a rival in pieces that are not here':
      'head: NEXT; former: THEIRS BEFORE; relays: -/-; floor: 20; own: write; past: THEIRS BEFORE',
    // It has not seen what that had: another tab has saved that meanwhile.
    'an own write over a rival that was merged': 'stale',
  },
  'a write with the stamp of the head': {
    'nothing known': 'head: LATE; floor: 10; own: write',
    'an own write that no relay has': 'stale',
    'a first own write': 'stale',
    'an own write that a relay has': 'stale',
    'an own write that was read back': 'stale',
    'an own write that all refuse': 'stale',
    'an own write that is held': 'stale',
    'a blind own write': 'stale',
    'an own write from the future': 'stale',
    'an own write in pieces': 'stale',
    'an own write that was withdrawn': 'stale',
    'a first own write that was withdrawn': 'stale',
    'the head of another': 'stale',
    'a head of another that was read': 'stale',
    'a head of another that cannot be read': 'stale',
    'a head of another in pieces that are not here': 'stale',
    'a head of another in pieces': 'stale',
    'an own write over one in pieces': 'stale',
    'a removal by another': 'stale',
    'a head with a rival': 'stale',
    'a head with a rival in pieces that are not here': 'stale',
    'an own write over a rival that was merged': 'stale',
  },
  'a reset by this device': {
    'nothing known': 'head: NEXT; floor: 20; own: write',
    'an own write that no relay has': 'head: NEXT; former: MINE BEFORE; floor: 20; past: MINE BEFORE',
    'a first own write': 'head: NEXT; former: MINE; floor: 20; past: MINE',
    'an own write that a relay has':
      'head: NEXT; former: MINE BEFORE; relays: -/-; floor: 20; own: write; taken before: 10; past: MINE BEFORE',
    'an own write that was read back':
      'head: NEXT; former: MINE BEFORE; relays: -/-; floor: 20; own: write; taken before: 10; past: MINE BEFORE',
    'an own write that all refuse':
      'head: NEXT; former: MINE BEFORE; relays: -/-; floor: 20; past: MINE BEFORE',
    'an own write that is held': 'head: NEXT; former: MINE BEFORE; floor: 20',
    'a blind own write': 'head: NEXT; former: MINE; floor: 20; past: MINE',
    'an own write from the future': 'head: NEXT; former: MINE_FUTURE BEFORE; floor: 20',
    'an own write in pieces':
      'head: NEXT; former: MINE_IN_PIECES BEFORE; pieces: none; orphans: since ?; floor: 20; past: MINE_IN_PIECES BEFORE',
    'an own write that was withdrawn': 'head: NEXT; former: BEFORE; floor: 20; past: BEFORE',
    'a first own write that was withdrawn': 'head: NEXT; floor: 20',
    'the head of another':
      'head: NEXT; former: THEIRS BEFORE; relays: -/-; floor: 20; own: write; past: THEIRS BEFORE',
    'a head of another that was read':
      'head: NEXT; former: THEIRS; reading: unread; relays: -/-; floor: 20; own: write; past: THEIRS BEFORE',
    'a head of another that cannot be read':
      'head: NEXT; reading: unread; relays: -/-; floor: 20; own: write',
    'a head of another in pieces that are not here': 'head: NEXT; relays: -/-; floor: 20; own: write',
    'a head of another in pieces':
      'head: NEXT; former: THEIRS_IN_PIECES; relays: -/-; pieces: none; orphans: since ?; floor: 20; own: write; past: THEIRS_IN_PIECES BEFORE',
    'an own write over one in pieces':
      'head: NEXT; former: SMALL BEFORE; floor: 20; past: SMALL MINE_IN_PIECES BEFORE',
    'a removal by another':
      'head: NEXT; former: REMOVED; relays: -/-; floor: 20; own: write; past: REMOVED BEFORE',
    'a head with a rival':
      'head: NEXT; former: THEIRS BEFORE; relays: -/-; floor: 20; own: write; past: THEIRS BEFORE',
    'a head with a rival in pieces that are not here':
      'head: NEXT; former: THEIRS BEFORE; relays: -/-; floor: 20; own: write; past: THEIRS BEFORE',
    'an own write over a rival that was merged':
      'head: NEXT; former: MERGE BEFORE; floor: 20; past: MERGE THEIRS OLDER BEFORE; contains: 7',
  },
  'an older event': {
    'nothing known': 'advanced; head: OLDER; relays: unseen/confirmed',
    'an own write that no relay has': 'rivals: OLDER',
    'a first own write': 'rivals: OLDER',
    'an own write that a relay has': 'rivals: OLDER',
    'an own write that was read back': 'rivals: OLDER',
    'an own write that all refuse': 'rivals: OLDER',
    'an own write that is held': 'former: OLDER; met: OLDER; rivals: OLDER',
    'a blind own write': 'conflict of MINE with OLDER; own: write; rivals: OLDER',
    'an own write from the future': 'rivals: OLDER',
    'an own write in pieces': 'rivals: OLDER',
    'an own write that was withdrawn':
      'advanced; head: OLDER; former: BEFORE; relays: unseen/confirmed; rivals: BEFORE',
    'a first own write that was withdrawn': 'advanced; head: OLDER; relays: unseen/confirmed',
    'the head of another': 'rivals: OLDER',
    'a head of another that was read': 'rivals: OLDER',
    'a head of another that cannot be read': 'rivals: OLDER',
    'a head of another in pieces that are not here': 'rivals: OLDER',
    'a head of another in pieces': 'rivals: OLDER',
    'an own write over one in pieces': 'rivals: OLDER',
  },
  'an event of the same stamp that loses': {
    'nothing known': 'advanced; head: TIED; relays: unseen/confirmed',
    'an own write that no relay has': 'rivals: TIED',
    'a first own write': 'rivals: TIED',
    'an own write that a relay has': 'rivals: TIED',
    'an own write that was read back': 'rivals: TIED',
    'an own write that all refuse': 'rivals: TIED',
    'an own write that is held': 'former: TIED; met: TIED; rivals: TIED',
    'a blind own write': 'conflict of MINE with TIED; own: write; rivals: TIED',
    'an own write from the future': 'rivals: TIED',
    'an own write in pieces': 'rivals: TIED',
    'an own write that was withdrawn':
      'advanced; head: TIED; former: BEFORE; relays: unseen/confirmed; past: BEFORE',
    'a first own write that was withdrawn': 'advanced; head: TIED; relays: unseen/confirmed',
    'an own write over one in pieces': 'rivals: TIED',
  },
  'a newer event': {
    'nothing known': 'advanced; head: NEWER; relays: unseen/confirmed',
    'an own write that no relay has':
      'advanced; conflict of MINE with NEWER; head: NEWER; former: MINE BEFORE; relays: unseen/confirmed; own: write lost; rivals: MINE',
    'a first own write':
      'advanced; conflict of MINE with NEWER; head: NEWER; former: MINE; relays: unseen/confirmed; own: write lost; rivals: MINE',
    'an own write that a relay has':
      'advanced; conflict of MINE with NEWER; head: NEWER; former: MINE BEFORE; relays: unseen/confirmed; own: write taken lost; rivals: MINE',
    'an own write that was read back':
      'advanced; conflict of MINE with NEWER; head: NEWER; former: MINE BEFORE; relays: unseen/confirmed; own: write taken lost; rivals: MINE',
    'an own write that all refuse':
      'advanced; conflict of MINE with NEWER; head: NEWER; former: MINE BEFORE; relays: unseen/confirmed; own: write lost; rivals: MINE',
    'an own write that is held': 'former: NEWER; floor: 21; met: NEWER; rivals: NEWER',
    'a blind own write':
      'advanced; conflict of MINE with NEWER; head: NEWER; former: MINE; relays: unseen/confirmed; own: write lost blind; rivals: MINE',
    'an own write from the future': 'rivals: NEWER',
    'an own write in pieces':
      'advanced; conflict of MINE_IN_PIECES with NEWER; head: NEWER; former: MINE_IN_PIECES BEFORE; relays: unseen/confirmed; pieces: none; orphans: since ?; own: write lost; rivals: MINE_IN_PIECES',
    'an own write that was withdrawn':
      'advanced; head: NEWER; former: BEFORE; relays: unseen/confirmed; past: BEFORE',
    'a first own write that was withdrawn': 'advanced; head: NEWER; relays: unseen/confirmed',
    'the head of another':
      'advanced; head: NEWER; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head of another that was read':
      'advanced; head: NEWER; former: THEIRS; reading: unread; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head of another that cannot be read':
      'advanced; head: NEWER; reading: unread; relays: unseen/confirmed',
    'a head of another in pieces that are not here': 'advanced; head: NEWER; relays: unseen/confirmed',
    'a head of another in pieces':
      'advanced; head: NEWER; former: THEIRS_IN_PIECES; relays: unseen/confirmed; pieces: none; orphans: since ?; past: THEIRS_IN_PIECES BEFORE',
    'an own write over one in pieces':
      'advanced; conflict of SMALL with NEWER; head: NEWER; relays: unseen/confirmed; own: write lost; rivals: SMALL',
    'a removal by another':
      'advanced; head: NEWER; former: REMOVED; relays: unseen/confirmed; past: REMOVED BEFORE',
    'a head with a rival':
      'advanced; head: NEWER; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head with a rival in pieces that are not here':
      'advanced; head: NEWER; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'an own write over a rival that was merged':
      'advanced; conflict of MERGE with NEWER; head: NEWER; former: MERGE BEFORE; relays: unseen/confirmed; own: write lost; rivals: MERGE',
  },
  'a newer event that had seen the own write': {
    'nothing known': 'advanced; head: NEWER_SEEN; relays: unseen/confirmed',
    'an own write that no relay has':
      'advanced; head: NEWER_SEEN; former: MINE BEFORE; relays: unseen/confirmed; past: MINE BEFORE',
    'a first own write': 'advanced; head: NEWER_SEEN; former: MINE; relays: unseen/confirmed; past: MINE',
    'an own write that a relay has':
      'advanced; head: NEWER_SEEN; former: MINE BEFORE; relays: unseen/confirmed; past: MINE BEFORE',
    'an own write that was read back':
      'advanced; head: NEWER_SEEN; former: MINE BEFORE; relays: unseen/confirmed; past: MINE BEFORE',
    'an own write that all refuse':
      'advanced; head: NEWER_SEEN; former: MINE BEFORE; relays: unseen/confirmed; past: MINE BEFORE',
    'an own write that is held': 'former: NEWER_SEEN; floor: 21; rivals: NEWER_SEEN',
    'a blind own write': 'advanced; head: NEWER_SEEN; former: MINE; relays: unseen/confirmed; past: MINE',
    'an own write from the future': 'rivals: NEWER_SEEN',
    'an own write in pieces':
      'advanced; head: NEWER_SEEN; former: MINE_IN_PIECES BEFORE; relays: unseen/confirmed; pieces: none; orphans: since ?; past: MINE_IN_PIECES BEFORE',
    'an own write that was withdrawn':
      'advanced; head: NEWER_SEEN; former: BEFORE; relays: unseen/confirmed; past: BEFORE',
    'a first own write that was withdrawn': 'advanced; head: NEWER_SEEN; relays: unseen/confirmed',
    'the head of another':
      'advanced; head: NEWER_SEEN; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head of another that was read':
      'advanced; head: NEWER_SEEN; former: THEIRS; reading: unread; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head of another that cannot be read':
      'advanced; head: NEWER_SEEN; reading: unread; relays: unseen/confirmed',
    'a head of another in pieces that are not here': 'advanced; head: NEWER_SEEN; relays: unseen/confirmed',
    'a head of another in pieces':
      'advanced; head: NEWER_SEEN; former: THEIRS_IN_PIECES; relays: unseen/confirmed; pieces: none; orphans: since ?; past: THEIRS_IN_PIECES BEFORE',
    'an own write over one in pieces':
      'advanced; conflict of SMALL with NEWER_SEEN; head: NEWER_SEEN; relays: unseen/confirmed; own: write lost; rivals: SMALL',
    'a removal by another':
      'advanced; head: NEWER_SEEN; former: REMOVED; relays: unseen/confirmed; past: REMOVED BEFORE',
    'a head with a rival':
      'advanced; head: NEWER_SEEN; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head with a rival in pieces that are not here':
      'advanced; head: NEWER_SEEN; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'an own write over a rival that was merged':
      'advanced; conflict of MERGE with NEWER_SEEN; head: NEWER_SEEN; former: MERGE BEFORE; relays: unseen/confirmed; own: write lost; rivals: MERGE',
  },
  'a newer event of a writer without vectors': {
    'nothing known': 'advanced; head: NEWER_PLAIN; relays: unseen/confirmed',
    'an own write that no relay has':
      'advanced; conflict of MINE with NEWER_PLAIN; head: NEWER_PLAIN; former: MINE BEFORE; relays: unseen/confirmed; own: write lost; rivals: MINE',
    'a first own write':
      'advanced; conflict of MINE with NEWER_PLAIN; head: NEWER_PLAIN; former: MINE; relays: unseen/confirmed; own: write lost; rivals: MINE',
    'an own write that a relay has':
      'advanced; head: NEWER_PLAIN; former: MINE BEFORE; relays: unseen/confirmed; rivals: MINE',
    'an own write that was read back':
      'advanced; head: NEWER_PLAIN; former: MINE BEFORE; relays: unseen/confirmed; past: MINE BEFORE',
    'an own write that all refuse':
      'advanced; conflict of MINE with NEWER_PLAIN; head: NEWER_PLAIN; former: MINE BEFORE; relays: unseen/confirmed; own: write lost; rivals: MINE',
    'an own write that is held': 'former: NEWER_PLAIN; floor: 21; met: NEWER_PLAIN; rivals: NEWER_PLAIN',
    'a blind own write':
      'advanced; conflict of MINE with NEWER_PLAIN; head: NEWER_PLAIN; former: MINE; relays: unseen/confirmed; own: write lost blind; rivals: MINE',
    'an own write from the future': 'rivals: NEWER_PLAIN',
    'an own write in pieces':
      'advanced; conflict of MINE_IN_PIECES with NEWER_PLAIN; head: NEWER_PLAIN; former: MINE_IN_PIECES BEFORE; relays: unseen/confirmed; pieces: none; orphans: since ?; own: write lost; rivals: MINE_IN_PIECES',
    'an own write that was withdrawn':
      'advanced; head: NEWER_PLAIN; former: BEFORE; relays: unseen/confirmed; past: BEFORE',
    'a first own write that was withdrawn': 'advanced; head: NEWER_PLAIN; relays: unseen/confirmed',
    'the head of another':
      'advanced; head: NEWER_PLAIN; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head of another that was read':
      'advanced; head: NEWER_PLAIN; former: THEIRS; reading: unread; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head of another that cannot be read':
      'advanced; head: NEWER_PLAIN; reading: unread; relays: unseen/confirmed',
    'a head of another in pieces that are not here': 'advanced; head: NEWER_PLAIN; relays: unseen/confirmed',
    'a head of another in pieces':
      'advanced; head: NEWER_PLAIN; former: THEIRS_IN_PIECES; relays: unseen/confirmed; pieces: none; orphans: since ?; past: THEIRS_IN_PIECES BEFORE',
    'an own write over one in pieces':
      'advanced; conflict of SMALL with NEWER_PLAIN; head: NEWER_PLAIN; relays: unseen/confirmed; own: write lost; rivals: SMALL',
    'a removal by another':
      'advanced; head: NEWER_PLAIN; former: REMOVED; relays: unseen/confirmed; past: REMOVED BEFORE',
    'a head with a rival':
      'advanced; head: NEWER_PLAIN; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head with a rival in pieces that are not here':
      'advanced; head: NEWER_PLAIN; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'an own write over a rival that was merged':
      'advanced; conflict of MERGE with NEWER_PLAIN; head: NEWER_PLAIN; former: MERGE BEFORE; relays: unseen/confirmed; own: write lost; rivals: MERGE',
  },
  'a reset by another device': {
    'nothing known': 'advanced; head: RESET; relays: unseen/confirmed',
    'an own write that no relay has':
      'advanced; conflict of MINE with RESET; head: RESET; former: MINE BEFORE; relays: unseen/confirmed; own: write lost; rivals: MINE',
    'a first own write':
      'advanced; conflict of MINE with RESET; head: RESET; former: MINE; relays: unseen/confirmed; own: write lost; rivals: MINE',
    'an own write that a relay has':
      'advanced; conflict of MINE with RESET; head: RESET; former: MINE BEFORE; relays: unseen/confirmed; own: write taken lost; rivals: MINE',
    'an own write that was read back':
      'advanced; conflict of MINE with RESET; head: RESET; former: MINE BEFORE; relays: unseen/confirmed; own: write taken lost; rivals: MINE',
    'an own write that all refuse':
      'advanced; conflict of MINE with RESET; head: RESET; former: MINE BEFORE; relays: unseen/confirmed; own: write lost; rivals: MINE',
    'an own write that is held': 'former: RESET; floor: 21; met: RESET; rivals: RESET',
    'a blind own write':
      'advanced; conflict of MINE with RESET; head: RESET; former: MINE; relays: unseen/confirmed; own: write lost blind; rivals: MINE',
    'an own write from the future': 'advanced; head: RESET; relays: unseen/confirmed; floor: 20',
    'an own write in pieces':
      'advanced; conflict of MINE_IN_PIECES with RESET; head: RESET; former: MINE_IN_PIECES BEFORE; relays: unseen/confirmed; pieces: none; orphans: since ?; own: write lost; rivals: MINE_IN_PIECES',
    'an own write that was withdrawn':
      'advanced; head: RESET; former: BEFORE; relays: unseen/confirmed; past: BEFORE',
    'a first own write that was withdrawn': 'advanced; head: RESET; relays: unseen/confirmed',
    'the head of another':
      'advanced; head: RESET; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head of another that was read':
      'advanced; head: RESET; former: THEIRS; reading: unread; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head of another that cannot be read':
      'advanced; head: RESET; reading: unread; relays: unseen/confirmed',
    'a head of another in pieces that are not here': 'advanced; head: RESET; relays: unseen/confirmed',
    'a head of another in pieces':
      'advanced; head: RESET; former: THEIRS_IN_PIECES; relays: unseen/confirmed; pieces: none; orphans: since ?; past: THEIRS_IN_PIECES BEFORE',
    'an own write over one in pieces':
      'advanced; conflict of SMALL with RESET; head: RESET; relays: unseen/confirmed; own: write lost; rivals: SMALL',
    'a removal by another':
      'advanced; head: RESET; former: REMOVED; relays: unseen/confirmed; past: REMOVED BEFORE',
    'a head with a rival':
      'advanced; head: RESET; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'a head with a rival in pieces that are not here':
      'advanced; head: RESET; former: THEIRS BEFORE; relays: unseen/confirmed; past: THEIRS BEFORE',
    'an own write over a rival that was merged':
      'advanced; conflict of MERGE with RESET; head: RESET; former: MERGE BEFORE; relays: unseen/confirmed; own: write lost; rivals: MERGE',
  },
  'the head, shown': {
    'nothing known': 'advanced; head: BEFORE; relays: unseen/confirmed',
    'an own write that no relay has': 'relays: -/confirmed; own: write taken',
    'a first own write': 'relays: -/confirmed; own: write taken',
    'an own write that a relay has': 'relays: acknowledged/confirmed',
    'an own write that was read back': 'relays: confirmed/confirmed',
    'an own write that all refuse': 'relays: refused/confirmed; own: write taken',
    'an own write that is held': 'relays: -/confirmed; own: write taken',
    'a blind own write': 'relays: -/confirmed; own: write taken blind',
    'an own write from the future': 'relays: -/confirmed; own: write taken',
    'an own write in pieces': 'relays: -/confirmed; pieces: 10 -/acknowledged; own: write taken',
    'an own write that was withdrawn': 'relays: -/confirmed',
    'a first own write that was withdrawn': 'advanced; head: BEFORE; relays: unseen/confirmed',
    'the head of another': 'relays: confirmed/confirmed',
    'a head of another that was read': 'relays: confirmed/confirmed',
    'a head of another that cannot be read': 'relays: confirmed/confirmed',
    'a head of another in pieces that are not here': 'relays: confirmed/confirmed',
    'a head of another in pieces': 'relays: confirmed/confirmed; pieces: 10 confirmed/confirmed',
    'an own write over one in pieces': 'relays: -/confirmed; own: write taken',
    'a removal by another': 'relays: confirmed/confirmed',
    'a head with a rival': 'relays: confirmed/confirmed',
    'a head with a rival in pieces that are not here': 'relays: confirmed/confirmed',
    'an own write over a rival that was merged': 'relays: -/confirmed; own: write taken',
  },
  'an OK': {
    'an own write that no relay has': 'relays: acknowledged/-; own: write taken',
    'a first own write': 'relays: acknowledged/-; own: write taken',
    'an own write that all refuse': 'relays: acknowledged/-; own: write taken',
    'an own write that is held': 'relays: acknowledged/-; own: write taken',
    'a blind own write': 'relays: acknowledged/-; own: write taken blind',
    'an own write from the future': 'relays: acknowledged/-; own: write taken',
    'an own write in pieces': 'relays: acknowledged/-; proven: yes; own: write taken',
    'an own write that was withdrawn': 'relays: acknowledged/-',
    'an own write over one in pieces': 'relays: acknowledged/-; own: write taken',
    'an own write over a rival that was merged': 'relays: acknowledged/-; own: write taken',
  },
  'a refusal': {
    'an own write that no relay has': 'relays: refused/-',
    'a first own write': 'relays: refused/-',
    'an own write that a relay has': 'relays: refused/-',
    'an own write that was read back': 'relays: refused/-',
    'an own write that is held': 'relays: refused/-',
    'a blind own write': 'relays: refused/-',
    'an own write from the future': 'relays: refused/-',
    'an own write in pieces': 'relays: refused/-',
    'an own write that was withdrawn': 'relays: refused/-',
    'the head of another': 'relays: refused/unseen',
    'a head of another that was read': 'relays: refused/unseen',
    'a head of another that cannot be read': 'relays: refused/unseen',
    'a head of another in pieces that are not here': 'relays: refused/unseen',
    'a head of another in pieces': 'relays: refused/unseen',
    'an own write over one in pieces': 'relays: refused/-',
    'a removal by another': 'relays: refused/unseen',
    'a head with a rival': 'relays: refused/unseen',
    'a head with a rival in pieces that are not here': 'relays: refused/unseen',
    'an own write over a rival that was merged': 'relays: refused/-',
  },
  'an OK for something newer': {
    'an own write that no relay has': 'relays: acknowledged/-',
    'a first own write': 'relays: acknowledged/-',
    'an own write that all refuse': 'relays: acknowledged/-',
    'an own write that is held': 'relays: acknowledged/-',
    'a blind own write': 'relays: acknowledged/-',
    'an own write from the future': 'relays: acknowledged/-',
    'an own write in pieces': 'relays: acknowledged/-',
    'an own write that was withdrawn': 'relays: acknowledged/-',
    'an own write over one in pieces': 'relays: acknowledged/-',
    'an own write over a rival that was merged': 'relays: acknowledged/-',
  },
  'an answer about another event': {},
  'an OK for the write before the head': {
    'an own write over one in pieces': 'taken before: 10',
  },
  'an OK for something newer than the write before the head': {},
  'a complete answer without the head': {
    'an own write that no relay has': 'relays: pending/-',
    'a first own write': 'relays: pending/-',
    'an own write that a relay has': 'relays: pending/-',
    'an own write that was read back': 'relays: pending/-',
    'an own write that is held': 'relays: pending/-',
    'a blind own write': 'relays: pending/-',
    'an own write from the future': 'relays: pending/-',
    'an own write in pieces': 'relays: pending/-',
    'an own write that was withdrawn': 'relays: pending/-',
    'the head of another': 'relays: pending/unseen',
    'a head of another that was read': 'relays: pending/unseen',
    'a head of another that cannot be read': 'relays: pending/unseen',
    'a head of another in pieces that are not here': 'relays: pending/unseen',
    'a head of another in pieces': 'relays: pending/unseen; pieces: 10 -/-; proven: no',
    'an own write over one in pieces': 'relays: pending/-',
    'a removal by another': 'relays: pending/unseen; contradictions: 1',
    'a head with a rival': 'relays: pending/unseen',
    'a head with a rival in pieces that are not here': 'relays: pending/unseen',
    'an own write over a rival that was merged': 'relays: pending/-',
  },
  'a complete answer with another of the same stamp': {
    'an own write that no relay has': 'relays: pending/-',
    'a first own write': 'relays: pending/-',
    'an own write that a relay has': 'relays: pending/-; contradictions: 1',
    'an own write that was read back': 'relays: pending/-; contradictions: 1',
    'an own write that is held': 'relays: pending/-',
    'a blind own write': 'relays: pending/-',
    'an own write from the future': 'relays: pending/-',
    'an own write in pieces': 'relays: pending/-',
    'an own write that was withdrawn': 'relays: pending/-',
    'the head of another': 'relays: pending/unseen; contradictions: 1',
    'a head of another that was read': 'relays: pending/unseen; contradictions: 1',
    'a head of another that cannot be read': 'relays: pending/unseen; contradictions: 1',
    'a head of another in pieces that are not here': 'relays: pending/unseen; contradictions: 1',
    'a head of another in pieces': 'relays: pending/unseen; pieces: 10 -/-; proven: no; contradictions: 1',
    'an own write over one in pieces': 'relays: pending/-',
    'a removal by another': 'relays: pending/unseen; contradictions: 1',
    'a head with a rival': 'relays: pending/unseen; contradictions: 1',
    'a head with a rival in pieces that are not here': 'relays: pending/unseen; contradictions: 1',
    'an own write over a rival that was merged': 'relays: pending/-',
  },
  'a doubt': {
    'an own write that was read back': 'relays: acknowledged/-',
    'the head of another': 'relays: acknowledged/unseen',
    'a head of another that was read': 'relays: acknowledged/unseen',
    'a head of another that cannot be read': 'relays: acknowledged/unseen',
    'a head of another in pieces that are not here': 'relays: acknowledged/unseen',
    'a head of another in pieces': 'relays: acknowledged/unseen',
    'a removal by another': 'relays: acknowledged/unseen',
    'a head with a rival': 'relays: acknowledged/unseen',
    'a head with a rival in pieces that are not here': 'relays: acknowledged/unseen',
  },
  // What follows is above it, in whichever tab. Of what a relay has every tab knows.
  'an export': {
    'an own write that no relay has': 'floor: 11',
    'a first own write': 'floor: 11',
    'an own write that all refuse': 'floor: 11',
    'an own write that is held': 'floor: 11',
    'a blind own write': 'floor: 11',
    'an own write from the future': 'floor: 8640001',
    'an own write in pieces': 'floor: 11',
    'an own write over one in pieces': 'floor: 13',
    'an own write over a rival that was merged': 'floor: 16',
  },
  'a withdrawal': {
    'an own write that no relay has': 'withdrawn; head: BEFORE; former: none; withdrawn: MINE; past: none',
    'a first own write': 'withdrawn; head: none; withdrawn: MINE',
    'an own write that all refuse':
      'withdrawn; head: BEFORE; former: none; relays: -/-; withdrawn: MINE; past: none',
    'an own write that is held': 'withdrawn; head: BEFORE; former: none; withdrawn: MINE; past: none',
    'a blind own write': 'withdrawn; head: none; withdrawn: MINE',
    'an own write from the future':
      'withdrawn; head: BEFORE; former: none; withdrawn: MINE_FUTURE; past: none',
    'an own write in pieces':
      'withdrawn; head: BEFORE; former: none; pieces: none; orphans: since ?; withdrawn: MINE_IN_PIECES; past: none',
    'an own write over one in pieces':
      'withdrawn; head: MINE_IN_PIECES; former: BEFORE; pieces: 10 -/-; orphans: none; own: write taken; withdrawn: SMALL; past: BEFORE',
    'an own write over a rival that was merged':
      'withdrawn; head: THEIRS; former: BEFORE; withdrawn: MERGE; rivals: OLDER; past: BEFORE',
  },
  'a renewal': {
    'an own write that no relay has': 'advanced, saying the same; head: renewed',
    'a first own write': 'advanced, saying the same; head: renewed',
    'an own write that a relay has': 'advanced, saying the same; head: renewed; relays: -/-',
    'an own write that was read back': 'advanced, saying the same; head: renewed; relays: -/-',
    'an own write that all refuse': 'advanced, saying the same; head: renewed; relays: -/-',
    'an own write that is held': 'advanced, saying the same; head: renewed',
    'a blind own write': 'advanced, saying the same; head: renewed',
    'an own write from the future': 'advanced, saying the same; head: renewed',
    'an own write in pieces': 'advanced, saying the same; head: renewed',
    'an own write that was withdrawn': 'advanced, saying the same; head: renewed',
    'the head of another': 'advanced, saying the same; head: renewed; relays: -/-',
    'a head of another that was read': 'advanced, saying the same; head: renewed; relays: -/-',
    'a head of another that cannot be read': 'advanced, saying the same; head: renewed; relays: -/-',
    'a head of another in pieces that are not here': 'advanced, saying the same; head: renewed; relays: -/-',
    'a head of another in pieces': 'advanced, saying the same; head: renewed; relays: -/-',
    'an own write over one in pieces': 'advanced, saying the same; head: renewed',
    'a removal by another': 'advanced, saying the same; head: renewed; relays: -/-',
    'a head with a rival': 'advanced, saying the same; head: renewed; relays: -/-',
    'a head with a rival in pieces that are not here':
      'advanced, saying the same; head: renewed; relays: -/-',
    'an own write over a rival that was merged': 'advanced, saying the same; head: renewed',
  },
  'a lower stamp': {
    'an own write that no relay has': 'advanced, saying the same; head: EARLIER; floor: 6; withdrawn: MINE',
    'a first own write':
      'advanced, saying the same; head: EARLIER; floor: 6; own: write blind; withdrawn: MINE',
    'an own write that all refuse':
      'advanced, saying the same; head: EARLIER; relays: -/-; floor: 6; withdrawn: MINE',
    'an own write that is held':
      'advanced, saying the same; head: EARLIER; floor: 6; own: write; withdrawn: MINE',
    'a blind own write': 'advanced, saying the same; head: EARLIER; floor: 6; withdrawn: MINE',
    'an own write from the future':
      'advanced, saying the same; head: EARLIER; floor: 6; withdrawn: MINE_FUTURE',
    'an own write in pieces':
      'advanced, saying the same; head: EARLIER; pieces: 5 -/-; floor: 6; withdrawn: MINE_IN_PIECES',
    'an own write over one in pieces': 'advanced, saying the same; head: EARLIER; floor: 6; withdrawn: SMALL',
  },
  'the end of the question': {
    'an own write that is held': 'own: write blind',
  },
  'the end of the question, as decided before more turned up': {},
  'the end of the question, by all that has turned up': {
    'an own write that is held': 'own: write blind',
  },
  'the end of the question, with another stamp': {
    'an own write that is held': 'advanced, saying the same; head: AGAIN; floor: 15; own: write',
  },
  'that it was read': {
    'an own write that no relay has': 'reading: read',
    'an own write that a relay has': 'former: none; reading: read',
    'an own write that was read back': 'former: none; reading: read',
    'an own write that all refuse': 'reading: read',
    'an own write that is held': 'reading: read',
    'an own write from the future': 'reading: read',
    'an own write in pieces': 'reading: read',
    'the head of another': 'reading: read',
    'a head of another that cannot be read': 'reading: read',
    'an own write over one in pieces': 'reading: read',
    'a head with a rival': 'reading: read',
    'a head with a rival in pieces that are not here': 'reading: read',
    'an own write over a rival that was merged': 'reading: read',
  },
  'that it cannot be read': {
    'an own write that no relay has': 'reading: unreadable',
    'a first own write': 'reading: unreadable',
    'an own write that a relay has': 'reading: unreadable',
    'an own write that was read back': 'reading: unreadable',
    'an own write that all refuse': 'reading: unreadable',
    'an own write that is held': 'reading: unreadable',
    'a blind own write': 'reading: unreadable',
    'an own write from the future': 'reading: unreadable',
    'an own write in pieces': 'reading: unreadable',
    'an own write that was withdrawn': 'reading: unreadable',
    'the head of another': 'reading: unreadable',
    'a head of another in pieces that are not here': 'reading: unreadable',
    'a head of another in pieces': 'reading: unreadable',
    'an own write over one in pieces': 'reading: unreadable',
    'a removal by another': 'reading: unreadable',
    'a head with a rival': 'reading: unreadable',
    'a head with a rival in pieces that are not here': 'reading: unreadable',
    'an own write over a rival that was merged': 'reading: unreadable',
  },
  'its pieces': {
    'a head of another in pieces that are not here': 'advanced; pieces: 10 confirmed/-; proven: yes',
  },
  'its pieces, of which a relay lacks one': {
    'a head of another in pieces that are not here': 'advanced; pieces: 10 -/-; proven: yes',
  },
  'that a piece is lost': {
    'an own write in pieces': 'pieces: none',
    'a head of another in pieces': 'pieces: none',
  },
  'an OK for a piece': {
    'an own write in pieces': 'pieces: 10 acknowledged/-',
  },
  'a piece, shown': {
    'an own write in pieces': 'pieces: 10 confirmed/-',
  },
  'that a relay lacks a piece': {
    'a head of another in pieces': 'pieces: 10 -/-',
  },
  'that what a relay had of pieces does not count': {
    'a head of another in pieces': 'pieces: 10 -/-; proven: no',
  },
  'a tombstone in the place of a piece': {
    'an own write in pieces': 'pieces: 10 -/- under 12',
    'a head of another in pieces': 'pieces: 10 -/- under 12',
  },
  'pieces above their tombstones': {
    'an own write in pieces': 'pieces: 13 -/-',
    'a head of another in pieces': 'pieces: 13 confirmed/-',
  },
  'that every relay has the head': {
    'an own write over one in pieces': 'orphans: since 99',
  },
  'that orphans were collected': {
    'an own write over one in pieces': 'orphans: none',
  },
  'that a relay was removed': {
    'an own write that a relay has': 'relays: -/-',
    'an own write that was read back': 'relays: -/-',
    'an own write that all refuse': 'relays: -/-',
    'the head of another': 'relays: -/unseen',
    'a head of another that was read': 'relays: -/unseen',
    'a head of another that cannot be read': 'relays: -/unseen',
    'a head of another in pieces that are not here': 'relays: -/unseen',
    'a head of another in pieces': 'relays: -/unseen; pieces: 10 -/-; proven: no',
    'a removal by another': 'relays: -/unseen',
    'a head with a rival': 'relays: -/unseen',
    'a head with a rival in pieces that are not here': 'relays: -/unseen',
  },
  'that the rivals add nothing': {
    'a head with a rival': 'rivals: none; past: OLDER BEFORE; contains: 7',
  },
  'the pieces of a rival': {
    'a head with a rival in pieces that are not here': 'rivals: OLDER_IN_PIECES',
  },
  'a version of a backup': {
    'an own write that no relay has': 'past: OLDER BEFORE',
    'a first own write': 'past: OLDER',
    'an own write that a relay has': 'past: OLDER BEFORE',
    'an own write that was read back': 'past: OLDER BEFORE',
    'an own write that all refuse': 'past: OLDER BEFORE',
    'an own write that is held': 'past: OLDER BEFORE',
    'a blind own write': 'past: OLDER',
    'an own write from the future': 'past: OLDER BEFORE',
    'an own write in pieces': 'past: OLDER BEFORE',
    'the head of another': 'past: OLDER BEFORE',
    'a head of another that was read': 'past: OLDER BEFORE',
    'a head of another that cannot be read': 'past: OLDER BEFORE',
    'a head of another in pieces that are not here': 'past: OLDER BEFORE',
    'a head of another in pieces': 'past: OLDER BEFORE',
    'an own write over one in pieces': 'past: MINE_IN_PIECES OLDER BEFORE',
    'a removal by another': 'past: OLDER BEFORE',
    'a head with a rival in pieces that are not here': 'past: OLDER BEFORE',
  },
  'a version of a backup, in pieces': {
    'an own write that no relay has': 'past: OLDER_IN_PIECES BEFORE',
    'a first own write': 'past: OLDER_IN_PIECES',
    'an own write that a relay has': 'past: OLDER_IN_PIECES BEFORE',
    'an own write that was read back': 'past: OLDER_IN_PIECES BEFORE',
    'an own write that all refuse': 'past: OLDER_IN_PIECES BEFORE',
    'an own write that is held': 'past: OLDER_IN_PIECES BEFORE',
    'a blind own write': 'past: OLDER_IN_PIECES',
    'an own write from the future': 'past: OLDER_IN_PIECES BEFORE',
    'an own write in pieces': 'past: OLDER_IN_PIECES BEFORE',
    'the head of another': 'past: OLDER_IN_PIECES BEFORE',
    'a head of another that was read': 'past: OLDER_IN_PIECES BEFORE',
    'a head of another that cannot be read': 'past: OLDER_IN_PIECES BEFORE',
    'a head of another in pieces that are not here': 'past: OLDER_IN_PIECES BEFORE',
    'a head of another in pieces': 'past: OLDER_IN_PIECES BEFORE',
    'an own write over one in pieces': 'past: MINE_IN_PIECES OLDER_IN_PIECES BEFORE',
    'a removal by another': 'past: OLDER_IN_PIECES BEFORE',
    'a head with a rival': 'past: OLDER_IN_PIECES BEFORE',
    'an own write over a rival that was merged': 'past: THEIRS OLDER OLDER_IN_PIECES BEFORE',
  },
  'a version of a backup that is above the head': {
    'an own write from the future': 'past: NEWER BEFORE',
  },
  'a value of another key, and every relay has none': {
    'nothing known': 'advanced; head: CARRIED; floor: 8; own: write',
    ...GIVES_WAY,
  },
  'a value of another key, and it is not known what relays have': {
    ...GIVES_WAY,
  },
  'a value of another key, about which the app has decided': {
    'an own write that no relay has': 'past: CARRIED (carried) BEFORE',
    'a first own write': 'past: CARRIED (carried)',
    'an own write that a relay has': 'past: CARRIED (carried) BEFORE',
    'an own write that was read back': 'past: CARRIED (carried) BEFORE',
    'an own write that all refuse': 'past: CARRIED (carried) BEFORE',
    'an own write that is held': 'past: CARRIED (carried) BEFORE',
    'a blind own write': 'past: CARRIED (carried)',
    'an own write from the future': 'past: CARRIED (carried) BEFORE',
    'an own write in pieces': 'past: CARRIED (carried) BEFORE',
    'an own write that was withdrawn': 'past: CARRIED (carried)',
    'the head of another': 'past: CARRIED (carried) BEFORE',
    'a head of another that was read': 'past: CARRIED (carried) BEFORE',
    'a head of another that cannot be read': 'past: CARRIED (carried) BEFORE',
    'a head of another in pieces that are not here': 'past: CARRIED (carried) BEFORE',
    'a head of another in pieces': 'past: CARRIED (carried) BEFORE',
    'an own write over one in pieces': 'past: MINE_IN_PIECES CARRIED (carried) BEFORE',
    'a removal by another': 'past: CARRIED (carried) BEFORE',
    'a head with a rival': 'past: CARRIED (carried) BEFORE',
    'a head with a rival in pieces that are not here': 'past: CARRIED (carried) BEFORE',
    'an own write over a rival that was merged': 'past: THEIRS CARRIED (carried) OLDER BEFORE',
  },
  'nothing new': {},
};

const idOf = (record: HeadRecord | undefined): EventId => record?.head?.event.id ?? anId('f'.repeat(64));
const states = Object.entries(STATES) as readonly (readonly [State, HeadRecord | undefined])[];

describe.each(Object.entries(INPUTS) as [keyof typeof INPUTS, (typeof INPUTS)[keyof typeof INPUTS]][])(
  '%s',
  (name, inputOf) => {
    test.each(states)('comes to %s', (state, record) => {
      const outcome = reconcile(record, inputOf(idOf(record), record), undefined);
      expect(tell(record, outcome)).toBe(TABLE[name][state] ?? 'nothing');
    });

    // A write twice is one write too late.
    const isWrite = name.startsWith('a write') || name === 'a reset by this device';
    test.each(isWrite ? [] : states)('comes to %s twice: the second time it is nothing (I9)', (_, record) => {
      const input = inputOf(idOf(record), record);
      const { record: next } = reconcile(record, input, undefined);
      expect(tell(next, reconcile(next, input, undefined))).toBe('nothing');
    });
  },
);

/** A record, so that the compiler asks for one that is missing. */
const TYPES: Readonly<Record<Input['type'], true>> = {
  ...{ write: true, assembled: true, gathered: true, torn: true, piece: true, 'forget-pieces': true },
  ...{ buried: true, remade: true, renew: true, restamp: true, replicated: true, collected: true },
  ...{ explored: true, exported: true, withdraw: true, settled: true, remembered: true, carried: true },
  ...{ shown: true, lacking: true, doubted: true, answered: true, 'forget-relay': true, read: true },
  ...{ unreadable: true, resave: true },
};

test('the table has every type of input', () => {
  const types = Object.values(INPUTS).map((inputOf) => inputOf(idOf(undefined), undefined).type);
  expect(new Set(types)).toEqual(new Set(Object.keys(TYPES)));
});

describe('beyond the table', () => {
  const inPieces = (...more: readonly Input[]): HeadRecord =>
    after(shown(THEIRS_IN_PIECES), ITS_PIECES, ...more)!;
  const { id } = THEIRS_IN_PIECES;
  const ITS_PIECES: Input = {
    type: 'assembled',
    id,
    made: new Map([[nameOf(1), PIECE]]),
    lacking: new Map(),
  };

  test('a doubt proves nothing', () => {
    const record = inPieces(
      { type: 'forget-pieces', relay: RELAY, id },
      { type: 'piece', relay: RELAY, name: nameOf(1), delivery: 'confirmed' },
    );
    const doubted = reconcile(record, { type: 'doubted', relay: RELAY, id }, undefined).record!;
    expect(doubted.deliveries.get(RELAY)).toBe('acknowledged');
    expect(doubted.proven.has(RELAY)).toBe(false);
  });

  test('a first write is in conflict with what it has not seen, and with nothing else', () => {
    const blind = told({ stamp: 20, by: OURS });
    const effectsOf = (
      event: VerifiedEvent,
      isFirst: boolean,
      ...before: readonly Input[]
    ): readonly Effect[] => reconcile(after(...before), write(event, { isFirst }), undefined).effects;
    expect(effectsOf(blind, true, shown(THEIRS))).toEqual([
      { type: 'conflict', mine: blind, theirs: THEIRS },
    ]);
    expect(effectsOf(blind, false, shown(THEIRS))).toEqual([]);
    expect(effectsOf(blind, true)).toEqual([]);
    expect(effectsOf(blind, true, shown(REMOVED))).toEqual([]);
    expect(effectsOf(blind, true, write(LATE))).toEqual([]);
    expect(effectsOf(NEXT, true, shown(THEIRS))).toEqual([]);
  });

  describe('what a write has met while it is held', () => {
    const { id } = MINE;
    const held = (...more: readonly Input[]): HeadRecord =>
      after(write(MINE, { isFirst: true, heldUntil: 99 }), ...more)!;
    const explored: Input = { type: 'explored', id, isBlind: true };
    const again: Input = { type: 'explored', id, isBlind: false, again: AGAIN };
    const beats = (theirs: VerifiedEvent, mine = MINE): Effect => ({ type: 'conflict', mine, theirs });

    test.each<[string, HeadRecord, Input, readonly Effect[]]>([
      ['told once it is let go', held(shown(OLDER)), explored, [beats(OLDER)]],
      ['told once it is stamped above it', held(shown(OLDER)), again, [beats(OLDER, AGAIN)]],
      ['told if a relay shows that it has the write', held(shown(OLDER)), shown(MINE), [beats(OLDER)]],
      ['the newest, whatever comes first', held(shown(OLDER), shown(BEFORE)), explored, [beats(OLDER)]],
      ['the newest, whatever comes last', held(shown(BEFORE), shown(OLDER)), explored, [beats(OLDER)]],
      ['a large value as well', held(shown(OLDER_IN_PIECES)), explored, [beats(OLDER_IN_PIECES)]],
      ['nothing that beats it', held(shown(TIED), shown(NEWER)), explored, []],
      ['not told before', held(shown(OLDER)), shown(OLDER, OTHER), []],
      ['not told if it is taken back', held(shown(OLDER)), { type: 'withdraw', id }, [{ type: 'withdrawn' }]],
      ['nothing that had seen it', held(shown(NEWER_SEEN)), explored, []],
      ['not told if it was removed since', held(shown(OLDER), shown(REMOVED)), explored, []],
    ])('is %s', (_, record, input, effects) => {
      const outcome = reconcile(record, input, undefined);
      expect(outcome.effects.filter(({ type }) => type !== 'advanced')).toEqual(effects);
      if (!isHeld(outcome.record)) expect(outcome.record!.own!.met).toBeUndefined();
    });

    test('is told by what is written upon it, unless that has seen it', () => {
      const upon = (seen: Readonly<Record<string, number>>): readonly Effect[] => {
        const next = told({ stamp: 20, by: OURS, seen });
        const record = held(shown(OLDER), write(next));
        return reconcile(record, { ...explored, id: next.id }, undefined).effects;
      };
      expect(upon({ 'their-device': 5 })).toMatchObject([{ type: 'conflict', theirs: OLDER }]);
      expect(upon({ 'third-device': 7 })).toEqual([]);
    });

    test('is what had come in since it was asked for', () => {
      const record = after(shown(THEIRS))!;
      const late = told({ stamp: 20, by: OURS });
      const first = reconcile(record, write(late, { isFirst: true, heldUntil: 99 }), undefined);
      expect(first.effects).toEqual([]);
      expect(reconcile(first.record, { ...explored, id: late.id }, undefined).effects).toEqual([
        beats(THEIRS, late),
      ]);
    });
  });

  test('what could not be read is read, though nothing was before it', () => {
    const unreadable = after(shown(THEIRS), { type: 'unreadable', id: THEIRS.id });
    const { record } = reconcile(unreadable, { type: 'read', id: THEIRS.id }, undefined);
    expect(record?.head?.reading).toBe('read');
  });

  test('orphans that were not collected stay', () => {
    const orphans = [1, 2].map((n) => ({ name: nameOf(n), since: 7 }));
    const { record } = reconcile(
      { ...inPieces(), orphans },
      { type: 'collected', names: new Set([nameOf(1)]) },
      undefined,
    );
    expect(record?.orphans).toEqual([orphans[1]]);
  });
});

test('what could not be read before the head is read, once a signer has read it', () => {
  const [first, second] = [versionOf(BEFORE), { ...versionOf(OLDER), reading: 'unreadable' }] as const;
  const record: HeadRecord = { ...EMPTY_RECORD, head: versionOf(THEIRS), former: [first, second] };
  const read = (id: EventId): Outcome => reconcile(record, { type: 'read', id }, undefined);
  expect(read(OLDER.id).record?.former).toEqual([first, { ...second, reading: 'read' }]);
  for (const id of [BEFORE.id, NEWER.id]) expect(read(id).record).toBe(record);
  expect(reconcile(undefined, { type: 'read', id: OLDER.id }, undefined).record).toBeUndefined();
});

test('an answer to the head is about the head, also if it says which event it is about', () => {
  const record: HeadRecord = { ...EMPTY_RECORD, head: versionOf(THEIRS) };
  const answer = { type: 'answered', relay: RELAY, id: THEIRS.id, delivery: 'acknowledged' } as const;
  const { deliveries } = reconcile(record, { ...answer, event: THEIRS }, undefined).record!;
  expect(deliveries).toEqual(new Map([[RELAY, 'acknowledged']]));
});
