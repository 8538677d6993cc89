/** What is taken along from former keys, and what is remembered of it: without an engine. */

import { expect, test } from 'vitest';
import { formerKeysOf } from '../../src/engine/former.ts';
import { asAddress, type EventId } from '../../src/protocol/address.ts';
import { generateKey, memoryStore, secretKeySigner, type Signer, type Store } from '../../src/node.ts';
import type { Session } from '../../src/sync/session.ts';
import type { CarriedValue } from '../../src/sync/values/carried-values.ts';
import { bringing, type FormerKey } from '../../src/unlock/moving.ts';

const namespace = 'my-app';
const signerOf = (): Signer => secretKeySigner(generateKey());
const keyOf = async (signer: Signer): Promise<FormerKey> => ({ pubkey: await signer.getPublicKey(), signer });
const valueOf = (category: string, of = category): CarriedValue => ({
  dTag: asAddress(`${namespace}/${category}/v1`),
  of: of as EventId,
  text: '1',
  stamp: 5,
  expiration: undefined,
});

/** The session of a former key, which has these values. */
const former = ({ pubkey }: FormerKey, values: readonly CarriedValue[]): Session =>
  ({
    pubkey,
    setSigner: () => undefined,
    network: { ask: async () => Promise.resolve({ complete: [], incomplete: [] }) },
    opened: { replica: { dTags: () => [] } },
    valuesToCarry: async () => Promise.resolve(values),
  }) as unknown as Session;

/** The session of the key that counts: what was taken along, and what still waits. */
function joined(store: Store): {
  readonly session: Session;
  readonly taken: CarriedValue[];
  readonly waiting: string[];
} {
  const [taken, waiting]: [CarriedValue[], string[]] = [[], []];
  const carrying = {
    dTags: () => waiting,
    carry: async (values: readonly CarriedValue[], how: unknown, also: ReadonlyMap<string, string>) => {
      expect(how).toBeUndefined();
      taken.push(...values);
      await store.update([], () => also);
    },
  };
  return { session: { carrying } as unknown as Session, taken, waiting };
}

const unread = { open: async () => Promise.reject(new Error('offline')) };

/** One start of a device that has these values under former keys. */
async function start(
  store: Store,
  of: ReadonlyMap<FormerKey, readonly CarriedValue[]>,
  waiting: string[] = [],
) {
  const to = joined(store);
  to.waiting.push(...waiting);
  const opened: string[] = [];
  const signer = bringing(signerOf(), [...of.keys()], unread);
  const take = await formerKeysOf(signer)!.leave({
    ...{ store, namespace, session: () => undefined },
    enter: async (pubkey) => {
      opened.push(pubkey);
      const [key, values] = [...of].find(([one]) => one.pubkey === pubkey)!;
      return Promise.resolve(former(key, values));
    },
  });
  await take(to.session);
  return { taken: to.taken.map(({ dTag }) => dTag), opened, values: to.taken };
}

/** A store that has something under these keys. */
async function storeOf(...keys: readonly FormerKey[]): Promise<Store> {
  const store = memoryStore();
  await store.update([], () => new Map(keys.map(({ pubkey }) => [`head/${pubkey}/${namespace}/x/v1`, '{}'])));
  return store;
}

test('a signer without former keys brings nothing along, and is the same', () => {
  const signer = signerOf();
  expect(bringing(signer, [], unread)).toBe(signer);
  expect(formerKeysOf(signer)).toBeUndefined();
});

test('who wipes it wipes the former keys as well', async () => {
  const [own, other] = [signerOf(), signerOf()];
  const signer = bringing(own, [await keyOf(other)], unread);
  signer.wipe!();
  for (const one of [signer, own, other])
    await expect(one.getPublicKey()).rejects.toMatchObject({ code: 'SIGNER_NOT_SET' });
});

test('all of a store comes along once; then the session of the former key is not opened again', async () => {
  const key = await keyOf(signerOf());
  const store = await storeOf(key);
  const values = [valueOf('a'), valueOf('b')];
  const first = await start(store, new Map([[key, values]]));
  expect(first.values).toEqual(values.map((value) => ({ ...value, isOfPerson: true })));
  expect(await start(store, new Map([[key, values]]))).toMatchObject({ taken: [], opened: [] });
});

test('nothing is opened of a key under which the store has nothing', async () => {
  const [key, other] = [await keyOf(signerOf()), await keyOf(signerOf())];
  const store = await storeOf(other);
  expect(await start(store, new Map([[key, [valueOf('a')]]]))).toMatchObject({ taken: [], opened: [] });
});

test('what waits does not give way to a second value: that comes along at the next start, the others do not', async () => {
  const key = await keyOf(signerOf());
  const store = await storeOf(key);
  const of = new Map([[key, [valueOf('a'), valueOf('b')]]]);
  expect((await start(store, of, ['my-app/a/v1'])).taken).toEqual(['my-app/b/v1']);
  expect(await start(store, of)).toMatchObject({ taken: ['my-app/a/v1'], opened: [key.pubkey] });
  expect(await start(store, of)).toMatchObject({ taken: [], opened: [] });
});

test('two former keys are told apart', async () => {
  const [one, two] = [await keyOf(signerOf()), await keyOf(signerOf())];
  const store = await storeOf(one, two);
  const of = new Map([
    [one, [valueOf('a', 'first')]],
    [two, [valueOf('b', 'second')]],
  ]);
  expect(await start(store, of)).toMatchObject({
    taken: ['my-app/a/v1', 'my-app/b/v1'],
    opened: [one.pubkey, two.pubkey],
  });
});

test.each(['', 'no json', '[]', 'null', '{"isWhole":"yes","marks":[]}', '{"marks":{"my-app/a/v1":7}}'])(
  'what is remembered and cannot be read counts as nothing: %j',
  async (text) => {
    const key = await keyOf(signerOf());
    const store = await storeOf(key);
    await store.update([], () => new Map([[`moved/${key.pubkey}/${namespace}`, text]]));
    expect((await start(store, new Map([[key, [valueOf('a')]]]))).taken).toEqual(['my-app/a/v1']);
  },
);
