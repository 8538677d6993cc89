/** `relay`: an embedded relay on loopback, for trying things out. */

import { InvalidArgumentError, Option, type Command } from 'commander';
import { startRelay } from '../testing/relay-server.ts';
import { interrupted } from './engine.ts';
import { CommandError, EXIT } from './failure.ts';
import type { Output } from './output.ts';

/** Always the same, so that what README shows runs as it stands. */
const DEFAULT_PORT = 7447;

export function addRelay(program: Command, output: Output): void {
  program
    .command('relay')
    .description('run a relay on this computer until interrupted; it keeps everything in memory')
    .option('--port <number>', 'port to listen on; 0: any free one', toPort, DEFAULT_PORT)
    .addOption(
      // It has no defence against strangers: it is for this computer alone.
      new Option('--host <address>', 'loopback address')
        .choices(['127.0.0.1', '::1', 'localhost'])
        .default('127.0.0.1'),
    )
    .action(async ({ port, host }: { readonly port: number; readonly host: string }) => {
      const stopped = interrupted();
      const running = await startRelay({ port, host }).catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        const advice = reason.includes('EADDRINUSE')
          ? '; give it another with --port, or --port 0 for any'
          : '';
        throw new CommandError('RELAY_FAILED', EXIT.failed, `Cannot start the relay: ${reason}${advice}`);
      });
      const url = `ws://${host.includes(':') ? `[${host}]` : host}:${running.port}`;
      output.result({ url, port: running.port }, url);
      output.note('Ctrl-C ends it, and with it all it holds');
      await stopped;
      await running.close();
    });
}

function toPort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError('Expected 0 to 65535.');
  return Number(text);
}
