/** What a write says that its app can have seen. */

import { expect, test } from 'vitest';
import { deviceHash } from '../../src/protocol/causality.ts';
import type { VerifiedEvent } from '../../src/protocol/event.ts';
import type { Input } from '../../src/sync/heads/input.ts';
import { reconcile } from '../../src/sync/heads/reconcile.ts';
import type { HeadRecord } from '../../src/sync/heads/record.ts';
import { seenOf } from '../../src/sync/saving.ts';
import { aRelay } from '../names.ts';
import { told } from './records.ts';

const RELAY = aRelay('wss://relay.example');
const shown = (event: VerifiedEvent): Input => ({ type: 'shown', relay: RELAY, event, relays: [RELAY] });

function after(...inputs: readonly Input[]): HeadRecord | undefined {
  let record: HeadRecord | undefined;
  for (const input of inputs) ({ record } = reconcile(record, input, undefined));
  return record;
}

const FIRST = told({ stamp: 5, by: 'laptop' });
const PLAIN = told({ stamp: 10, by: 'plugin', seen: false });
const NEWER = told({ stamp: 20, by: 'phone', seen: { plugin: 10 } });
const BY_PLUGIN = new Map([
  [deviceHash('laptop'), 5],
  [deviceHash('plugin'), 10],
]);

test('over a head without a vector that is what relays had when that was written, too', () => {
  expect(seenOf(after(shown(FIRST), shown(PLAIN)))).toEqual(BY_PLUGIN);
});

test('over a head that cannot be read it is what the one before had seen, without a vector as well', () => {
  const record = after(
    ...[shown(FIRST), shown(PLAIN), { type: 'read', id: PLAIN.id } as const],
    ...[shown(NEWER), { type: 'unreadable', id: NEWER.id } as const],
  );
  expect(seenOf(record)).toEqual(BY_PLUGIN);
});

test('over nothing it is nothing', () => {
  expect(seenOf(undefined)).toEqual(new Map());
});
