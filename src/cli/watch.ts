/** `watch`: prints values as they change, until it is interrupted. */

import type { Command } from 'commander';
import { followRelays, interrupted, withEngine } from './engine.ts';
import { memoryStore } from '../node.ts';
import type { Output } from './output.ts';
import { requiredRelays, requiredSigner } from './settings.ts';
import { lineOf, withDeviceId } from './values.ts';

export function addWatch(program: Command, output: Output): void {
  program
    .command('watch')
    .argument('<category...>')
    .description('print the newest values on the relays and each later one, a line each, until interrupted')
    .action(async (categories: string[], _options: object, command: Command) => {
      const relays = requiredRelays(command);
      const stopped = interrupted();
      const signer = await requiredSigner(command);
      // It writes nothing, and must not keep this device's store from `publish` in another terminal.
      const store = memoryStore();
      await withEngine(command, { relays, signer, output, store }, async (sync) => {
        output.note(`watching ${categories.join(', ')}; Ctrl-C ends it`);
        const connected = new Set<string>();
        const stopFollowing = await followRelays(sync, (relays) => {
          for (const relay of relays) {
            if (relay.connected === connected.has(relay.url)) continue;
            if (relay.connected) connected.add(relay.url);
            else connected.delete(relay.url);
            output.note(relay.connected ? `connected to ${relay.url}` : `lost ${relay.url}, trying again`);
          }
        });
        sync.subscribe(categories, (result) => output.result(withDeviceId(result), lineOf(result)));
        await stopped;
        stopFollowing();
      });
    });
}
