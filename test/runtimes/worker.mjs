/** A Cloudflare Worker (workerd) that syncs one value from one device to another within a request, both in memory. */

import { createNostrSync, generateKey, memoryStore, secretKeySigner } from 'nostr-sync';

export default {
  async fetch(request) {
    const relays = [new URL(request.url).searchParams.get('relay')];
    const signer = secretKeySigner(generateKey());
    const [laptop, phone] = [0, 1].map(() => createNostrSync({ relays, signer, store: memoryStore() }));
    const { stage } = await laptop.publish('settings', { theme: 'dark' });
    const value = await phone.fetch('settings');
    let refusal;
    try {
      createNostrSync();
    } catch (error) {
      refusal = `${error.code}: ${error.message}`;
    }
    await Promise.all([laptop.close(), phone.close()]);
    return Response.json({ stage, payload: value?.payload, refusal });
  },
};
