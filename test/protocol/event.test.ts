/** Received events: every check, in its order, the costly ones last; and that a forgery never shadows the genuine event. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodePrimitives } from '../../src/crypto/node-primitives.ts';
import { createEventVerifier } from '../../src/protocol/event-verifier.ts';
import {
  checkEvent,
  deletionOf,
  parseEvent,
  type EventCheck,
  type NostrEvent,
  type VerifiedEvent,
} from '../../src/protocol/event.ts';
import type { Address } from '../../src/protocol/address.ts';
import { compareEvents } from '../../src/protocol/order.ts';
import { anId } from '../names.ts';
import { OTHER_KEY, PUBKEY, written } from '../sync/devices.ts';

const real = createEventVerifier(nodePrimitives);
const genuine = written();

/** Checks `value` and notes which of the costly checks it came to. */
function check(value: unknown, known?: NostrEvent): { outcome: EventCheck; steps: string[] } {
  const steps: string[] = [];
  const outcome = checkEvent(value, {
    pubkey: PUBKEY,
    isAsked: (dTag): dTag is Address => dTag === 'default/settings/v1',
    known: () => (steps.push('known?'), known as VerifiedEvent | undefined),
    verifier: {
      hash: (event) => (steps.push('hash'), real.hash(event)),
      verifySignature: (event) => (steps.push('signature'), real.verifySignature(event)),
    },
  });
  return { outcome, steps };
}

const changed = (changes: Partial<Record<keyof NostrEvent, unknown>>): object => ({ ...genuine, ...changes });

test('a deletion request names one event by its id, and the kind', () => {
  expect(deletionOf(anId(genuine.id), 7)).toEqual({
    ...{ kind: 5, created_at: 7, content: '' },
    tags: [
      ['e', genuine.id],
      ['k', '30078'],
    ],
  });
});

test('an event that a reset has voided is told as such, without a look at its signature', () => {
  const asked: unknown[] = [];
  const outcome = (isVoid: boolean): EventCheck =>
    checkEvent(genuine, {
      pubkey: PUBKEY,
      isAsked: (dTag): dTag is Address => dTag !== '',
      known: () => undefined,
      isVoid: (dTag, event) => (asked.push([dTag, event]), isVoid),
      verifier: { ...real, verifySignature: (event) => !isVoid && real.verifySignature(event) },
    });
  expect(outcome(true)).toEqual({ type: 'void', event: genuine, dTag: 'default/settings/v1' });
  expect(outcome(false)).toMatchObject({ type: 'new' });
  expect(asked[0]).toEqual(['default/settings/v1', genuine]);
});

describe('a received event', () => {
  test('that is genuine passes every check', () => {
    const { outcome, steps } = check(genuine);
    expect(outcome).toEqual({ type: 'new', event: genuine, dTag: 'default/settings/v1' });
    expect(steps).toEqual(['hash', 'known?', 'signature']);
  });

  test.each([
    ['no object', 'event'],
    ['null', null],
    ['nothing', undefined],
    ['an array', []],
    ['an id in upper case', changed({ id: genuine.id.toUpperCase() })],
    ['a short id', changed({ id: genuine.id.slice(1) })],
    ['an id with a newline', changed({ id: `${genuine.id}\n` })],
    ['a short signature', changed({ sig: genuine.sig.slice(2) })],
    ['a numeric pubkey', changed({ pubkey: 7 })],
    ['a fractional stamp', changed({ created_at: 1.5 })],
    ['a negative stamp', changed({ created_at: -1 })],
    ['a stamp beyond the year 9999', changed({ created_at: 253_402_300_800 })],
    ['a stamp as text', changed({ created_at: '1' })],
    ['a kind of 65,536', changed({ kind: 65_536 })],
    ['tags that are no list', changed({ tags: { d: 'x' } })],
    ['a tag that is no list', changed({ tags: ['d'] })],
    ['a tag with a number', changed({ tags: [['d', 1]] })],
    // Found by the differential fuzzer: what we took, the Rust SDK did not.
    ['a tag of 65 values', changed({ tags: [Array.from({ length: 65 }, () => 't')] })],
    ['a tag with null', changed({ tags: [['d', null]] })],
    ['a tag with a short list', changed({ tags: [['d', ['x']]] })],
    ['an id that is a list of one', changed({ id: [genuine.id] })],
    ['a signature that is a list of one', changed({ sig: [genuine.sig] })],
    ['a tag of nothing', changed({ tags: [['d', 'x'], []] })],
    ['65 tags', changed({ tags: Array.from({ length: 65 }, () => ['t', '']) })],
    ['a tag of 4,097 characters', changed({ tags: [['d', 'x'.repeat(4_097)]] })],
    ['content that is no text', changed({ content: null })],
    ['content of 131,073 characters', changed({ content: 'x'.repeat(131_073) })],
  ])('with %s fails by its shape, at no cost', (_, value) => {
    expect(check(value)).toEqual({ outcome: { type: 'rejected', fault: 'shape' }, steps: [] });
  });

  test.each([
    ['author', written({ key: OTHER_KEY })],
    ['kind', written({ kind: 30079 })],
    ['kind', written({ kind: 1 })],
    ['d-tag', written({ category: 'another' })],
    ['d-tag', written({ dTags: [] })],
    ['d-tag', written({ dTags: [['d']] })],
    [
      'd-tag',
      written({
        dTags: [
          ['d', 'default/settings/v1'],
          ['d', 'default/settings/v1'],
        ],
      }),
    ],
    [
      'd-tag',
      written({
        dTags: [
          ['d', 'default/settings/v1'],
          ['d', 'default/other/v1'],
        ],
      }),
    ],
    ['d-tag', written({ dTags: [['d', 'default/settings/v1/']] })],
  ])('of another %s fails before anything is hashed', (fault, event) => {
    expect(check(event)).toEqual({ outcome: { type: 'rejected', fault }, steps: [] });
  });

  test.each([
    ['content', changed({ content: written({ payload: 'else' }).content })],
    ['stamp', changed({ created_at: genuine.created_at + 1 })],
    ['tags', changed({ tags: [...genuine.tags, ['expiration', '1']] })],
    ['id', changed({ id: written({ payload: 'else' }).id })],
  ])('with another %s than it was signed with fails by its id, before the signature', (_, event) => {
    expect(check(event)).toEqual({ outcome: { type: 'rejected', fault: 'id' }, steps: ['hash'] });
  });

  test.each([
    ['another event', written({ payload: 'else' }).sig],
    ['nothing', '0'.repeat(128)],
    ['one flipped bit', genuine.sig.replace(/.$/, (c) => (Number.parseInt(c, 16) ^ 1).toString(16))],
  ])('with the signature of %s fails', (_, sig) => {
    expect(check(changed({ sig })).outcome).toEqual({ type: 'rejected', fault: 'signature' });
  });

  test('that is a copy of the known one costs no signature, but its id must be its own', () => {
    expect(check(genuine, genuine)).toEqual({
      outcome: { type: 'known', event: genuine, dTag: 'default/settings/v1' },
      steps: ['hash', 'known?'],
    });
    const disguised = { ...written({ payload: 'else' }), id: genuine.id };
    expect(check(disguised, genuine)).toEqual({
      outcome: { type: 'rejected', fault: 'id' },
      steps: ['hash'],
    });
  });

  test('that is the known one under a bad signature fails: whoever keeps it so could show it to nobody else', () => {
    expect(check(changed({ sig: '0'.repeat(128) }), genuine)).toEqual({
      outcome: { type: 'rejected', fault: 'signature' },
      steps: ['hash', 'known?', 'signature'],
    });
  });

  test('that is below the known one costs no signature, and is believed by nobody', () => {
    const stamps = [genuine.created_at - 1, genuine.created_at];
    for (const created_at of stamps) {
      const other = written({ payload: 'else', created_at });
      const [low, high] = compareEvents(other, genuine) < 0 ? [other, genuine] : [genuine, other];
      expect(check(low, high)).toEqual({
        outcome: { type: 'old', event: low, dTag: 'default/settings/v1' },
        steps: ['hash', 'known?'],
      });
      expect(check(high, low)).toMatchObject({
        outcome: { type: 'new' },
        steps: ['hash', 'known?', 'signature'],
      });
    }
  });

  test.each([
    ['kind 0', { kind: 0 }],
    ['kind 65,535', { kind: 65_535 }],
    ['a stamp of 0', { created_at: 0 }],
    ['the last second of the year 9999', { created_at: 253_402_300_799 }],
    ['64 tags', { tags: Array.from({ length: 64 }, () => ['t']) }],
    ['a tag of 64 values', { tags: [Array.from({ length: 64 }, () => 't')] }],
    ['a tag of 4,096 characters', { tags: [['d', 'x'.repeat(4_096)]] }],
    ['content of 131,072 characters', { content: 'x'.repeat(131_072) }],
    ['no content', { content: '' }],
  ])('may have %s', (_, changes) => {
    expect(parseEvent(changed(changes))).toEqual(changed(changes));
  });

  test('loses the fields that NIP-01 does not know', () => {
    expect(parseEvent({ ...genuine, verified: true, [Symbol('verified')]: true })).toEqual(genuine);
  });

  test('of any shape never throws, and passes only if it is the genuine one', () => {
    const field = fc.constantFrom(...Object.keys(genuine));
    fc.assert(
      fc.property(field, fc.jsonValue(), (name, value) => {
        const { outcome } = check({ ...genuine, [name]: value });
        if (outcome.type !== 'rejected') expect(value).toEqual(genuine[name as keyof NostrEvent]);
      }),
    );
  });
});
