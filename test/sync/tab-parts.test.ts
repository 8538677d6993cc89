/** The small parts of tabs: what a follower waits for, its list of relays, and who signs AUTH for the leader. */

import { describe, expect, test } from 'vitest';
import type { EventTemplate } from '../../src/protocol/event.ts';
import {
  ASK_LEADER_MS,
  FIND_SIGNER_MS,
  LEADER_TICK_MS,
  MAX_SILENT_TICKS,
  SIGNER_TIMEOUT_MS,
} from '../../src/protocol/limits.ts';
import type { SignedAuth } from '../../src/relay/auth.ts';
import type { RelayState } from '../../src/relay/connection.ts';
import { createAuthSigning, type AuthSigning } from '../../src/sync/tabs/auth-signing.ts';
import { createQuestions } from '../../src/sync/tabs/questions.ts';
import { createRelayList } from '../../src/sync/tabs/relay-list.ts';
import { createSilence } from '../../src/sync/tabs/silence.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';
import { aRelay } from '../names.ts';

describe('a silent leader', () => {
  test('is pinged, and then found out; one that says something is not', async () => {
    const clock = createTestClock();
    const start = clock.now();
    const log: string[] = [];
    const say = (what: string) => (): void =>
      void log.push(`${(clock.now() - start) / LEADER_TICK_MS} ${what}`);
    const silence = createSilence({ clock, ping: say('ping'), onSilence: say('silent') });
    silence.listen();
    await clock.advance(LEADER_TICK_MS * MAX_SILENT_TICKS);
    expect(log).toEqual(['2 ping', '3 ping', '4 silent']);
    log.length = 0;
    for (let i = 0; i < 9; i++) {
      await clock.advance(LEADER_TICK_MS);
      silence.heard();
    }
    expect(log).toEqual([]);
    silence.stop();
    expect(clock.pending).toBe(0);
  });

  test('is fresh for as long as it keeps its place', async () => {
    const clock = createTestClock();
    const silence = createSilence({ clock, ping: () => undefined, onSilence: () => undefined });
    expect(silence.isFresh()).toBe(false);
    silence.heard();
    await clock.advance(LEADER_TICK_MS * MAX_SILENT_TICKS - 1);
    expect(silence.isFresh()).toBe(true);
    await clock.advance(1);
    expect(silence.isFresh()).toBe(false);
  });
});

describe('a question', () => {
  test('is answered by its id, once, and asked again of the next leader until then', async () => {
    const clock = createTestClock();
    const questions = createQuestions<string>(clock, () => 'nothing');
    const sent: number[] = [];
    const answers = ['a', 'b'].map(async () => questions.ask((id) => void sent.push(id)));
    questions.settle(sent[1]!, 'second');
    questions.settle(sent[1]!, 'late');
    questions.settle(99, 'never asked');
    questions.askAgain();
    expect(sent).toEqual([sent[0], sent[1], sent[0]]);
    questions.settle(sent[0]!, 'first');
    expect(await Promise.all(answers)).toEqual(['first', 'second']);
    expect(clock.pending).toBe(0);
  });

  test('is not waited for for ever, nor after the end', async () => {
    const clock = createTestClock();
    const questions = createQuestions<string>(clock, () => 'nothing');
    let answer: string | undefined;
    void questions.ask(() => undefined).then((value) => (answer = value));
    await clock.advance(ASK_LEADER_MS - 1);
    expect(answer).toBeUndefined();
    await clock.advance(1);
    expect(answer).toBe('nothing');
    const open = questions.ask(() => undefined);
    questions.close();
    const sent: number[] = [];
    expect(await Promise.all([open, questions.ask((id) => void sent.push(id))])).toEqual([
      'nothing',
      'nothing',
    ]);
    expect([sent, clock.pending]).toEqual([[], 0]);
  });
});

test('the list of relays is the leader’s, but for what the app has just changed here', () => {
  const urls = new Set(['own', 'gone'].map(aRelay));
  const told: string[] = [];
  const list = createRelayList({
    urls: () => [...urls],
    addRelay: (url) => void urls.add(url),
    removeRelay: (url) => void urls.delete(url),
    onRelays: (relays, former) => void told.push(`${relays.length} after ${former.length}`),
  });
  const say = (taken: number | undefined, ...names: string[]): void =>
    list.receive(
      names.map((url) => ({ url: aRelay(url) }) as RelayState),
      taken,
    );
  const initial = [
    ['own', true],
    ['gone', true],
  ];
  expect([list.told(), list.said()]).toEqual([undefined, { relays: initial, changes: 0 }]);
  say(undefined, 'other', 'gone');
  expect([...urls]).toEqual(['own', 'gone', 'other']);
  expect(list.said()).toEqual({ relays: initial, changes: 0 });
  say(0, 'other', 'own');
  expect([...urls]).toEqual(['own', 'other']);
  list.changed(aRelay('other'), false);
  urls.delete(aRelay('other'));
  say(0, 'other', 'own');
  expect([...urls]).toEqual(['own']);
  say(1, 'own');
  expect(list.said()).toEqual({ relays: [], changes: 1 });
  expect(told).toEqual(['2 after 0', '2 after 2', '2 after 2', '1 after 2']);
  list.changed(aRelay('new'), true);
  list.takeOver();
  expect([list.told(), list.said()]).toEqual([undefined, { relays: [], changes: 2 }]);
});

test('what the app removes and adds again stays, though the leader lists it, and then takes in the removal alone', () => {
  const urls = new Set(['relay'].map(aRelay));
  const list = createRelayList({
    urls: () => [...urls],
    addRelay: (url) => void urls.add(url),
    removeRelay: (url) => void urls.delete(url),
    onRelays: () => undefined,
  });
  const relay = aRelay('relay');
  list.receive([{ url: relay } as RelayState], 0);
  list.changed(relay, false);
  list.changed(relay, true);
  list.receive([{ url: relay } as RelayState], 0);
  list.receive([], 1);
  expect([...urls]).toEqual(['relay']);
  expect(list.said().relays).toEqual([['relay', true]]);
});

describe('AUTH for a leader without a signer', () => {
  const template = { kind: 22242 } as EventTemplate;
  const signed = { id: 'signed' } as unknown as SignedAuth;
  interface Bench {
    readonly clock: TestClock;
    readonly signing: AuthSigning;
    /** Tabs with a signer. */
    readonly signers: Set<string>;
    /** Who was asked, for which. */
    readonly asked: [tab: string, id: number][];
  }

  function open(): Bench {
    const clock = createTestClock();
    const signers = new Set<string>();
    const asked: Bench['asked'] = [];
    const signing = createAuthSigning({
      clock,
      find: () => [...signers][0],
      ask: (tab, id) => void asked.push([tab, id]),
      onGone: (tab) => void signers.delete(tab),
      signAuth: async () => Promise.resolve(signed),
    });
    return { clock, signing, signers, asked };
  }

  test('is signed by one tab, and by the next if that has none any more, or dies', async () => {
    const { clock, signing, signers, asked } = open();
    for (const tab of ['a', 'b', 'c']) signers.add(tab);
    const result = signing.sign(template);
    signing.signed(0, undefined);
    signers.delete('b');
    signing.buried('b');
    signing.buried('nobody');
    expect(asked).toEqual([
      ['a', 0],
      ['b', 0],
      ['c', 0],
    ]);
    signing.signed(0, signed);
    signing.signed(0, undefined);
    expect(await result).toBe(signed);
    expect(clock.pending).toBe(0);
  });

  test('is not signed if no tab with a signer is left', async () => {
    const { signing, signers } = open();
    for (const end of [(): void => signing.signed(0, undefined), (): void => signing.buried('a')]) {
      signers.add('a');
      const result = signing.sign(template);
      signers.delete('a');
      end();
      expect(await result).toBeUndefined();
    }
  });

  test('waits shortly for a tab with a signer, and long for a person', async () => {
    const { clock, signing, signers, asked } = open();
    let done = 0;
    const start = (): void => void signing.sign(template).then(() => done++);
    start();
    await clock.advance(FIND_SIGNER_MS);
    expect(done).toBe(1);
    start();
    signers.add('late');
    signing.signerFound();
    signing.signerFound();
    expect(asked).toEqual([['late', 1]]);
    await clock.advance(FIND_SIGNER_MS + SIGNER_TIMEOUT_MS - 1);
    expect(done).toBe(1);
    await clock.advance(1);
    expect(done).toBe(2);
  });

  test('is signed here once a signer is set here, unless a tab was asked', async () => {
    const { signing, signers } = open();
    const unasked = signing.sign(template);
    signers.add('a');
    const asked = signing.sign(template);
    signing.signHere();
    expect(await unasked).toBe(signed);
    signing.close();
    expect(await asked).toBeUndefined();
  });
});
