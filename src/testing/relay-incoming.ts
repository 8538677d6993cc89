/** What comes in to an embedded relay: each frame in its turn, with the faults that meet it before it is handled. */

import type { Clock } from '../clock.ts';
import { isLongerThan } from './relay-admission.ts';
import type { Client } from './relay-client.ts';
import type { Commands } from './relay-commands.ts';
import type { FrameLog } from './relay-log.ts';
import type { RelayFaults } from './relay-options.ts';
import type { Outgoing } from './relay-outgoing.ts';

/** Returns what takes a text frame of a client. */
export function createIncoming(
  clock: Clock,
  maxFrameBytes: number,
  faults: () => RelayFaults,
  log: FrameLog,
  { handle, notice }: Commands,
  { afterDelay, disconnect }: Outgoing,
): (client: Client, text: string) => void {
  function receive(client: Client, text: string): void {
    if (client.state !== 'open' || faults().silent === true) return;
    if (client.backlog !== undefined) return void client.backlog.push(text);
    const waitMs = text.startsWith('["REQ"') ? client.reqWaitMs() : 0;
    if (waitMs === 0) return read(client, text);
    client.backlog = [];
    clock.after(waitMs, () => {
      const texts = client.backlog ?? [];
      client.backlog = undefined;
      if (client.state !== 'open') return;
      read(client, text);
      for (const one of texts) receive(client, one);
    });
  }

  function read(client: Client, text: string): void {
    if (isLongerThan(text, maxFrameBytes)) return disconnect(client, 'frame too large');
    const frame = parseJson(text);
    log.add('in', client, frame ?? text);
    if (!Array.isArray(frame)) return notice(client, 'error: expected a JSON array');
    switch (faults().receive?.(frame, client.view)) {
      case undefined:
        return handle(client, frame);
      case 'ignore':
        return;
      case 'disconnect':
        return disconnect(client, 'fault');
      case 'disconnect-unanswered':
        client.state = 'deaf';
        handle(client, frame);
        return disconnect(client, 'fault');
      case 'disconnect-answered':
        handle(client, frame);
        return afterDelay(client, () => disconnect(client, 'fault'));
    }
  }

  return receive;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
