/** `status` and `flush`: what this device still owes its relays, and how they are. */

import { InvalidArgumentError, type Command } from 'commander';
import type { RelayInfo } from '../node.ts';
import { connectionsTried, deliver, withEngine } from './engine.ts';
import { CommandError, EXIT } from './failure.ts';
import { largestValueSeen } from './largest-value.ts';
import { table, type Output } from './output.ts';
import { requiredRelays, signerFrom, storeFolder, type GlobalOptions } from './settings.ts';

const CONNECT_MS = 5_000;
const MAX_TIMEOUT_SECONDS = 86_400;

export function addStatus(program: Command, output: Output): void {
  program
    .command('status')
    .description('show the device, its relays and what waits for them; a key is not needed')
    .action(async (_options: object, command: Command) => {
      const relays = requiredRelays(command);
      const signer = await signerFrom(command);
      const status = await withEngine(command, { relays, signer, output }, async (sync) => {
        await connectionsTried(sync, CONNECT_MS);
        return {
          ...(await sync.getStatus()),
          pubkey: await sync.getPubkey(),
          relays: await sync.getRelays(),
        };
      });
      const options = command.optsWithGlobals<GlobalOptions>();
      const shown = { namespace: options.namespace, store: storeFolder(options), ...status };
      const about = [
        ['namespace', shown.namespace],
        ['public key', shown.pubkey ?? 'none: no key was given'],
        ['device', shown.deviceId],
        ['store', shown.store],
        ['pending changes', `${shown.pendingChanges}`],
        ['last synced', shown.lastSyncedAt ?? 'not yet'],
        ['outbox', shown.outboxDepth === 0 ? 'empty' : `${shown.outboxDepth} to deliver`],
      ];
      output.result(shown, `${table(about)}\n\n${relayTable(shown.relays)}`);
    });
}

export function addFlush(program: Command, output: Output): void {
  program
    .command('flush')
    .description(
      'deliver what waits to every relay; exit code 4 if something still waits. A key is not needed',
    )
    .option('--timeout <seconds>', 'how long to try', toTimeout, 10)
    .action(async ({ timeout }: { readonly timeout: number }, command: Command) => {
      const relays = requiredRelays(command);
      const signer = await signerFrom(command);
      const outboxDepth = await withEngine(command, { relays, signer, output }, async (sync) => {
        await deliver(sync, timeout * 1_000);
        return (await sync.getStatus()).outboxDepth;
      });
      if (output.isJson || outboxDepth === 0) output.result({ outboxDepth }, 'every relay has everything');
      if (outboxDepth > 0) {
        throw new CommandError(
          'NOT_DELIVERED',
          EXIT.unreachable,
          `${outboxDepth} still to deliver after ${timeout} s`,
        );
      }
    });
}

function relayTable(relays: readonly RelayInfo[]): string {
  const rows = relays.map((relay) => [
    relay.url,
    relay.connected ? 'connected' : 'not connected',
    relay.latencyMs === null ? '-' : `${relay.latencyMs} ms`,
    relay.auth,
    largestValueSeen(relay),
    relay.lastError ?? '-',
  ]);
  return table([['RELAY', 'STATE', 'LATENCY', 'AUTH', 'LARGEST VALUE', 'LAST ERROR'], ...rows]);
}

function toTimeout(text: string): number {
  const seconds = Number(text);
  const isOk = /^\d+(\.\d+)?$/.test(text) && seconds <= MAX_TIMEOUT_SECONDS;
  if (!isOk) throw new InvalidArgumentError(`Expected seconds, at most ${MAX_TIMEOUT_SECONDS}.`);
  return seconds;
}
