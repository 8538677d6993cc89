/**
 * What a runtime must be able to do, as a program that needs nothing but the package: `program.mjs FOLDER RELAY`.
 * Prints one line of JSON a check, `{ name, error? }`, and then `{ done: true }`.
 */

import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { createNostrSync, fileStore, generateKey, memoryStore, secretKeySigner } from 'nostr-sync';
import { signerConformance, startRelay, storeConformance } from 'nostr-sync/testing';

const [folder, relayUrl] = process.argv.slice(2);

async function check(name, run) {
  const failure = await run().then(
    () => undefined,
    (error) => String(error?.stack ?? error),
  );
  console.log(JSON.stringify({ name, error: failure }));
}

/** A value of one device on another, by push and by `fetch`, the second time by a new engine on the same store. */
async function syncs(url, payload) {
  const key = generateKey();
  const engines = [];
  const start = (name) => {
    const engine = createNostrSync({
      namespace: 'runtimes',
      relays: [url],
      signer: secretKeySigner(key),
      store: fileStore(join(folder, `${name}-${payload.length}`)),
      maxPayloadSize: 200_000,
    });
    engines.push(engine);
    return engine;
  };
  try {
    const [laptop, phone] = [start('laptop'), start('phone')];
    const pushed = new Promise((resolve) => {
      phone.subscribe(['settings'], resolve);
    });
    const { stage } = await laptop.publish('settings', payload, { waitFor: 'replicated' });
    if (stage !== 'replicated') throw new Error(`came to ${stage} only`);
    const values = [await pushed];
    await phone.close();
    values.push(await start('phone').fetch('settings'));
    if (values.some((value) => JSON.stringify(value.payload) !== JSON.stringify(payload)))
      throw new Error('another value came back');
  } finally {
    await Promise.all(engines.map((engine) => engine.close()));
  }
}

for (const { name, run } of signerConformance)
  await check(`a signer ${name}`, () => run(secretKeySigner(generateKey())));
for (const { name, run } of storeConformance)
  await check(`memoryStore: ${name}`, () => run({ open: async () => memoryStore() }));
for (const { name, run } of storeConformance) {
  let current;
  await check(`fileStore: ${name}`, () =>
    run({
      open: async () => fileStore((current = await mkdtemp(join(folder, 'store-')))),
      reopen: async () => fileStore(current),
    }),
  );
}
const lines = Array.from({ length: 4_000 }, (_, index) => `line ${index} ${Math.sin(index)}`);
await check('two devices sync a value', () => syncs(relayUrl, ['dark']));
await check('two devices sync a value in pieces', () => syncs(relayUrl, lines));
await check('the embedded relay serves', async () => {
  const relay = await startRelay();
  await syncs(relay.url, ['from', 'within']);
  await relay.close();
});
console.log(JSON.stringify({ done: true }));
