/** Neither key nor plaintext leaves the payload path: not to relays, not to disk, not into errors, events or inspection. */

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test, vi } from 'vitest';
import { fileStore, secretKeySigner } from '../../src/node.ts';
import { tracesOf } from '../support/traces.ts';
import { device, KEY, relay } from './devices.ts';

const CANARY = 'canary-7f3a91-in-the-mine';

const traces = tracesOf({ keys: [KEY], texts: [CANARY] });

test('key and plaintext are in no frame, file, error, event of trouble, log line or inspected object', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nostr-sync-'));
  const output: unknown[] = [];
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      output.push(chunk);
      return true;
    }),
  );
  try {
    const running = await relay();
    const signer = secretKeySigner(KEY);
    const sync = device([running.url], { signer, store: fileStore(folder), maxPayloadSize: 1_000 });
    const errors: unknown[] = [];
    const attempt = (call: Promise<unknown>): Promise<unknown> =>
      call.catch((error: unknown) => errors.push(error));

    await sync.publish('canary', { [CANARY]: CANARY });
    expect(await sync.fetch('canary')).toMatchObject({ payload: { [CANARY]: CANARY } });
    await attempt(sync.publish('canary', { [CANARY]: CANARY.repeat(100) }));
    const unfit: readonly unknown[] = [{ [CANARY]: 1n }, { [CANARY]: new Map([[CANARY, KEY]]) }];
    for (const payload of unfit) await attempt(sync.publish('canary', payload));
    running.relay.misbehave({ refuse: 'blocked: no' });
    await attempt(sync.publish('canary', [CANARY]));
    expect(() => secretKeySigner(`${KEY}0`)).toThrow(RangeError);
    for (const wrong of [`${KEY}0`, KEY.slice(1), `nsec1${KEY}`]) {
      await attempt(Promise.resolve().then(() => secretKeySigner(wrong)));
    }
    const live = inspect([sync, signer, await sync.getStatus(), await sync.getRelays()], {
      depth: 10,
      showHidden: true,
    });
    await sync.clearSigner();
    await attempt(sync.publish('canary', CANARY));
    expect(errors).toHaveLength(8);
    await sync.close();

    const files = await Promise.all(
      (await readdir(folder)).map((name) => readFile(join(folder, name), 'latin1')),
    );
    expect(files.join('')).toContain('canary/v1');
    const seen = {
      frames: JSON.stringify(running.relay.frames),
      files: files.join('\n'),
      errors: inspect([errors, sync.errors], { depth: 10, showHidden: true }),
      live,
      output: output.join('\n'),
    };
    for (const [where, text] of Object.entries(seen)) expect(traces.exec(text)?.[0], where).toBeUndefined();
  } finally {
    for (const spy of spies) spy.mockRestore();
    await rm(folder, { recursive: true });
  }
});
