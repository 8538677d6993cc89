/** What every KeyStore keeps to, whatever it keeps keys in. Runs on Node and in a page, so it needs no test runner. */

import type { KeyStore } from '../../src/keys/key-store.ts';

interface Case {
  readonly name: string;
  /** `open` returns another KeyStore over the same place, which is empty at the start. */
  run(open: () => KeyStore): Promise<void>;
}

const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

function same(found: Uint8Array | undefined, expected: Uint8Array | undefined, what: string): void {
  if (String(found) !== String(expected))
    throw new Error(`${what}: expected ${String(expected)}, got ${String(found)}`);
}

async function rejects(call: Promise<unknown>, code: string): Promise<void> {
  const error: unknown = await call.then(
    () => 'nothing',
    (thrown: unknown) => thrown,
  );
  const { code: found } = Object(error) as { readonly code?: unknown };
  if (found !== code) throw new Error(`expected ${code}, got ${String(error)}`);
}

export const keyStoreSuite: readonly Case[] = [
  {
    name: 'what is saved is loaded, also by another one that is opened later',
    run: async (open) => {
      same(await open().load(), undefined, 'before');
      await open().save(key(1));
      same(await open().load(), key(1), 'after');
    },
  },
  {
    name: 'another key is never overwritten unless it is named as the former one',
    run: async (open) => {
      const store = open();
      await store.save(key(1));
      await rejects(store.save(key(2)), 'KEY_EXISTS');
      await rejects(store.save(key(2), key(3)), 'KEY_EXISTS');
      same(await open().load(), key(1), 'kept');
      await store.save(key(1));
      await store.save(key(2), key(1));
      same(await open().load(), key(2), 'replaced');
    },
  },
  {
    name: 'a former key that is not there any more is no licence to save',
    run: async (open) => {
      await rejects(open().save(key(2), key(1)), 'KEY_EXISTS');
      same(await open().load(), undefined, 'nothing');
    },
  },
  {
    name: 'of many that save at once, one succeeds',
    run: async (open) => {
      const saves = [1, 2, 3, 4, 5].map((byte) =>
        open()
          .save(key(byte))
          .then(
            () => byte,
            (error: unknown) => {
              const { code = '' } = Object(error) as { readonly code?: string };
              // A passkey asks for one thing at a time.
              if (!['KEY_EXISTS', 'KEY_STORE_FAILED'].includes(code)) throw error;
              return undefined;
            },
          ),
      );
      const winners = (await Promise.all(saves)).filter((byte) => byte !== undefined);
      if (winners.length !== 1) throw new Error(`expected one, got ${winners.join()}`);
      same(await open().load(), key(winners[0]!), 'the winner');
    },
  },
  {
    name: 'what was cleared is gone, twice as well, and another key may come',
    run: async (open) => {
      await open().save(key(1));
      await open().clear();
      await open().clear();
      same(await open().load(), undefined, 'cleared');
      await open().save(key(2));
      same(await open().load(), key(2), 'another');
    },
  },
  {
    name: 'the bytes that were given, and those that were loaded, are the caller’s',
    run: async (open) => {
      const [store, mine] = [open(), key(1)];
      await store.save(mine);
      same(mine, key(1), 'given');
      mine.fill(9);
      (await store.load())!.fill(9);
      same(await store.load(), key(1), 'kept');
    },
  },
];
