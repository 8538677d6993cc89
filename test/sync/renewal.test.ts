/** Writes that no app asked for: none of them beats what an app wrote. */

import { getEventHash } from 'nostr-tools/pure';
import { describe, expect, test } from 'vitest';
import { memoryStore, secretKeySigner, type NostrEvent, type Store } from '../../src/node.ts';
import { RENEW_PATIENCE_MS } from '../../src/protocol/limits.ts';
import type { Relay } from '../../src/testing/relay.ts';
import { KEY, PUBKEY, received, stored, world, written, type Device, type World } from './devices.ts';
import { valueOf } from './values.ts';

const LARGE = { maxPayloadSize: 409_600 };
const HOUR = 3_600_000;
const START_MS = Date.UTC(2026, 0, 1);

const isPiece = ({ tags }: NostrEvent): boolean => JSON.stringify(tags).includes('/c/');

/** An event of another device, `seconds` after this one, that has not seen it. */
function later({ created_at }: NostrEvent, seconds: number): NostrEvent {
  const stamp = created_at + seconds;
  return written({
    created_at: stamp,
    payload: 'newer',
    tags: [
      ['device_id', 'other'],
      ['vv', `00000000:${stamp}`],
    ],
  });
}

/** Another event of the same stamp, which loses against this one. It has these tags, and one that gives it its id. */
function losing({ created_at, id }: NostrEvent, payload: unknown, tags: NostrEvent['tags']): NostrEvent {
  const { content } = written({ payload });
  for (let nonce = 0; nonce < 1_000_000; nonce++) {
    const all = [...tags, ['nonce', String(nonce)]].map((tag) => [...tag]);
    const draft = {
      kind: 30_078,
      pubkey: PUBKEY,
      created_at,
      content,
      tags: [['d', 'default/settings/v1'], ...all],
    };
    if (getEventHash(draft) > id) return written({ created_at, content, tags: all });
  }
  throw new Error(`No event loses against ${id}`);
}

function below(event: NostrEvent): NostrEvent {
  return losing(event, 'newer', later(event, 0).tags.slice(1));
}

/** A tombstone in its place. */
function buried(event: NostrEvent): NostrEvent {
  return losing(event, null, [...later(event, 0).tags.slice(1), ['deleted', '']]);
}

function kept(): Store {
  return { ...memoryStore(), close: async () => undefined };
}

/** Refuses every piece, once it was switched on. */
function refusing(reason: string): (event: NostrEvent) => string | undefined {
  return (event) => (isPiece(event) ? reason : undefined);
}

/** What every relay, and a device that knows nothing yet, has. */
async function everywhere({ relays, device: make, settle }: World): Promise<unknown[]> {
  const ids = relays.map((relay) => stored(relay)[0]?.id);
  const { payload, eventId } = (await settle(make(LARGE).fetch('settings')))!;
  return [payload, ...ids.map((id) => id === eventId)];
}

describe('a value in pieces that a relay refuses late', () => {
  const old = valueOf(120_000, 1, true);

  /** A laptop writes offline and locks. Lines come back, a relay refuses its pieces, and a phone writes twice. */
  async function overtaken(on: World, reason: string): Promise<{ laptop: Device; store: Store }> {
    const { relays, clock, device: make, settle } = on;
    for (const relay of relays) relay.misbehave({ refuseConnections: true });
    const store = kept();
    const laptop = make({ ...LARGE, store });
    await settle(laptop.publish('settings', old));
    await laptop.clearSigner();
    relays[0]!.behave();
    relays[1]!.behave();
    relays[1]!.misbehave({ refuse: refusing(reason) });
    await clock.advance(120_000);
    const phone = make(LARGE);
    await settle(phone.fetch('settings'));
    await settle(phone.publish('settings', 'v2', { waitFor: 'replicated' }));
    expect((await settle(phone.publish('settings', 'v3', { waitFor: 'replicated' }))).stage).toBe(
      'replicated',
    );
    return { laptop, store };
  }

  const REASONS = ['invalid: event too large', 'deleted: by its author'];

  test.each(REASONS)('(%s) comes back over nothing where its writer unlocks', async (reason) => {
    const on = world({}, {});
    const { laptop } = await overtaken(on, reason);
    await on.settle(laptop.setSigner(secretKeySigner(KEY)));
    await on.clock.advance(HOUR);
    expect(await everywhere(on)).toEqual(['v3', true, true]);
  });

  test.each(REASONS)('(%s) nor where its writer starts again and asks at once', async (reason) => {
    const on = world({ latencyMs: 200 }, { latencyMs: 200 });
    const { laptop, store } = await overtaken(on, reason);
    await on.settle(laptop.close());
    const again = on.device({ ...LARGE, store });
    again.subscribe(['settings'], () => undefined);
    await on.settle(again.syncAll(['settings']));
    await on.clock.advance(HOUR);
    expect(await everywhere(on)).toEqual(['v3', true, true]);
  });

  test.each(REASONS)('(%s) nor by a relay that refuses what it had taken, at any moment', async (reason) => {
    const on = world({}, {});
    const { relays, clock, device: make, settle } = on;
    const store = kept();
    const laptop = make({ ...LARGE, store });
    await settle(laptop.publish('settings', old, { waitFor: 'replicated' }));
    await settle(laptop.close());
    const phone = make(LARGE);
    await settle(phone.fetch('settings'));
    await settle(phone.publish('settings', 'v2', { waitFor: 'replicated' }));
    // It shows nothing, and takes no piece again.
    relays[1]!.misbehave({ serve: [], refuse: refusing(reason) });
    relays[0]!.misbehave({ refuseConnections: true });
    const again = make({ ...LARGE, store });
    await settle(again.fetch('settings'));
    await clock.advance(HOUR);
    expect(received(relays[1]!, 'EVENT').some(([, event]) => isPiece(event as NostrEvent))).toBe(true);
    relays[0]!.behave();
    await clock.advance(HOUR);
    relays[1]!.behave();
    await settle(again.syncAll(['settings']));
    await clock.advance(HOUR);
    expect(await everywhere(on)).toEqual(['v2', true, true]);
  });
});

describe('a piece that was collected', () => {
  test('is signed again above its tombstone, by whoever has it, and no head comes of that', async () => {
    const { relays, clock, device: make, settle } = world({}, {});
    const laptop = make(LARGE);
    const value = valueOf(120_000, 1, true);
    await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
    const [head] = stored(relays[0]!);
    const [piece] = relays[0]!.events().filter(isPiece);
    const phone = make(LARGE);
    await settle(phone.fetch('settings'));
    await settle(laptop.close());
    // The second relay is wiped; where the piece was, another device has put a tombstone.
    relays[1]!.wipe();
    const dTag = piece!.tags[0]![1]!;
    const created_at = piece!.created_at + 5;
    relays[1]!.inject(written({ created_at, dTags: [['d', dTag]], tags: [['deleted', '']], payload: null }));
    await settle(phone.syncAll(['settings']));
    await clock.advance(HOUR);
    expect(stored(relays[1]!)[0]?.id).toBe(head!.id);
    const [remade] = relays[1]!.events().filter(({ tags }) => tags[0]![1] === dTag);
    expect(remade).toMatchObject({
      created_at: created_at + 1,
      content: piece!.content,
      tags: [['d', dTag]],
    });
    expect(
      (await settle(make({ ...LARGE, relays: ['wss://relay-1.example'] }).fetch('settings')))?.payload,
    ).toEqual(value);
  });
});

describe('of two devices that write in one second', () => {
  /** Both write in ignorance of each other; the relays hear the one that loses first. */
  async function tied({
    relays,
    clock,
    device: make,
    settle,
  }: World): Promise<{ winner: Device; loser: Device; won: string }> {
    const devices = [make({ deviceId: 'laptop' }), make({ deviceId: 'phone' })];
    for (const each of devices) each.subscribe(['settings'], () => undefined);
    await settle(devices[0]!.publish('settings', 'before', { waitFor: 'replicated' }));
    await clock.advance(60_000);
    for (const relay of relays) {
      relay.misbehave({ refuseConnections: true });
      relay.disconnectAll();
    }
    await clock.advance(10);
    const receipts = await Promise.all(devices.map((each, i) => settle(each.publish('settings', `of ${i}`))));
    const ids = receipts.map(({ eventId }) => eventId);
    const first = ids[0]! < ids[1]! ? 0 : 1;
    for (const relay of relays) {
      relay.behave();
      relay.misbehave({ refuse: ({ id }) => (id === ids[first] ? 'error: not now' : undefined) });
    }
    await clock.advance(120_000);
    for (const relay of relays) relay.behave();
    return { winner: devices[first]!, loser: devices[1 - first]!, won: `of ${first}` };
  }

  test.each(['nostr-rs-relay', 'citrine'] as const)(
    'the one that wins is stamped anew where %s keeps the first',
    async (flavour) => {
      const on = world({ flavour });
      const { winner, loser, won } = await tied(on);
      await on.clock.advance(HOUR);
      for (const each of [winner, loser, on.device()])
        expect(await on.settle(each.fetch('settings'))).toMatchObject({ payload: won });
      expect(loser.conflicts).toMatchObject([{ theirs: { payload: won } }]);
      expect(winner.conflicts).toEqual([]);
      // It is told as its write, and as no news.
      expect(winner.updated.filter(({ payload }) => payload === won)).toEqual([]);
      expect(winner.deliveries.at(-1)).toMatchObject({
        stage: 'replicated',
        eventId: stored(on.relays[0]!)[0]!.id,
      });
      expect(stored(on.relays[0]!)[0]!.created_at).toBe(START_MS / 1000 + 61);
    },
  );

  test('the one that wins comes back where chorus keeps the last, sent by who had no network', async () => {
    const { relays, urls, clock, device: make, settle } = world({ flavour: 'chorus' });
    const devices = [make({ deviceId: 'laptop' }), make({ deviceId: 'phone' })];
    for (const each of devices) each.subscribe(['settings'], () => undefined);
    await settle(devices[0]!.publish('settings', 'before', { waitFor: 'replicated' }));
    await clock.advance(60_000);
    for (const each of devices) await each.removeRelay(urls[0]!);
    const written = await Promise.all(devices.map((each, i) => settle(each.publish('settings', i))));
    const won = written[0]!.eventId < written[1]!.eventId ? 0 : 1;
    const [winner, loser] = [devices[won]!, devices[1 - won]!];
    await winner.addRelay(urls[0]!);
    await clock.advance(HOUR);
    expect(stored(relays[0]!)).toMatchObject([{ id: written[won]!.eventId }]);
    await loser.addRelay(urls[0]!);
    await clock.advance(60_000);
    expect(received(relays[0]!, 'EVENT').map(([, event]) => (event as NostrEvent).id)).toContain(
      written[1 - won]!.eventId,
    );
    expect(await settle(make().fetch('settings'))).toMatchObject({ payload: won });
    expect(await settle(loser.fetch('settings'))).toMatchObject({ payload: won });
    expect([winner.conflicts, loser.conflicts.map(({ theirs }) => theirs.payload)]).toEqual([[], [won]]);
  });

  test('nothing is stamped anew before every connected relay has answered, and then only what is the head', async () => {
    const { relays, clock, device: make, settle } = world({ flavour: 'nostr-rs-relay' }, {});
    for (const relay of relays) relay.misbehave({ refuseConnections: true });
    const store = kept();
    const laptop = make({ store });
    const { eventId } = await settle(laptop.publish('settings', 'mine'));
    await settle(laptop.close());
    const mine = [...(await store.list('head/')).values()].map(
      (raw) => (JSON.parse(raw) as { head: { event: NostrEvent } }).head,
    );
    // The first relay keeps another of that second; the second takes its time, and has a newer one.
    relays[0]!.restore([below(mine[0]!.event)]);
    const newer = later(mine[0]!.event, 30);
    relays[1]!.restore([newer]);
    for (const relay of relays) relay.misbehave({ refuseConnections: false });
    relays[1]!.misbehave({ delayMs: 9_000 });
    make({ store }).subscribe([], () => undefined);
    await clock.advance(HOUR);
    const signed = received(relays[0]!, 'EVENT').map(([, event]) => (event as NostrEvent).id);
    expect([new Set(signed), stored(relays[0]!)[0]!.id]).toEqual([new Set([eventId, newer.id]), newer.id]);
  });

  test('a relay that goes on showing another event moves the stamp by three seconds at most', async () => {
    const { relays, clock, device: make, settle } = world({ negentropy: 'notice' });
    const laptop = make();
    const instead = new Map<string, NostrEvent>();
    relays[0]!.misbehave({
      rewrite: (frame) => {
        if (frame[0] !== 'EVENT') return [frame];
        const event = frame[2] as NostrEvent;
        const other = instead.get(event.id) ?? below(event);
        instead.set(event.id, other);
        return [['EVENT', frame[1], other]];
      },
    });
    await settle(laptop.publish('settings', 'mine'));
    const [first] = stored(relays[0]!);
    await clock.advance(HOUR);
    const moved = stored(relays[0]!)[0]!.created_at - first!.created_at;
    expect([moved, stored(relays[0]!)[0]!.content]).toEqual([3, first!.content]);
  });

  test('a first write in ignorance that is stamped anew is in conflict with none of its own stamps', async () => {
    const { relays, clock, device: make, settle } = world({ negentropy: 'notice' }, {});
    relays[1]!.misbehave({ silent: true });
    const laptop = make();
    // What the relay shows in its place is a tombstone: a blind write is told of no such thing.
    relays[0]!.misbehave({
      rewrite: (frame) =>
        frame[0] === 'EVENT' ? [['EVENT', frame[1], buried(frame[2] as NostrEvent)]] : [frame],
    });
    await settle(laptop.publish('settings', 'mine'));
    await clock.advance(HOUR);
    const sent = received(relays[0]!, 'EVENT').map(([, event]) => event as NostrEvent);
    const stamps = [...new Map(sent.map((event) => [event.created_at, event])).values()];
    expect(stamps.length).toBe(4);
    relays[0]!.behave();
    for (const event of stamps.slice(0, -1)) {
      relays[0]!.restore([event]);
      await settle(laptop.syncAll(['settings']));
    }
    expect(laptop.conflicts).toEqual([]);
  });
});

describe('a removal that the relay has taken', () => {
  test('and that a deletion request ate, is made again above it', async () => {
    const { relays, clock, device: make, settle } = world({ negentropy: 'notice' });
    const [laptop, phone] = [make({ deviceId: 'laptop' }), make({ deviceId: 'phone' })];
    await settle(laptop.publish('settings', 'removed', { waitFor: 'replicated' }));
    await settle(phone.fetch('settings'));
    let eaten = Infinity;
    // It deletes up to the request's own time and a second more, says OK to what is that old, and shows none of it.
    relays[0]!.misbehave({
      receive: ([type, event]) => {
        const { kind, created_at } = (event ?? {}) as NostrEvent;
        if (type === 'EVENT' && kind === 5) eaten = created_at + 1;
        return undefined;
      },
      rewrite: (frame) =>
        frame[0] === 'EVENT' && (frame[2] as NostrEvent).created_at <= eaten && eaten < Infinity
          ? []
          : [frame],
    });
    await settle(laptop.remove('settings'));
    await clock.advance(HOUR);
    const [tombstone] = stored(relays[0]!);
    expect(tombstone).toMatchObject({
      created_at: eaten + 1,
      tags: expect.arrayContaining([['deleted', '']]),
    });
    expect(laptop.deliveries.at(-1)).toMatchObject({ stage: 'replicated', eventId: tombstone!.id });
    for (const each of [laptop, phone, make()]) expect(await settle(each.fetch('settings'))).toBeNull();
    expect([...laptop.conflicts, ...phone.conflicts]).toEqual([]);
  });
});

describe('a value that has ended', () => {
  const inSeconds = (on: World, seconds: number): number => Math.floor(on.clock.now() / 1000) + seconds;

  /** The older value is on both relays, the one that ends on the first alone. */
  async function ended(on: World, seconds = 60): Promise<{ laptop: Device; phone: Device }> {
    const { relays, device: make, settle } = on;
    const [laptop, phone] = [make({ deviceId: 'laptop' }), make({ deviceId: 'phone' })];
    await settle(laptop.publish('settings', 'older', { waitFor: 'replicated' }));
    phone.subscribe(['settings'], () => undefined);
    relays[1]!.misbehave({ refuseConnections: true });
    relays[1]!.disconnectAll();
    await on.clock.advance(1_000);
    await settle(laptop.publish('settings', 'short-lived', inSeconds(on, seconds)));
    expect(await settle(phone.fetch('settings'))).toMatchObject({ payload: 'short-lived' });
    return { laptop, phone };
  }

  async function expectNull(on: World, ...devices: readonly Device[]): Promise<void> {
    const fresh = [on.device(), ...on.urls.map((url) => on.device({ relays: [url] }))];
    for (const each of [...fresh, ...devices]) expect(await on.settle(each.fetch('settings'))).toBeNull();
    for (const relay of on.relays)
      expect(stored(relay).map(({ tags }) => tags.some(([name]) => name === 'deleted'))).toEqual([true]);
  }

  test('does not bring the older one back from a relay that had missed it', async () => {
    const on = world({}, {});
    const { laptop, phone } = await ended(on);
    const [value] = stored(on.relays[0]!);
    await on.clock.advance(61_000);
    on.relays[1]!.behave();
    await on.clock.advance(180_000);
    await expectNull(on, laptop, phone);
    // A write that the app makes a moment after the value, by any clock, must win against its end.
    for (const relay of on.relays) expect(stored(relay)[0]!.created_at).toBe(value!.created_at + 1);
    for (const each of [laptop, phone]) {
      expect(each.updated.filter(({ deleted }) => deleted === true).length).toBeLessThanOrEqual(1);
      expect(each.conflicts).toEqual([]);
    }
  });

  test('nor where its writer is gone, and nobody asks', async () => {
    const on = world({}, {});
    const { laptop, phone } = await ended(on);
    await on.settle(laptop.close());
    await on.clock.advance(61_000);
    on.relays[1]!.behave();
    await on.clock.advance(180_000);
    await expectNull(on, phone);
  });

  test('nor where no relay has ever had it', async () => {
    const on = world({}, {});
    const { relays, device: make, settle, clock } = on;
    const laptop = make();
    await settle(laptop.publish('settings', 'older', { waitFor: 'replicated' }));
    for (const relay of relays) {
      relay.misbehave({ refuseConnections: true });
      relay.disconnectAll();
    }
    await clock.advance(1_000);
    await settle(laptop.publish('settings', 'short-lived', inSeconds(on, 10)));
    await clock.advance(60_000);
    for (const relay of relays) relay.behave();
    await clock.advance(300_000);
    await expectNull(on, laptop);
  });

  test('beats nothing that was written since', async () => {
    const on = world({}, {});
    const { laptop, phone } = await ended(on);
    await on.settle(laptop.clearSigner());
    await on.settle(phone.publish('settings', 'next'));
    await on.clock.advance(61_000);
    on.relays[1]!.behave();
    await on.settle(laptop.setSigner(secretKeySigner(KEY)));
    await on.clock.advance(HOUR);
    expect(await everywhere(on)).toEqual(['next', true, true]);
  });

  const isBuried = (relay: Relay): boolean =>
    stored(relay).some(({ tags }) => tags.some(([name]) => name === 'deleted'));

  test('is not buried before every connected relay has answered completely: one that never does is disconnected for that', async () => {
    const on = world({}, {});
    const laptop = on.device();
    on.relays[1]!.misbehave({ noEose: true });
    await on.settle(laptop.publish('settings', 'short-lived', inSeconds(on, 60)));
    await on.clock.advance(60_000 + RENEW_PATIENCE_MS - 20_000);
    expect(on.relays.map(isBuried)).toEqual([false, false]);
    const states: unknown[] = [];
    for (let s = 0; s < RENEW_PATIENCE_MS / 1_000 && !on.relays.some(isBuried); s++) {
      await on.clock.advance(1_000);
      states.push(...(await laptop.getRelays()).map(({ connected }) => connected));
    }
    expect(states.slice(-2)).toEqual([true, false]);
    expect((await laptop.getRelays())[1]!.lastError).toBe('does not answer completely');
    await on.clock.advance(RENEW_PATIENCE_MS);
    // It is connected again, and has what was made without it.
    expect((await laptop.getRelays()).map(({ connected }) => connected)).toEqual([true, true]);
    expect(on.relays.map(isBuried)).toEqual([true, true]);
  });

  test('disconnects no relay while there is nothing to sign: the others still hand it out, and this clock may be ahead', async () => {
    const on = world({}, {});
    const laptop = on.device();
    await on.settle(laptop.publish('settings', 'lasts an hour', inSeconds(on, 3_600)));
    on.relays[1]!.misbehave({ noEose: true });
    const ahead = on.device({ clock: { now: () => on.clock.now() + 2 * HOUR, after: on.clock.after } });
    ahead.subscribe(['settings'], () => undefined);
    const errors: unknown[] = [];
    for (let m = 0; m < 40; m++) {
      await on.clock.advance(60_000);
      errors.push(...(await ahead.getRelays()).map(({ lastError }) => lastError));
    }
    expect(errors).not.toContain('does not answer completely');
    expect(on.relays.map(isBuried)).toEqual([false, false]);
  });

  test('is not buried without a relay', async () => {
    const on = world({});
    on.relays[0]!.misbehave({ refuseConnections: true });
    const store = kept();
    const laptop = on.device({ store });
    const { eventId } = await on.settle(laptop.publish('settings', 'short-lived', inSeconds(on, 60)));
    await on.clock.advance(2 * 24 * HOUR);
    const [saved] = [...(await store.list('head/')).values()];
    expect((JSON.parse(saved!) as { head: { event: NostrEvent } }).head.event.id).toBe(eventId);
    on.relays[0]!.behave();
    await on.clock.advance(HOUR);
    expect(isBuried(on.relays[0]!)).toBe(true);
  });

  test('by a clock that is ahead has not ended for the others', async () => {
    const on = world({});
    const laptop = on.device();
    await on.settle(laptop.publish('settings', 'lasts an hour', inSeconds(on, 3_600)));
    const ahead = on.device({ clock: { now: () => on.clock.now() + 2 * HOUR, after: on.clock.after } });
    expect(await on.settle(ahead.fetch('settings'))).toBeNull();
    await on.clock.advance(HOUR / 2);
    expect(await on.settle(on.device().fetch('settings'))).toMatchObject({ payload: 'lasts an hour' });
  });
});
