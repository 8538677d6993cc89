/** What a tab says and hears, what it has of the leader's lock, and how it reads again: without engine, browser or store. */

import { describe, expect, test } from 'vitest';
import { toDTag } from '../../src/protocol/address.ts';
import { STORE_RETRY_MS } from '../../src/protocol/limits.ts';
import { createTabChannel, type TabChannel } from '../../src/sync/tabs/channel.ts';
import { createLeadership, type Leadership } from '../../src/sync/tabs/leadership.ts';
import type { TabMessage } from '../../src/sync/tabs/messages.ts';
import { createReloading, type Reloading } from '../../src/sync/tabs/reloading.ts';
import type { Tabs } from '../../src/tabs/tabs.ts';
import { createTestClock, type TestClock } from '../../src/testing/clock.ts';

const [A, B] = [toDTag('default', 'a'), toDTag('default', 'b')] as const;
const WAKE: TabMessage = { type: 'wake' };
const LEAD: TabMessage = { type: 'lead' };

/** Lets all go on that does not wait for something else. */
const settle = (): Promise<void> => createTestClock().advance(0);

const unused = (): never => {
  throw new Error('not asked for here');
};

describe('the channel of a tab', () => {
  interface Bench {
    readonly channel: TabChannel;
    /** What it has sent. */
    readonly sent: unknown[];
    /** What it was told, in order. */
    readonly log: string[];
    /** Another tab says this. */
    say(message: unknown): void;
  }

  /** `receive`: how a message is taken in, once it is noted. */
  function setUp(receive: (message: TabMessage) => Promise<void> | void = () => undefined): Bench {
    const sent: unknown[] = [];
    const log: string[] = [];
    let say: Bench['say'] = unused;
    const tabs: Tabs = {
      ...{ hold: unused, steal: unused },
      join: (_, onMessage) => {
        say = onMessage;
        return { post: (message) => sent.push(message), close: () => log.push('closed') };
      },
    };
    const channel = createTabChannel(tabs, 'name', {
      onPing: () => log.push('ping'),
      onLeaderHeard: () => log.push('leader'),
      receive: (message) => {
        log.push(message.type);
        return receive(message);
      },
    });
    return { channel, sent, log, say: (message) => say(message) };
  }

  test('says what was saved in one message, as soon as the turn is over', async () => {
    const { channel, sent } = setUp();
    for (const dTag of [A, B, A]) channel.saved(dTag);
    expect(sent).toEqual([]);
    await settle();
    expect(sent).toEqual([{ type: 'changed', dTags: [A, B] }]);
    channel.saved(B);
    await settle();
    expect(sent.slice(1)).toEqual([{ type: 'changed', dTags: [B] }]);
  });

  test('says what was saved before what speaks of it, and once', async () => {
    const { channel, sent } = setUp();
    channel.saved(A);
    channel.post(WAKE);
    await settle();
    expect(sent).toEqual([{ type: 'changed', dTags: [A] }, WAKE]);
  });

  test('takes in one message at a time, in order, and what is done in order after them', async () => {
    let end = (): void => undefined;
    const { channel, log, say } = setUp(() => new Promise((resolve) => (end = resolve)));
    say(WAKE);
    channel.inOrder(() => void log.push('done in order'));
    say({ type: 'changed', dTags: [A] });
    await settle();
    expect(log).toEqual(['wake']);
    end();
    await settle();
    expect(log).toEqual(['wake', 'done in order', 'changed']);
  });

  test('hears at once that a leader lives, and a ping is answered at once', async () => {
    const { log, say } = setUp(() => new Promise(() => undefined));
    say(WAKE);
    await settle();
    say({ type: 'ping' });
    say(LEAD);
    expect(log).toEqual(['wake', 'ping', 'leader']);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['no message', 'words'],
    ['of a type that only a later version knows', { type: 'later' }],
  ])('goes on after a message that is %s', async (_, message) => {
    const { log, say } = setUp((received) => {
      if (received.type !== 'wake') throw new TypeError('cannot be understood');
    });
    say(message);
    say(WAKE);
    await settle();
    expect(log.at(-1)).toBe('wake');
    expect(log).not.toContain('leader');
  });

  test('says what was saved before its end, and nothing after that', async () => {
    const { channel, sent, log, say } = setUp();
    channel.saved(A);
    expect(channel.isClosed()).toBe(false);
    channel.close();
    expect([channel.isClosed(), log]).toEqual([true, ['closed']]);
    channel.post(WAKE);
    channel.saved(B);
    say(WAKE);
    await settle();
    expect(sent).toEqual([{ type: 'changed', dTags: [A] }]);
    expect(log).toEqual(['closed']);
  });
});

describe('the lock of the leader', () => {
  interface Bench {
    readonly leadership: Leadership;
    readonly log: string[];
    /** What the last campaign is told. */
    held(): void;
    lost(): void;
  }

  function setUp(): Bench {
    const log: string[] = [];
    let told = { held: unused as () => void, lost: unused as () => void };
    const campaign =
      (how: string) =>
      (name: string, onHeld: () => void, onLost: () => void = unused): (() => void) => {
        log.push(`${how} ${name}`);
        told = { held: onHeld, lost: onLost };
        return () => log.push(`no more ${how}`);
      };
    const leadership = createLeadership(
      { hold: campaign('hold'), steal: campaign('steal'), join: unused },
      'name',
      { onHeld: () => log.push(`has it: ${leadership.lock()}`), onLost: () => log.push('lost it') },
    );
    return { leadership, log, held: () => told.held(), lost: () => told.lost() };
  }

  test('is waited for, and held', () => {
    const { leadership, log, held } = setUp();
    leadership.wait();
    expect(leadership.lock()).toBe('none');
    held();
    expect(log).toEqual(['hold name', 'has it: held']);
  });

  test('is stolen from the tab that has it, and not waited for any more', () => {
    const { leadership, log, held } = setUp();
    leadership.wait();
    leadership.steal();
    expect(leadership.lock()).toBe('none');
    held();
    expect(log).toEqual(['hold name', 'no more hold', 'steal name', 'has it: stolen']);
  });

  test('is lost to a tab that steals it, which the engine is told and says itself', () => {
    const { leadership, log, held, lost } = setUp();
    leadership.wait();
    held();
    lost();
    expect(log.at(-1)).toBe('lost it');
    leadership.lost();
    expect(leadership.lock()).toBe('none');
  });

  test('is given up, and needs not be had for that', () => {
    const { leadership, log } = setUp();
    leadership.giveUp();
    leadership.wait();
    leadership.giveUp();
    expect(log).toEqual(['hold name', 'no more hold']);
  });
});

describe('reading again', () => {
  interface Bench {
    readonly clock: TestClock;
    readonly reloading: Reloading;
    /** What was to be read. */
    readonly read: (readonly string[] | undefined)[];
    readonly state: { isFailing: boolean; again: number };
  }

  function setUp(): Bench {
    const clock = createTestClock();
    const read: Bench['read'] = [];
    const state = { isFailing: false, again: 0 };
    const reloading = createReloading({
      clock,
      replica: {
        reload: async (dTags) => {
          read.push(dTags);
          if (state.isFailing) throw new Error('the store is away');
          return Promise.resolve();
        },
      },
      again: () => state.again++,
    });
    return { clock, reloading, read, state };
  }

  test('is of what was said, or of all, and is done once if the store gives it', async () => {
    const { clock, reloading, read } = setUp();
    await reloading.reload([A]);
    await reloading.reload();
    expect([read, clock.pending]).toEqual([[[A], undefined], 0]);
  });

  test('is called for again in a while if the store fails, by one timer', async () => {
    const { clock, reloading, state } = setUp();
    state.isFailing = true;
    await reloading.reload([A]);
    await clock.advance(STORE_RETRY_MS - 1);
    await reloading.reload([B]);
    expect(clock.pending).toBe(1);
    await clock.advance(STORE_RETRY_MS - 1);
    expect(state.again).toBe(0);
    await clock.advance(1);
    expect(state.again).toBe(1);
  });

  test('is not called for after the end', async () => {
    const { clock, reloading, state } = setUp();
    reloading.tryAgain();
    reloading.close();
    expect(clock.pending).toBe(0);
    state.isFailing = true;
    await reloading.reload();
    expect(clock.pending).toBe(0);
  });
});
