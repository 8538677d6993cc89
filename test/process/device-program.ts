/**
 * A device as a process of its own: an engine on a file store, told what to do by lines of JSON on stdin, answering by lines of
 * JSON on stdout. Arguments: the store's folder, the relays' URLs with commas between, the key in hex.
 */

import { createInterface } from 'node:readline';
import { mergeBy } from '../../src/merge.ts';
import { createNostrSync, fileStore, isNostrSyncError, secretKeySigner } from '../../src/node.ts';
import { filler } from '../support/random.ts';
import type { Answer, Command, MERGED } from './processes.ts';

const merged: typeof MERGED = 'ui-settings';

const [folder, url, key] = process.argv.slice(2);
const sync = createNostrSync({
  relays: url!.split(','),
  signer: secretKeySigner(key!),
  store: fileStore(folder!),
  maxPayloadSize: 409_600,
  categories: { [merged]: { merge: mergeBy() } },
});
const errors: string[] = [];
sync.on('error', ({ code }) => errors.push(code));
const conflicts: string[] = [];
sync.on('conflict', ({ category }) => conflicts.push(category));

function print(answer: Answer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** Publishes one value after the other until the process is killed; says of each what its receipt says. */
async function loop(category: string, from: number, length?: number): Promise<never> {
  for (let value = from; ; value++) {
    const payload = { value, text: filler(length ?? (value * 7_919) % 20_000, value) };
    // Most do not wait for the relay, so that the kill meets the store; the others meet the wire.
    const waitFor = value % 3 === 0 ? 'delivered' : 'saved';
    const receipt = await sync.publish(category, payload, { waitFor });
    print({ type: 'receipt', value, receipt });
  }
}

async function obey(command: Command): Promise<void> {
  switch (command.do) {
    case 'loop':
      return loop(command.category, command.from, command.filler);
    case 'publish': {
      const { category, value, waitFor } = command;
      const payload = { value, ...(command.filler && { text: filler(command.filler) }) };
      return print({ type: 'receipt', value, receipt: await sync.publish(category, payload, { waitFor }) });
    }
    case 'update': {
      const change = (now: unknown): object => ({ ...(now as object | undefined), ...command.fields });
      const receipt = await sync.update(command.category, change, { waitFor: 'saved' });
      return print({ type: 'updated', receipt });
    }
    case 'fetch':
      return print({ type: 'fetched', result: await sync.fetch(command.category) });
    case 'status':
      return print({ type: 'status', relays: await sync.getRelays(), errors, conflicts });
    case 'flush':
      await sync.flush();
      return print({ type: 'flushed' });
  }
}

print({ type: 'started' });
for await (const line of createInterface({ input: process.stdin })) {
  await obey(JSON.parse(line) as Command).catch((error: unknown) => {
    print({ type: 'failed', code: isNostrSyncError(error) ? error.code : 'OTHER', message: String(error) });
  });
}
