/**
 * MESSAGES (10,000) of reconciliations, changed by what SEED draws, to both sides of NIP-77: each is refused by a typed answer, or
 * taken; nothing throws, what is said back is bounded and well-formed, and no id is claimed that was not said.
 */

import { expect, test } from 'vitest';
import { createReconciliation, createResponder } from '../../src/protocol/negentropy.ts';
import type { Place } from '../../src/protocol/order.ts';
import { anId } from '../names.ts';
import { createRandom, numberFrom, type Random } from '../support/random.ts';
import { junkText, mutateText } from './mutate.ts';

const MESSAGES = numberFrom('MESSAGES', 10_000);
const SEED = numberFrom('SEED', Date.now() % 1_000_000);
const MAX_BYTES = 4_096;

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function someEvents(random: Random): Place[] {
  return Array.from({ length: random.below(200) }, () => ({
    id: anId(hexOf(random.bytes(32))),
    created_at: random.below(random.chance(0.5) ? 3 : 2_000_000_000),
  }));
}

/** A message that is none, or not quite. */
function spoiled(random: Random, message: string): string {
  const at = random.below(message.length);
  const digits = (): string => hexOf(random.bytes(1 + random.below(4)));
  return random.pick([
    () => junkText(random),
    () => mutateText(random, message),
    () => message.slice(0, at),
    () => message.slice(0, at) + digits() + message.slice(at),
    () => `61${hexOf(random.bytes(random.below(100)))}`,
    () => message.slice(0, at - (at % 2)) + digits() + message.slice(at - (at % 2) + 2),
    () => message + message.slice(2),
  ])();
}

test(
  `${MESSAGES} messages, SEED=${SEED}: none throws, or makes either side say more than it may`,
  { timeout: 60_000 + MESSAGES * 20 },
  () => {
    const random = createRandom(SEED);
    const counts = { refused: 0, taken: 0, done: 0 };
    for (let said = 0; said < MESSAGES;) {
      const [ours, theirs] = [someEvents(random), someEvents(random)];
      if (random.chance(0.5)) theirs.push(...ours);
      const client = createReconciliation(ours, MAX_BYTES);
      const respond = createResponder(theirs, MAX_BYTES);
      let message = client.open();
      let claimed = '';
      for (let round = 0; round < 10; round++, said++) {
        const question = random.chance(0.3) ? spoiled(random, message) : message;
        const answer = respond(question);
        if (answer.type === 'malformed') {
          expect(answer.expected).not.toBe('');
          counts.refused++;
          continue;
        }
        expect(answer.message).toMatch(/^61(?:[0-9a-f]{2})*$/);
        expect(answer.message.length).toBeLessThanOrEqual(2 * MAX_BYTES);
        const given = random.chance(0.3) ? spoiled(random, answer.message) : answer.message;
        claimed += given;
        const step = client.take(given);
        if (step.type === 'malformed') counts.refused++;
        if (step.type === 'done') counts.done++;
        if (step.type !== 'next') break;
        counts.taken++;
        expect(step.message.length).toBeLessThanOrEqual(2 * MAX_BYTES);
        ({ message } = step);
      }
      const mine = new Set<string>(ours.map(({ id }) => id));
      expect([...client.have].filter((id) => !mine.has(id))).toEqual([]);
      expect([...client.need].filter((id) => mine.has(id) || !claimed.includes(id))).toEqual([]);
    }
    console.info(`negentropy: SEED=${SEED} ${JSON.stringify(counts)}`);
    if (MESSAGES >= 5_000)
      for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
  },
);
