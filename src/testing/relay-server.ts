/** An embedded relay on a loopback port, over `ws` and `node:http`. Node only. */

import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

import { WebSocketServer, type WebSocket } from 'ws';

import { createTransit } from './memory-transport.ts';
import type { RelayOptions } from './relay-options.ts';
import { createRelay, type Relay } from './relay.ts';

/** What `startRelay` takes. */
export interface StartRelayOptions extends RelayOptions {
  /** A relay that is there already, to be reached again with all it holds; the other relay options are then unused. */
  readonly relay?: Relay;
  /** Default: any free port. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
}

/** A relay that listens on a port. */
export interface RunningRelay {
  /** `ws://host:port`. */
  readonly url: string;
  readonly port: number;
  readonly relay: Relay;
  /** Cuts all connections and frees the port. What `relay` stores stays. Idempotent. */
  close(): Promise<void>;
}

/** Rejects with the error of `node:net` if the port is taken. */
export async function startRelay(options: StartRelayOptions = {}): Promise<RunningRelay> {
  const relay = options.relay ?? createRelay(options);
  const host = options.host ?? '127.0.0.1';
  const transit = createTransit(relay.clock, relay.latencyMs);
  const server = createServer((request, response) => {
    const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
    if (request.headers.accept?.includes('application/nostr+json') !== true) {
      response.writeHead(426, headers).end('Use a Nostr client.');
      return;
    }
    response.writeHead(200, { ...headers, 'content-type': 'application/nostr+json' });
    response.end(JSON.stringify(relay.information()));
  });
  // Frames of any size must reach the relay: it has its own limit, and `autoPong` would answer while it is silent.
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: false });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    // A client may go away at any moment, which is no fault of the relay's.
    stream.on('error', () => {});
    // There and back: a connection costs a round trip.
    transit(() => transit(() => upgrade(request, stream, head)));
  });

  let closed: Promise<void> | undefined;

  function upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    if (closed !== undefined) {
      stream.destroy();
      return;
    }
    if (relay.faults().refuseConnections === true) {
      stream.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, stream, head, (socket) => {
      attach(relay, socket, `ws://${request.headers.host ?? host}${request.url ?? '/'}`, transit);
    });
  }

  await listen(server, options.port ?? 0, host);
  const { port } = server.address() as AddressInfo;

  async function close(): Promise<void> {
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    await stopped;
  }

  return {
    url: `ws://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    relay,
    close: () => (closed ??= close()),
  };
}

function attach(relay: Relay, socket: WebSocket, url: string, transit: (task: () => void) => void): void {
  // `ws` closes the socket after every error, and the close is handled.
  socket.on('error', () => {});
  const link = relay.accept(url, {
    send: (text) => transit(() => socket.send(text)),
    close: (reason) => transit(() => socket.close(1000, reason)),
  });
  if (link === undefined) return socket.terminate();
  socket.on('message', (data, isBinary) => {
    if (isBinary) return socket.close(1003, 'text frames only');
    // What `ws` hands out unless it is told otherwise.
    const text = (data as Buffer).toString();
    transit(() => link.receive(text));
  });
  socket.on('ping', (data) => {
    transit(() => link.ping() && transit(() => socket.pong(data)));
  });
  socket.on('close', () => link.close());
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
