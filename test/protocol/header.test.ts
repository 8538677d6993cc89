/** Tags, both ways: by the vectors that the simulator and the Rust half read as well, and for any header. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NostrEvent } from '../../src/protocol/event.ts';
import {
  deletionTags,
  deviceIdOf,
  dTagOf,
  endedTags,
  hasSameTags,
  headerOf,
  isExpired,
  parseEntries,
  parseVoids,
  pieceTombstoneTags,
  renewedTags,
  restampedTags,
  schemaOf,
  tagsOf,
  type Header,
} from '../../src/protocol/header.ts';
import type { Voids } from '../../src/protocol/voids.ts';
import { anAddress, anId } from '../names.ts';
import {
  AGAIN,
  asMap,
  byName,
  CREATED_AT,
  DELETIONS,
  PIECE_TOMBSTONES,
  PUBKEY,
  READ,
  WRITTEN,
  type TagVector,
} from '../support/tag-vectors.ts';

const eventOf = (tags: TagVector['tags']): NostrEvent => ({
  ...{
    id: anId('0'.repeat(64)),
    pubkey: PUBKEY,
    kind: 30_078,
    created_at: CREATED_AT,
    tags,
    content: '',
    sig: '',
  },
});

const voidsIn = (voids: Parameters<typeof asMap>[0]): Voids =>
  new Map([...asMap(voids)!].map(([id, stamp]) => [anId(id), stamp]));

const addressed = (header: Header<string>): Header => ({ ...header, address: anAddress(header.address) });

function headerIn({ header }: TagVector): Header | undefined {
  if (header === null) return undefined;
  const { address, isRemoval } = header;
  return {
    address: anAddress(address),
    deviceId: header.deviceId ?? undefined,
    expiration: header.expiration ?? undefined,
    isRemoval,
    format: header.format ?? undefined,
    schema: header.schema === null ? undefined : { version: header.schema[0], writableBy: header.schema[1] },
    vector: asMap(header.vector),
    voids: voidsIn(header.voids),
  };
}

describe('written', () => {
  test.each(byName(WRITTEN))('%s', (_, vector) => {
    expect(tagsOf(headerIn(vector)!)).toEqual(vector.tags);
  });

  test('what is not there has no tag', () => {
    expect(tagsOf({ address: anAddress('a/b/v1') })).toEqual([['d', 'a/b/v1']]);
  });

  test('what is void is sorted, in whatever order it was heard of', () => {
    const voids = ['b', 'c', 'a'].map((c) => [anId(c.repeat(64)), CREATED_AT] as const);
    const [, tag] = tagsOf({ address: anAddress('a/b/v1'), voids: new Map(voids) });
    expect(tag).toEqual(['void', ...['a', 'b', 'c'].map((c) => `${c.repeat(64)}:${CREATED_AT}`)]);
  });

  test.each(byName(PIECE_TOMBSTONES))('%s', (_, { header, tags }) => {
    expect(pieceTombstoneTags(anAddress(header!.address), header!.expiration!)).toEqual(tags);
  });

  test.each(byName(DELETIONS.filter(({ names }) => names !== null)))(
    'a deletion of %s',
    (_, { names, tags }) => {
      const { ids, addresses, ...more } = names!;
      const named = { ids: ids.map(anId), ...(addresses && { addresses: addresses.map(anAddress) }) };
      expect(deletionTags({ author: PUBKEY, ...named, ...more })).toEqual(tags);
    },
  );
});

describe('read', () => {
  test.each(byName(READ))('%s', (_, vector) => {
    expect(headerOf(eventOf(vector.tags))).toEqual(headerIn(vector));
  });

  test('the author stands for a device that is not named', () => {
    for (const { tags, header } of READ.filter(({ header }) => header !== null))
      expect(deviceIdOf(eventOf(tags))).toBe(header!.deviceId ?? PUBKEY);
  });

  test('one d-tag or none', () => {
    expect(dTagOf(eventOf([['d', 'a']]))).toBe('a');
    const twice = [
      ['d', 'a'],
      ['d', 'a'],
    ];
    expect(dTagOf(eventOf(twice))).toBeUndefined();
  });

  test('when it expires, to the second', () => {
    const event = eventOf([['expiration', '100']]);
    expect(isExpired(event, 99)).toBe(false);
    expect(isExpired(event, 100)).toBe(true);
    expect(isExpired(eventOf([]), Infinity)).toBe(false);
    expect(isExpired(eventOf([['expiration', 'soon']]), Infinity)).toBe(false);
  });

  test('entries that a store holds may be anything', () => {
    expect(parseEntries([{}, null], 1)).toBeUndefined();
    expect(parseEntries(['01234567:1', 7], 1)).toBeUndefined();
    expect(parseVoids([null])).toBeUndefined();
  });
});

describe('written and read', () => {
  const stamp = fc.integer({ min: 0, max: CREATED_AT });
  const hex = (digits: number): fc.Arbitrary<string> =>
    fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`));
  const mapOf = (digits: number, stamps: fc.Arbitrary<number>): fc.Arbitrary<ReadonlyMap<string, number>> =>
    fc.array(fc.tuple(hex(digits), stamps), { maxLength: 16 }).map((entries) => new Map(entries));
  const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined });
  const schema = fc
    .tuple(fc.integer({ min: 1, max: 999_999 }), fc.integer({ min: 1, max: 999_999 }))
    .map(([a, b]) => ({ version: Math.max(a, b), writableBy: Math.min(a, b) }));
  const header = fc.record({
    address: fc.string().map(anAddress),
    deviceId: maybe(fc.string({ minLength: 1, maxLength: 128 })),
    expiration: maybe(fc.integer({ min: 0, max: 999_999_999_999 })),
    isRemoval: fc.boolean(),
    format: maybe(fc.string()),
    schema: maybe(schema),
    vector: maybe(mapOf(8, stamp)),
    voids: mapOf(64, fc.integer({ min: CREATED_AT, max: 999_999_999_999 })).map(
      (voids) => new Map([...voids].map(([id, stamp]) => [anId(id), stamp])),
    ),
  });

  test('every header is the same', () => {
    fc.assert(
      fc.property(header, (written) => {
        const read = headerOf(eventOf(tagsOf(written)));
        expect(read).toEqual(written);
        // Not only the same entries: the first of a vector is its writer's.
        expect([...(read!.vector ?? [])]).toEqual([...(written.vector ?? [])]);
      }),
    );
  });

  test('a header that was read is written as it stood', () => {
    fc.assert(
      fc.property(header, (written) => {
        const tags = tagsOf(written);
        expect(tagsOf(addressed(headerOf(eventOf(tags))!))).toEqual(tags);
      }),
    );
  });

  test('whatever the tags are, what is read of them can be written, and says the same', () => {
    const name = fc.constantFrom(
      'd',
      'device_id',
      'expiration',
      'deleted',
      'format',
      'schema',
      'vv',
      'void',
      'e',
      '',
    );
    const value = fc.oneof(
      fc.string(),
      fc.integer().map(String),
      fc.tuple(hex(8), stamp).map((pair) => pair.join(':')),
      fc.tuple(hex(64), stamp).map((pair) => pair.join(':')),
    );
    const tag = fc.tuple(name, fc.array(value, { maxLength: 3 })).map(([first, rest]) => [first, ...rest]);
    fc.assert(
      fc.property(fc.string(), fc.array(tag, { maxLength: 8 }), (address, tags) => {
        const read = headerOf(eventOf([['d', address], ...tags.filter(([first]) => first !== 'd')]));
        expect(headerOf(eventOf(tagsOf(addressed(read!))))).toEqual(read);
      }),
    );
  });
});

describe('said again', () => {
  test.each(byName(AGAIN))('%s', (_, { tags, voids, renewed, ended }) => {
    expect(renewedTags(tags, voidsIn(voids))).toEqual(renewed);
    expect(endedTags(renewed)).toEqual(ended);
  });

  test('under another stamp it has another vector, in the same place', () => {
    const tags = [['d', 'a/b/v1'], ['vv', '01234567:9'], ['client']];
    expect(restampedTags(tags, new Map([['01234567', 5]]))).toEqual([
      ['d', 'a/b/v1'],
      ['vv', '01234567:5'],
      ['client'],
    ]);
    expect(restampedTags([['d', 'a/b/v1']], new Map())).toEqual([['d', 'a/b/v1']]);
  });

  test('the tags are the same, whatever is void', () => {
    const one = [['d', 'a'], ['vv']];
    expect(hasSameTags(eventOf(one), eventOf([['void', 'x'], ...one]))).toBe(true);
    expect(hasSameTags(eventOf(one), eventOf([['d', 'a']]))).toBe(false);
    expect(hasSameTags(eventOf(one), eventOf([['d', 'b'], ['vv']]))).toBe(false);
    expect(hasSameTags(eventOf(one), eventOf([['vv'], ['d', 'a']]))).toBe(false);
  });
});

describe('the version of the data', () => {
  const D = ['d', anAddress('default/settings/v1')] as const;
  const saidBy = (...values: readonly string[]): unknown => schemaOf(eventOf([D, ['schema', ...values]]));

  test.each([
    ['3', '2'],
    ['3', '3'],
    ['123456', '1'],
    ['999999', '999999'],
  ])('%s, to be written by %s, is read as it is written', (version, writableBy) => {
    const schema = { version: Number(version), writableBy: Number(writableBy) };
    expect(saidBy(version, writableBy)).toEqual(schema);
    const header = headerOf(eventOf([D, ['device_id', 'laptop']]))!;
    expect(tagsOf({ ...header, schema } as Header)).toContainEqual(['schema', version, writableBy]);
    expect(tagsOf(header as Header).some(([name]) => name === 'schema')).toBe(false);
  });

  test.each([
    [],
    ['3'],
    ['', '1'],
    ['3', ''],
    ['x', '1'],
    ['3', 'x'],
    ['0', '0'],
    ['03', '1'],
    ['3', '01'],
    ['a3', '1'],
    ['3a', '1'],
    ['1234567', '1'],
    ['2', '3'],
    ['-1', '1'],
  ])('%s %s says nothing', (...values) => {
    expect(saidBy(...values)).toBe(undefined);
  });

  test('no tag says nothing', () => {
    expect(schemaOf(eventOf([D]))).toBe(undefined);
  });
});
