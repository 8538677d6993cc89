/** Signers as people report them: they refuse, forget, edit, hang, and work for another account between two calls. */

import { describe, expect, test, vi } from 'vitest';
import {
  memoryStore,
  nip07Signer,
  secretKeySigner,
  type EventTemplate,
  type NostrEvent,
  type Signer,
} from '../../src/node.ts';
import { connectTo } from '../../src/testing/memory-transport.ts';
import { createRandom } from '../support/random.ts';
import type { World } from './devices.ts';
import { KEY, OTHER_KEY, PUBKEY, received, stored, world, written } from './devices.ts';
import { valueOf } from './values.ts';

const MINUTE = 60_000;

interface Extension extends Signer {
  /** What was asked, in order. */
  readonly calls: string[];
  /** The account that works for each call; `hang` and `refuse` by the name of the call, which they then answer for. */
  account: (call: string) => string;
  hang: (call: string) => boolean;
  refuse: (call: string) => boolean;
}

/** A provider of which nothing is certain. */
function extension(): Extension {
  const keys = new Map([KEY, OTHER_KEY].map((key) => [key, secretKeySigner(key)]));
  const calls: string[] = [];
  const ask = async <T>(call: string, answer: (signer: Signer) => Promise<T>): Promise<T> => {
    calls.push(call);
    if (made.hang(call)) return new Promise(() => undefined);
    if (made.refuse(call)) throw new Error('The user said no');
    return answer(keys.get(made.account(call))!);
  };
  const made: Extension = {
    calls,
    account: () => KEY,
    hang: () => false,
    refuse: () => false,
    getPublicKey: () => ask('getPublicKey', (signer) => signer.getPublicKey()),
    signEvent: (template) => ask('sign', (signer) => signer.signEvent(template)),
    nip44: {
      encrypt: (peer, text) => ask('encrypt', ({ nip44 }) => nip44.encrypt(peer, text)),
      decrypt: (peer, text) => ask('decrypt', ({ nip44 }) => nip44.decrypt(peer, text)),
    },
  };
  return made;
}

/** Of the times of some tries: each pause is much longer than the one before it. */
function expectGrowing(times: readonly number[]): void {
  const pauses = times.slice(1).map((at, i) => at - times[i]!);
  expect(pauses[0]).toBeGreaterThanOrEqual(1_000);
  pauses.slice(1).forEach((pause, i) => expect(pause).toBeGreaterThanOrEqual(1.5 * pauses[i]!));
}

const asked = ({ calls }: Extension, call: string): number => calls.filter((one) => one === call).length;

/** A relay whose value of "settings" is `good`, by another device. */
async function withValue(): Promise<World> {
  const made = world({});
  made.relays[0]!.inject(written({ payload: 'good', created_at: Math.floor(made.clock.now() / 1000) - 60 }));
  return made;
}

describe('an account that is another for a while', () => {
  test.each([
    ['to encrypt alone', ['encrypt']],
    ['to encrypt and to sign', ['encrypt', 'sign']],
    ['to sign alone', ['sign']],
    ['for all but the first question', ['encrypt', 'sign', 'decrypt', 'getPublicKey']],
    ['for all but to sign', ['encrypt', 'decrypt', 'getPublicKey']],
  ])('%s: the write is SIGNER_CHANGED, and the value stays', async (_, during) => {
    const { relays, device, settle } = await withValue();
    const signer = extension();
    const laptop = device({ signer });
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'good' });
    signer.account = (call) => (during.includes(call) ? OTHER_KEY : KEY);
    await expect(settle(laptop.publish('settings', 'lost'))).rejects.toMatchObject({
      code: 'SIGNER_CHANGED',
    });
    signer.account = () => KEY;
    expect(received(relays[0]!, 'EVENT')).toEqual([]);
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'good' });
    await settle(laptop.publish('settings', 'mine'));
    expect(await settle(device().fetch('settings'))).toMatchObject({ payload: 'mine' });
  });

  test.each([
    ['until it has encrypted', 1],
    ['from the moment when it encrypts', 2],
  ])('%s: the write is SIGNER_CHANGED, though its ciphertexts are trusted by now', async (_, nth) => {
    const { device, settle } = await withValue();
    const signer = extension();
    const laptop = device({ signer });
    await settle(laptop.publish('settings', 'mine'));
    signer.calls.length = 0;
    const isOther = (call: string): boolean =>
      call === 'encrypt' || (call === 'getPublicKey' && asked(signer, call) === nth);
    signer.account = (call) => (isOther(call) ? OTHER_KEY : KEY);
    await expect(settle(laptop.publish('settings', 'bad'))).rejects.toMatchObject({ code: 'SIGNER_CHANGED' });
    signer.account = () => KEY;
    expect(await settle(device().fetch('settings'))).toMatchObject({ payload: 'mine' });
  });

  test('the first ciphertext of a session is read back, and the first after a pause', async () => {
    const { clock, device, settle } = world({});
    const signer = extension();
    const laptop = device({ signer });
    for (const value of [1, 2, 3]) await settle(laptop.publish('settings', value));
    expect(asked(signer, 'decrypt')).toBe(1);
    await clock.advance(6 * MINUTE);
    await settle(laptop.publish('settings', 4));
    expect(asked(signer, 'decrypt')).toBe(2);
    signer.account = (call) => (call === 'encrypt' ? OTHER_KEY : KEY);
    await clock.advance(6 * MINUTE);
    await expect(settle(laptop.publish('settings', 5))).rejects.toMatchObject({ code: 'SIGNER_CHANGED' });
  });

  test.each([
    ['a value', ['lost']],
    ['each of several values', ['lost', 'lost too', 'lost again']],
  ])(
    '%s that its own writer cannot read leaves the one before it in its place, everywhere',
    async (_, lost) => {
      const { clock, device, settle } = world({});
      const signer = extension();
      const laptop = device({ signer });
      const phone = device();
      await settle(laptop.publish('settings', 'good', { waitFor: 'replicated' }));
      expect(await settle(phone.fetch('settings'))).toMatchObject({ payload: 'good' });
      // Within the minutes in which the signer is trusted.
      signer.account = (call) => (call === 'encrypt' ? OTHER_KEY : KEY);
      for (const value of lost) {
        await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
        await clock.advance(2_000);
      }
      signer.account = () => KEY;
      expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'good' });
      expect(await settle(phone.fetch('settings'))).toMatchObject({ payload: 'good' });
      laptop.subscribe(['settings'], () => undefined);
      await clock.advance(5 * MINUTE);
      expect(laptop.errors.map(({ code }) => code)).toContain('UNDECODABLE');
      await settle(laptop.publish('settings', 'next', { waitFor: 'replicated' }));
      expect(await settle(phone.fetch('settings'))).toMatchObject({ payload: 'next' });
      expect([...laptop.conflicts, ...phone.conflicts]).toEqual([]);
    },
  );

  test('several values that nobody can read leave what was written after a removal', async () => {
    const { clock, device, settle } = world({});
    const signer = extension();
    const laptop = device({ signer });
    await settle(laptop.publish('settings', 'removed', { waitFor: 'replicated' }));
    await settle(laptop.remove('settings'));
    await settle(laptop.publish('settings', 'good', { waitFor: 'replicated' }));
    signer.account = (call) => (call === 'encrypt' ? OTHER_KEY : KEY);
    for (const value of ['lost', 'lost too', 'lost again']) {
      await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
      await clock.advance(2_000);
    }
    signer.account = () => KEY;
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'good' });
  });

  test.each([
    ['that its signer has read back', [], ['lost too', 'lost again']],
    ['that nobody has read', ['another'], ['lost too']],
  ])('a write %s stays between those of another device that nobody can read', async (_, first, later) => {
    const { clock, device, settle } = world({ latencyMs: 100 });
    const signer = extension();
    const laptop = device({ signer });
    await settle(laptop.publish('another', 1));
    signer.account = (call) => (call === 'encrypt' ? OTHER_KEY : KEY);
    await settle(laptop.publish('settings', 'lost', { waitFor: 'replicated' }));
    const phone = device({ signer: extension() });
    // The first of a session is read back; those behind it are trusted.
    for (const category of first) await settle(phone.publish(category, 1));
    await clock.advance(2_000);
    await settle(phone.publish('settings', 'good', { waitFor: 'replicated' }));
    for (const value of later) {
      await settle(laptop.poll(['settings']));
      await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
      await settle(phone.poll(['settings']));
    }
    expect(await settle(phone.fetch('settings'))).toMatchObject({ payload: 'good' });
    expect(phone.errors.map(({ code }) => code)).toContain('DECRYPTION_FAILED');
  });
});

describe('a signer that', () => {
  /** Signs what it makes of the template, which it edits in place. */
  const editing = (
    edit: (template: { -readonly [K in keyof EventTemplate]: EventTemplate[K] }) => void,
  ): Signer => {
    const inner = secretKeySigner(KEY);
    return {
      ...inner,
      signEvent: async (template) => {
        edit(template);
        return inner.signEvent(template);
      },
    };
  };

  test.each<[string, Parameters<typeof editing>[0]]>([
    ['the content', (template) => (template.content = '{"plain":"text"}')],
    ['a tag', ({ tags }) => ((tags as string[][])[0]![1] = 'other/settings/v1')],
    ['the list of tags', ({ tags }) => (tags as string[][]).push(['client', 'x'])],
  ])('edits its template, %s, signs nothing for us', async (_, edit) => {
    const { relays, device, settle } = world({});
    const laptop = device({ signer: editing(edit) });
    await expect(settle(laptop.publish('settings', 'secret'))).rejects.toMatchObject({
      code: 'SIGNING_FAILED',
    });
    expect(received(relays[0]!, 'EVENT')).toEqual([]);
    expect(await settle(laptop.fetch('settings'))).toBeNull();
  });

  test.each([
    ['a few seconds later', 4, true],
    ['a minute later', 60, false],
    ['earlier', -4, false],
  ])('says its own time, %s, is asked once', async (_, byS, isTaken) => {
    const { clock, relays, device, settle } = world({});
    let count = 0;
    const signer = editing((template) => {
      count++;
      template.created_at = Math.floor(clock.now() / 1000) + byS;
    });
    const laptop = device({ signer, maxPayloadSize: 409_600 });
    const publishing = settle(laptop.publish('settings', 1, { waitFor: 'replicated' }));
    if (!isTaken) await expect(publishing).rejects.toMatchObject({ code: 'SIGNING_FAILED' });
    else expect(await publishing).toMatchObject({ stage: 'replicated' });
    expect(count).toBe(1);
    expect(stored(relays[0]!)).toHaveLength(isTaken ? 1 : 0);
    if (!isTaken) return;
    // Who has seen it is no conflict.
    const phone = device({ maxPayloadSize: 409_600 });
    await settle(phone.fetch('settings'));
    await clock.advance(10_000);
    await settle(phone.publish('settings', 2));
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 2 });
    expect(laptop.conflicts).toEqual([]);
    const large = valueOf(100_000, 1, true);
    await settle(laptop.publish('settings', large, { waitFor: 'replicated' }));
    expect(await settle(phone.fetch('settings'))).toMatchObject({ payload: large });
  });

  test('is told whose event each is, AUTH and deletion requests too: one with several accounts signs by none other', async () => {
    const { clock, device, settle } = world({ auth: 'write' });
    const asked: [kind: number, pubkey: string | undefined][] = [];
    const signer = editing((template: EventTemplate & { pubkey?: string }) => {
      asked.push([template.kind, template.pubkey]);
    });
    const laptop = device({ signer });
    await settle(laptop.publish('settings', 1, { waitFor: 'replicated' }));
    await settle(laptop.remove('settings', { waitFor: 'replicated' }));
    await clock.advance(MINUTE);
    expect(new Set(asked.map(([kind]) => kind))).toEqual(new Set([30_078, 22_242, 5]));
    expect(new Set(asked.map(([, pubkey]) => pubkey))).toEqual(new Set([PUBKEY]));
  });

  test('is asked a handful of times where something newer comes in each time', async () => {
    const { clock, relays, device, settle } = await withValue();
    const signer = extension();
    const laptop = device({ signer });
    laptop.subscribe(['settings'], () => undefined);
    await clock.advance(1_000);
    signer.account = (call) => {
      const created_at = Math.floor(clock.now() / 1000) + 100 * asked(signer, 'sign');
      if (call === 'sign') relays[0]!.inject(written({ created_at }));
      return KEY;
    };
    const slow: Signer = {
      ...signer,
      signEvent: async (template) => {
        const event = await signer.signEvent(template);
        await new Promise<void>((resolve) => clock.after(100, resolve));
        return event;
      },
    };
    await laptop.setSigner(slow);
    await expect(settle(laptop.publish('settings', 1))).rejects.toMatchObject({ code: 'SIGNING_FAILED' });
    expect(asked(signer, 'sign')).toBeLessThanOrEqual(8);
  });

  test.each(['encrypt', 'sign'])(
    'finds a text too large to %s is given smaller ones, and remembered',
    async (what) => {
      const { relays, device, settle } = world({});
      const inner = secretKeySigner(KEY);
      let refusals = 0;
      const check = (call: string, chars: number): void => {
        if (call !== what || chars <= 20_000) return;
        refusals++;
        throw new Error('message too large for this relay');
      };
      const signer: Signer = {
        ...inner,
        signEvent: async (template) => (check('sign', template.content.length), inner.signEvent(template)),
        nip44: {
          ...inner.nip44,
          encrypt: async (peer, text) => (check('encrypt', text.length), inner.nip44.encrypt(peer, text)),
        },
      };
      const laptop = device({ signer, maxPayloadSize: 409_600 });
      // Too large as it is, and deflated to some 26,000 characters; in the smallest parts it fits.
      const digits = Buffer.from(createRandom(1).bytes(17_500)).toString('hex');
      for (const value of [digits, valueOf(200_000, 2, true)]) {
        await settle(laptop.publish('settings', value, { waitFor: 'replicated' }));
        expect(await settle(device({ maxPayloadSize: 409_600 }).fetch('settings'))).toMatchObject({
          payload: value,
        });
        expect(refusals).toBe(2);
      }
      const most = Math.max(...relays[0]!.events().map((event: NostrEvent) => event.content.length));
      expect(most).toBeLessThanOrEqual(20_000);
    },
  );
});

describe('a decryption that is refused once', () => {
  test.each(['refused', 'empty'])('(%s) is tried again, and the subscription gets the value', async (how) => {
    const { clock, device } = await withValue();
    const signer = extension();
    let isFirst = true;
    const laptop = device({
      signer: {
        ...signer,
        nip44: {
          ...signer.nip44,
          decrypt: async (peer, text) => {
            if (!isFirst) return signer.nip44.decrypt(peer, text);
            isFirst = false;
            if (how === 'empty') return '';
            throw new Error('no');
          },
        },
      },
    });
    const seen: unknown[] = [];
    laptop.subscribe(['settings'], ({ payload }) => seen.push(payload));
    await clock.advance(1_000);
    expect(seen).toEqual([]);
    expect(laptop.errors.map(({ code }) => code)).toEqual(['DECRYPTION_FAILED']);
    await clock.advance(MINUTE);
    expect(seen).toEqual(['good']);
    expect(laptop.updated).toMatchObject([{ payload: 'good' }]);
  });

  test('again and again is tried again after longer and longer pauses, from a second up', async () => {
    const { clock, device } = await withValue();
    const signer = extension();
    const askedAt: number[] = [];
    signer.refuse = (call) => call === 'decrypt' && askedAt.push(clock.now()) > 0;
    device({ signer }).subscribe(['settings'], () => undefined);
    // Finely, so that the time of a call is known.
    for (let s = 0; s < 600; s++) await clock.advance(1_000);
    expect(askedAt.length).toBeGreaterThan(3);
    expectGrowing(askedAt);
  });

  test('by a signer that tells no account either says nothing about the value, and leaves it before one that nobody can read', async () => {
    const { clock, relays, device, settle } = await withValue();
    const signer = extension();
    const laptop = device({ signer });
    await clock.advance(1_000);
    signer.refuse = () => true;
    await expect(settle(laptop.fetch('settings'))).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' });
    expect(laptop.errors.map(({ code }) => code)).toEqual(['DECRYPTION_FAILED']);
    const created_at = Math.floor(clock.now() / 1000);
    relays[0]!.inject(written({ created_at, content: written({ key: OTHER_KEY }).content }));
    signer.refuse = () => false;
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'good' });
  });

  test('leaves nothing behind that is no value: the next read asks again', async () => {
    const { device, settle } = await withValue();
    const inner = secretKeySigner(KEY);
    let isJunk = true;
    const decrypt: typeof inner.nip44.decrypt = async (peer, text) => {
      return isJunk ? 'not JSON' : inner.nip44.decrypt(peer, text);
    };
    const laptop = device({ signer: { ...inner, nip44: { ...inner.nip44, decrypt } } });
    await expect(settle(laptop.fetch('settings'))).rejects.toMatchObject({ code: 'UNDECODABLE' });
    isJunk = false;
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'good' });
    expect(laptop.updated).toMatchObject([{ payload: 'good' }]);
  });

  test('is DECRYPTION_FAILED to who asked, and the subscription gets what a later fetch has read', async () => {
    const { clock, device, settle } = await withValue();
    const signer = extension();
    const laptop = device({ signer });
    const seen: unknown[] = [];
    signer.refuse = (call) => call === 'decrypt';
    laptop.subscribe(['settings'], ({ payload }) => seen.push(payload));
    await expect(settle(laptop.fetch('settings'))).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' });
    expect(await settle(laptop.syncAll(['settings']))).toEqual([]);
    // A person who says no again and again is not asked for ever.
    await clock.advance(60 * MINUTE);
    const before = asked(signer, 'decrypt');
    expect(before).toBeLessThanOrEqual(6);
    await clock.advance(60 * MINUTE);
    expect(asked(signer, 'decrypt')).toBe(before);
    expect(laptop.errors.at(-1)).toMatchObject({ code: 'UNDECODABLE' });
    signer.refuse = () => false;
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'good' });
    expect(seen).toEqual(['good']);
    expect(laptop.updated).toMatchObject([{ payload: 'good' }]);
  });
});

describe('one question at a time', () => {
  const CATEGORIES = Array.from({ length: 12 }, (_, i) => `category-${i}`);

  /** Answers later, and refuses whatever comes before it has; or forgets it, and never answers. */
  function refusing(later: (then: () => void) => void, how: 'refuses' | 'forgets' = 'refuses'): Extension {
    const signer = extension();
    let isBusy = false;
    const one =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        if (isBusy && how === 'forgets') return new Promise(() => undefined);
        if (isBusy) throw new Error('one popup at a time');
        isBusy = true;
        await new Promise<void>(later);
        return call(...args).finally(() => (isBusy = false));
      };
    return Object.assign(signer, {
      getPublicKey: one(signer.getPublicKey),
      signEvent: one(signer.signEvent),
      nip44: { encrypt: one(signer.nip44.encrypt), decrypt: one(signer.nip44.decrypt) },
    });
  }

  test('twelve values come from an extension that refuses parallel calls, also to two engines', async () => {
    const { clock, relays, device, settle } = world({});
    for (const category of CATEGORIES) relays[0]!.inject(written({ category, created_at: 1 }));
    const provider = refusing((then) => void clock.after(10, then));
    const [one, two] = [device({ signer: nip07Signer(provider) }), device({ signer: nip07Signer(provider) })];
    const found = await settle(Promise.all([one.syncAll(CATEGORIES), two.syncAll(CATEGORIES)]));
    expect(found.map((results) => results.length)).toEqual([12, 12]);
    await settle(Promise.all(CATEGORIES.map((category) => one.publish(category, 1, { waitFor: 'saved' }))));
    expect([...one.errors, ...two.errors]).toEqual([]);
  });

  test.each(['refuses', 'forgets'] as const)(
    'signers without a provider share the one of the page, which %s parallel calls: two engines, and one of another copy',
    async (how) => {
      const { clock, relays, urls, device, settle } = world({});
      for (const category of CATEGORIES) relays[0]!.inject(written({ category, created_at: 1 }));
      vi.resetModules();
      const copy = await import('../../src/node.ts');
      expect(copy.nip07Signer).not.toBe(nip07Signer);
      vi.stubGlobal(
        'nostr',
        refusing((then) => void clock.after(10, then), how),
      );
      const startedAt = clock.now();
      const signers = [nip07Signer(), nip07Signer()];
      const openSocket = connectTo({ [urls[0]!]: relays[0]! });
      const other = copy.createNostrSync({ clock, openSocket, relays: urls, signer: copy.nip07Signer() });
      const errors: unknown[] = [];
      other.on('error', (error) => errors.push(error));
      const devices = signers.map((signer) => device({ signer }));
      const all = [...devices, other];
      try {
        const found = await settle(Promise.all(all.map((one) => one.syncAll(CATEGORIES))));
        expect(found.map((results) => results.length)).toEqual([12, 12, 12]);
        const saving = all.map((one, i) => one.publish(`own-${i}`, 1, { waitFor: 'saved' }));
        await settle(Promise.all(saving));
        expect([...devices.flatMap((one) => one.errors), ...errors]).toEqual([]);
        // What is forgotten would be waited for much longer.
        expect(clock.now() - startedAt).toBeLessThan(10_000);
      } finally {
        await other.close();
        vi.unstubAllGlobals();
      }
    },
  );

  test('AUTH goes before what waits, and a popup that was closed holds nothing up for long', async () => {
    const { clock, relays, device } = world({ auth: 'read' });
    for (const category of CATEGORIES) relays[0]!.inject(written({ category, created_at: 1 }));
    const signer = extension();
    const laptop = device({ signer });
    laptop.subscribe(CATEGORIES, () => undefined);
    await clock.advance(MINUTE);
    expect(signer.calls.filter((call) => call !== 'getPublicKey')[0]).toBe('sign');
    expect(asked(signer, 'decrypt')).toBe(12);
    signer.calls.length = 0;
    signer.hang = (call) => call === 'encrypt' && asked(signer, call) === 1;
    void laptop.publish('a', 1).catch(() => undefined);
    void laptop.publish('b', 1).catch(() => undefined);
    await clock.advance(1_000);
    relays[0]!.disconnectAll();
    await clock.advance(19_000);
    await clock.advance(2_000);
    expect(signer.calls.indexOf('sign')).toBeLessThan(signer.calls.lastIndexOf('encrypt'));
    expect(asked(signer, 'encrypt')).toBe(2);
  });
});

describe('a popup that is closed and never settles', () => {
  test.each(['publish', 'remove', 'fetch', 'syncAll', 'poll'] as const)(
    'the signal of its caller is heard at once: %s',
    async (call) => {
      for (const at of ['getPublicKey', 'encrypt', 'sign', 'decrypt']) {
        const { clock, relays, device } = await withValue();
        const signer = extension();
        signer.hang = (one) => one === at;
        const laptop = device({ signer });
        const abort = new AbortController();
        const { signal } = abort;
        const calling = {
          publish: () => laptop.publish('settings', 1, { signal }),
          remove: () => laptop.remove('settings', { signal }),
          fetch: () => laptop.fetch('settings', { signal }),
          syncAll: () => laptop.syncAll(['settings'], { signal }),
          poll: () => laptop.poll(['settings'], { signal }),
        }[call]();
        let end: unknown;
        calling.then(
          () => (end = 'resolved'),
          (error: unknown) => (end = error),
        );
        await clock.advance(1_000);
        abort.abort(new Error('the user left'));
        await clock.advance(0);
        const isWrite = call === 'publish' || call === 'remove';
        const needs = isWrite ? ['encrypt', 'sign', 'decrypt'] : ['decrypt'];
        if (at === 'getPublicKey' || needs.includes(at)) {
          expect(end).toMatchObject({ message: 'the user left' });
          expect(received(relays[0]!, 'EVENT')).toEqual([]);
        } else expect(end).toBe('resolved');
        await laptop.close();
      }
    },
  );

  test.each(['update', 'reset', 'restore', 'readVersion'] as const)(
    'the signal of its caller is heard at once, over what the process before has left: %s',
    async (call) => {
      for (const at of ['getPublicKey', 'encrypt', 'sign', 'decrypt']) {
        const { clock, relays, device, settle } = world({});
        const store = { ...memoryStore(), close: async () => undefined };
        const before = device({ store });
        for (const value of ['former', 'latest'])
          await settle(before.publish('settings', value, { waitFor: 'replicated' }));
        const [{ eventId } = { eventId: '' }] = (await settle(before.history('settings'))).slice(1);
        await settle(before.close());
        if (call === 'reset') {
          const created_at = Math.floor(clock.now() / 1000) + 2 * 86_400;
          relays[0]!.inject(written({ payload: 'of the future', created_at }));
        }
        const sent = received(relays[0]!, 'EVENT').length;
        const signer = extension();
        signer.hang = (one) => one === at;
        const laptop = device({ store, signer });
        const abort = new AbortController();
        const { signal } = abort;
        const calling = {
          update: () => laptop.update('settings', (now) => [now], { signal }),
          reset: () => laptop.reset('settings', { signal }),
          restore: () => laptop.restore('settings', eventId, { signal }),
          readVersion: () => laptop.readVersion('settings', eventId, { signal }),
        }[call]();
        let end: unknown;
        calling.then(
          () => (end = 'resolved'),
          (error: unknown) => (end = error),
        );
        await clock.advance(15_000);
        expect(signer.calls).toContain(call === 'readVersion' && at !== 'getPublicKey' ? 'decrypt' : at);
        abort.abort(new Error('the user left'));
        await clock.advance(0);
        if (call === 'readVersion' && ['encrypt', 'sign'].includes(at)) expect(end).toBe('resolved');
        else expect(end).toMatchObject({ message: 'the user left' });
        await clock.advance(10 * MINUTE);
        expect(received(relays[0]!, 'EVENT')).toHaveLength(sent);
        await laptop.close();
      }
    },
  );

  test('a newer write of the category does not wait for it to the end, and settles the one before', async () => {
    const { clock, relays, device, settle } = world({});
    const signer = extension();
    const laptop = device({ signer });
    await settle(laptop.fetch('settings'));
    signer.hang = (call) => call === 'encrypt' && asked(signer, call) === 1;
    const first = laptop.publish('settings', 'first');
    await clock.advance(60_000);
    const startedAt = clock.now();
    const second = await settle(laptop.publish('settings', 'second'));
    expect(clock.now() - startedAt).toBeLessThan(25_000);
    expect(await first).toMatchObject({ eventId: second.eventId });
    expect(stored(relays[0]!)).toHaveLength(1);
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'second' });
  });

  test('an abort settles its own call alone: others are settled by what they wrote', async () => {
    const { clock, device, settle } = world({});
    const signer = extension();
    const laptop = device({ signer });
    await settle(laptop.fetch('settings'));
    signer.hang = (call) => call === 'encrypt' && asked(signer, call) <= 2;
    const [first, second] = [new AbortController(), new AbortController()];
    const calls: Promise<unknown>[] = [];
    for (const [value, signal] of [
      ['running', first.signal],
      ['older', undefined],
      ['newer', second.signal],
    ] as const) {
      calls.push(laptop.publish('settings', value, signal && { signal }));
      await clock.advance(1_000);
    }
    const ends = Promise.allSettled(calls);
    first.abort();
    // The signer is asked for the newer one by now, in the place of the older one.
    await clock.advance(1_000);
    second.abort();
    expect((await settle(ends)).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected']);
    expect(await settle(laptop.fetch('settings'))).toMatchObject({ payload: 'older' });
  });

  test('a hung getPublicKey blocks nothing that needs no signer', async () => {
    const { clock, urls, device } = world({});
    const signer = extension();
    signer.hang = () => true;
    const laptop = device({ signer });
    const ends: string[] = [];
    const note = (name: string) => () => void ends.push(name);
    await clock.advance(1_000);
    void laptop.getStatus().then(note('getStatus'));
    void laptop.getRelays().then(note('getRelays'));
    void laptop.addRelay('wss://other.example').then(note('addRelay'));
    void laptop.removeRelay(urls[0]!).then(note('removeRelay'));
    void laptop.flush().then(note('flush'));
    await clock.advance(0);
    expect(ends.toSorted()).toEqual(['addRelay', 'flush', 'getRelays', 'getStatus', 'removeRelay']);
    void laptop.clearSigner().then(note('clearSigner'));
    void laptop.setSigner(signer).catch(() => undefined);
    void laptop.close().then(note('close'));
    await clock.advance(0);
    expect(ends.slice(5)).toEqual(['clearSigner', 'close']);
    expect(clock.pending).toBe(0);
  });
});

describe('a start that failed', () => {
  test('for lack of an extension is SIGNER_NOT_SET, and made good by itself once there is one', async () => {
    const { clock, device } = await withValue();
    const laptop = device({ signer: nip07Signer() });
    const seen: unknown[] = [];
    laptop.subscribe(['settings'], ({ payload }) => seen.push(payload));
    await clock.advance(1_000);
    expect(laptop.errors.map(({ code }) => code)).toEqual(['SIGNER_NOT_SET']);
    Object.assign(globalThis, { nostr: extension() });
    try {
      await clock.advance(MINUTE);
      expect(seen).toEqual(['good']);
      expect(await laptop.getPubkey()).toBe(PUBKEY);
    } finally {
      delete (globalThis as { nostr?: unknown }).nostr;
    }
  });

  test('for a busy store is made good by itself, also where the app only subscribes', async () => {
    const { clock, device } = await withValue();
    let isBusy = true;
    const inner = memoryStore();
    const busy =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        if (isBusy) throw new Error('database is locked');
        return call(...args);
      };
    const store = { ...inner, get: busy(inner.get), update: busy(inner.update), list: busy(inner.list) };
    const laptop = device({ store });
    const seen: unknown[] = [];
    laptop.subscribe(['settings'], ({ payload }) => seen.push(payload));
    await clock.advance(10_000);
    isBusy = false;
    await clock.advance(MINUTE);
    expect(seen).toEqual(['good']);
  });

  test('is tried again after longer and longer pauses, from a second up', async () => {
    const { clock, device } = world({});
    const signer = extension();
    const askedAt: number[] = [];
    signer.refuse = (call) => call === 'getPublicKey' && askedAt.push(clock.now()) > 0;
    device({ signer });
    for (let s = 0; s < 600; s++) await clock.advance(1_000);
    expect(askedAt.length).toBeGreaterThan(3);
    expectGrowing(askedAt);
  });

  test('because a person said no is tried a few times, and not for ever', async () => {
    const { clock, device } = world({});
    const signer = extension();
    signer.refuse = () => true;
    device({ signer });
    await clock.advance(24 * 60 * MINUTE);
    expect(asked(signer, 'getPublicKey')).toBeLessThanOrEqual(6);
  });
});

describe('the key in memory', () => {
  test('is wiped by close, and where another signer is set', async () => {
    const { device, settle } = world({});
    const [first, second] = [secretKeySigner(KEY), secretKeySigner(OTHER_KEY)];
    const laptop = device({ signer: first });
    await settle(laptop.setSigner(first));
    expect(await first.getPublicKey()).toBe(PUBKEY);
    await settle(laptop.setSigner(second));
    await expect(first.getPublicKey()).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
    await settle(laptop.close());
    await expect(second.getPublicKey()).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
  });

  test('stays with keepSigner, for a signer that two engines share, until one of them clears it', async () => {
    const { device, settle } = world({});
    const signer = secretKeySigner(KEY);
    const [one, two, three] = [1, 2, 3].map(() => device({ signer, keepSigner: true })) as [
      ReturnType<typeof device>,
      ReturnType<typeof device>,
      ReturnType<typeof device>,
    ];
    await settle(one.close());
    await settle(two.setSigner(secretKeySigner(OTHER_KEY)));
    expect(await settle(three.publish('settings', 1))).toMatchObject({ stage: 'delivered' });
    await three.clearSigner();
    await expect(signer.getPublicKey()).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
  });
});
