/** A signer that nobody here wrote: nostr-tools' client for NIP-46, over a relay of its own, before a bunker that holds the key. */

import { BunkerSigner } from 'nostr-tools/nip46';
import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool';
import { decrypt, encrypt, getConversationKey } from 'nostr-tools/nip44';
import { finalizeEvent, generateSecretKey, getPublicKey, type EventTemplate } from 'nostr-tools/pure';
import { hexToBytes } from '@noble/hashes/utils.js';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { nip07Signer, secretKeySigner, type NostrEvent } from '../../src/node.ts';
import { device, KEY, PUBKEY, relay } from '../sync/devices.ts';
import { valueOf } from '../sync/values.ts';

const NOSTR_CONNECT = 24_133;
const LARGE = { maxPayloadSize: 409_600 };

interface Question {
  readonly id: string;
  readonly method: string;
  readonly params: readonly string[];
}

/** A client that is connected, and what it asks. `maxEventBytes`: of its relay. `refuse`: what the bunker says to a question. */
async function bunker({
  maxEventBytes = 65_536,
  refuse = () => undefined,
}: {
  readonly maxEventBytes?: number;
  readonly refuse?: (question: Question) => string | undefined;
} = {}): Promise<{
  readonly client: BunkerSigner;
  readonly asked: Question[];
  readonly refusals: () => number;
}> {
  const { url, relay: on } = await relay({ limits: { maxEventBytes } });
  const [ofBunker, ofClient] = [generateSecretKey(), generateSecretKey()];
  const shared = getConversationKey(ofBunker, getPublicKey(ofClient));
  const own = getConversationKey(hexToBytes(KEY), PUBKEY);
  const asked: Question[] = [];
  let refusals = 0;
  const answers: Record<string, (params: readonly string[]) => string> = {
    get_public_key: () => PUBKEY,
    sign_event: ([event]) =>
      JSON.stringify(finalizeEvent(JSON.parse(event!) as EventTemplate, hexToBytes(KEY))),
    nip44_encrypt: ([, text]) => encrypt(text!, own),
    nip44_decrypt: ([, text]) => decrypt(text!, own),
  };
  on.misbehave({
    receive: ([type, value]) => {
      const event = value as NostrEvent;
      if (type !== 'EVENT' || event.kind !== NOSTR_CONNECT) return undefined;
      if (JSON.stringify(event).length > maxEventBytes) {
        // The relay says no.
        refusals++;
        return undefined;
      }
      const question = JSON.parse(decrypt(event.content, shared)) as Question;
      asked.push(question);
      const error = refuse(question);
      if (error !== undefined) refusals++;
      const said = error === undefined ? { result: answers[question.method]!(question.params) } : { error };
      const answer = finalizeEvent(
        {
          kind: NOSTR_CONNECT,
          created_at: event.created_at,
          tags: [['p', event.pubkey]],
          content: encrypt(JSON.stringify({ id: question.id, ...said }), shared),
        },
        ofBunker,
      );
      setImmediate(() => on.inject(JSON.parse(JSON.stringify(answer)) as NostrEvent));
      return undefined;
    },
  });
  useWebSocketImplementation(WebSocket);
  const pool = new SimplePool();
  const client = BunkerSigner.fromBunker(
    ofClient,
    { relays: [url], pubkey: getPublicKey(ofBunker), secret: null },
    { pool },
  );
  onTestFinished(async () => {
    await client.close();
    pool.destroy();
  });
  return { client, asked, refusals: () => refusals };
}

test('signs, encrypts and decrypts for the engine as it is', async () => {
  const { client, asked } = await bunker();
  const { url } = await relay();
  const laptop = device([url], { ...LARGE, signer: nip07Signer(client) });
  const value = valueOf(100_000, 1, true);
  await laptop.publish('small', { theme: 'dark' });
  await laptop.publish('large', value, { waitFor: 'replicated' });
  const phone = device([url], { ...LARGE, signer: secretKeySigner(KEY) });
  expect(await phone.fetch('small')).toMatchObject({ payload: { theme: 'dark' } });
  expect((await phone.fetch('large'))?.payload).toEqual(value);
  await phone.publish('small', { theme: 'light' });
  expect(await laptop.fetch('small')).toMatchObject({ payload: { theme: 'light' } });
  expect(new Set(asked.map(({ method }) => method))).toEqual(
    new Set(['get_public_key', 'nip44_encrypt', 'nip44_decrypt', 'sign_event']),
  );
  expect(laptop.errors).toEqual([]);
});

test.each([
  ['its relay', { maxEventBytes: 30_000 }],
  [
    'the bunker',
    {
      refuse: ({ params }: Question) =>
        JSON.stringify(params).length > 20_000 ? 'message too large' : undefined,
    },
  ],
])('is given smaller pieces where %s finds a question too large', async (_, options) => {
  const { client, refusals } = await bunker(options);
  const { url } = await relay();
  const laptop = device([url], { ...LARGE, signer: nip07Signer(client) });
  // One event for others.
  const value = valueOf(24_000, 2, true);
  await laptop.publish('large', value, { waitFor: 'replicated' });
  expect((await device([url], LARGE).fetch('large'))?.payload).toEqual(value);
  expect(refusals()).toBe(1);
});
