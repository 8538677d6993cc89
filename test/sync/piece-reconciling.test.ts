/** A large value on relays that reconcile: what was sent is not sent back to prove that it is there. */

import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { NostrEvent } from '../../src/node.ts';
import type { Relay } from '../../src/testing/relay.ts';
import { received, world } from './devices.ts';

const LARGE = { maxPayloadSize: 409_600 };

/** Characters. */
function sentBy({ frames }: Relay): number {
  const out = frames.filter(({ direction }) => direction === 'out');
  return out.reduce((all, { frame }) => all + JSON.stringify(frame).length, 0);
}

/** Some 130 KB that deflate makes little of. */
const noise = (seed: string): string =>
  Array.from({ length: 3_000 }, (_, i) => createHash('sha256').update(`${seed} ${i}`).digest('base64')).join(
    '',
  );

test.each(['answers', 'notice'] as const)(
  'is proven to be there (NIP-77: %s), and sent back only if that need be',
  async (negentropy) => {
    const it = world({ frameLogSize: 1_000_000, negentropy });
    const [relay] = it.relays;
    const laptop = it.device(LARGE);
    // By then it is known whether the relay reconciles.
    await it.settle(laptop.publish('other', 1, { waitFor: 'replicated' }));
    const { stage } = await it.settle(laptop.publish('settings', noise('first'), { waitFor: 'replicated' }));
    expect(stage).toBe('replicated');
    expect(received(relay!, 'EVENT').length).toBeGreaterThan(4);
    if (negentropy === 'answers') expect(sentBy(relay!)).toBeLessThan(6_000);
    else expect(sentBy(relay!)).toBeGreaterThan(100_000);
    expect(await it.settle(it.device(LARGE).fetch('settings'))).toMatchObject({ payload: noise('first') });
  },
);

test('a piece that the relay has lost is found out and sent again', async () => {
  const it = world({ frameLogSize: 1_000_000 });
  const [relay] = it.relays;
  const laptop = it.device(LARGE);
  await it.settle(laptop.publish('first', noise('first'), { waitFor: 'replicated' }));
  await it.clock.advance(10_000);
  let dropped: string | undefined;
  relay!.misbehave({
    receive: (frame) => {
      const [type, event] = frame as [string, NostrEvent & { id: string }];
      if (type !== 'EVENT' || !event.tags[0]![1]!.includes('/c/')) return undefined;
      relay!.misbehave({ forget: dropped === undefined });
      dropped ??= event.id;
      return undefined;
    },
  });
  await it.settle(laptop.publish('second', noise('second'), { waitFor: 'replicated' }));
  expect(
    received(relay!, 'EVENT').filter(([, event]) => (event as { id: string }).id === dropped),
  ).toHaveLength(2);
  const phone = it.device(LARGE);
  expect(await it.settle(phone.fetch('second'))).toMatchObject({ payload: noise('second') });
});
