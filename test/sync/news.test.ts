/** What another tab has saved, as effects. */

import { expect, test } from 'vitest';
import { newsOf } from '../../src/sync/heads/news.ts';
import { EMPTY_RECORD, type HeadRecord, type OwnWrite } from '../../src/sync/heads/record.ts';
import { versionOf, type Version } from '../../src/sync/heads/version.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import type { Effect } from '../../src/sync/heads/input.ts';
import { anId } from '../names.ts';
import { IN_PIECES, OURS, ownWrite, told } from './records.ts';

const MINE = told({ stamp: 10, by: OURS });
const THEIRS = told({ stamp: 20 });
const SEEN = told({ stamp: 20, seen: { [OURS]: 10 } });
const OLDER = told({ stamp: 5 });
const LARGE = told({ stamp: 10, tags: IN_PIECES });
const WHOLE: Version = { ...versionOf(LARGE), pieces: [] };
const LOWER = told({ stamp: 8, by: OURS, content: MINE.content });
const LESS = told({ stamp: 8, by: OURS });
const RENEWED: VerifiedEvent = { ...THEIRS, id: anId('9'.repeat(64)), created_at: 21 };

const over = (head: Version | VerifiedEvent | undefined, own?: OwnWrite): HeadRecord => ({
  ...EMPTY_RECORD,
  head: head && ('event' in head ? head : versionOf(head)),
  own,
});
const mine = (more: Partial<OwnWrite> = {}): OwnWrite => ownWrite(MINE, more);
const to = (event: VerifiedEvent): Effect => ({ type: 'advanced', event });
/** The same again. */
const saying = (event: VerifiedEvent, { id: renews }: VerifiedEvent): Effect => ({
  ...{ type: 'advanced', event, renews },
});
const lost = (theirs: VerifiedEvent): Effect => ({ type: 'conflict', mine: MINE, theirs });

test.each<[string, HeadRecord | undefined, HeadRecord | undefined, readonly Effect[]]>([
  ['nothing if there is nothing', undefined, undefined, []],
  ['nothing if the head was withdrawn', over(OLDER), over(undefined), []],
  ['a first head', undefined, over(THEIRS), [to(THEIRS)]],
  ['a first head of a category that was withdrawn', over(undefined), over(THEIRS), [to(THEIRS)]],
  ['a first head that is here without its pieces', undefined, over(LARGE), [to(LARGE)]],
  ['another head', over(OLDER), over(THEIRS), [to(THEIRS)]],
  ['nothing of the head that both had', over(THEIRS), over(THEIRS), []],
  ['nothing of one that is not whole for either', over(LARGE), over(LARGE), []],
  ['the pieces of the head that both had', over(LARGE), over(WHOLE), [saying(LARGE, LARGE)]],
  ['nothing of one that is not whole, if there is none any more', over(LARGE), undefined, []],
  ['nothing of pieces that were lost', over(WHOLE), over(LARGE), []],
  ['another head that is whole', over(LARGE), over(THEIRS), [to(THEIRS)]],
  ['a renewal', over(THEIRS), over(RENEWED), [saying(RENEWED, THEIRS)]],
  [
    'the same write under another stamp',
    over(MINE, mine()),
    over(LOWER, ownWrite(LOWER)),
    [saying(LOWER, MINE)],
  ],
  [
    'no other write after a withdrawal as the same',
    over(MINE, mine()),
    over(LESS, ownWrite(LESS, { withdrawn: [MINE.id] })),
    [to(LESS)],
  ],
  ['nor one of the same content that is not of this device', over(MINE, mine()), over(LOWER), [to(LOWER)]],
  ['nor one upon what was not', over(MINE), over(LOWER, ownWrite(LOWER)), [to(LOWER)]],
  [
    'a write that is lost',
    over(MINE, mine()),
    over(THEIRS, mine({ lost: true })),
    [to(THEIRS), lost(THEIRS)],
  ],
  ['no loss that the other tab saw none in', over(MINE, mine()), over(THEIRS, mine()), [to(THEIRS)]],
  ['no loss to what had seen it', over(MINE, mine()), over(SEEN, mine({ lost: true })), [to(SEEN)]],
  ['no loss to what is below it', over(MINE, mine()), over(OLDER, mine({ lost: true })), [to(OLDER)]],
  ['no loss of what this tab never had', over(OLDER), over(THEIRS, mine({ lost: true })), [to(THEIRS)]],
  [
    'what a write beats that was held',
    over(MINE, mine({ heldUntil: 9, met: OLDER })),
    over(MINE, mine()),
    [lost(OLDER)],
  ],
  [
    'and also under another stamp',
    over(MINE, mine({ heldUntil: 9, met: OLDER })),
    over(LOWER, ownWrite(LOWER)),
    [saying(LOWER, MINE), { type: 'conflict', mine: LOWER, theirs: OLDER }],
  ],
  ['no loss if this tab had nothing', undefined, over(THEIRS, mine({ lost: true })), [to(THEIRS)]],
])('is %s', (_, previous, record, effects) => {
  expect(newsOf(previous, record)).toEqual(effects);
  // Not even as `undefined`.
  expect(newsOf(previous, record).map((one) => 'renews' in one)).toEqual(
    effects.map((one) => 'renews' in one),
  );
});
