/** `unlockWithSigner`: a person is asked once at the start, and a second secret is never made while the first may exist. */

import { inspect } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import {
  createNostrSync,
  generateKey,
  nip07Signer,
  secretKeySigner,
  unlockWithSigner,
  type Signer,
} from '../../src/node.ts';
import { startRelay, type RunningRelay } from '../../src/testing/relay-server.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function relay(): Promise<RunningRelay> {
  const running = await startRelay();
  cleanups.push(() => running.close());
  return running;
}

async function deadRelay(): Promise<string> {
  const { url, close } = await startRelay();
  await close();
  return url;
}

/** An extension, and what it was asked that a person sees. */
function extension(key = generateKey()): { readonly signer: Signer; readonly asked: string[] } {
  const own = secretKeySigner(key);
  const asked: string[] = [];
  const provider = {
    getPublicKey: own.getPublicKey,
    signEvent: (template: Parameters<Signer['signEvent']>[0]) => {
      asked.push('sign');
      return own.signEvent(template);
    },
    nip44: {
      encrypt: (peer: string, text: string) => {
        asked.push('encrypt');
        return own.nip44.encrypt(peer, text);
      },
      decrypt: (peer: string, text: string) => {
        asked.push('decrypt');
        return own.nip44.decrypt(peer, text);
      },
    },
  };
  return { signer: nip07Signer(provider), asked };
}

const pubkeyOf = async (signer: Promise<Signer>): Promise<string> => (await signer).getPublicKey();
const secretsAt = ({ relay: { events } }: RunningRelay): number =>
  events().filter(({ tags }) =>
    tags.some(([name, value]) => name === 'd' && value!.startsWith('nostr-sync/key.')),
  ).length;

test('the same person has the same key on every device, another one than their own, and another for each app', async () => {
  const { url } = await relay();
  const { signer } = extension();
  const options = { namespace: 'my-app', relays: [url] };
  const first = await pubkeyOf(unlockWithSigner(signer, options));
  expect(await pubkeyOf(unlockWithSigner(signer, options))).toBe(first);
  expect(await pubkeyOf(unlockWithSigner(signer, { ...options, namespace: 'other' }))).not.toBe(first);
  expect(await pubkeyOf(unlockWithSigner(extension().signer, options))).not.toBe(first);
  expect(first).not.toBe(await signer.getPublicKey());
});

test('from the second start on a person is asked one thing, and for no write', async () => {
  const { url } = await relay();
  const { signer, asked } = extension();
  await unlockWithSigner(signer, { namespace: 'my-app', relays: [url] });
  asked.length = 0;
  const unlocked = await unlockWithSigner(signer, { namespace: 'my-app', relays: [url] });
  const sync = createNostrSync({ namespace: 'my-app', relays: [url], signer: unlocked });
  for (const theme of ['dark', 'light', 'dark']) await sync.publish('ui-settings', { theme });
  expect(await sync.fetch('ui-settings')).toMatchObject({ payload: { theme: 'dark' } });
  await sync.close();
  expect(asked).toEqual(['decrypt']);
});

test('where it is, and how its name is made, is pinned: other implementations must find it', async () => {
  const running = await relay();
  const { signer } = extension();
  await unlockWithSigner(signer, { namespace: 'my-app', relays: [running.url] });
  const [event] = running.relay.events();
  expect(event!.tags).toContainEqual(['d', 'nostr-sync/key.4c9a75cca717efb6/v1']);
  const text = await signer.nip44.decrypt(await signer.getPublicKey(), event!.content);
  expect(JSON.parse(text)).toEqual({
    v: 1,
    secret: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    made: expect.any(Number) as number,
  });
});

test('no secret is made while a relay that may have one is not there', async () => {
  const [running, dead] = [await relay(), await deadRelay()];
  const { signer, asked } = extension();
  const unlocked = unlockWithSigner(signer, { namespace: 'my-app', relays: [running.url, dead] });
  await expect(unlocked).rejects.toMatchObject({
    code: 'NO_RELAYS_REACHABLE',
    details: { answered: [running.url], silent: [dead] },
  });
  expect(secretsAt(running)).toBe(0);
  expect(asked).toEqual([]);
});

test.each([[[]], ['dead']])('nor without any relay: %j', async (relays) => {
  const urls = relays === 'dead' ? [await deadRelay()] : [];
  const unlocked = unlockWithSigner(extension().signer, { namespace: 'my-app', relays: urls });
  await expect(unlocked).rejects.toMatchObject({ code: 'NO_RELAYS_REACHABLE' });
});

test('a secret that one relay has is enough, and a relay that lacks it gets it', async () => {
  const [old, fresh, dead] = [await relay(), await relay(), await deadRelay()];
  const { signer } = extension();
  const first = await pubkeyOf(unlockWithSigner(signer, { namespace: 'my-app', relays: [old.url] }));
  const relays = [old.url, fresh.url, dead];
  expect(await pubkeyOf(unlockWithSigner(signer, { namespace: 'my-app', relays }))).toBe(first);
  await expect.poll(() => secretsAt(fresh), { timeout: 10_000 }).toBe(1);
});

test('a key of a secret that no relay took is not handed out', async () => {
  const running = await relay();
  running.relay.misbehave({ refuse: 'blocked: no' });
  const unlocked = unlockWithSigner(extension().signer, { namespace: 'my-app', relays: [running.url] });
  await expect(unlocked).rejects.toMatchObject({ code: 'NO_RELAYS_ACCEPTED' });
});

test('two first devices at once end with one secret', async () => {
  const { url } = await relay();
  const { signer } = extension();
  const both = [1, 2].map(async () => unlockWithSigner(signer, { namespace: 'my-app', relays: [url] }));
  await Promise.allSettled(both);
  const later = await pubkeyOf(unlockWithSigner(signer, { namespace: 'my-app', relays: [url] }));
  const again = await pubkeyOf(unlockWithSigner(signer, { namespace: 'my-app', relays: [url] }));
  expect(later).toBe(again);
});

test('what is no secret is not overwritten', async () => {
  const running = await relay();
  const { signer } = extension();
  await unlockWithSigner(signer, { namespace: 'my-app', relays: [running.url] });
  const sync = createNostrSync({ namespace: 'nostr-sync', relays: [running.url], signer, keepSigner: true });
  await sync.publish('key.4c9a75cca717efb6', { v: 2, anything: true }, { waitFor: 'replicated' });
  await sync.close();
  const before = running.relay.events().map(({ id }) => id);
  const error: unknown = await unlockWithSigner(signer, { namespace: 'my-app', relays: [running.url] }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'UNDECODABLE' });
  expect(inspect(error, { depth: 5 })).not.toContain('anything');
  expect(running.relay.events().map(({ id }) => id)).toEqual(before);
});

test('the person’s own signer is not wiped, and a namespace that is none is refused', async () => {
  const { url } = await relay();
  const own = secretKeySigner(generateKey());
  await unlockWithSigner(own, { namespace: 'my-app', relays: [url] });
  expect(await own.getPublicKey()).toMatch(/^[0-9a-f]{64}$/);
  await expect(unlockWithSigner(own, { namespace: 'a/b', relays: [url] })).rejects.toMatchObject({
    code: 'INVALID_NAMESPACE',
  });
});
