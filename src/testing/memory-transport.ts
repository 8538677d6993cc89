/** Sockets to an embedded relay without a network: asynchronous, in order, and driven by the relay's clock alone. */

import type { Clock } from '../clock.ts';
import type { OpenSocket, Socket } from '../relay/socket.ts';
import { relayKey } from './relay-admission.ts';
import type { RelayLink, RelayPort } from './relay-port.ts';

/** Carries a task over one direction of a connection: later, and never before an earlier one. */
export function createTransit(clock: Clock, latencyMs: number): (task: () => void) => void {
  return (task) => {
    if (latencyMs > 0) clock.after(latencyMs, task);
    else queueMicrotask(task);
  };
}

export function createMemoryTransport(relay: RelayPort): OpenSocket {
  const transit = createTransit(relay.clock, relay.latencyMs);
  return (url, handlers): Socket => {
    let state: 'connecting' | 'open' | 'closing' | 'closed' = 'connecting';
    let link: RelayLink | undefined;

    function finish(reason: string): void {
      if (state === 'closed') return;
      state = 'closed';
      handlers.onClose(reason);
    }

    function open(): void {
      if (state !== 'connecting') return;
      link = relay.accept(url, {
        send: (text) => transit(() => state === 'open' && handlers.onMessage(text)),
        close: (reason) => transit(() => finish(reason)),
      });
      if (link === undefined) return finish('connection refused');
      state = 'open';
      handlers.onOpen();
    }

    // There and back: a connection costs a round trip.
    transit(() => transit(open));
    return {
      bufferedAmount: () => 0,
      send(text) {
        if (state === 'open') transit(() => link?.receive(text));
      },
      ping() {
        if (state !== 'open') return;
        transit(() => link?.ping() === true && transit(() => state === 'open' && handlers.onPong()));
      },
      close() {
        if (state === 'closing' || state === 'closed') return;
        state = 'closing';
        transit(() => link?.close());
        transit(() => finish('closed by this side'));
      },
    };
  };
}

/** Connects to several relays in memory, each by its own URL. Any other URL is unreachable. */
export function connectTo(relays: Readonly<Record<string, { readonly openSocket: OpenSocket }>>): OpenSocket {
  const byKey = new Map(Object.entries(relays).map(([url, relay]) => [relayKey(url), relay]));
  return (url, handlers) => {
    const relay = byKey.get(relayKey(url));
    if (relay !== undefined) return relay.openSocket(url, handlers);
    queueMicrotask(() => handlers.onClose('unknown host'));
    return { bufferedAmount: () => 0, send: () => {}, close: () => {} };
  };
}
