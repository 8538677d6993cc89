/** What `publish` promises: its stages, its refusals, and its sizes. */

import { describe, expect, test, vi } from 'vitest';
import { memoryStore, type NostrEvent, type Store } from '../../src/node.ts';
import type { AdapterPublishOptions } from '../../src/options.ts';
import { NOTE } from '../../src/sync/write.ts';
import type { Changes } from '../../src/store/store.ts';
import type { Receipt } from '../../src/sync/events.ts';
import { device, received, relay, stored, world, written } from './devices.ts';

describe('publish', () => {
  test('resolves with what it waited for, and tells of every stage', async () => {
    const { url } = await relay();
    const laptop = device([url]);
    expect((await laptop.publish('a', 1, { waitFor: 'saved' })).stage).toBe('saved');
    expect((await laptop.publish('b', 1)).stage).toBe('delivered');
    const receipt = await laptop.publish('c', 1, { waitFor: 'replicated' });
    expect(receipt).toMatchObject({ category: 'c', stage: 'replicated', relays: { [url]: 'confirmed' } });
    const stages = laptop.deliveries
      .filter(({ eventId }) => eventId === receipt.eventId)
      .map(({ stage }) => stage);
    expect(stages).toEqual(['saved', 'delivered', 'replicated']);
  });

  test('resolves at its deadline with saved where no relay answers, and it still gets there', async () => {
    const { clock, relays, device: make, settle } = world({});
    relays[0]!.misbehave({ dropOk: true, serve: [] });
    const laptop = make();
    await clock.advance(0);
    const start = clock.now();
    expect((await settle(laptop.publish('settings', 1))).stage).toBe('saved');
    expect(clock.now() - start).toBe(5_000);
    relays[0]!.behave();
    await settle(laptop.flush());
    expect(stored(relays[0]!)).toHaveLength(1);
  });

  test('tells once when the write is saved, before any relay has it', async () => {
    const { clock, relays, device: make, settle } = world({});
    relays[0]!.misbehave({ dropOk: true });
    const laptop = make();
    await clock.advance(0);
    const told: unknown[] = [];
    const start = clock.now();
    const publishing = laptop.publish('settings', 1, {
      onSaved: (saved) => told.push([saved.stage, saved.eventId, clock.now() - start < 5_000]),
    });
    const { eventId } = await settle(publishing);
    expect(told).toEqual([['saved', eventId, true]]);
    relays[0]!.behave();
    relays[0]!.misbehave({ refuse: 'blocked: not you' });
    await expect(settle(make().publish('other', 1, { onSaved: () => told.push('other') }))).rejects.toThrow();
    expect(told).toHaveLength(2);
    // @ts-expect-error -- what JavaScript may pass
    await expect(laptop.publish('settings', 1, { onSaved: 1 })).rejects.toThrow(TypeError);
  });

  describe('with a note', () => {
    /** A store that tells of all it has saved, and saves nothing until `opened` is settled. */
    function watchedStore(): { store: Store; batches: Changes[]; opened: Promise<void> } {
      const inner = memoryStore();
      const watched = {
        batches: [] as Changes[],
        opened: Promise.resolve(),
        store: {
          ...inner,
          update: async (keys, decide) => {
            await watched.opened;
            await inner.update(keys, (current) => {
              watched.batches.push(decide(current));
              return watched.batches.at(-1)!;
            });
          },
          close: async () => undefined,
        } satisfies Store,
      };
      return watched;
    }

    const note = (key: string): AdapterPublishOptions => ({
      [NOTE]: (saved) => [[key, JSON.stringify(saved)]],
    });

    function expectTogether(batches: readonly Changes[], key: string, receipt: Receipt): void {
      const [batch, ...others] = batches.filter((changes) => changes.has(key));
      expect(others).toEqual([]);
      expect(JSON.parse(batch!.get(key)!)).toMatchObject({ eventId: receipt.eventId, stage: 'saved' });
      const [, head] = [...batch!].find(([other]) => other.endsWith('/settings/v1'))!;
      expect(JSON.parse(head!).head.event.id).toBe(receipt.eventId);
    }

    test('saves it in one step with the write', async () => {
      const { device: make, settle } = world();
      const { store, batches } = watchedStore();
      // Both sign with the same stamp: the second to save comes too late, and signs again.
      const publish = (key: string) => make({ store }).publish('settings', key, note(key));
      const [a, b] = await settle(Promise.all([publish('a'), publish('b')]));
      expect(a.updatedAt).not.toBe(b.updatedAt);
      expectTogether(batches, 'a', a);
      expectTogether(batches, 'b', b);
    });

    test('does not save it with another that came before', async () => {
      const { clock, relays, device: make, settle } = world({});
      const watched = watchedStore();
      const laptop = make({ store: watched.store });
      await settle(laptop.publish('other', 1));
      let open = (): void => undefined;
      watched.opened = new Promise((resolve) => (open = resolve));
      const others = laptop.publish('other', 2);
      await clock.advance(100);
      // What comes from here on is saved together, once the store has taken that.
      relays[0]!.inject(written({ payload: 'newer', created_at: Math.floor(clock.now() / 1000) + 9 }));
      const fetching = laptop.fetch('settings');
      await clock.advance(100);
      const publishing = laptop.publish('settings', 'newest', note('a'));
      // It does not wait for ever for what a relay has.
      await clock.advance(4_000);
      open();
      const [receipt] = await settle(Promise.all([publishing, others, fetching]));
      expectTogether(watched.batches, 'a', receipt);
    });

    test('removes it in one step with the write that is withdrawn, for all who waited for that', async () => {
      const { relays, device: make, settle } = world({});
      relays[0]!.misbehave({ refuse: 'blocked: not you' });
      const { store, batches } = watchedStore();
      const laptop = make({ store });
      const texts = ['first', 'a', 'b'];
      const results = await settle(
        Promise.allSettled(texts.map((text) => laptop.publish('settings', text, note(text)))),
      );
      expect(results.map(({ status }) => status)).toEqual(texts.map(() => 'rejected'));
      for (const text of texts) {
        const [saved, withdrawn, ...others] = batches.filter((changes) => changes.has(text));
        expect(others).toEqual([]);
        expect(saved!.get(text)).not.toBeNull();
        expect(withdrawn!.get(text)).toBeNull();
        const [, head] = [...withdrawn!].find(([key]) => key.endsWith('/settings/v1'))!;
        expect(JSON.parse(head!)).not.toHaveProperty('head');
      }
    });
  });

  test('offline resolves at once with saved', async () => {
    const laptop = device([]);
    expect(await laptop.publish('settings', 1)).toMatchObject({ stage: 'saved', relays: {} });
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 1, source: 'local' });
  });

  test('is not refused where one relay of two takes it', async () => {
    const [good, bad] = [await relay(), await relay()];
    bad.relay.misbehave({ refuse: 'blocked: not you' });
    const laptop = device([bad.url, good.url]);
    const receipt = await laptop.publish('settings', 1);
    expect(receipt.stage).toBe('delivered');
    await laptop.flush();
    expect(laptop.deliveries.at(-1)!.relays[bad.url]).toBe('refused');
    expect((await laptop.getStatus()).outboxDepth).toBe(0);
  });

  test('that a relay has taken is not withdrawn where that relay is removed and all others refuse it', async () => {
    const { clock, relays, urls, device: make, settle } = world({}, {});
    relays[1]!.misbehave({ refuse: 'blocked: not you' });
    const laptop = make();
    await clock.advance(0);
    const publishing = laptop.publish('settings', 1, { waitFor: 'replicated' });
    await clock.advance(500);
    await laptop.removeRelay(urls[0]!);
    expect(await settle(publishing)).toMatchObject({ stage: 'saved' });
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 1 });
  });

  test('that every relay refuses is withdrawn: the former value is back, and nobody ever gets the new one', async () => {
    const [one, two] = [await relay(), await relay()];
    const store = memoryStore();
    const laptop = device([one.url, two.url], { store });
    await laptop.publish('settings', 'former');
    await laptop.flush();
    one.relay.misbehave({ refuse: 'blocked: one' });
    two.relay.misbehave({ refuse: 'pow: two' });
    await expect(laptop.publish('settings', 'refused')).rejects.toMatchObject({
      code: 'NO_RELAYS_ACCEPTED',
      details: { reasons: { [one.url]: 'blocked: one', [two.url]: 'pow: two' } },
    });
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 'former' });
    expect((await laptop.getStatus()).outboxDepth).toBe(0);
    one.relay.behave();
    two.relay.behave();
    const third = await relay();
    await laptop.addRelay(third.url);
    await laptop.publish('other', 'to see that the third relay works');
    await laptop.flush();
    expect(await device([one.url, two.url, third.url]).fetch('settings')).toMatchObject({
      payload: 'former',
    });
    for (const each of [one, two]) expect(stored(each)).toHaveLength(1);
    expect(stored(third).every(({ id }) => id === stored(one)[0]!.id)).toBe(true);
    const next = await laptop.publish('settings', 'next');
    expect(next.stage).toBe('delivered');
    expect(await device([one.url]).fetch('settings')).toMatchObject({ payload: 'next' });
  });

  test('what turned up under a first write that every relay refuses is told', async () => {
    const { clock, relays, device: make, settle } = world({ latencyMs: 20 });
    relays[0]!.inject(written({ payload: 'theirs', created_at: Math.floor(clock.now() / 1000) - 60 }));
    relays[0]!.misbehave({ refuse: 'blocked: not today' });
    const laptop = make();
    await clock.advance(100);
    await expect(settle(laptop.publish('settings', 'mine'))).rejects.toMatchObject({
      code: 'NO_RELAYS_ACCEPTED',
    });
    await clock.advance(1_000);
    expect(laptop.updated).toMatchObject([{ payload: 'theirs' }]);
  });

  test('that every relay refuses leaves nothing where there was nothing', async () => {
    const one = await relay();
    one.relay.misbehave({ refuse: 'restricted: members only' });
    const laptop = device([one.url]);
    await expect(laptop.publish('settings', 1)).rejects.toMatchObject({ code: 'NO_RELAYS_ACCEPTED' });
    expect(await laptop.fetch('settings')).toBeNull();
    expect(await laptop.poll(['settings'])).toEqual([]);
  });

  test('that has resolved as saved is not taken back because another waits for the same event', async () => {
    const { relays, urls, device: make, settle } = world({});
    relays[0]!.misbehave({ refuse: 'blocked: not you' });
    const laptop = make();
    const first = laptop.publish('settings', 'signed at once');
    const saved = laptop.publish('settings', 'goes with the next', { waitFor: 'saved' });
    const last = laptop.publish('settings', 'last');
    await expect(settle(first)).rejects.toMatchObject({ code: 'NO_RELAYS_ACCEPTED' });
    const [promised, receipt] = await settle(Promise.all([saved, last]));
    expect(promised.eventId).toBe(receipt.eventId);
    expect(receipt).toMatchObject({ stage: 'saved', relays: { [urls[0]!]: 'refused' } });
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'last' });
  });

  test('that has resolved is not taken back with a later one that is refused', async () => {
    const { clock, relays, device: make, settle } = world({});
    relays[0]!.misbehave({
      refuse: (event) => (event.content.length > 1_000 ? 'invalid: event too large' : undefined),
    });
    const laptop = make({ pacing: { burst: 1, intervalMs: 5_000 } });
    await settle(laptop.publish('settings', 'first'));
    // Beyond the pace: saved, and not yet sent when the next one takes its place.
    expect((await settle(laptop.publish('settings', 'small', { waitFor: 'saved' }))).stage).toBe('saved');
    const large = laptop.publish('settings', 'x'.repeat(2_000));
    const outcome = await settle(
      large.then(
        () => 'resolved',
        (error: unknown) => (error as { code: string }).code,
      ),
    );
    await clock.advance(60_000);
    expect([outcome, (await settle(laptop.fetch('settings')))?.payload]).toEqual([
      'NO_RELAYS_ACCEPTED',
      'small',
    ]);
    await settle(laptop.flush());
    expect(await settle(make().fetch('settings'))).toMatchObject({ payload: 'small' });
  });

  test('that a refused one had replaced is delivered after all', async () => {
    const { relays, device: make, settle } = world({});
    relays[0]!.misbehave({
      refuse: (event) => (event.content.length > 1_000 ? 'invalid: event too large' : undefined),
    });
    const laptop = make({ pacing: { burst: 1, intervalMs: 1_000 } });
    await settle(laptop.publish('settings', 'first'));
    await settle(laptop.publish('settings', 'saved', { waitFor: 'saved' }));
    const outcomes = Promise.allSettled([
      laptop.publish('settings', 'small'),
      laptop.publish('settings', 'x'.repeat(2_000)),
    ]);
    const [small, large] = await settle(outcomes);
    await settle(laptop.flush());
    const there = await settle(make().fetch('settings'));
    // The two may have become one draft: then both are refused, and neither is ever seen.
    expect(large).toMatchObject({ status: 'rejected', reason: { code: 'NO_RELAYS_ACCEPTED' } });
    expect(there?.payload).toBe(small.status === 'fulfilled' ? 'small' : 'saved');
  });

  test('stops waiting when its signal aborts, and abandons nothing that is saved', async () => {
    const one = await relay();
    one.relay.misbehave({ dropOk: true });
    const laptop = device([one.url]);
    await laptop.fetch('settings');
    const controller = new AbortController();
    const publishing = laptop.publish('settings', 1, { signal: controller.signal });
    await vi.waitFor(() => expect(received(one, 'EVENT')).toHaveLength(1));
    controller.abort();
    expect((await publishing).stage).toBe('saved');
    await expect(laptop.publish('settings', 2, { signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(await laptop.fetch('settings')).toMatchObject({ payload: 1 });
  });
});

test('a flush that is aborted is over at once, also while the store is still opened', async () => {
  const { device: make } = world({});
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const inner = memoryStore();
  const laptop = make({ store: { ...inner, get: (key) => opened.then(() => inner.get(key)) } });
  const abort = new AbortController();
  const flushed = laptop.flush({ signal: abort.signal });
  abort.abort('enough');
  await expect(flushed).rejects.toBe('enough');
  open();
});

test('a flush does not end between two that were saved together, of which the second is owed', async () => {
  const { clock, relays, device: make, settle } = world({ latencyMs: 100 });
  const inner = memoryStore();
  let gate: Promise<void> | undefined;
  const together: string[][] = [];
  const update: Store['update'] = async (keys, decide) => {
    await gate;
    together.push(keys.map((key) => key.split('/')[3] ?? key));
    return inner.update(keys, decide);
  };
  const laptop = make({ store: { ...inner, update } });
  laptop.subscribe(['other'], () => undefined);
  for (const category of ['one', 'two']) await settle(laptop.publish(category, 1));
  await settle(laptop.flush());
  await settle(laptop.publish('one', 2, { waitFor: 'saved' }));
  const flushing = settle(laptop.flush()).then(() => received(relays[0]!, 'EVENT').length);
  // While another value is saved, a relay confirms the first, and the second is written.
  let open = (): void => undefined;
  gate = new Promise((resolve) => (open = resolve));
  relays[0]!.inject(written({ category: 'other', created_at: Math.floor(clock.now() / 1_000) }));
  await clock.advance(1_000);
  const sent = received(relays[0]!, 'EVENT').length;
  const publishing = laptop.publish('two', 2, { waitFor: 'saved' });
  await clock.advance(1_000);
  gate = undefined;
  open();
  await settle(publishing);
  expect(together).toContainEqual(['one', 'two']);
  expect(await flushing).toBe(sent + 1);
});

test('a hundred first writes of one turn ask in a handful of REQs, and all arrive', async () => {
  const { clock, relays, device: make, settle } = world({});
  let allowed = 30;
  relays[0]!.misbehave({ receive: ([type]) => (type === 'REQ' && allowed-- <= 0 ? 'ignore' : undefined) });
  const laptop = make();
  await clock.advance(0);
  await settle(Promise.all(Array.from({ length: 100 }, (_, i) => laptop.publish(`c${i}`, i))));
  expect(received(relays[0]!, 'REQ')).toHaveLength(1);
  await clock.advance(80_000);
  expect(relays[0]!.events()).toHaveLength(100);
  expect(laptop.deliveries.filter(({ stage }) => stage === 'replicated')).toHaveLength(100);
  expect(received(relays[0]!, 'REQ').length).toBeLessThan(10);
});

describe('a payload that is too large', () => {
  test('is refused with size and limit before a frame is sent or a signer asked', async () => {
    const { url, relay: on } = await relay();
    const laptop = device([url], { maxPayloadSize: 1_000 });
    await laptop.getPubkey();
    await expect(laptop.publish('settings', 'x'.repeat(999))).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      details: { size: 1_001, limit: 1_000 },
    });
    expect(on.frames).toEqual([]);
  });

  test("is one above 40,960 bytes with interop: 'strict'", async () => {
    const { url } = await relay();
    const refused = {
      code: 'PAYLOAD_TOO_LARGE',
      message: expect.stringMatching(/40961 bytes .*40960 .*strict/),
      details: { size: 40_961, limit: 40_960 },
    };
    const strict = device([url], { interop: 'strict', maxPayloadSize: 409_600 });
    await expect(strict.publish('settings', 'x'.repeat(40_959))).rejects.toMatchObject(refused);
    expect((await strict.publish('settings', 'x'.repeat(40_958))).stage).toBe('delivered');
    const own = device([url], { interop: 'own' });
    expect((await own.publish('settings', 'x'.repeat(40_959))).stage).toBe('delivered');
    const small = device([url], { interop: 'strict', maxPayloadSize: 10 });
    await expect(small.publish('settings', 'x'.repeat(9))).rejects.toMatchObject({
      details: { size: 11, limit: 10 },
    });
    const wrong = { interop: 'loose' as 'own' };
    expect(() => device([url], wrong)).toThrow(/Invalid interop: expected 'strict' or 'own', got "loose"/);
    const ofOneCall: object = { interop: 'strict' };
    await expect(own.publish('settings', 1, ofOneCall)).rejects.toThrow(/Invalid option: .*"interop"/);
  });
});

test('a write that was withdrawn, and that a relay kept all the same, is told when it is the newest value', async () => {
  const { clock, relays, urls, device: make, settle } = world({});
  const store = memoryStore();
  const undying = { ...store, close: async () => undefined };
  const laptop = make({ relays: urls, store: undying });
  await settle(laptop.publish('settings', 'former'));
  relays[0]!.misbehave({ refuse: 'blocked: no' });
  await expect(settle(laptop.publish('settings', 'refused'))).rejects.toThrow();
  const sent = received(relays[0]!, 'EVENT').map(([, event]) => event as NostrEvent);
  const refused = sent.toSorted((a, b) => b.created_at - a.created_at)[0]!;
  await laptop.close();
  relays[0]!.behave();
  relays[0]!.inject(refused);
  const again = make({ relays: urls, store: undying });
  expect(await settle(again.fetch('settings'))).toMatchObject({ payload: 'refused' });
  await clock.advance(1_000);
  expect(again.errors).toMatchObject([
    { code: 'WITHDRAWN_WRITE_SHOWN', details: { category: 'settings', eventId: refused.id } },
  ]);
});

test('a first write is saved while all relays are silent: no time passes', async () => {
  const { clock, relays, urls, device: make } = world({});
  for (const relay of relays) relay.misbehave({ silent: true });
  const laptop = make({ relays: urls });
  await clock.advance(1_000);
  const start = clock.now();
  expect(await laptop.publish('settings', 1, { waitFor: 'saved' })).toMatchObject({ stage: 'saved' });
  expect(clock.now()).toBe(start);
});

test('a write that a relay shows after it has refused it is not withdrawn: what was saved before it would be lost with it', async () => {
  const { clock, relays, urls, device: make, settle } = world({});
  const store = memoryStore();
  let isSlow = true;
  const slow: Store = {
    ...store,
    update: async (keys, change) => {
      if (isSlow) await new Promise<void>((resolve) => void clock.after(200, resolve));
      return store.update(keys, change);
    },
  };
  const laptop = make({ relays: urls, store: slow });
  laptop.subscribe(['settings'], () => undefined);
  await settle(laptop.publish('settings', 'other'));
  await settle(laptop.publish('settings', 'promised', { waitFor: 'saved' }));
  // The event follows the answer, while that is being saved.
  relays[0]!.misbehave({
    rewrite: (frame) => (frame[0] === 'OK' ? [['OK', frame[1], false, 'blocked: no']] : []),
    flood: { everyMs: 100, frames: () => [['EVENT', '0', stored(relays[0]!)[0]]] },
  });
  await settle(laptop.publish('settings', 'shown', { waitFor: 'delivered' }).catch(() => undefined));
  isSlow = false;
  relays[0]!.misbehave({ silent: true });
  expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'shown' });
});
