/** In which order the parts of a session hear of what happens. Each reason in the list of `consumers.ts` is a test here. */

import { describe, expect, test } from 'vitest';
import { toDTag } from '../../src/protocol/address.ts';
import type { RelayConnection, RelayState } from '../../src/relay/connection.ts';
import { canonicalRelayUrl } from '../../src/relay/url.ts';
import { createConsumers, type Consumer, type Parts } from '../../src/sync/consumers.ts';
import type { Change } from '../../src/sync/heads/replica.ts';
import { told } from './records.ts';

const D_TAG = toDTag('default', 'settings');
const RELAY = canonicalRelayUrl('wss://a.example');

const change = (isNewInStore: boolean): Change => ({
  ...{ dTag: D_TAG, previous: undefined, record: undefined, effects: [] },
  ...{ isNewInStore, isStored: true },
});
const connected = { url: RELAY, info: () => ({ url: RELAY, connected: true }) as RelayState };

interface Bench {
  readonly consumers: Consumer;
  /** Which parts have heard of something, in order. */
  readonly heard: string[];
}

/** `isAlone`: no other tab can be on the store. */
function setUp({ isAlone = false } = {}): Bench {
  const heard: string[] = [];
  const hears = (name: string) => (): void => void heard.push(name);
  /** Hears by each method that it is asked for: only the order matters here. */
  const part = (name: string): never => new Proxy({}, { get: () => hears(name) }) as never;
  const parts: Parts = {
    tabNetwork: isAlone ? undefined : { saved: hears('tabs') },
    network: part('network'),
    content: part('content'),
    notices: { warn: hears('warning'), step: hears('step'), answered: hears('notice of the answer') },
    reader: part('reader'),
    writer: part('writer'),
    deletions: part('deletions'),
    garbage: part('garbage'),
    merging: part('merging'),
    carrying: part('carrying'),
    renewals: part('renewals'),
    relayTime: part('relay time'),
    voidEvents: part('void events'),
    onProgress: hears('progress'),
  };
  return { consumers: createConsumers(parts), heard };
}

/** Fails unless all of these hear of it, each once and in this order. */
function expectOrder(act: (consumers: Consumer) => void, ...expected: readonly string[]): void {
  const { consumers, heard } = setUp();
  act(consumers);
  expect(heard.filter((one) => expected.includes(one))).toEqual(expected);
}

describe('a change of a record', () => {
  const changed = (consumers: Consumer): void => consumers.changed(change(true));

  test('is told to the other tabs before a listener of the app can fail or take its time', () => {
    expectOrder(changed, 'tabs', 'warning', 'reader', 'step', 'writer');
  });

  test('that another tab has saved is not told back to it, and is heard of by the rest', () => {
    const { consumers, heard } = setUp();
    consumers.changed(change(false));
    expect(heard).not.toContain('tabs');
    expectOrder(({ changed: hear }) => hear(change(false)), 'network', 'reader', 'writer', 'progress');
  });

  test('needs no other tab', () => {
    const { consumers, heard } = setUp({ isAlone: true });
    consumers.changed(change(true));
    expect(heard[0]).toBe('network');
  });

  test('counts as owed before the app hears of it, so that a listener that asks is told the truth', () => {
    expectOrder(changed, 'network', 'warning', 'reader', 'step', 'writer');
  });

  test('is told with what is wrong with the value before the value', () => {
    expectOrder(changed, 'warning', 'reader');
  });

  test('is told as a step before the publish that waits for it resolves', () => {
    expectOrder(changed, 'step', 'writer');
  });

  test('leads to what the engine does by itself after all that a call waits for', () => {
    expectOrder(changed, 'reader', 'writer', 'garbage', 'merging', 'carrying', 'renewals');
  });

  test('is progress once all of them know', () => {
    const { consumers, heard } = setUp();
    changed(consumers);
    expect(heard.at(-1)).toBe('progress');
    expectOrder(
      changed,
      'network',
      'reader',
      'writer',
      'garbage',
      'merging',
      'carrying',
      'renewals',
      'progress',
    );
  });
});

test('an answer tells of the relay’s time before a listener can write again because of it', () => {
  const event = told({ stamp: 7 });
  expectOrder(
    ({ answered }) => answered(D_TAG, RELAY, event, { type: 'clock', reason: 'too far ahead' }),
    ...['writer', 'renewals', 'relay time', 'notice of the answer'],
  );
});

test('after another signer was set, pieces are looked for before values are read that may lack them', () => {
  expectOrder(
    ({ signerChanged }) => signerChanged(),
    ...['network', 'content', 'reader', 'garbage', 'merging', 'carrying', 'renewals'],
  );
});

describe('a change of relays', () => {
  test('is known to the network before what waited for a connection goes on, and is progress last', () => {
    expectOrder(
      // The parts look at nothing else of a connection.
      ({ relaysChanged }) => relaysChanged(connected as RelayConnection),
      ...['network', 'content', 'writer', 'renewals', 'progress'],
    );
  });

  test('is nothing to the network if it is no relay’s: that one was removed from it before', () => {
    const { consumers, heard } = setUp();
    consumers.relaysChanged();
    expect(heard).not.toContain('network');
    expectOrder(({ relaysChanged }) => relaysChanged(), 'writer', 'progress');
  });
});

test('the parts are closed from the last to the first, and the network is not closed with them', () => {
  const { consumers, heard } = setUp();
  consumers.close();
  expect([...new Set(heard)]).toEqual([
    ...[
      'void events',
      'relay time',
      'renewals',
      'carrying',
      'merging',
      'garbage',
      'deletions',
      'writer',
      'reader',
      'content',
    ],
  ]);
});
