/** A person who says no to AUTH (NIP-42) is not asked again by the engine, however often the relay comes back. */

import { expect, test } from 'vitest';
import { secretKeySigner, type Signer } from '../../src/node.ts';
import { KIND_AUTH } from '../../src/protocol/limits.ts';
import { health, KEY, received, world, written } from './devices.ts';

const MINUTE = 60_000;

/** A signer that signs everything but AUTH, until it is told to, and counts what it was asked. */
function decliningSigner(): { readonly signer: Signer; prompts: number; isWilling: boolean } {
  const { isLocal: _, ...inner } = secretKeySigner(KEY);
  const made = {
    prompts: 0,
    isWilling: false,
    signer: {
      ...inner,
      signEvent: async (template) => {
        if (template.kind !== KIND_AUTH) return inner.signEvent(template);
        made.prompts++;
        if (!made.isWilling) throw new Error('The user said no');
        return inner.signEvent(template);
      },
    } as Signer,
  };
  return made;
}

test('one no is remembered over minutes and reconnects, until a signer is set or the relay is added again', async () => {
  const { clock, relays, urls, device, settle } = world({ auth: 'both' });
  const relay = relays[0]!;
  relay.inject(written({ payload: 'good', created_at: Math.floor(clock.now() / 1000) - 60 }));
  const person = decliningSigner();
  const laptop = device({ signer: person.signer, keepSigner: true });
  const seen: unknown[] = [];
  laptop.subscribe(['settings'], ({ payload }) => seen.push(payload));
  const connections = (): number => new Set(relay.frames.map(({ connection }) => connection)).size;
  /** How many prompts there are by what is done, and in the minutes after it, with reads, writes and lost connections. */
  const promptsAfter = async (act?: () => Promise<void>): Promise<number> => {
    const before = person.prompts;
    await act?.();
    const connectionsBefore = connections();
    for (let lap = 0; lap < 4; lap++) {
      await settle(laptop.publish('other', lap, { waitFor: 'saved' }));
      void laptop.fetch('settings').catch(() => undefined);
      await clock.advance(2 * MINUTE);
      relay.disconnectAll();
      await clock.advance(2 * MINUTE);
    }
    // Each time the relay has asked anew.
    expect(connections() - connectionsBefore).toBeGreaterThanOrEqual(4);
    return person.prompts - before;
  };

  expect(await promptsAfter()).toBe(1);
  expect(await promptsAfter(() => settle(laptop.setSigner(person.signer)))).toBe(1);
  expect(await promptsAfter(() => laptop.addRelay(urls[0]!))).toBe(1);
  // Another relay is nothing to this one.
  expect(await promptsAfter(() => laptop.addRelay('wss://other.example'))).toBe(0);
  expect(received(relay, 'AUTH')).toEqual([]);
  expect(await health(laptop, urls[0]!)).toMatchObject({ auth: 'required' });

  person.isWilling = true;
  await laptop.addRelay(urls[0]!);
  await clock.advance(MINUTE);
  expect(await health(laptop, urls[0]!)).toMatchObject({ auth: 'accepted' });
  expect(seen).toEqual(['good']);
});
