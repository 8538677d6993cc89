/** Keys, words and passphrases are in no frame, file that others may read, error, log line or inspected object. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test, vi } from 'vitest';
import { fromNcryptsec, toNcryptsec } from '../../src/keys/passphrase.ts';
import { fromRecoveryPhrase, toRecoveryPhrase } from '../../src/keys/recovery.ts';
import {
  createNostrSync,
  fileKeyStore,
  fileStore,
  identity,
  nsecDecode,
  secretKeySigner,
  unlockWithSigner,
} from '../../src/node.ts';
import { startRelay } from '../../src/testing/relay-server.ts';
import { tracesOf } from '../support/traces.ts';

const PASSPHRASE = 'canary-in-the-mine-7f3a91';

test(
  'the whole way of a key, from the first start to the second device, leaves no trace of it',
  { timeout: 90_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-canary-'));
    const output: unknown[] = [];
    const spies = [process.stdout, process.stderr].map((stream) =>
      vi.spyOn(stream, 'write').mockImplementation((chunk) => {
        output.push(chunk);
        return true;
      }),
    );
    const relay = await startRelay();
    try {
      const errors: unknown[] = [];
      const attempt = (call: () => unknown): Promise<unknown> =>
        Promise.resolve()
          .then(call)
          .catch((error: unknown) => errors.push(error));
      const keyFile = join(folder, 'sync.key');
      const me = await identity({ namespace: 'my-app', keyStore: fileKeyStore(keyFile) });
      const words = await me.words(toRecoveryPhrase);
      const key = nsecDecode((await readFile(keyFile, 'utf8')).trim());
      const ncryptsec = await toNcryptsec(key, PASSPHRASE);
      const person = secretKeySigner(key);
      const options = { namespace: 'my-app', relays: [relay.url] };
      const unlocked = await unlockWithSigner(person, options);
      const sync = createNostrSync({
        ...options,
        signer: me.signer,
        store: fileStore(join(folder, 'store')),
      });
      await sync.publish('ui-settings', { theme: 'dark' });

      await attempt(() => fromRecoveryPhrase(`${words} zoo`));
      await attempt(() => fromRecoveryPhrase(words.split(' ').with(3, 'zzzz').join(' ')));
      await attempt(() => fromRecoveryPhrase(words.split(' ').reverse().join(' ')));
      await attempt(() => fromNcryptsec(ncryptsec, `${PASSPHRASE}!`));
      await attempt(() => fromNcryptsec(`${ncryptsec}q`, PASSPHRASE));
      await attempt(() => toNcryptsec(key.slice(1), PASSPHRASE));
      await attempt(() => fileKeyStore(keyFile).save(key.toReversed()));
      expect(errors).toHaveLength(7);
      const live = inspect([me, unlocked, sync], { depth: 10, showHidden: true });
      await sync.close();

      const stored = await Promise.all(
        (await readdir(join(folder, 'store'))).map((name) => readFile(join(folder, 'store', name), 'latin1')),
      );
      const pieces = words.split(' ').slice(0, -1);
      const traces = tracesOf({
        keys: [Buffer.from(key).toString('hex')],
        texts: [PASSPHRASE, ...pieces.map((word, i) => `${word} ${words.split(' ')[i + 1]!}`)],
      });
      const seen = {
        frames: JSON.stringify(relay.relay.frames),
        store: stored.join('\n'),
        errors: inspect(errors, { depth: 10, showHidden: true }),
        live,
        output: output.join('\n'),
      };
      expect(seen.frames).toContain('nostr-sync/key.');
      for (const [where, text] of Object.entries(seen)) expect(traces.exec(text)?.[0], where).toBeUndefined();
    } finally {
      for (const spy of spies) spy.mockRestore();
      await relay.close();
      await rm(folder, { recursive: true });
    }
  },
);
