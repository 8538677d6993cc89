/** What goes out of an embedded relay, with the faults that change, delay, drop or multiply it. */

import type { Clock } from '../clock.ts';
import type { Client } from './relay-client.ts';
import type { FrameLog } from './relay-log.ts';
import type { OutgoingFrame, RelayFaults } from './relay-options.ts';

export interface Outgoing {
  /** Answers a client, under all faults. */
  send(client: Client, ...frame: readonly unknown[]): void;
  /** Sends a frame as it is. It may be delayed or dropped, but not rewritten. */
  transmit(client: Client, frame: OutgoingFrame): void;
  /** Runs `task` after all that is on its way to this client. */
  afterDelay(client: Client, task: () => void): void;
  disconnect(client: Client, reason: string): void;
  /** The faults have changed: floods, or stops. */
  flood(): void;
}

export function createOutgoing(
  clock: Clock,
  clients: Set<Client>,
  faults: () => RelayFaults,
  log: FrameLog,
): Outgoing {
  const textOf = createTexts();
  let stopFlood = (): void => {};

  function afterDelay(client: Client, task: () => void): void {
    const delayMs = faults().delayMs ?? 0;
    if (delayMs === 0 && client.held.length === 0) return task();
    client.held.push(task);
    // Each timer releases the oldest, so that no frame overtakes another when `delayMs` shrinks.
    clock.after(delayMs, () => client.held.shift()?.());
  }

  function transmit(client: Client, frame: OutgoingFrame): void {
    if (client.state !== 'open' || faults().silent === true) return;
    afterDelay(client, () => {
      if (client.state !== 'open') return;
      log.add('out', client, frame);
      client.peer.send(textOf(frame));
    });
  }

  function flood(): void {
    const { flood: wanted } = faults();
    stopFlood();
    if (wanted === undefined) return;
    stopFlood = clock.after(wanted.everyMs, () => {
      for (const client of [...clients]) {
        for (const frame of wanted.frames(client.view)) transmit(client, frame);
      }
      flood();
    });
  }

  return {
    send: (client, ...frame) => {
      const { dropOk, noEose, rewrite } = faults();
      if (frame[0] === 'OK' && dropOk === true) return;
      if (frame[0] === 'EOSE' && noEose === true) return;
      for (const outgoing of rewrite?.(frame, client.view) ?? [frame]) transmit(client, outgoing);
    },
    transmit,
    afterDelay,
    disconnect: (client, reason) => {
      if (client.state === 'closed') return;
      client.state = 'closed';
      clients.delete(client);
      client.peer.close(reason);
    },
    flood,
  };
}

/** Returns what makes a frame into text; an event that goes out again and again is made into text once. */
function createTexts(): (frame: OutgoingFrame) => string {
  const texts = new WeakMap<object, string>();
  return (frame) => {
    if (typeof frame === 'string') return frame;
    const [type, id, event] = frame;
    if (type !== 'EVENT' || frame.length !== 3 || typeof event !== 'object' || event === null)
      return JSON.stringify(frame);
    let text = texts.get(event);
    if (text === undefined) {
      text = JSON.stringify(event);
      texts.set(event, text);
    }
    return `["EVENT",${JSON.stringify(id)},${text}]`;
  };
}
